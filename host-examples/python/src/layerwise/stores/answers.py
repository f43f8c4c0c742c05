"""What registries answer when they say no, or nothing that can be used."""

from __future__ import annotations

import json
import re
import ssl

import urllib3

from ..errors import Failure
from ..types import FailureCode
from .hiding import without_addresses


class Trouble(Exception):
    """Why a request has no answer that can be used, although it may have one later."""

    def __init__(self, failure: Failure, pause: float = 0.0) -> None:
        super().__init__(failure)
        self.failure = failure
        self.pause = pause


def media_type_of(said: str, content: bytes) -> str:
    """The media type of a document: what it says itself, so that the same bytes are
    never two things, else what the header says.
    """
    try:
        own = json.loads(content)["mediaType"]
    except (ValueError, KeyError, TypeError, RecursionError):
        own = None
    return own if isinstance(own, str) and own else said.partition(";")[0].strip()


_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME = re.compile(rf"({_TOKEN})(?=\s|,|$)")


def challenges_in(header: str) -> list[tuple[str, dict[str, str]]]:
    """The ways to authenticate in a `WWW-Authenticate` header (RFC 9110, section
    11.6.1), each with its parameters; what cannot be read is passed over.
    """
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(header):
        if header[at] in " \t,":
            at += 1
            continue
        parameter = _PARAMETER.match(header, at)
        if parameter and found:
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1].setdefault(name.lower(), value)
            at = parameter.end()
            continue
        scheme = _SCHEME.match(header, at)
        if not scheme:
            break
        found.append((scheme[1].lower(), {}))
        at = scheme.end()
    return found


_CODES = {
    400: FailureCode.INVALID,
    401: FailureCode.UNAUTHORIZED,
    403: FailureCode.DENIED,
    404: FailureCode.NOT_FOUND,
    405: FailureCode.UNSUPPORTED,
    408: FailureCode.UNAVAILABLE,
    409: FailureCode.CONFLICT,
    412: FailureCode.CONFLICT,
    413: FailureCode.TOO_LARGE,
    429: FailureCode.UNAVAILABLE,
    501: FailureCode.UNSUPPORTED,
    507: FailureCode.FULL,
}


def code(status: int, reason: str) -> FailureCode:
    """What a status means, with the registry's code for the reason."""
    if status == 400 and reason in ("DIGEST_INVALID", "SIZE_INVALID"):
        return FailureCode.CORRUPT
    if status == 400 and reason == "MANIFEST_BLOB_UNKNOWN":
        return FailureCode.NOT_FOUND
    server = FailureCode.UNAVAILABLE if 500 <= status < 600 else FailureCode.OTHER
    return _CODES.get(status, server)


def trouble(what: str, error: Exception) -> Trouble:
    """What an error of the library means. Its text may repeat an address."""
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, ssl.SSLError):
        message = f"{what}: the connection is not safe: {reason.reason or reason}"
        raise Failure(FailureCode.UNAVAILABLE, message.replace("_", " ")) from None
    words = "it takes too long" if isinstance(error, urllib3.exceptions.TimeoutError) else reason
    text = without_addresses(str(words).rpartition("Error: ")[2]) or type(error).__name__
    return Trouble(Failure(FailureCode.UNAVAILABLE, f"{what}: {text[:1].lower()}{text[1:]}"))


def ended_early(what: str, count: int) -> Trouble:
    return Trouble(Failure(FailureCode.TRUNCATED, f"{what}: it ends after {count} bytes"))
