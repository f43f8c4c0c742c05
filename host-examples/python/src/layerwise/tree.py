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
import stat
from collections.abc import Mapping
from typing import Any

from .errors import LayerwiseError, quote
from .stores.below import Directory
from .stores.hashing import sha256

#: What hosts keep beside the things of others begins so.
_OURS = ".layerwise"
#: Its bytes depend on who writes it.
_INDEX = "index.json"
_LARGEST = 1 << 30
#: How many files and directories are made, and how many names a path has.
_MOST = 10_000
_DEEPEST = 64
_TRUNCATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Unreadable(LayerwiseError):
    """A file is not a transcript or scenario."""


class Room:
    """How many files and directories a scenario may still make."""

    def __init__(self) -> None:
        self._left = _MOST

    def take(self, count: int) -> None:
        """Counts some more."""
        self._left -= count
        if self._left < 0:
            raise Unreadable(f"it makes more than {_MOST} files and directories")


def change(root: Directory, files: Mapping[str, Any], room: Room) -> None:
    """Makes files, or removes those that are null."""
    for name in sorted(files):
        *parents, last = _parts(name)
        room.take(1 + len(parents))
        with contextlib.ExitStack() as stack:
            directory = root
            for parent in parents:
                _make(directory, parent, 0o755)
                directory = stack.enter_context(directory.enter(parent))
            _put(directory, last, name, files[name])


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if not all(parts) or "\0" in name or "." in parts or ".." in parts:
        raise Unreadable(f"{quote(name)} does not lie below the directory")
    if len(parts) > _DEEPEST:
        raise Unreadable(f"{quote(name[:80])} has more than {_DEEPEST} names")
    return parts


def _put(directory: Directory, last: str, name: str, file: Any) -> None:
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
            os.symlink(target, last, dir_fd=directory.fd)
        case {"directory": True} if len(what) == 1:
            _make(directory, last, 0o755 if bits is None else bits)
        case _:
            raise Unreadable(f"{quote(name)} is not one kind of thing")


def _make(directory: Directory, name: str, mode: int) -> None:
    """Makes a directory, with a mode that does not depend on the user's."""
    try:
        os.mkdir(name, 0o700, dir_fd=directory.fd)
    except FileExistsError:
        return
    with directory.enter(name) as made:
        os.fchmod(made.fd, mode)


def _write(directory: Directory, name: str, content: bytes, mode: int | None) -> None:
    """Writes a new file, or another content into a regular one."""
    if directory.has(name):
        directory.size(name)
    descriptor = os.open(name, _TRUNCATE, 0o600, dir_fd=directory.fd)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, 0o644 if mode is None else mode)


def _remove(directory: Directory, name: str) -> None:
    """Removes a file, a link, or a directory with all that is in it."""
    if not stat.S_ISDIR(directory.look(name).st_mode):
        directory.remove(name)
        return
    with directory.enter(name) as inner:
        for below in inner.names():
            _remove(inner, below)
    os.rmdir(name, dir_fd=directory.fd)


def listed(root: Directory) -> dict[str, Any]:
    """Everything that is below the directory now, by path."""
    found: dict[str, Any] = {}
    _list(root, "", found)
    return found


def _list(directory: Directory, prefix: str, found: dict[str, Any]) -> None:
    for name in directory.names():
        if name.startswith(_OURS):
            continue
        path = prefix + name
        mode = directory.look(name).st_mode
        if stat.S_ISLNK(mode):
            found[path] = {"link": os.readlink(name, dir_fd=directory.fd)}
        elif stat.S_ISDIR(mode):
            found[path] = {"directory": True}
            with directory.enter(name) as inner:
                _list(inner, f"{path}/", found)
        elif stat.S_ISREG(mode):
            found[path] = _content(directory, name)
        else:
            found[path] = {"special": True}


def _content(directory: Directory, name: str) -> Any:
    content = directory.read(name, _LARGEST)
    if name == _INDEX:
        with contextlib.suppress(ValueError, RecursionError):
            return {"json": json.loads(content)}
    return sha256(content)
