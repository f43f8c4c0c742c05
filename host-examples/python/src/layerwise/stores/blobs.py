"""Bytes with a known digest and size that can be read more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import Failure
from ..types import FailureCode
from .hashing import algorithm


@dataclass(frozen=True, slots=True)
class Blob:
    """Something to be read or stored."""

    digest: str
    size: int
    #: Reads it from its beginning.
    open: Callable[[], Iterator[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """The bytes, checked: the last of them come only when all were right."""
        found = hashlib.new(algorithm(self.digest))
        seen = 0
        held = b""
        for chunk in self.open():
            seen += len(chunk)
            if seen > self.size:
                message = f"{self.digest} has more than the {self.size} bytes that were expected"
                raise Failure(FailureCode.CORRUPT, message)
            found.update(chunk)
            if held:
                yield held
            held = chunk
        if seen < self.size:
            message = f"{self.digest} ends after {seen} of {self.size} bytes"
            raise Failure(FailureCode.TRUNCATED, message)
        name = f"{algorithm(self.digest)}:{found.hexdigest()}"
        if name != self.digest:
            message = f"the bytes of {self.digest} have the digest {name}"
            raise Failure(FailureCode.CORRUPT, message)
        if held:
            yield held

    def content(self) -> bytes:
        """All bytes, at once."""
        return b"".join(self.chunks())
