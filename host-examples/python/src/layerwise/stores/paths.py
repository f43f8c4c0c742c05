"""Paths of the contract: bytes of any names as text, and the parts of a path."""

from __future__ import annotations

import errno
import re
from typing import NamedTuple

from ..types import FailureCode
from .causes import Cause, cause_of

#: The longest path in bytes, as in `PATH_MAX` less the zero at its end.
_LONGEST = 4095
_NEEDS_CODE = re.compile("[%\udc80-\udcff]")


def encode(name: bytes) -> str:
    """The text for a path or a name: bytes that are not part of valid UTF-8 are
    `%XX` with upper-case hex digits, and `%` is `%25`.
    """

    def code(found: re.Match[str]) -> str:
        return f"%{ord(found[0]) & 0xFF:02X}"

    return _NEEDS_CODE.sub(code, name.decode(errors="surrogateescape"))


def decode(text: str) -> bytes:
    """The bytes of a path or a name.

    Each sequence of bytes has one text: a `%` before anything but `25` or a byte
    that had to be encoded is refused with `invalid`, so that no `..`, slash or
    zero byte hides behind one.
    """
    first, *rest = text.split("%")
    found = bytearray(first.encode())
    for part in rest:
        if not re.match("[0-9A-F]{2}", part):
            raise _malformed()
        found.append(int(part[:2], 16))
        found += part[2:].encode()
    if encode(bytes(found)) != text:
        raise _malformed()
    return bytes(found)


def _malformed() -> Cause:
    words = "a % in it is not followed by 25 or by a byte that is not utf-8"
    return Cause(FailureCode.INVALID, words)


def lossy(content: bytes) -> tuple[str, bool]:
    """The text of a file, with one U+FFFD for each byte that is not part of valid
    UTF-8, and whether there was one.
    """
    try:
        return content.decode(), False
    except UnicodeDecodeError:
        text = content.decode(errors="surrogateescape")
        return re.sub("[\udc80-\udcff]", "\ufffd", text), True


class Asked(NamedTuple):
    """A path in its parts."""

    #: Whether it begins with a slash.
    absolute: bool
    #: Its names: none is empty, `.` or `..`, or holds a slash or a zero byte.
    names: list[bytes]
    #: Whether it ends as only paths of directories do.
    directory: bool


def parse(path: str) -> Asked:
    """Reads a path. Empty parts and `.` mean nothing, as in any path."""
    raw = decode(path)
    if not raw:
        raise cause_of(OSError(errno.ENOENT, ""))
    if b"\0" in raw:
        raise Cause(FailureCode.INVALID, "it has a zero byte")
    if len(raw) > _LONGEST:
        raise cause_of(OSError(errno.ENAMETOOLONG, ""))
    names = parts(raw)
    if b".." in names:
        raise Cause(FailureCode.DENIED, "a part of it is `..`")
    return Asked(raw.startswith(b"/"), names, raw.rpartition(b"/")[2] in (b"", b"."))


def parts(path: bytes) -> list[bytes]:
    """The parts of a path or of the target of a link, with `..`."""
    return [part for part in path.split(b"/") if part not in (b"", b".")]
