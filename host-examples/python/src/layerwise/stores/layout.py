"""OCI image layout directories: documents, the index, blobs, and the lock.

Facts this relies on (OCI image layout 1.0.0): `oci-layout` holds the version,
`index.json` lists descriptors, and `blobs/ALGORITHM/HEX` holds content under its
digest. Other files beside these are allowed.

Writers hold an exclusive lock on `.layerwise.lock`, write blobs first, and then
replace `index.json` by rename. Other tools know nothing of the lock, so
`index.json` is compared once more right before it is replaced, and a change is
made anew on what they wrote. All programs of this project keep to this.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, TypeVar

from ..errors import Failure, quote
from ..types import FailureCode
from .causes import failure_of, too_large
from .documents import Index, dump, load
from .hashing import algorithm, sha256, verifies

T = TypeVar("T")

_VERSION = "1.0.0"
_TEMPORARY = ".layerwise.tmp"
_LOCK = ".layerwise.lock"
_UPLOAD = ".layerwise.blob."
_LONGEST_INDEX = 64 << 20
#: How often a change is made anew when another program keeps writing.
_ATTEMPTS = 10
#: Other tools write `index.json` in place. One that ends early is read again.
_READS = 5
_PAUSE = 0.02
_CHUNK = 1 << 20

_unique = itertools.count()


class Layout:
    """A layout directory that need not be there yet."""

    def __init__(self, root: str | os.PathLike[str], *, lock_wait: float = 10.0) -> None:
        self.root = Path(root)
        self.lock_wait = lock_wait

    def create(self) -> None:
        """Makes an empty layout, unless there is one.

        `oci-layout` comes last: it is what makes a directory a layout. `conflict`
        when other things are there.
        """
        marker = self.root / "oci-layout"
        if marker.exists():
            return
        with _io("create", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        with _io("read", self.root):
            names = sorted(os.listdir(self.root))
        for name in names:
            ours = name in ("blobs", "index.json", "oci-layout") or name.startswith(".layerwise.")
            if not ours:
                text = f"{_path(self.root)} is not an oci image layout and holds {quote(name)}"
                raise Failure(FailureCode.CONFLICT, text)
        with self.locked():
            blobs = self.root / "blobs" / "sha256"
            with _io("create", blobs):
                blobs.mkdir(parents=True, exist_ok=True)
            if not self.index_path.exists():
                self._replace(self.index_path, Index.empty().text())
            self._replace(marker, dump({"imageLayoutVersion": _VERSION}))

    def check(self) -> None:
        """Whether it is a layout of the version that is known here.

        `not-found` when it is none, `corrupt`, `unsupported` for another version.
        """
        path = self.root / "oci-layout"
        try:
            text = read_file(path, 4096)
        except Failure as failure:
            message = f"{_path(self.root)} is not an oci image layout: {failure}"
            raise Failure(failure.code, message) from None
        try:
            version = load(text)["imageLayoutVersion"]
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(FailureCode.CORRUPT, f"{_path(path)}: {error}") from None
        if version != _VERSION:
            message = f"{_path(path)} has the version {quote(str(version))}: expected "
            raise Failure(FailureCode.UNSUPPORTED, f'{message}"{_VERSION}"')

    @property
    def index_path(self) -> Path:
        """Where `index.json` is."""
        return self.root / "index.json"

    def index_text(self) -> bytes:
        """The bytes of `index.json`."""
        text = read_file(self.index_path, _LONGEST_INDEX)
        for _ in range(_READS - 1):
            if text.rstrip().endswith(b"}"):
                break
            time.sleep(_PAUSE)
            text = read_file(self.index_path, _LONGEST_INDEX)
        return text

    def index(self) -> Index:
        """What `index.json` lists."""
        return Index.parse(self.root, self.index_text())

    def update(self, change: Callable[[Index], T]) -> T:
        """Makes a change of the index and writes it, unless it changes nothing.

        `change` runs again when another program wrote the file in between.
        """
        with self.locked():
            for _ in range(_ATTEMPTS):
                text = self.index_text()
                before = Index.parse(self.root, text)
                index = before.copy()
                answer = change(index)
                if index == before:
                    return answer
                if self._replace(self.index_path, index.text(), functools.partial(self._is, text)):
                    return answer
        message = f"another program keeps changing {_path(self.index_path)}"
        raise Failure(FailureCode.CONFLICT, message)

    def _is(self, text: bytes) -> bool:
        return read_file(self.index_path, _LONGEST_INDEX) == text

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock. The file stays: removing it would let two writers hold
        locks on different files of the same name.
        """
        path = self.root / _LOCK
        if path.is_symlink() or (path.exists() and not path.is_file()):
            message = f"cannot lock {_path(path)}: it is not a regular file"
            raise Failure(FailureCode.DENIED, message)
        with _io("lock", path):
            file = path.open("ab")
        with file:
            end = time.monotonic() + self.lock_wait
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        message = f"the store is locked: another writer holds {_path(path)}"
                        raise Failure(FailureCode.UNAVAILABLE, message) from None
                    time.sleep(0.005)
                except OSError as error:
                    raise failure_of("lock", path, error) from None
            yield

    def blob_path(self, digest: str) -> Path:
        """Where a blob is. Only a checked digest becomes part of a path."""
        name, _, digits = digest.partition(":")
        return self.root / "blobs" / name / digits

    def check_reachable(self, digest: str) -> None:
        """Whether blobs can be looked up where this one is: `denied`, `corrupt` when
        something else is there. A directory that is not there holds nothing.
        """
        directory = self.blob_path(digest).parent
        try:
            with _io("search", directory), contextlib.suppress(FileNotFoundError):
                # Not a `Path`, which leaves the dot away.
                os.stat(f"{directory}/.")
        except Failure as failure:
            if failure.code is not FailureCode.NOT_FOUND:
                raise
            message = f"{_path(directory)} is not a directory"
            raise Failure(FailureCode.CORRUPT, message) from None

    def read_blob(self, digest: str, size: int, limit: int) -> bytes:
        """Reads a blob of exactly `size` bytes and checks it.

        `not-found`, `too-large` above `limit`, `truncated` when it has fewer bytes,
        `corrupt` when it has more or others.
        """
        if size > limit:
            raise too_large(f"blob {digest}", size, limit)
        with self.open_blob(digest, size) as file:
            content = file.read(size + 1)
        if verifies(digest, content):
            return content
        message = f"{_path(self.blob_path(digest))} does not have the digest it is named after"
        raise Failure(FailureCode.CORRUPT, message)

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[BufferedReader]:
        """Opens a blob of this size; its bytes are not checked."""
        path = self.blob_path(digest)
        there = file_size(path)
        if there != size:
            code = FailureCode.TRUNCATED if there < size else FailureCode.CORRUPT
            raise Failure(code, f"{_path(path)} has {there} bytes, expected {size}")
        with _io("read", path):
            file = path.open("rb")
        with file:
            yield file

    def present(self, digest: str, size: int) -> bool:
        """Whether a blob of this size is there; its content is not read."""
        try:
            return file_size(self.blob_path(digest)) == size
        except Failure:
            return False

    def holds(self, digest: str, size: int) -> bool:
        """Whether a blob is there with the right bytes."""
        try:
            with self.open_blob(digest, size) as file:
                found = hashlib.file_digest(file, algorithm(digest))
        except (Failure, OSError):
            return False
        return found.hexdigest() == digest.partition(":")[2]

    def store(self, content: bytes) -> str:
        """Stores a blob unless it is there with the right bytes; a broken one is
        replaced. Only the holder of the lock calls this.
        """
        digest = sha256(content)
        if not self.holds(digest, len(content)):
            self._make_directory(digest)
            self._replace(self.blob_path(digest), content)
        return digest

    def store_stream(self, digest: str, size: int, chunks: Iterator[bytes]) -> bool:
        """Stores a blob however large, checked on the way; answers whether it was
        not there. The lock is held only at the beginning and at the end.
        """
        self.create()
        self.check()
        if self.holds(digest, size):
            return False
        with self._upload() as (file, path):
            found = hashlib.new(algorithm(digest))
            written = 0
            for chunk in chunks:
                found.update(chunk)
                written += len(chunk)
                with _io("write", path):
                    file.write(chunk)
            if written != size:
                code = FailureCode.TRUNCATED if written < size else FailureCode.CORRUPT
                raise Failure(code, f"{digest} has {written} bytes, expected {size}")
            if found.hexdigest() != digest.partition(":")[2]:
                raise Failure(FailureCode.CORRUPT, f"the bytes of {digest} have another digest")
            with _io("write", path):
                file.flush()
                os.fsync(file.fileno())
            with self.locked():
                directory = self._make_directory(digest)
                with _io("write", self.blob_path(digest)):
                    path.rename(self.blob_path(digest))
                    _sync(directory)
        return True

    def remove_blob(self, digest: str) -> None:
        """Takes a blob away. Only the holder of the lock calls this."""
        path = self.blob_path(digest)
        self._check_inside(path.parent)
        with _io("remove", path), contextlib.suppress(FileNotFoundError):
            path.unlink()

    @contextlib.contextmanager
    def _upload(self) -> Iterator[tuple[IO[bytes], Path]]:
        """A file of ours, locked while it is written. What a killed writer left is
        not locked any more, and the next one removes it.
        """
        path = self.root / f"{_UPLOAD}{os.getpid()}.{next(_unique)}"
        with self.locked():
            self._sweep()
            with _io("create", path):
                file = path.open("xb")
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            with file:
                yield file, path
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def _sweep(self) -> None:
        for left in self.root.glob(f"{_UPLOAD}*"):
            with contextlib.suppress(OSError):
                if left.is_symlink() or not left.is_file():
                    continue
                with left.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()

    def _make_directory(self, digest: str) -> Path:
        directory = self.blob_path(digest).parent
        with _io("create", directory):
            directory.mkdir(parents=True, exist_ok=True)
        self._check_inside(directory)
        return directory

    def _check_inside(self, directory: Path) -> None:
        """Refuses to write through a link that leads out of the layout."""
        with _io("resolve", directory):
            inside = directory.resolve(strict=True).is_relative_to(self.root.resolve(strict=True))
        if not inside:
            message = f"{_path(directory)} leads out of the layout: nothing is written there"
            raise Failure(FailureCode.DENIED, message)

    def _replace(
        self, path: Path, content: bytes, ready: Callable[[], bool] = lambda: True
    ) -> bool:
        """Writes a file so that a crash leaves either what was there or all of
        `content`. `ready` can still call it off. Only the holder of the lock calls
        this, so that the temporary file has one name for all.
        """
        temporary = self.root / _TEMPORARY
        with _io("write", path):
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
                file.flush()
                os.fsync(file.fileno())
            if not ready():
                temporary.unlink(missing_ok=True)
                return False
            temporary.replace(path)
            _sync(path.parent)
        return True


def read_file(path: Path, limit: int) -> bytes:
    """Reads a regular file of at most `limit` bytes."""
    size = file_size(path)
    content = b""
    if size <= limit:
        with _io("read", path), path.open("rb") as file:
            content = file.read(limit + 1)
    if max(size, len(content)) > limit:
        raise too_large(_path(path), max(size, len(content)), limit)
    return content


def file_size(path: Path) -> int:
    """The size of a regular file. Opening a pipe would wait for its writer, so
    everything else is refused before.
    """
    with _io("read", path):
        found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Failure(FailureCode.CORRUPT, f"{_path(path)} is not a regular file")
    return found.st_size


@contextlib.contextmanager
def _io(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failure_of(action, path, error) from None


def _path(path: Path) -> str:
    return quote(str(path))


def _sync(directory: Path) -> None:
    """Brings a rename to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems do not do that for directories.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
