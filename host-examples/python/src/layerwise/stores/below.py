"""Directories of stores, opened so that no link in them is ever followed.

A layout comes from anywhere, with any links, pipes and devices in it. So every
path below its directory is gone name by name, each opened in the one before, and
only regular files are read. The path of the directory itself is the user's: links
in it are followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO

from ..errors import Failure, quote
from ..types import FailureCode
from .causes import failure_of, too_large
from .places import names_in

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Directory:
    """An open directory, with its path for messages."""

    fd: int
    path: Path

    @contextlib.contextmanager
    def enter(self, *names: str, make: bool = False) -> Iterator[Directory]:
        """Opens a directory below, name by name; `make` makes those that are missing.

        `corrupt` for a link, or `denied` where directories are made; `not-found` when
        one is missing or no directory.
        """
        fd, path = os.dup(self.fd), self.path
        try:
            for name in names:
                path = path / name
                inner = _enter(fd, name, path, make)
                os.close(fd)
                fd = inner
            yield Directory(fd, path)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[tuple[BufferedReader, int]]:
        """Opens a regular file for reading, with its size.

        Opening a pipe would wait and opening a device may do anything, so both are
        refused before, and once more after it was opened.
        """
        path = self.path / name
        self.size(name)
        with _io("read", path):
            descriptor = os.open(name, _READ, dir_fd=self.fd)
        with open(descriptor, "rb") as file:
            yield file, _regular(os.fstat(file.fileno()), path)

    def size(self, name: str) -> int:
        """The size of a regular file. Nothing is told of what a link leads to."""
        path = self.path / name
        with _io("read", path):
            return _regular(self.look(name), path)

    def look(self, name: str) -> os.stat_result:
        """What is at a name; a link is looked at itself."""
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def has(self, name: str) -> bool:
        """Whether anything is at a name, a link that leads nowhere included."""
        try:
            self.look(name)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failure_of("read", self.path / name, error) from None
        return True

    def read(self, name: str, limit: int) -> bytes:
        """Reads a regular file of at most `limit` bytes."""
        with self.file(name) as (file, size):
            content = b""
            if size <= limit:
                with _io("read", self.path / name):
                    content = file.read(limit + 1)
        if max(size, len(content)) > limit:
            raise too_large(quoted(self.path / name), max(size, len(content)), limit)
        return content

    def create(self, name: str, mode: int = 0o666) -> IO[bytes]:
        """Opens a new file for writing; nothing may be at its name."""
        with _io("create", self.path / name):
            return open(os.open(name, _CREATE, mode, dir_fd=self.fd), "wb")

    def move(self, name: str, to: Directory, new: str) -> None:
        """Gives a file another name, replacing what has it, and brings that to the
        disk.
        """
        with _io("write", to.path / new):
            os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=to.fd)
            to.sync()

    def remove(self, name: str) -> None:
        """Takes a name away, if it is there."""
        with _io("remove", self.path / name), contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def names(self) -> list[str]:
        """The names in it, in the order of their bytes."""
        with _io("read", self.path):
            return [os.fsdecode(name) for name in names_in(self.fd) or ()]

    def sync(self) -> None:
        """Brings its names to the disk."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            # Some file systems do not do that for directories.
            if error.errno != errno.EINVAL:
                raise


@contextlib.contextmanager
def opened(path: Path, within: Path | None = None, *, make: bool = False) -> Iterator[Directory]:
    """Opens the directory of a store.

    With `within` the path below that directory is not the user's, and links in it
    are not followed either; without, it is.
    """
    top = within or path
    with _io("open", top):
        if make:
            top.mkdir(parents=True, exist_ok=True)
        fd = os.open(top, _DIRECTORY)
    try:
        names = () if within is None else _names(path, within)
        with Directory(fd, top).enter(*names, make=make) as directory:
            yield directory
    finally:
        os.close(fd)


def _names(path: Path, within: Path) -> tuple[str, ...]:
    if path.is_relative_to(within):
        names = path.relative_to(within).parts
        if ".." not in names:
            return names
    message = f"{quoted(path)} is not below {quoted(within)}"
    raise Failure(FailureCode.DENIED, message)


def quoted(path: Path) -> str:
    """A path as messages have it."""
    return quote(str(path))


def _enter(fd: int, name: str, path: Path, make: bool) -> int:
    with _io("open", path):
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
        try:
            return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError:
            if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                raise _link(path, FailureCode.DENIED if make else FailureCode.CORRUPT) from None
            raise


def _regular(found: os.stat_result, path: Path) -> int:
    """The size of what must be a regular file."""
    if stat.S_ISLNK(found.st_mode):
        raise _link(path)
    if not stat.S_ISREG(found.st_mode):
        raise Failure(FailureCode.CORRUPT, f"{quoted(path)} is not a regular file")
    return found.st_size


def _link(path: Path, code: FailureCode = FailureCode.CORRUPT) -> Failure:
    return Failure(code, f"cannot open {quoted(path)}: it is a link, which is not followed")


@contextlib.contextmanager
def _io(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link(path) from None
        raise failure_of(action, path, error) from None
