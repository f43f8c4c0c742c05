"""What proves to a registry who is asking: passwords, and tokens in exchange."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from urllib3.exceptions import HTTPError

from ..errors import Failure, quote
from ..types import FailureCode
from .answers import Trouble, challenges_in, trouble
from .credentials import Bearer, Credential, Identity, Keys, Password
from .hiding import shown
from .references import Remote as At
from .web import Web

_LONGEST = 1 << 20
#: What a token lives when nothing is said, and how long before it is renewed.
_LIFE, _MARGIN = 60, 10
#: What can be in a header.
_SENDABLE = re.compile("[!-~]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be allowed."""

    at: At
    actions: str
    #: Another repository of the registry that a blob is taken from.
    source: str | None = None

    def wanted(self) -> list[str]:
        """The scope as registries have it."""
        own = [f"repository:{self.at.path}:{self.actions}"]
        return own + ([f"repository:{self.source}:pull"] if self.source else [])


class Tokens:
    """What to send in `Authorization`, remembered as long as it holds."""

    def __init__(self, web: Web, keys: Keys, is_plain: Callable[[str], bool]) -> None:
        self._web = web
        self._keys = keys
        self._is_plain = is_plain
        #: The header and its end for each registry and scope.
        self._known: dict[tuple[str, ...], tuple[str, float]] = {}

    def known(self, scope: Scope | None) -> str:
        """The header for a scope; empty if there is none yet."""
        if scope is None:
            return ""
        secret, end = self._known.get(_key(scope), ("", 0.0))
        return "" if time.monotonic() >= end else secret

    def forget(self, scope: Scope) -> None:
        """The registry did not take it."""
        self._known.pop(_key(scope), None)

    def authorize(self, scope: Scope, asked: list[str]) -> str:
        """What to send after a registry asked for it."""
        known = self._authorize(scope, asked)
        self._known[_key(scope)] = known
        return known[0]

    def _authorize(self, scope: Scope, asked: list[str]) -> tuple[str, float]:
        host = scope.at.host
        challenges = dict(reversed([pair for header in asked for pair in challenges_in(header)]))
        credential = self._keys.find(host)
        if "bearer" in challenges:
            if isinstance(credential, Bearer):
                if not _SENDABLE.fullmatch(credential.token):
                    raise _unauthorized(host, "the token for it cannot be in a header")
                return f"Bearer {credential.token}", float("inf")
            return self._token(scope, challenges["bearer"], credential)
        if "basic" not in challenges:
            raise _unauthorized(host, "the registry does not say how to authenticate")
        if isinstance(credential, Password):
            return _basic(credential), float("inf")
        why = "it wants a password, and only a token is known"
        raise _unauthorized(host, why if credential else "no credentials are known for it")

    def _token(
        self, scope: Scope, asked: dict[str, str], credential: Credential | None
    ) -> tuple[str, float]:
        host = scope.at.host
        service = self._service(host, asked.get("realm"))
        scopes = scope.wanted()
        scopes += [text for text in asked.get("scope", "").split() if text not in scopes]
        named = asked.get("service")
        if isinstance(credential, Identity):
            form = {
                "grant_type": "refresh_token",
                "service": named or "",
                "client_id": "layerwise",
                "scope": " ".join(scopes),
                "refresh_token": credential.token,
            }
            answer = self._web.ask(
                "POST",
                service,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urllib.parse.urlencode(form).encode(),
                secrets=[credential.token],
            )
        else:
            query = ([("service", named)] if named else []) + [("scope", text) for text in scopes]
            mark = "&" if "?" in service else "?"
            secret = _basic(credential) if isinstance(credential, Password) else ""
            url = service + mark + urllib.parse.urlencode(query)
            answer = self._web.ask("GET", url, authorization=secret)
        what = f"no token for {quote(host)} from {shown(service)}"
        if answer.status == 429 or answer.status >= 500:
            raise Trouble(answer.refused(what))
        if not answer.fine:
            failure = answer.refused(what)
            denied = failure.code is FailureCode.DENIED
            code = FailureCode.DENIED if denied else FailureCode.UNAUTHORIZED
            raise Failure(code, failure.message)
        try:
            document = json.loads(answer.content(what, _LONGEST))
            token = document.get("token") or document.get("access_token")
            life = document.get("expires_in")
        except (HTTPError, OSError) as error:
            raise trouble(what, error) from None
        except (ValueError, AttributeError, RecursionError):
            token = life = None
        finally:
            answer.close()
        if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
            raise _unauthorized(host, f"{shown(service)} answers without a token")
        seconds = life if isinstance(life, int) and life >= 0 else _LIFE
        return f"Bearer {token}", time.monotonic() + max(0, seconds - _MARGIN)

    def _service(self, host: str, realm: str | None) -> str:
        """The service for tokens: passwords do not go there in the clear, unless
        they would to the registry itself.
        """
        if realm is None:
            raise _unauthorized(host, "the registry names no service for tokens")
        try:
            parts = urllib.parse.urlsplit(realm)
        except ValueError:
            why = f"{quote(shown(realm))} is not a service for tokens"
            raise _unauthorized(host, why) from None
        trusted = parts.scheme == "https" or (parts.scheme == "http" and self._is_plain(host))
        if not trusted or not parts.hostname:
            raise _unauthorized(host, f"{quote(shown(realm))} is not a service to be trusted")
        return realm


def _key(scope: Scope) -> tuple[str, ...]:
    return (scope.at.host, *scope.wanted())


def _unauthorized(host: str, why: str) -> Failure:
    return Failure(FailureCode.UNAUTHORIZED, f"not authorized at {quote(host)}: {why}")


def _basic(credential: Password) -> str:
    pair = f"{credential.user}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"
