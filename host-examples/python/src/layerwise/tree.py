"""The files of a scenario: made in a directory of its own, and listed afterwards.

A scenario may be a stranger's. So its directory is gone through by descriptors:
nothing is written, removed or read through a link, links that it makes itself
included.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import LayerwiseError, quote
from .stores import sha256

#: What hosts keep beside the things of others begins so.
_OURS = ".layerwise"
#: Its bytes depend on who writes it.
_INDEX = "index.json"
_LARGEST = 1 << 30
#: How many files and directories are made, and how many names a path has.
_MOST = 10_000
_DEEPEST = 64
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Unreadable(LayerwiseError):
    """A file is not a transcript or scenario."""


class Tree:
    """The directory of a scenario, which is open as `fd`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._left = _MOST

    def change(self, files: Mapping[str, Any]) -> None:
        """Makes files, or removes those that are null."""
        for name in sorted(files):
            *parents, last = _parts(name)
            self._left -= 1 + len(parents)
            if self._left < 0:
                raise Unreadable(f"it makes more than {_MOST} files and directories")
            with self.entered(parents, make=True) as directory:
                _put(directory, last, name, files[name])

    @contextlib.contextmanager
    def entered(self, names: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """Opens a directory below, name by name; a link on the way is an error."""
        fd = os.dup(self._fd)
        try:
            for name in names:
                if make:
                    _make(fd, name, 0o755)
                inner = os.open(name, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def directories(self, path: str) -> list[str]:
        """The names of the directories in one that no link is on the way to, such as `a/b`."""
        with self.entered(_parts(path)) as directory, os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))

    def listed(self) -> dict[str, Any]:
        """Everything that is below the directory now, by path."""
        found: dict[str, Any] = {}

        def fail(error: OSError) -> None:
            raise error

        for path, directories, files, fd in os.fwalk(".", onerror=fail, dir_fd=self._fd):
            directories[:] = [name for name in directories if not name.startswith(_OURS)]
            for name in [*directories, *files]:
                if not name.startswith(_OURS):
                    found[f"{path}/{name}"[2:]] = _state(fd, name)
        return found


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if not all(parts) or "\0" in name or "." in parts or ".." in parts:
        raise Unreadable(f"{quote(name)} does not lie below the directory")
    if len(parts) > _DEEPEST:
        raise Unreadable(f"{quote(name[:80])} has more than {_DEEPEST} names")
    return parts


def _put(directory: int, last: str, name: str, file: Any) -> None:
    if file is None:
        _remove(directory, last)
        return
    what = {"text": file} if isinstance(file, str) else dict(file)
    mode = what.pop("mode", None)
    bits = None if mode is None else int(mode, 8)
    if bits is not None and not 0 <= bits <= 0o777:
        raise Unreadable(f"{quote(name)} has a mode with other bits than those of permissions")
    match what:
        case {"text": str(text)} if len(what) == 1:
            _write(directory, last, text.encode(), bits)
        case {"base64": str(text)} if len(what) == 1:
            _write(directory, last, base64.b64decode(text, validate=True), bits)
        case {"link": str(target)} if len(what) == 1 and mode is None:
            os.symlink(target, last, dir_fd=directory)
        case {"directory": True} if len(what) == 1:
            _make(directory, last, 0o755 if bits is None else bits)
        case _:
            raise Unreadable(f"{quote(name)} is not one kind of thing")


def _make(directory: int, name: str, mode: int) -> None:
    """Makes a directory, with a mode that does not depend on the user's."""
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        return
    made = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        os.fchmod(made, mode)
    finally:
        os.close(made)


def _write(directory: int, name: str, content: bytes, mode: int | None) -> None:
    """Writes a new file, or another content into a regular one."""
    with open(os.open(name, _WRITE, 0o600, dir_fd=directory), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644 if mode is None else mode)


def _remove(directory: int, name: str) -> None:
    """Removes a file, a link, or a directory with all that is in it."""
    if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=directory)
    else:
        os.unlink(name, dir_fd=directory)


def _state(directory: int, name: str) -> Any:
    mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return {"link": os.readlink(name, dir_fd=directory)}
    if stat.S_ISDIR(mode):
        return {"directory": True}
    if not stat.S_ISREG(mode):
        return {"special": True}
    with open(os.open(name, _READ, dir_fd=directory), "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise Unreadable(f"{quote(name)} has more than {_LARGEST} bytes")
    if name == _INDEX:
        with contextlib.suppress(ValueError, RecursionError):
            return {"json": json.loads(content)}
    return sha256(content)
