"""Credentials for registries: given, or from the Docker config file."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Failure, quote
from ..types import FailureCode

_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
_LARGEST = 1 << 20
#: What helpers say when they know nothing.
_UNKNOWN = "credentials not found"
#: The user that helpers give with an identity token.
_TOKEN_USER = "<token>"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Password:
    """A user name and a password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """A token that is exchanged for others."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token that the registry itself takes."""

    token: str = field(repr=False)


Credential = Password | Identity | Bearer


class Keys:
    """Where credentials come from: `given` for a registry (`host` or `host:port`)
    before a Docker config file; `file` is the usual one unless it is set, and
    `None` for none.
    """

    def __init__(
        self,
        given: dict[str, Credential] | None = None,
        *,
        file: str | os.PathLike[str] | None = "",
        patience: float = 30.0,
    ) -> None:
        self._given = dict(given or {})
        self._file = usual_file() if file == "" else None if file is None else Path(file)
        self._patience = patience
        self._found: dict[str, Credential | None] = {}
        self._lock = threading.Lock()

    def find(self, host: str) -> Credential | None:
        """The credentials for a registry, if there are any."""
        if host in self._given:
            return self._given[host]
        if self._file is None:
            return None
        # Held while a helper runs: several threads ask it once.
        with self._lock:
            if host not in self._found:
                self._found[host] = self._look_up(self._file, host)
            return self._found[host]

    def _look_up(self, path: Path, host: str) -> Credential | None:
        key = _HUB_KEY if host == _HUB else host
        config = _read(path)
        helpers = config.get("credHelpers") or {}
        helper = helpers.get(key, config.get("credsStore"))
        if helper:
            found = self._ask(str(helper), key)
            if found:
                return found
        auths = config.get("auths") or {}
        auth = auths.get(key)
        if auth is None:
            auth = next((auths[name] for name in auths if _host_of(name) == host), None)
        return _stored(auth, host, path) if auth else None

    def _ask(self, helper: str, key: str) -> Credential | None:
        """Asks a credential helper, a program of the user."""
        program = f"docker-credential-{helper}"
        if not re.fullmatch(r"[A-Za-z0-9._-]+", helper):
            message = f"{quote(helper)} is not the name of a credential helper"
            raise Failure(FailureCode.INVALID, message)
        try:
            done = subprocess.run(
                [program, "get"],
                input=key,
                capture_output=True,
                text=True,
                timeout=self._patience,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
            message = f"cannot ask {quote(program)}: {type(error).__name__}"
            raise Failure(FailureCode.UNAVAILABLE, message) from None
        if done.returncode != 0:
            if _UNKNOWN in done.stdout:
                return None
            message = f"{quote(program)} fails with the code {done.returncode}"
            raise Failure(FailureCode.UNAUTHORIZED, message)
        try:
            answer = json.loads(done.stdout)
            user, secret = str(answer["Username"]), str(answer["Secret"])
        except (ValueError, KeyError, TypeError):
            # The words of the parser could quote a secret.
            message = f"{quote(program)} does not answer with credentials"
            raise Failure(FailureCode.UNAUTHORIZED, message) from None
        return Identity(secret) if user == _TOKEN_USER else Password(user, secret)


def usual_file() -> Path | None:
    """The Docker config file of this user."""
    directory = os.environ.get("DOCKER_CONFIG")
    if directory:
        return Path(directory, "config.json")
    home = os.path.expanduser("~")
    return Path(home, ".docker", "config.json") if os.path.isabs(home) else None


def _read(path: Path) -> dict[str, Any]:
    """Reads the file; one that is not there says nothing."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except FileNotFoundError:
        return {}
    except OSError as error:
        message = f"cannot read {quote(str(path))}: {os.strerror(error.errno or 0).lower()}"
        raise Failure(FailureCode.DENIED, message) from None
    try:
        config = json.loads(content)
        parts = [config.get(name) or {} for name in ("auths", "credHelpers")]
        if not all(isinstance(part, dict) for part in parts):
            raise ValueError
    except (ValueError, AttributeError, RecursionError):
        message = f"{quote(str(path))} is not a docker config file"
        raise Failure(FailureCode.INVALID, message) from None
    return dict(config)


def _stored(auth: object, host: str, path: Path) -> Credential | None:
    if not isinstance(auth, dict):
        return None
    given = {name: text for name, text in auth.items() if isinstance(text, str) and text}
    if "registrytoken" in given:
        return Bearer(given["registrytoken"])
    if "identitytoken" in given:
        return Identity(given["identitytoken"])
    if "auth" in given:
        try:
            text = base64.b64decode(given["auth"].strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        user, colon, password = text.partition(":")
        if not colon:
            message = f'{quote(str(path))} has no user and password in "auth" of {quote(host)}'
            raise Failure(FailureCode.INVALID, message)
        return Password(user, password.rstrip("\0"))
    if "username" in given:
        return Password(given["username"], given.get("password", ""))
    return None


def _host_of(key: str) -> str:
    return re.sub("^https?://", "", key).partition("/")[0]
