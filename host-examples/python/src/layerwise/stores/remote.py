"""Registries that speak OCI distribution (1.1) over HTTP and HTTPS."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.response import BaseHTTPResponse

from ..errors import Failure, quote
from ..registry import Presence
from ..types import Descriptor, FailureCode
from .answers import Trouble, challenges_in, ended_early, media_type_of, refused, trouble
from .blobs import Blob
from .credentials import Bearer, Credential, Identity, Keys, Password
from .documents import MANIFESTS
from .hashing import sha256, verifies
from .references import Remote as At
from .references import Target

#: Docker Hub answers under another name than the one in references.
_HUB = {"docker.io": "registry-1.docker.io"}
_LONGEST_TOKEN = 1 << 20
_CHUNK = 256 << 10
_REDIRECTS = 5
#: What a token lives when nothing is said, and how long before it is renewed.
_LIFE, _MARGIN = 60, 10
#: So much progress makes up for earlier interruptions.
_PROGRESS = 1 << 20


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how fast a request is made again after a connection error, a
    time-out, 429 or 5xx. The pause doubles each time.
    """

    attempts: int = 4
    first_pause: float = 0.25
    longest_pause: float = 10.0


class _Tries:
    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.repeated = False
        self.renew()

    def renew(self) -> None:
        """Counts from the beginning again, after some success."""
        self._left = max(1, self._retry.attempts) - 1
        self._pause = self._retry.first_pause

    def again(self, trouble: Trouble) -> None:
        """Pauses before the next try; raises the trouble when none is left."""
        if self._left == 0:
            raise trouble.failure from None
        time.sleep(min(max(trouble.pause, self._pause), self._retry.longest_pause))
        self._left -= 1
        self._pause *= 2
        self.repeated = True


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is to be allowed."""

    at: At
    actions: str
    #: Another repository of the registry that a blob is taken from.
    source: str | None = None

    def wanted(self) -> list[str]:
        own = [f"repository:{self.at.path}:{self.actions}"]
        return own + ([f"repository:{self.source}:pull"] if self.source else [])


class Remotes:
    """All registries, with the tokens they gave."""

    def __init__(
        self,
        *,
        keys: Keys,
        plain_http: Iterable[str],
        https: Iterable[str],
        ca_file: str | None,
        retry: Retry,
        connect_timeout: float,
        idle_timeout: float,
        largest_manifest: int,
    ) -> None:
        self._keys = keys
        self._plain = frozenset(plain_http)
        self._encrypted = frozenset(https)
        self._retry = retry
        self._largest = largest_manifest
        context = ssl.create_default_context(cafile=ca_file)
        timeout = urllib3.Timeout(connect=connect_timeout, read=idle_timeout)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, ssl_context=context)
        self._proxies: dict[str, urllib3.ProxyManager] = {}
        for scheme, proxy in urllib.request.getproxies_environment().items():
            if scheme in ("http", "https"):
                self._proxies[scheme] = urllib3.ProxyManager(
                    proxy, timeout=timeout, retries=False, ssl_context=context
                )
        #: The header and its end for each registry and scope.
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def close(self) -> None:
        """Ends all connections."""
        for pool in (self._pool, *self._proxies.values()):
            pool.clear()

    def resolve(self, at: At, target: Target) -> Descriptor:
        """What a name stands for: the digest and size of the bytes that came,
        whatever the headers say.
        """
        media_type, content = (
            self.manifest(at, target.digest) if target.digest else self._fetch(at, target.tag or "")
        )
        return Descriptor(media_type, target.digest or sha256(content), len(content))

    def manifest(self, at: At, digest: str) -> tuple[str, bytes]:
        """A manifest by its digest, checked, with its media type."""
        media_type, content = self._fetch(at, digest)
        if not verifies(digest, content):
            message = f"the bytes of {digest} have the digest {sha256(content)}"
            raise Failure(FailureCode.CORRUPT, message)
        return media_type, content

    def content(self, at: At, kind: str, digest: str, size: int) -> Blob:
        """A blob, or one of the manifests, as bytes that can be read."""
        return Blob(digest, size, lambda: self._pull(at, kind, digest, size))

    def has(self, at: At, digest: str) -> Presence:
        """Whether a repository has a blob."""
        url = self._url(at, f"blobs/{digest}")
        response = self._send(_Scope(at, "pull"), "HEAD", url)
        if 200 <= response.status < 300:
            return Presence.PRESENT
        if response.status == 404:
            return Presence.ABSENT
        if response.status in (400, 405):
            return Presence.UNKNOWN
        raise refused(f"cannot look for {digest}", response)

    def put_manifest(self, at: At, name: str, media_type: str, content: bytes) -> None:
        """Stores a manifest under a tag or its digest."""
        url = self._url(at, f"manifests/{name}")
        headers = {"Content-Type": media_type}
        response = self._send(_Scope(at, "pull,push"), "PUT", url, headers, content)
        if not 200 <= response.status < 300:
            raise refused(f'cannot store the manifest {quote(name)} in "{at}"', response)

    def tag(self, at: At, tag: str, digest: str) -> None:
        """Makes a tag stand for a manifest that is there."""
        media_type, content = self.manifest(at, digest)
        self.put_manifest(at, tag, media_type, content)

    def delete(self, at: At, digest: str) -> None:
        """Deletes a manifest."""
        tries = _Tries(self._retry)
        url = self._url(at, f"manifests/{digest}")
        response = self._send(_Scope(at, "delete"), "DELETE", url, tries=tries)
        # The answer to an earlier try may have been lost.
        gone = response.status == 404 and tries.repeated
        if not 200 <= response.status < 300 and not gone:
            raise refused(f"cannot delete the manifest {digest}", response)

    def store(self, at: At, blob: Blob, source: str | None) -> bool:
        """Stores a blob unless it is there; answers whether it was not. `source` is
        another repository of the same registry that has it.
        """
        if self.has(at, blob.digest) is Presence.PRESENT:
            return False
        tries = _Tries(self._retry)
        while True:
            try:
                self._upload(at, blob, source)
                return True
            except Trouble as passing:
                tries.again(passing)
            source = None
            # The answer to an earlier try may have been lost.
            if self.has(at, blob.digest) is Presence.PRESENT:
                return True

    def _upload(self, at: At, blob: Blob, source: str | None) -> None:
        what = f'cannot store {blob.digest} in "{at}"'
        url = self._url(at, "blobs/uploads/")
        if source:
            url += "?" + urllib.parse.urlencode({"mount": blob.digest, "from": source})
        scope = _Scope(at, "pull,push", source)
        response = self._once(scope, "POST", url)
        if source and response.status == 201:
            return
        if response.status != 202:
            raise refused(what, response)
        location = response.headers.get("Location")
        if not location:
            raise Failure(FailureCode.OTHER, f"{what}: the registry does not say where")
        session = _follow(url, location)
        # The session may be on another host, which then gets no credentials.
        own = scope if _origin(session) == _origin(url) else None
        mark = "&" if "?" in session else "?"
        to = f"{session}{mark}{urllib.parse.urlencode({'digest': blob.digest})}"
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(blob.size),
        }
        try:
            response = self._once(own, "PUT", to, headers, blob)
            if response.status == 404:
                # The session is gone: another one may last longer.
                raise Trouble(refused(what, response))
            if not 200 <= response.status < 300:
                raise refused(what, response)
        except (Failure, Trouble):
            self._give_up(own, session)
            raise

    def _give_up(self, scope: _Scope | None, session: str) -> None:
        """Frees what the registry keeps for an upload that will not be finished."""
        try:
            self._once(scope, "DELETE", session)
        except (Failure, Trouble):
            return

    def _fetch(self, at: At, name: str) -> tuple[str, bytes]:
        """A manifest by a tag or digest, not checked yet."""
        what = f'cannot read the manifest {quote(name)} of "{at}"'
        url = self._url(at, f"manifests/{name}")
        headers = {"Accept": ", ".join(MANIFESTS)}
        tries = _Tries(self._retry)
        while True:
            response = self._send(_Scope(at, "pull"), "GET", url, headers, tries=tries)
            try:
                if not 200 <= response.status < 300:
                    raise refused(what, response)
                content = response.read(self._largest + 1, decode_content=False)
                declared = int(response.headers.get("Content-Length") or len(content))
                if max(len(content), declared) > self._largest:
                    message = f"{what}: it has more than {self._largest} bytes"
                    raise Failure(FailureCode.TOO_LARGE, message)
                if len(content) == declared:
                    said = response.headers.get("Content-Type", "")
                    return media_type_of(said, content), content
                again = ended_early(what, len(content))
            except (HTTPError, OSError, ValueError) as error:
                again = trouble(what, error)
            finally:
                response.release_conn()
            tries.again(again)

    def _pull(self, at: At, kind: str, digest: str, size: int) -> Iterator[bytes]:
        """The bytes of a manifest or blob; not checked. Goes on after an
        interruption.
        """
        url = self._url(at, f"{kind}/{digest}")
        tries = _Tries(self._retry)
        done = stuck = 0
        while True:
            headers = {"Accept": ", ".join(MANIFESTS)} if kind == "manifests" else {}
            if done:
                headers["Range"] = f"bytes={done}-"
            response = self._send(_Scope(at, "pull"), "GET", url, headers, tries=tries)
            over = done
            if response.status == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {done}-"
            ):
                over = 0
            elif response.status != 200:
                raise refused(f"cannot read {url}", response)
            try:
                for chunk in response.stream(_CHUNK, decode_content=False):
                    skipped = min(over, len(chunk))
                    over -= skipped
                    if skipped < len(chunk):
                        done += len(chunk) - skipped
                        yield chunk[skipped:]
                    if done > size:
                        return
                again = ended_early(f"cannot read {url}", done)
                if done >= size or response.headers.get("Content-Length"):
                    return
            except (HTTPError, OSError) as error:
                again = trouble(f"cannot read {url}", error)
            finally:
                response.close()
            if done - stuck >= _PROGRESS:
                tries.renew()
            stuck = done
            tries.again(again)

    def _send(
        self,
        scope: _Scope,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        *,
        tries: _Tries | None = None,
    ) -> BaseHTTPResponse:
        """Makes a request, again after passing trouble."""
        tries = tries or _Tries(self._retry)
        while True:
            try:
                return self._once(scope, method, url, headers, body)
            except Trouble as passing:
                tries.again(passing)

    def _once(
        self,
        scope: _Scope | None,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: bytes | Blob | None = None,
    ) -> BaseHTTPResponse:
        """Makes a request, with a token or password where the registry asks for
        one. Without a scope nothing is proved.
        """
        key = (scope.at.host, *scope.wanted()) if scope else ()
        secret, end = self._tokens.get(key, ("", 0.0))
        if time.monotonic() >= end:
            secret = ""
        response, own = self._follow(method, url, headers, body, secret)
        if response.status == 401 and own and scope:
            asked = response.headers.getlist("WWW-Authenticate")
            response.close()
            token = self._authorize(scope, asked)
            self._tokens[key] = token
            response, own = self._follow(method, url, headers, body, token[0])
            if response.status == 401 and own:
                self._tokens.pop(key, None)
        if response.status == 429 or (response.status >= 500 and response.status != 501):
            after = response.headers.get("Retry-After", "")
            pause = float(after) if re.fullmatch("[0-9]{1,6}", after.strip()) else 0.0
            raise Trouble(refused(f"{method} {url}", response), pause)
        return response

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None,
        body: bytes | Blob | None,
        secret: str,
    ) -> tuple[BaseHTTPResponse, bool]:
        """Makes a request and follows where it leads; credentials go to the first
        address only. Answers whether that is where the answer is from.
        """
        origin = _origin(url)
        for _ in range(_REDIRECTS + 1):
            own = _origin(url) == origin
            sent = dict(headers or {})
            if secret and own:
                sent["Authorization"] = secret
            try:
                # Each try reads a blob from its beginning.
                data = body.chunks() if isinstance(body, Blob) else body
                response = self._pool_for(url).request(
                    method,
                    url,
                    headers=sent,
                    body=data,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            except (HTTPError, OSError) as error:
                if isinstance(error, LocationParseError):
                    message = f"{quote(url)} is not an address"
                    raise Failure(FailureCode.INVALID, message) from None
                raise trouble(f"{method} {url}", error) from None
            location = response.headers.get("Location")
            moved = response.status in (301, 302, 303, 307, 308) and location
            if not moved or method not in ("GET", "HEAD"):
                return response, own
            response.close()
            assert location
            url = _follow(url, location)
        raise Failure(FailureCode.OTHER, f"{method} {url}: too many redirections")

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        parts = urllib.parse.urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        bypass = _is_loopback(parts.hostname or "") or urllib.request.proxy_bypass(parts.netloc)
        return self._pool if proxy is None or bypass else proxy

    def _authorize(self, scope: _Scope, asked: list[str]) -> tuple[str, float]:
        """What to send in `Authorization` after a registry asked for it, and until
        when.
        """
        host = scope.at.host
        challenges = dict(reversed([pair for header in asked for pair in challenges_in(header)]))
        credential = self._keys.find(host)
        if "bearer" in challenges:
            if isinstance(credential, Bearer):
                return f"Bearer {credential.token}", float("inf")
            return self._token(scope, challenges["bearer"], credential)
        if "basic" not in challenges:
            raise _unauthorized(host, "the registry does not say how to authenticate")
        if isinstance(credential, Password):
            return _basic(credential), float("inf")
        why = "it wants a password, and only a token is known"
        raise _unauthorized(host, why if credential else "no credentials are known for it")

    def _token(
        self, scope: _Scope, asked: dict[str, str], credential: Credential | None
    ) -> tuple[str, float]:
        host = scope.at.host
        service = self._token_service(host, asked.get("realm"))
        scopes = scope.wanted()
        scopes += [text for text in asked.get("scope", "").split() if text not in scopes]
        named = asked.get("service")
        headers = {}
        if isinstance(credential, Identity):
            form = {
                "grant_type": "refresh_token",
                "service": named or "",
                "client_id": "layerwise",
                "scope": " ".join(scopes),
                "refresh_token": credential.token,
            }
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            response = self._once(
                None, "POST", service, headers, urllib.parse.urlencode(form).encode()
            )
        else:
            query = ([("service", named)] if named else []) + [("scope", text) for text in scopes]
            mark = "&" if "?" in service else "?"
            secret = _basic(credential) if isinstance(credential, Password) else ""
            url = service + mark + urllib.parse.urlencode(query)
            response, _ = self._follow("GET", url, headers, None, secret)
        with response:
            what = f"no token for {quote(host)} from {service}"
            if response.status == 429 or response.status >= 500:
                raise Trouble(refused(what, response))
            if not 200 <= response.status < 300:
                failure = refused(what, response)
                denied = failure.code is FailureCode.DENIED
                code = FailureCode.DENIED if denied else FailureCode.UNAUTHORIZED
                raise Failure(code, failure.message)
            try:
                answer = json.loads(response.read(_LONGEST_TOKEN, decode_content=False))
                token = answer.get("token") or answer.get("access_token")
                life = answer.get("expires_in")
            except (HTTPError, OSError) as error:
                raise trouble(service, error) from None
            except (ValueError, AttributeError):
                token = life = None
        if not isinstance(token, str) or not re.fullmatch("[!-~]+", token):
            raise _unauthorized(host, f"{service} answers without a token")
        seconds = life if isinstance(life, int) and life >= 0 else _LIFE
        return f"Bearer {token}", time.monotonic() + max(0, seconds - _MARGIN)

    def _token_service(self, host: str, realm: str | None) -> str:
        """The service for tokens: passwords do not go there in the clear, unless
        they would to the registry itself.
        """
        if realm is None:
            raise _unauthorized(host, "the registry names no service for tokens")
        try:
            parts = urllib.parse.urlsplit(realm)
        except ValueError:
            raise _unauthorized(host, f"{quote(realm)} is not a service for tokens") from None
        trusted = parts.scheme == "https" or (parts.scheme == "http" and self._is_plain(host))
        if not trusted or not parts.hostname:
            raise _unauthorized(host, f"{quote(realm)} is not a service to be trusted")
        return realm

    def _url(self, at: At, rest: str) -> str:
        scheme = "http" if self._is_plain(at.host) else "https"
        return f"{scheme}://{_HUB.get(at.host, at.host)}/v2/{at.path}/{rest}"

    def _is_plain(self, host: str) -> bool:
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return host in self._plain or (_is_loopback(name) and host not in self._encrypted)


def _unauthorized(host: str, why: str) -> Failure:
    return Failure(FailureCode.UNAUTHORIZED, f"not authorized at {quote(host)}: {why}")


def _basic(credential: Password) -> str:
    pair = f"{credential.user}:{credential.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _follow(base: str, location: str) -> str:
    """Where a `Location` header of an answer from `base` leads."""
    try:
        url = urllib.parse.urljoin(base, location)
        scheme = urllib.parse.urlsplit(url).scheme
    except ValueError:
        url, scheme = "", ""
    if scheme == "https" or (scheme == "http" and base.startswith("http:")):
        return url
    why = "it would not be encrypted any more" if scheme == "http" else "neither http nor https"
    raise Failure(FailureCode.OTHER, f"{base} leads to {quote(location)}: {why}")


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
