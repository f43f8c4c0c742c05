"""A file system import over opened directories.

Unix only: elsewhere there are no modes, owners and attributes to tell.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from ..errors import Failure
from ..filesystem import Attribute, Change, Content, Entry, Facts, Hashing, Kind
from ..types import FailureCode
from .causes import Cause, cause_of, changed
from .hashing import digest_of, sha256
from .paths import decode, encode, lossy
from .places import (
    Place,
    Root,
    Roots,
    failing,
    names_in,
    open_dir,
    open_file,
    stat_at,
)
from .writing import remove, rename, write

T = TypeVar("T")
A = TypeVar("A")

#: How many directories of a walk on the way down stay open. Those above them are
#: opened again through `..` when the walk comes back.
_HELD = 64

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.LINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
}


class Files:
    """Files below opened directories.

    They stay open until `close`: whatever happens to their names later, paths
    lead into the same directories. A path belongs to the root with the longest
    name that it begins with. `lock_wait` is how many seconds a writer waits for
    the others of its directory. A walk goes at most `walk_depth` directories deep,
    and answers at most `walk_entries` with `walk_path_bytes` of paths.
    """

    def __init__(
        self,
        *roots: Root,
        lock_wait: float = 30.0,
        walk_depth: int = 256,
        walk_entries: int = 10_000_000,
        walk_path_bytes: int = 512 << 20,
    ) -> None:
        self._roots = Roots(roots)
        self._wait = lock_wait
        self._depth = walk_depth
        self._most = walk_entries
        self._path_bytes = walk_path_bytes
        weakref.finalize(self, self._roots.close)

    def close(self) -> None:
        """Closes the directories."""
        self._roots.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def stat(self, paths: Sequence[str], follow: bool, want: Facts) -> Sequence[Entry | Failure]:
        """See `Filesystem.stat`."""

        def look(path: str) -> Entry:
            with failing("look at", path), self._roots.place(path, follow=follow) as place:
                return _entry(path, place, want)

        return _each(look, paths, Facts.CONTENT in want)

    def list_names(self, directory: str) -> Sequence[str]:
        """See `Filesystem.list_names`."""
        with failing("list", directory), self._roots.place(directory) as place:
            descriptor = place.open_dir()
            try:
                return [encode(name) for name in names_in(descriptor) or ()]
            finally:
                os.close(descriptor)

    def read(self, paths: Sequence[str], limit: int) -> Sequence[Content | Failure]:
        """See `Filesystem.read`."""

        def read(path: str) -> Content:
            with failing("read", path), self._roots.place(path) as place:
                return _read(place, limit)

        return _each(read, paths, False)

    def walk(self, root: str, want: Facts, limit: int) -> Sequence[Entry]:
        """See `Filesystem.walk`."""
        with failing("walk", root), self._roots.place(root, follow=False) as place:
            if not stat.S_ISDIR(place.stat().st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "")
            limit = min(limit, self._most)
            return _Walk(root, want, limit, self._depth, self._path_bytes).run(place)

    def hash(self, files: Sequence[Hashing]) -> Sequence[str | Failure]:
        """See `Filesystem.hash`."""

        def hash_one(file: Hashing) -> str:
            with failing("hash", file.path), self._roots.place(file.path) as place:
                descriptor = place.open_file()
                try:
                    return digest_of(descriptor, decode(file.prefix), file.suffix.encode())
                finally:
                    os.close(descriptor)

        return _each(hash_one, files, True)

    def write(self, changes: Sequence[Change]) -> Sequence[Failure | None]:
        """See `Filesystem.write`."""
        answers: list[Failure | None] = []
        for change in changes:
            try:
                with failing("write", change.path):
                    write(self._roots, change, self._wait)
                answers.append(None)
            except Failure as failure:
                answers.append(failure)
                break
        return answers

    def rename(self, old: str, new: str) -> None:
        """See `Filesystem.rename`."""
        rename(self._roots, old, new, self._wait)

    def remove(self, paths: Sequence[str]) -> Sequence[Failure | None]:
        """See `Filesystem.remove`."""

        def remove_one(path: str) -> None:
            with failing("remove", path):
                remove(self._roots, path, self._wait)

        return _each(remove_one, paths, False)


def _each(work: Callable[[A], T], items: Sequence[A], parallel: bool) -> list[T | Failure]:
    def one(item: A) -> T | Failure:
        try:
            return work(item)
        except Failure as failure:
            return failure

    if not parallel or len(items) < 2:
        return [one(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(len(items), os.cpu_count() or 1)) as team:
        return list(team.map(one, items))


def _entry(path: str, place: Place, want: Facts) -> Entry:
    """Everything wanted about a place."""
    found = place.stat()
    if place.name is not None and not stat.S_ISDIR(found.st_mode):
        return _named_entry(path, place.fd, place.name, found, want)
    attributes: Sequence[Attribute] = ()
    if Facts.ATTRIBUTES in want:
        attributes = _attributes_of_directory(place)
    return _outside(path, found, want, attributes=attributes)


def _named_entry(path: str, fd: int, name: bytes, found: os.stat_result, want: Facts) -> Entry:
    """What is at a name and is no directory."""
    if stat.S_ISLNK(found.st_mode) and Facts.TARGET in want:
        return _outside(path, found, want, target=encode(os.readlink(name, dir_fd=fd)))
    opens = Facts.CONTENT in want or Facts.ATTRIBUTES in want
    if not stat.S_ISREG(found.st_mode) or not opens:
        return _outside(path, found, want)
    try:
        file = open_file(fd, name)
    except OSError as error:
        # Attributes are none when it cannot be opened; content is a failure then.
        if Facts.CONTENT in want or cause_of(error).code != FailureCode.DENIED:
            raise
        return _outside(path, found, want)
    try:
        # All facts are of the file that was opened, even when it was just replaced.
        return _outside(
            path,
            os.fstat(file),
            want,
            attributes=_attributes(file) if Facts.ATTRIBUTES in want else (),
            content=digest_of(file) if Facts.CONTENT in want else None,
        )
    finally:
        os.close(file)


def _outside(
    path: str,
    found: os.stat_result,
    want: Facts,
    *,
    target: str | None = None,
    attributes: Sequence[Attribute] = (),
    content: str | None = None,
) -> Entry:
    identity = None
    if Facts.IDENTITY in want and found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
        identity = f"{found.st_dev}:{found.st_ino}"
    return Entry(
        path=path,
        kind=_KINDS.get(stat.S_IFMT(found.st_mode), Kind.OTHER),
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        size=found.st_size,
        target=target,
        attributes=attributes,
        content=content,
        identity=identity,
    )


def _attributes_of_directory(place: Place) -> Sequence[Attribute]:
    try:
        descriptor = place.open_dir()
    except OSError:
        return ()
    try:
        return _attributes(descriptor)
    finally:
        os.close(descriptor)


def _attributes(file: int) -> Sequence[Attribute]:
    """Extended attributes in the system's order; `None` if any cannot be read."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        return [
            Attribute(encode(os.fsencode(name)), base64.b64encode(os.getxattr(file, name)).decode())
            for name in os.listxattr(file)
        ]
    except OSError:
        return ()


def _read(place: Place, limit: int) -> Content:
    descriptor = place.open_file()
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        content = file.read(limit + 1) if size <= limit else b""
    size = max(size, len(content))
    if size > limit:
        words = f"it has {size} bytes, more than the limit of {limit}"
        raise Cause(FailureCode.TOO_LARGE, words)
    text, is_lossy = lossy(content)
    return Content(text, is_lossy, sha256(content))


def _over(what: str, limit: str, most: int) -> Cause:
    return Cause(FailureCode.TOO_LARGE, f"{what} is more than the limit {limit} of {most}")


class _Level:
    """A directory whose names are being gone through."""

    def __init__(self, fd: int, names: list[bytes], path: list[bytes]) -> None:
        self.fd: int | None = fd
        found = os.fstat(fd)
        self.identity = (found.st_dev, found.st_ino)
        self.names = iter(names)
        self.path = path

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class _Walk:
    """A directory before what is in it, names in the order of their bytes."""

    def __init__(self, root: str, want: Facts, limit: int, depth: int, path_bytes: int) -> None:
        self._root = root
        self._want = want
        self._limit = limit
        self._depth = depth
        self._path_bytes = path_bytes
        self._room = path_bytes
        self._entries: list[Entry] = []
        self._levels: list[_Level] = []

    def run(self, root: Place) -> list[Entry]:
        try:
            self._check()
            self._enter(root.open_dir(), ".", [])
            while self._levels:
                self._step()
            return self._entries
        finally:
            for level in self._levels:
                level.close()

    def _step(self) -> None:
        level = self._levels[-1]
        name = next(level.names, None)
        if name is None:
            self._leave()
            return
        path = [*level.path, name]
        text = encode(b"/".join(path))
        try:
            assert level.fd is not None
            found = stat_at(level.fd, name)
            self._check()
            self._room -= len(text)
            if self._room < 0:
                raise _over("the size of its paths", "walk-path-bytes", self._path_bytes)
            if stat.S_ISDIR(found.st_mode):
                if len(path) > self._depth:
                    raise _over("its depth", "walk-depth", self._depth)
                self._enter(open_dir(level.fd, name), text, path)
            else:
                self._entries.append(_named_entry(text, level.fd, name, found, self._want))
        except (Cause, OSError) as error:
            cause = cause_of(error) if isinstance(error, OSError) else error
            # What was listed and is gone is not something that never existed.
            if cause.code == FailureCode.NOT_FOUND:
                cause = changed()
            raise cause.of("walk", f"{self._root.rstrip('/')}/{text}") from None

    def _enter(self, fd: int, text: str, path: list[bytes]) -> None:
        """Begins with a directory."""
        try:
            attributes = _attributes(fd) if Facts.ATTRIBUTES in self._want else ()
            self._entries.append(_outside(text, os.fstat(fd), self._want, attributes=attributes))
            names = names_in(fd, max(0, self._limit - len(self._entries)))
            if names is None:
                raise self._too_many()
        except BaseException:
            os.close(fd)
            raise
        self._levels.append(_Level(fd, names, path))
        if len(self._levels) > _HELD:
            self._levels[-_HELD - 1].close()

    def _leave(self) -> None:
        """Goes back to the directory above, which must still be the one it was."""
        below = self._levels.pop()
        try:
            if self._levels and self._levels[-1].fd is None:
                above = self._levels[-1]
                assert below.fd is not None
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
                fd = os.open(b"..", flags, dir_fd=below.fd)
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) != above.identity:
                    os.close(fd)
                    raise changed()
                above.fd = fd
        finally:
            below.close()

    def _check(self) -> None:
        """Whether there may be one more entry."""
        if len(self._entries) >= self._limit:
            raise self._too_many()

    def _too_many(self) -> Cause:
        words = f"there are more entries than the limit of {self._limit}"
        return Cause(FailureCode.TOO_LARGE, words)
