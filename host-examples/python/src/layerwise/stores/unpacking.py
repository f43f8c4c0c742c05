"""Unpacking a layer where it cannot do harm.

Every entry is written into a fresh directory beside the destination, on the same
file system. Nothing is ever written through a link: the parents of an entry are
directories that this unpacking made. When all of the layer was read and its
digest was right, what is there is moved into place.

| entry | what happens |
|---|---|
| below the prefix | unpacked |
| a directory above the prefix, as tools write them | made where it is missing, else left |
| elsewhere, or with `..` | `denied` |
| a symbolic link to something outside of the prefix | `denied` |
| a hard link to something that is not a file of the layer | `denied` |
| a device, a pipe | `denied` |
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from typing import IO, cast

from ..errors import Failure, quote
from ..types import FailureCode
from .archives import Hashed
from .causes import cause_of
from .paths import decode, encode, parts

_PREFIX = b".layerwise.unpack."
_LONGEST_NAME = 255
_LONGEST_PATH = 4096
#: The bits that give a program the rights of its owner.
_SET_ID = 0o6000

_unique = itertools.count()

Path = tuple[bytes, ...]


class _Entry(tarfile.TarInfo):
    """A header that cannot be read is not the end of an archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Entry:
        try:
            return super().fromtarfile(tarfile_)
        except (_Unreadable, _CutOff) as error:
            raise tarfile.ReadError(str(error)) from None


# Not in the list of public names, and documented in the module.
_Unreadable: type[Exception] = tarfile.InvalidHeaderError  # type: ignore[attr-defined]
_CutOff: type[Exception] = tarfile.TruncatedHeaderError  # type: ignore[attr-defined]


class Stage:
    """A layer while it is unpacked."""

    def __init__(self, root: int, root_path: str, prefix: str, most_entries: int) -> None:
        """`root` is an open directory that paths call `root_path`."""
        self._prefix = tuple(_names(decode(prefix), f"{quote(prefix)} is not a prefix"))
        self._root_path = decode(root_path)
        self._most = most_entries
        self._keep_owners = os.geteuid() == 0
        self._held: dict[Path, str] = {}
        self._folders: dict[Path, tarfile.TarInfo] = {}
        self._base, self._depth = _deepest(root, self._prefix)
        self._name = b""
        try:
            _sweep(self._base)
            self._name, self._work = _make(self._base)
        except BaseException:
            os.close(self._base)
            raise

    def close(self) -> None:
        """Leaves nothing of what was not moved."""
        os.close(self._work)
        with contextlib.suppress(OSError):
            shutil.rmtree(self._name, dir_fd=self._base)
        os.close(self._base)

    def read(self, layer: Hashed) -> None:
        """Reads an archive."""
        try:
            with tarfile.open(fileobj=cast(IO[bytes], layer), mode="r|", tarinfo=_Entry) as archive:
                for count, entry in enumerate(archive, 1):
                    if count > self._most:
                        message = f"the layer has more than {self._most} entries"
                        raise Failure(FailureCode.TOO_LARGE, message)
                    self._take(archive, entry)
        except (tarfile.TarError, ValueError, OverflowError) as error:
            if layer.size == 0:
                return
            message = f"the layer is not a tar file: {error}"
            raise Failure(FailureCode.CORRUPT, message) from None

    def _take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        what = f"the entry {quote(entry.name)}"
        names = tuple(_names(_raw(entry.name), what, FailureCode.DENIED))
        if names[: len(self._prefix)] != self._prefix:
            above = self._prefix[: len(names)] == names
            if above and entry.isdir():
                # An ancestor says how a directory looks that is not the layer's.
                return
            raise _denied(what, "it is not below the prefix of the layer")
        inside = names[self._depth :]
        try:
            if entry.isdir():
                self._folder(inside, entry, what)
            elif entry.issym():
                self._symlink(inside, names, entry, what)
            elif entry.islnk():
                self._hardlink(inside, entry, what)
            elif entry.isreg():
                self._file(inside, archive, entry, what)
            else:
                raise _denied(what, "it is a device or a pipe")
        except OSError as error:
            cause = cause_of(error)
            raise Failure(cause.code, f"cannot unpack {what}: {cause.words}") from None

    def _file(
        self, path: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo, what: str
    ) -> None:
        self._make_room(path, what)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_join(path), flags, 0o600, dir_fd=self._work)
        with open(descriptor, "wb") as file:
            content = archive.extractfile(entry)
            if content is not None:
                shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            self._apply(descriptor, entry)
        self._held[path] = "file"

    def _folder(self, path: Path, entry: tarfile.TarInfo, what: str) -> None:
        if not path:
            # The root itself, when nothing is above the prefix.
            return
        if self._held.get(path) != "folder":
            self._make_room(path, what)
            os.mkdir(_join(path), 0o700, dir_fd=self._work)
            self._held[path] = "folder"
        self._folders[path] = entry

    def _symlink(self, path: Path, names: Path, entry: tarfile.TarInfo, what: str) -> None:
        target = _raw(entry.linkname)
        if not target or b"\0" in target:
            message = "the layer has a symbolic link without a target"
            raise Failure(FailureCode.CORRUPT, message)
        if not self._stays(names, target):
            raise _denied(what, "it links to something outside")
        self._make_room(path, what)
        os.symlink(target, _join(path), dir_fd=self._work)
        if self._keep_owners:
            os.chown(_join(path), entry.uid, entry.gid, dir_fd=self._work, follow_symlinks=False)
        self._held[path] = "link"

    def _hardlink(self, path: Path, entry: tarfile.TarInfo, what: str) -> None:
        target = tuple(_names(_raw(entry.linkname), what, FailureCode.DENIED))
        inside = target[self._depth :]
        if target[: len(self._prefix)] != self._prefix or self._held.get(inside) != "file":
            raise _denied(what, "it is a hard link to something outside")
        if inside == path:
            return
        self._make_room(path, what)
        os.link(_join(inside), _join(path), src_dir_fd=self._work, dst_dir_fd=self._work)
        self._held[path] = "file"

    def _make_room(self, path: Path, what: str) -> None:
        """Makes the parents of an entry, and removes the file or link that has its
        name.
        """
        if not path:
            raise _denied(what, "it would replace the root")
        for length in range(1, len(path)):
            parent = path[:length]
            held = self._held.get(parent)
            if held in ("link", "file"):
                behind = "it is behind a symbolic link" if held == "link" else "it is below a file"
                raise _denied(what, behind)
            if held is None:
                os.mkdir(_join(parent), 0o700, dir_fd=self._work)
                self._held[parent] = "folder"
        held = self._held.pop(path, None)
        if held == "folder":
            self._held[path] = held
            raise _denied(what, "it would replace a directory")
        if held:
            os.unlink(_join(path), dir_fd=self._work)

    def _stays(self, link: Path, target: bytes) -> bool:
        """Whether a symbolic link with this target stays below the prefix.

        The parents of the link are directories; `..` is accepted there only,
        because after a name it would lead away from wherever another link leads.
        """
        at: list[bytes] = []
        if target.startswith(b"/"):
            root = parts(self._root_path)
            found = parts(target)
            if found[: len(root)] != root:
                return False
            rest = found[len(root) :]
        else:
            at.extend(link[:-1])
            rest = parts(target)
        named = False
        for part in rest:
            if part == b"..":
                if named or not at:
                    return False
                at.pop()
            else:
                named = True
                at.append(part)
        return tuple(at[: len(self._prefix)]) == self._prefix

    def _apply(self, descriptor: int, entry: tarfile.TarInfo, more: int = 0) -> None:
        """Makes a file or directory look as its entry says."""
        mode = stat.S_IMODE(entry.mode)
        if self._keep_owners:
            os.fchown(descriptor, entry.uid, entry.gid)
        else:
            mode &= ~_SET_ID
        # A change of the owner takes bits and capabilities away, so that these come
        # later.
        os.fchmod(descriptor, mode | more)
        for key, value in entry.pax_headers.items():
            name = key.removeprefix("SCHILY.xattr.")
            if name == key or not (self._keep_owners or name.startswith("user.")):
                continue
            try:
                os.setxattr(descriptor, name, _raw(value))
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                    raise
        os.utime(descriptor, ns=(int(entry.mtime * 10**9),) * 2)

    def finish(self) -> None:
        """Moves everything. `conflict` when a directory is to replace something
        else, or is to be replaced; then nothing was moved.
        """
        for path in sorted(self._folders, reverse=True):
            with _moving(path), _opened(self._work, path) as folder:
                # In the stage directories stay writable for their owner.
                self._apply(folder, self._folders[path], 0o700)
        for path in self._moves():
            with _moving(path), _opened(self._base, path[:-1]) as folder:
                os.rename(_join(path), path[-1], src_dir_fd=self._work, dst_dir_fd=folder)
        for path in sorted(self._folders, reverse=True):
            with _moving(path), _opened(self._base, path) as folder:
                self._apply(folder, self._folders[path])

    def _moves(self) -> list[Path]:
        """What is to be renamed, parents first: what is not at the destination is
        moved as a whole, directories on both sides are gone into, and files replace
        files.
        """
        moves: list[Path] = []
        for path, held in sorted(self._held.items()):
            if any(path[:length] in moves[-1:] for length in range(1, len(path))):
                continue
            with _moving(path):
                try:
                    with _opened(self._base, path[:-1]) as folder:
                        mode = os.stat(path[-1], dir_fd=folder, follow_symlinks=False).st_mode
                except FileNotFoundError:
                    moves.append(path)
                    continue
            if (held == "folder") != stat.S_ISDIR(mode):
                text = quote(encode(_join(path)))
                message = f"cannot move {text} into place: something else is there"
                raise Failure(FailureCode.CONFLICT, message)
            if held != "folder":
                moves.append(path)
        return moves


def _names(name: bytes, what: str, code: FailureCode = FailureCode.INVALID) -> list[bytes]:
    """The parts of a path, without empty ones and `.`; `..` is refused."""
    found = parts(name)
    if b".." in found:
        raise Failure(code, f'{what}: its name has ".." in it')
    if b"\0" in name:
        raise Failure(code, f"{what}: its name has a zero byte in it")
    if len(name) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in found):
        raise Failure(code, f"{what}: its name is too long")
    return found


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _join(path: Path) -> bytes:
    return b"/".join(path)


def _denied(what: str, why: str) -> Failure:
    return Failure(FailureCode.DENIED, f"{what}: {why}")


@contextlib.contextmanager
def _moving(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = cause_of(error)
        text = quote(encode(_join(path)))
        raise Failure(cause.code, f"cannot move {text} into place: {cause.words}") from None


@contextlib.contextmanager
def _opened(base: int, path: Path) -> Iterator[int]:
    """Opens a directory below another one, through no link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    at = os.dup(base)
    try:
        for name in path:
            below = os.open(name, flags, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _deepest(root: int, prefix: Path) -> tuple[int, int]:
    """The deepest existing directory above the prefix, and how deep it is."""
    for depth in range(len(prefix) - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError), _opened(root, prefix[:depth]) as found:
            return os.dup(found), depth
    return os.dup(root), 0


def _make(base: int) -> tuple[bytes, int]:
    for _ in range(20):
        name = b"%s%d.%d" % (_PREFIX, os.getpid(), next(_unique))
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            os.mkdir(name, 0o700, dir_fd=base)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            work = os.open(name, flags, dir_fd=base)
            try:
                # Somebody may have taken it for a left one before it was locked.
                fcntl.flock(work, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.stat(name, dir_fd=base, follow_symlinks=False)
            except BaseException:
                os.close(work)
                raise
            return name, work
    raise Failure(FailureCode.OTHER, "no directory could be made to unpack into")


def _sweep(base: int) -> None:
    """Removes what a killed one left: it is not locked any more."""
    with os.scandir(base) as found:
        left = [os.fsencode(entry.name) for entry in found]
    for name in left:
        if not name.startswith(_PREFIX):
            continue
        with contextlib.suppress(OSError), _opened(base, (name,)) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(name, dir_fd=base)
