"""Marks: "this image was built here", in a form that no layout can bring along.

A layout comes from anywhere, and its annotations with it. So a mark is a keyed hash,
and the key is a file of this user outside of every layout. `MARKS.md` beside the
Rust stores says what every host language keeps to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from ..errors import Failure, quote
from ..image_store import Provenance
from ..types import FailureCode
from .causes import failure_of

_PREFIX = "hmac-sha256:"
_MARK = re.compile("hmac-sha256:[0-9a-f]{64}")
_KEYS = re.compile(rb"(?:[0-9a-f]{64}\n){1,16}")
_LARGEST = 65 * 16
#: What says that an image was not built here; it needs no key.
ELSEWHERE = "false"


def user_key_file() -> Path | None:
    """Where the key of this user is; `None` where that is not known."""
    named = os.environ.get("LAYERWISE_MARKS_KEY")
    if named:
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):
        return Path(state, "layerwise", "marks.key")
    home = os.environ.get("HOME", "")
    return Path(home, ".local", "state", "layerwise", "marks.key") if os.path.isabs(home) else None


class Marks:
    """Makes and checks marks with the key in a file; without one none holds."""

    def __init__(self, key_file: Path | None) -> None:
        self._path = key_file

    def deciding(self, image: str, parent: str | None, texts: Sequence[str]) -> str | None:
        """The first of the texts in the entries of an image that means something."""
        return next((text for text in texts if self.holds(image, parent, text)), None)

    def holds(self, image: str, parent: str | None, text: str) -> bool:
        """Whether the text in an entry means something."""
        if text == ELSEWHERE:
            return True
        if not _MARK.fullmatch(text):
            return False
        marks = (_mark(key, image, parent) for key in self._keys())
        return any(hmac.compare_digest(text, mark) for mark in marks)

    def make(self, image: str, parent: str | None) -> str:
        """A mark with the first key; makes the key if there is none."""
        keys = self._keys() or self._made()
        return _mark(keys[0], image, parent)

    def _keys(self) -> list[bytes]:
        """All keys; `None` if the file is missing."""
        if self._path is None:
            return []
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._not_ours() from None
            raise failure_of("read the key of marks", self._path, error) from None
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            alone = found.st_uid == os.geteuid() and not found.st_mode & 0o077
            if not stat.S_ISREG(found.st_mode) or not alone:
                raise self._not_ours()
            content = file.read(_LARGEST + 1)
        if not _KEYS.fullmatch(content):
            words = "it is not 1 to 16 lines of 64 lower-case hex digits"
            raise Failure(FailureCode.CORRUPT, f"{self._what}: {words}")
        return [bytes.fromhex(line.decode()) for line in content.split()]

    def _not_ours(self) -> Failure:
        words = "it is not a file that only this user can read and write"
        return Failure(FailureCode.DENIED, f"{self._what}: {words}")

    @property
    def _what(self) -> str:
        return f"cannot use the key of marks {quote(str(self._path))}"

    def _made(self) -> list[bytes]:
        """Makes the key: under its name only when it is complete, and never over
        another one.
        """
        if self._path is None:
            message = "no directory for the key of marks is known: set LAYERWISE_MARKS_KEY"
            raise Failure(FailureCode.UNSUPPORTED, message)
        path = self._path
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(16)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600), "wb") as file:
                try:
                    file.write(secrets.token_hex(32).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                    with contextlib.suppress(FileExistsError):
                        os.link(temporary, path)
                finally:
                    temporary.unlink()
        except OSError as error:
            raise failure_of("make the key of marks", path, error) from None
        return self._keys()


def provenance(text: str | None) -> Provenance:
    """What the deciding text means."""
    if text is None:
        return Provenance.UNKNOWN
    return Provenance.ELSEWHERE if text == ELSEWHERE else Provenance.BUILT_HERE


def _mark(key: bytes, image: str, parent: str | None) -> str:
    text = f"layerwise built-here 1\n{image}\n{parent or ''}\n"
    return _PREFIX + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
