"""Digests of bytes and of open files, and texts that are digests."""

from __future__ import annotations

import hashlib
import os
import re

from ..errors import Failure, quote
from ..types import FailureCode
from .causes import changed

_CHUNK = 256 << 10
_DIGEST = re.compile("sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


def sha256(content: bytes) -> str:
    """The digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_digest(text: str) -> bool:
    """Whether a text is a digest."""
    return _DIGEST.fullmatch(text) is not None


def checked(text: str) -> str:
    """A digest as an argument; `invalid` when it is not one."""
    if not is_digest(text):
        raise Failure(FailureCode.INVALID, f"{quote(text)} is not a digest")
    return text


def algorithm(digest: str) -> str:
    """The part of a digest before the colon."""
    return digest.partition(":")[0]


def verifies(digest: str, content: bytes) -> bool:
    """Whether bytes have this digest."""
    return hashlib.new(algorithm(digest), content).hexdigest() == digest.partition(":")[2]


def digest_of(file: int, prefix: bytes = b"", suffix: bytes = b"") -> str:
    """SHA-256 of the bytes of an open file between those of `prefix` and `suffix`.

    A file that does not end where it ended when it was opened, or was written to,
    has no digest: it would be one of bytes that never were there together.
    """
    before = os.fstat(file)
    found = hashlib.sha256(prefix)
    read = 0
    while chunk := os.read(file, _CHUNK):
        read += len(chunk)
        if read > before.st_size:
            raise changed()
        found.update(chunk)
    after = os.fstat(file)
    if read != before.st_size or before.st_mtime_ns != after.st_mtime_ns:
        raise changed()
    found.update(suffix)
    return "sha256:" + found.hexdigest()
