"""Atomic replacement of files, renaming and removing; one writer a directory.

Under a lock on the directory the new bytes go into a temporary file beside the
old one, to the disk, and then take its name. The temporary file has the same
name for all files of the directory: what a writer that died left is removed by
the next one. Other programs know nothing of the lock, so the precondition is
checked once more right before the new name is taken; that nothing is there is
checked by taking it. On file systems that do not lock directories the lock is on
a file in the directory, which goes away with the lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import re
import stat
import time
from collections.abc import Callable, Iterator

from ..errors import quote
from ..filesystem import Change, PreconditionAbsent, PreconditionUnchanged
from ..types import FailureCode
from .causes import Cause, changed
from .hashing import digest_of
from .places import Intent, Place, Roots, failing, open_dir, open_file, special, stat_at

_TEMPORARY = b".layerwise-write.tmp"
_LOCK = b".layerwise-write.lock"


def write(roots: Roots, change: Change, wait: float) -> None:
    """Writes one file, waiting at most `wait` seconds for other writers."""
    condition = change.precondition
    if isinstance(condition, PreconditionUnchanged) and not re.fullmatch(
        "sha256:[0-9a-f]{64}", condition.value
    ):
        raise _invalid("the digest in its precondition is not a sha256 one")
    if change.mode > 0o7777:
        raise _invalid("the mode has more than 12 bits")
    intent = Intent.MAKE if change.parents else Intent.CHANGE
    with roots.place(change.path, intent=intent) as place:
        if place.name is None or place.directory:
            raise OSError(errno.EISDIR, "")
        if place.name in (_TEMPORARY, _LOCK):
            raise _reserved()
        with _locked(place.fd, wait) as directory:
            _Target(directory, place.name, place.linked, change).replace()


class _Target:
    """A name in a directory that is locked."""

    def __init__(self, directory: int, name: bytes, linked: bool, change: Change) -> None:
        self._directory = directory
        self._name = name
        self._linked = linked
        self._change = change

    def replace(self) -> None:
        old = self._check()
        _remove_temporary(self._directory)
        try:
            self._fill(old)
            self._take_name()
        except BaseException:
            with contextlib.suppress(OSError):
                _remove_temporary(self._directory)
            raise
        os.fsync(self._directory)

    def _check(self) -> os.stat_result | None:
        """The file there, when what must hold does."""
        try:
            old = stat_at(self._directory, self._name)
        except FileNotFoundError:
            old = None
        match self._change.precondition:
            case PreconditionAbsent() if self._linked or old is not None:
                raise OSError(errno.EEXIST, "")
            case PreconditionUnchanged(digest):
                if old is None or not stat.S_ISREG(old.st_mode):
                    raise _conflict("the file is not there any more")
                found = self._digest()
                if found != digest:
                    raise _conflict(f"it has digest {found}, not {digest}")
        if old is not None and not stat.S_ISREG(old.st_mode):
            if stat.S_ISDIR(old.st_mode):
                raise OSError(errno.EISDIR, "")
            raise changed() if stat.S_ISLNK(old.st_mode) else special()
        return old

    def _digest(self) -> str:
        file = open_file(self._directory, self._name)
        try:
            return digest_of(file)
        finally:
            os.close(file)

    def _fill(self, old: os.stat_result | None) -> None:
        """Writes the temporary file and brings it to the disk.

        Until it is complete nobody else may read what replaces a file that only
        some may read.
        """
        mode = self._change.mode if old is None else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_TEMPORARY, flags, mode, dir_fd=self._directory)
        with open(descriptor, "wb") as file:
            file.write(self._change.text.encode())
            file.flush()
            if old is not None:
                _keep_owner(descriptor, old)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)

    def _take_name(self) -> None:
        at = self._directory
        match self._change.precondition:
            case PreconditionAbsent():
                rename_to_free(at, _TEMPORARY, at, self._name)
                return
            case PreconditionUnchanged():
                self._check()
        os.rename(_TEMPORARY, self._name, src_dir_fd=at, dst_dir_fd=at)


def rename(roots: Roots, old: str, new: str, wait: float) -> None:
    """Moves something to a name that is free; a link is moved itself."""
    with contextlib.ExitStack() as stack:
        with failing("rename", old):
            source, source_name = _named(stack, roots, old)
            source.stat()
        with failing(f"rename {quote(old)} to", new):
            target, target_name = _named(stack, roots, new)
            if target_name in (_TEMPORARY, _LOCK):
                raise _reserved()
            if source.root != target.root:
                raise _invalid("it is in another opened directory")
            places = {_identity(place.fd): place.fd for place in (source, target)}
            # Always in one order, so that two who lock the same ones do not wait
            # for each other.
            locks = [
                stack.enter_context(_locked(places[identity], wait)) for identity in sorted(places)
            ]
            rename_to_free(source.fd, source_name, target.fd, target_name)
            for lock in locks:
                os.fsync(lock)


def remove(roots: Roots, path: str, wait: float) -> None:
    """Removes a file, an empty directory or a link."""
    with contextlib.ExitStack() as stack:
        place, name = _named(stack, roots, path)
        with _locked(place.fd, wait) as directory:
            if stat.S_ISDIR(place.stat().st_mode):
                os.rmdir(name, dir_fd=directory)
            else:
                os.unlink(name, dir_fd=directory)


def rename_to_free(source: int, old: bytes, target: int, new: bytes) -> None:
    """Renames unless something has the new name already."""
    system = _renameat2()
    if system is not None:
        error = system(source, old, target, new)
        if error == 0:
            return
        if error not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(error, "")
    # A second name is never put over another. Directories have none.
    if stat.S_ISDIR(stat_at(source, old).st_mode):
        words = "the system does not move this directory there"
        raise Cause(FailureCode.OTHER, words)
    os.link(old, new, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    os.unlink(old, dir_fd=source)


@functools.cache
def _renameat2() -> Callable[[int, bytes, int, bytes], int] | None:
    """The call of Linux that replaces nothing; it returns an error number."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return None
    function.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    ]
    no_replace = 1

    def call(source: int, old: bytes, target: int, new: bytes) -> int:
        return 0 if function(source, old, target, new, no_replace) == 0 else ctypes.get_errno()

    return call


def _named(stack: contextlib.ExitStack, roots: Roots, path: str) -> tuple[Place, bytes]:
    """A place that is a name in a directory. An opened directory itself has none."""
    place = stack.enter_context(roots.place(path, follow=False, intent=Intent.CHANGE))
    if place.name is None:
        raise Cause(FailureCode.DENIED, "it is an opened directory itself")
    return place, place.name


@contextlib.contextmanager
def _locked(directory: int, wait: float) -> Iterator[int]:
    """Waits until no other writer has the lock of a directory; it is open for
    reading then.
    """
    end = time.monotonic() + wait
    with contextlib.ExitStack() as stack:
        readable = open_dir(directory, b".")
        stack.callback(os.close, readable)
        try:
            take_lock(readable, end)
        except (TimeoutError, Cause):
            raise
        except OSError:
            stack.callback(os.close, _lock_file(readable, end))
            stack.callback(_remove_lock_file, readable)
        yield readable


def _lock_file(directory: int, end: float) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        file = os.open(_LOCK, flags, 0o666, dir_fd=directory)
        try:
            take_lock(file, end)
            # The one who had the lock before has removed the file, unless this is
            # another one with the same name.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(stat_at(directory, _LOCK), os.fstat(file)):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _remove_lock_file(directory: int) -> None:
    with contextlib.suppress(OSError):
        os.unlink(_LOCK, dir_fd=directory)


def take_lock(file: int, end: float) -> None:
    """Locks, asking again until the end."""
    pause = 0.0002
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                words = "another writer keeps the lock of its directory"
                raise Cause(FailureCode.UNAVAILABLE, words) from None
        time.sleep(pause)
        pause = min(pause * 2, 0.01)


def _keep_owner(file: int, old: os.stat_result) -> None:
    """Gives the file to whom the old one belonged.

    Only some users may do so; for the others it is theirs now.
    """
    new = os.fstat(file)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(file, old.st_uid, old.st_gid)


def _remove_temporary(directory: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_TEMPORARY, dir_fd=directory)


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _reserved() -> Cause:
    return _invalid("the name is one that writing uses itself")


def _invalid(words: str) -> Cause:
    return Cause(FailureCode.INVALID, words)


def _conflict(words: str) -> Cause:
    return Cause(FailureCode.CONFLICT, words)
