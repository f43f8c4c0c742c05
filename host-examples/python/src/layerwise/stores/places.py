"""Where a path leads: through links inside opened directories, and never out.

Every path is gone part by part: each directory is opened by its name in the one
before without following links, links are read and their parts put in front, and
`..` in a link goes back to the directory that is still open. So what others
rename or link meanwhile can make a path fail, but not lead out. An absolute link
is a path of its own: it leads where a path with the same text leads, into an
opened directory or nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from ..errors import Failure
from ..types import FailureCode
from .causes import Cause, cause_of, changed
from .paths import Asked, encode, parse, parts

#: How many links one path may lead through, as on Linux.
_LINKS = 40
#: How a directory is opened that is only passed through.
_THROUGH = getattr(os, "O_PATH", os.O_RDONLY)
_LEADS_OUT = "a link leads out of the opened directories"


@dataclass(frozen=True, slots=True)
class Root:
    """A directory to be opened."""

    #: Where it is outside, or the descriptor of one that is open; that stays the
    #: caller's, and needs a name.
    directory: str | os.PathLike[str] | int
    #: Whether things in it may be changed.
    writable: bool = field(default=False, kw_only=True)
    #: What paths into it begin with, such as `/layers`; without one they are as
    #: outside. `.` stands for all paths that do not begin with a slash, `/` for
    #: all that do.
    name: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class _Opened:
    absolute: bool
    prefix: list[bytes]
    fd: int
    writable: bool


class Intent(Enum):
    """What is to be done at a place."""

    LOOK = auto()
    CHANGE = auto()
    #: Change, after making the directories that are missing.
    MAKE = auto()


@dataclass(slots=True)
class Place:
    """A name in an open directory, whether something is there or not."""

    #: The directory; open while the place is used.
    fd: int
    #: The name in it; none is the directory itself.
    name: bytes | None
    #: Whether a link at the end of the path led here.
    linked: bool
    #: Whether the path is one that only directories have.
    directory: bool
    #: The number of the root whose directory this is.
    root: int

    def stat(self) -> os.stat_result:
        """What is there; a link is looked at itself."""
        found = os.fstat(self.fd) if self.name is None else stat_at(self.fd, self.name)
        if self.directory and not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, "")
        return found

    def open_file(self) -> int:
        """Opens the regular file there for reading."""
        if self.name is None:
            raise OSError(errno.EISDIR, "")
        mode = self.stat().st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, "")
        if stat.S_ISLNK(mode):
            raise changed()
        if not stat.S_ISREG(mode):
            raise special()
        return open_file(self.fd, self.name)

    def open_dir(self) -> int:
        """Opens the directory there for reading."""
        return open_dir(self.fd, b"." if self.name is None else self.name)


class Roots:
    """All open directories."""

    def __init__(self, wanted: tuple[Root, ...]) -> None:
        self._opened: list[_Opened] = []
        try:
            for root in wanted:
                self._open(root)
        except BaseException:
            self.close()
            raise

    def _open(self, root: Root) -> None:
        outside = root.directory
        name = root.name
        try:
            if name is None:
                if isinstance(outside, int):
                    raise Cause(FailureCode.INVALID, "a descriptor needs a name")
                name = encode(os.fsencode(outside))
            asked = parse(name)
            if any(o.absolute == asked.absolute and o.prefix == asked.names for o in self._opened):
                raise Cause(FailureCode.INVALID, "another directory is open under this name")
            fd = os.dup(outside) if isinstance(outside, int) else _open_root(outside)
        except OSError as error:
            raise cause_of(error).of("open", name or "") from None
        except Cause as cause:
            raise cause.of("open", name or "") from None
        self._opened.append(_Opened(asked.absolute, asked.names, fd, root.writable))

    def close(self) -> None:
        """Closes all of them."""
        while self._opened:
            os.close(self._opened.pop().fd)

    def get(self, root: int) -> _Opened:
        """One of them."""
        return self._opened[root]

    def find(self, absolute: bool, names: list[bytes]) -> int | None:
        """The innermost root that a path is in."""
        fitting = [
            (len(root.prefix), at)
            for at, root in enumerate(self._opened)
            if root.absolute == absolute and names[: len(root.prefix)] == root.prefix
        ]
        return max(fitting)[1] if fitting else None

    def writable(self, root: int, below: list[bytes]) -> bool:
        """Whether things may be changed in a directory `below` a root.

        A root inside another one decides for itself, also for who comes from
        outside of it.
        """
        start = self._opened[root]
        found = self.find(start.absolute, start.prefix + below)
        return found is not None and self._opened[found].writable

    @contextlib.contextmanager
    def place(
        self, path: str, *, follow: bool = True, intent: Intent = Intent.LOOK
    ) -> Iterator[Place]:
        """Finds a place. A slash at the end follows a link to look at it."""
        asked = parse(path)
        if intent is Intent.LOOK and asked.directory:
            follow = True
        route = _Route(self, asked)
        try:
            yield route.go(follow, intent)
        finally:
            route.close()


class _Route:
    """The way to a place, part by part."""

    def __init__(self, roots: Roots, asked: Asked) -> None:
        self._roots = roots
        self._asked = asked
        self._rest = deque(asked.names)
        self._open: list[int] = []
        self._below: list[bytes] = []
        self._links = 0
        self._root = 0

    def close(self) -> None:
        while self._open:
            os.close(self._open.pop())

    def go(self, follow: bool, intent: Intent) -> Place:
        self._start(self._asked.absolute, "it is not in an opened directory")
        linked = False
        while self._rest:
            name = self._rest.popleft()
            if name == b"..":
                self._up()
                continue
            at_end = not self._rest
            if at_end and not follow:
                return self._place(name, linked, intent)
            try:
                target = os.readlink(name, dir_fd=self._here)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOENT):
                    raise
                if at_end:
                    return self._place(name, linked, intent)
                if error.errno == errno.ENOENT:
                    if intent is not Intent.MAKE:
                        raise
                    self._make(name)
            else:
                linked = linked or at_end
                self._follow(target)
                continue
            self._open.append(_open_directory(self._here, name, _THROUGH))
            self._below.append(name)
        return self._place(None, linked, intent)

    @property
    def _here(self) -> int:
        return self._open[-1]

    def _start(self, absolute: bool, outside: str) -> None:
        """Begins at the root that the rest is in."""
        names = list(self._rest)
        downward = names[: names.index(b"..")] if b".." in names else names
        root = self._roots.find(absolute, downward)
        if root is None:
            raise Cause(FailureCode.DENIED, outside)
        opened = self._roots.get(root)
        self.close()
        self._open.append(os.dup(opened.fd))
        self._root = root
        self._below.clear()
        for _ in opened.prefix:
            self._rest.popleft()

    def _up(self) -> None:
        if not self._below:
            raise Cause(FailureCode.DENIED, _LEADS_OUT)
        self._below.pop()
        os.close(self._open.pop())

    def _follow(self, target: bytes) -> None:
        self._links += 1
        if self._links > _LINKS:
            raise OSError(errno.ELOOP, "")
        self._rest.extendleft(reversed(parts(target)))
        if target.startswith(b"/"):
            self._start(True, _LEADS_OUT)

    def _make(self, name: bytes) -> None:
        self._check_writable()
        try:
            os.mkdir(name, 0o777, dir_fd=self._here)
        except FileExistsError:
            return
        sync(self._here)

    def _check_writable(self) -> None:
        if not self._roots.writable(self._root, self._below):
            words = "it is in a directory that was opened for reading only"
            raise Cause(FailureCode.DENIED, words)

    def _place(self, name: bytes | None, linked: bool, intent: Intent) -> Place:
        if intent is not Intent.LOOK:
            self._check_writable()
        return Place(self._here, name, linked, self._asked.directory, self._root)


def special() -> Cause:
    """The failure for what has no content."""
    return Cause(FailureCode.UNSUPPORTED, "it is not a regular file")


def stat_at(fd: int, name: bytes) -> os.stat_result:
    """Looks at a name."""
    return os.stat(name, dir_fd=fd, follow_symlinks=False)


def open_file(fd: int, name: bytes) -> int:
    """Opens a name that was a regular file a moment ago.

    What was put there since is not followed, waited for or read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise changed() from None
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise changed()
    return file


def open_dir(fd: int, name: bytes) -> int:
    """Opens a directory for listing, locking and bringing it to the disk."""
    return _open_directory(fd, name, os.O_RDONLY)


def sync(fd: int) -> None:
    """Brings what happened in a directory to the disk."""
    readable = open_dir(fd, b".")
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def names_in(fd: int, room: int | None = None) -> list[bytes] | None:
    """The names in a directory, sorted by bytes, when there are at most `room`."""
    names: list[bytes] = []
    with os.scandir(fd) as found:
        for entry in found:
            if room is not None and len(names) >= room:
                return None
            names.append(os.fsencode(entry.name))
    return sorted(names)


def _open_root(path: str | os.PathLike[str]) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _open_directory(fd: int, name: bytes, how: int) -> int:
    return os.open(name, how | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)


@contextlib.contextmanager
def failing(action: str, path: str) -> Iterator[None]:
    """Makes failures of what goes wrong while doing `action` to `path`."""
    try:
        yield
    except Cause as cause:
        raise cause.of(action, path) from None
    except Failure:
        raise
    except OSError as error:
        raise cause_of(error).of(action, path) from None
