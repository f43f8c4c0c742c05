"""OCI image layout directories: documents, the index, blobs, and the lock.

Facts this relies on (OCI image layout 1.0.0): `oci-layout` holds the version,
`index.json` lists descriptors, and `blobs/ALGORITHM/HEX` holds content under its
digest. Other files beside these are allowed.

Writers hold an exclusive lock on `.layerwise.lock`, write blobs first, and then
replace `index.json` by rename. Other tools know nothing of the lock, so
`index.json` is compared once more right before it is replaced, and a change is
made anew on what they wrote. All programs of this project keep to this. No link
below the directory is followed, see `below`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, TypeVar

from ..errors import Failure, quote
from ..types import FailureCode
from .below import Directory, opened, quoted
from .causes import failure_of, too_large
from .documents import Index, dump, load
from .hashing import algorithm, sha256, verifies

T = TypeVar("T")

_VERSION = "1.0.0"
_MARKER = "oci-layout"
_INDEX = "index.json"
_TEMPORARY = ".layerwise.tmp"
_LOCK = ".layerwise.lock"
_UPLOAD = ".layerwise.blob."
_LONGEST_INDEX = 64 << 20
#: How often a change is made anew when another program keeps writing.
_ATTEMPTS = 10
#: Other tools write `index.json` in place. One that ends early is read again.
_READS = 5
_PAUSE = 0.02


class Layout:
    """A layout directory that need not be there yet.

    `within` is a directory that it must lie below, without links on the way.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        within: Path | None = None,
        lock_wait: float = 10.0,
    ) -> None:
        self.root = Path(root)
        self.lock_wait = lock_wait
        self._within = within

    def create(self) -> None:
        """Makes an empty layout, unless there is one.

        `oci-layout` comes last: it is what makes a directory a layout. `conflict`
        when other things are there.
        """
        with self._opened(make=True) as root:
            if root.has(_MARKER):
                return
            for name in root.names():
                if name not in ("blobs", _INDEX, _MARKER) and not name.startswith(".layerwise."):
                    text = f"{quoted(self.root)} is not an oci image layout and holds {quote(name)}"
                    raise Failure(FailureCode.CONFLICT, text)
            with self._locked(root):
                with root.enter("blobs", "sha256", make=True):
                    pass
                if not root.has(_INDEX):
                    self._replace(root, _INDEX, root, Index.empty().text())
                self._replace(root, _MARKER, root, dump({"imageLayoutVersion": _VERSION}))

    def check(self) -> None:
        """Whether it is a layout of the version that is known here.

        `not-found` when it is none, `corrupt`, `unsupported` for another version.
        """
        path = self.root / _MARKER
        try:
            with self._opened() as root:
                text = root.read(_MARKER, 4096)
        except Failure as failure:
            message = f"{quoted(self.root)} is not an oci image layout: {failure}"
            raise Failure(failure.code, message) from None
        try:
            version = load(text)["imageLayoutVersion"]
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(FailureCode.CORRUPT, f"{quoted(path)}: {error}") from None
        if version != _VERSION:
            message = f"{quoted(path)} has the version {quote(str(version))}: expected "
            raise Failure(FailureCode.UNSUPPORTED, f'{message}"{_VERSION}"')

    @property
    def index_path(self) -> Path:
        """Where `index.json` is."""
        return self.root / _INDEX

    def index_text(self) -> bytes:
        """The bytes of `index.json`."""
        with self._opened() as root:
            return self._index_text(root)

    def index(self) -> Index:
        """What `index.json` lists."""
        return Index.parse(self.root, self.index_text())

    def update(self, change: Callable[[Index], T]) -> T:
        """Makes a change of the index and writes it, unless it changes nothing.

        `change` runs again when another program wrote the file in between.
        """
        with self._opened() as root, self._locked(root):
            for _ in range(_ATTEMPTS):
                text = self._index_text(root)
                before = Index.parse(self.root, text)
                index = before.copy()
                answer = change(index)
                if index == before:
                    return answer

                def unchanged(text: bytes = text) -> bool:
                    return root.read(_INDEX, _LONGEST_INDEX) == text

                if self._replace(root, _INDEX, root, index.text(), unchanged):
                    return answer
        message = f"another program keeps changing {quoted(self.index_path)}"
        raise Failure(FailureCode.CONFLICT, message)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock."""
        with self._opened() as root, self._locked(root):
            yield

    def blob_path(self, digest: str) -> Path:
        """Where a blob is, for messages. Only a checked digest becomes part of a path."""
        return self.root.joinpath(*_parts(digest))

    def check_reachable(self, digest: str) -> None:
        """Whether blobs can be looked up where this one is: `denied`, `corrupt` when
        something else is there, such as a link. A directory that is not there holds
        nothing.
        """
        algorithm_path = self.blob_path(digest).parent
        *names, _ = _parts(digest)
        with self._opened() as root:
            try:
                with root.enter(*names):
                    pass
            except Failure as failure:
                if failure.code is not FailureCode.NOT_FOUND:
                    raise
                if not _missing(root, names):
                    message = f"{quoted(algorithm_path)} is not a directory"
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
        message = f"{quoted(self.blob_path(digest))} does not have the digest it is named after"
        raise Failure(FailureCode.CORRUPT, message)

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[BufferedReader]:
        """Opens a blob of this size; its bytes are not checked."""
        *names, name = _parts(digest)
        with (
            self._opened() as root,
            root.enter(*names) as directory,
            directory.file(name) as (file, there),
        ):
            if there != size:
                code = FailureCode.TRUNCATED if there < size else FailureCode.CORRUPT
                path = quoted(self.blob_path(digest))
                raise Failure(code, f"{path} has {there} bytes, expected {size}")
            yield file

    def blob_size(self, digest: str) -> int:
        """The size of a blob that is there."""
        *names, name = _parts(digest)
        with self._opened() as root, root.enter(*names) as directory:
            return directory.size(name)

    def present(self, digest: str, size: int) -> bool:
        """Whether a blob of this size is there; its content is not read."""
        try:
            return self.blob_size(digest) == size
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
            *names, name = _parts(digest)
            with self._opened() as root, root.enter(*names, make=True) as directory:
                self._replace(directory, name, root, content)
        return digest

    def store_stream(self, digest: str, size: int, chunks: Iterator[bytes]) -> bool:
        """Stores a blob however large, checked on the way; returns whether it was
        not there. The lock is held only at the beginning and at the end.
        """
        self.create()
        self.check()
        if self.holds(digest, size):
            return False
        *names, name = _parts(digest)
        with self._opened() as root, self._upload(root) as (file, temporary):
            found = hashlib.new(algorithm(digest))
            written = 0
            for chunk in chunks:
                found.update(chunk)
                written += len(chunk)
                with _writing(root.path / temporary):
                    file.write(chunk)
            if written != size:
                code = FailureCode.TRUNCATED if written < size else FailureCode.CORRUPT
                raise Failure(code, f"{digest} has {written} bytes, expected {size}")
            if found.hexdigest() != digest.partition(":")[2]:
                raise Failure(FailureCode.CORRUPT, f"the bytes of {digest} have another digest")
            with _writing(root.path / temporary):
                file.flush()
                os.fsync(file.fileno())
            with self._locked(root), root.enter(*names, make=True) as directory:
                root.move(temporary, directory, name)
        return True

    def remove_blob(self, digest: str) -> None:
        """Takes a blob away. Only the holder of the lock calls this."""
        *names, name = _parts(digest)
        with self._opened() as root, root.enter(*names) as directory:
            directory.remove(name)

    def _opened(self, *, make: bool = False) -> contextlib.AbstractContextManager[Directory]:
        return opened(self.root, self._within, make=make)

    def _index_text(self, root: Directory) -> bytes:
        text = root.read(_INDEX, _LONGEST_INDEX)
        for _ in range(_READS - 1):
            if text.rstrip().endswith(b"}"):
                break
            time.sleep(_PAUSE)
            text = root.read(_INDEX, _LONGEST_INDEX)
        return text

    @contextlib.contextmanager
    def _locked(self, root: Directory) -> Iterator[None]:
        """Holds the lock. The file stays: removing it would let two writers hold
        locks on different files of the same name.
        """
        path = root.path / _LOCK
        if root.has(_LOCK) and not stat.S_ISREG(root.look(_LOCK).st_mode):
            message = f"cannot lock {quoted(path)}: it is not a regular file"
            raise Failure(FailureCode.DENIED, message)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            file = os.open(_LOCK, flags, 0o666, dir_fd=root.fd)
        except OSError as error:
            raise failure_of("lock", path, error) from None
        try:
            self._wait_for(file, path)
            yield
        finally:
            os.close(file)

    def _wait_for(self, file: int, path: Path) -> None:
        end = time.monotonic() + self.lock_wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= end:
                    message = f"the store is locked: another writer holds {quoted(path)}"
                    raise Failure(FailureCode.UNAVAILABLE, message) from None
                time.sleep(0.005)
            except OSError as error:
                raise failure_of("lock", path, error) from None

    @contextlib.contextmanager
    def _upload(self, root: Directory) -> Iterator[tuple[IO[bytes], str]]:
        """A file of ours with a name that nobody else makes.

        It is made and locked while the lock of the layout is held, as a sweep holds
        it: so a sweep never sees one that its maker has not locked yet, and whatever
        is not locked was left by a writer that was killed.
        """
        name = f"{_UPLOAD}{secrets.token_hex(16)}"
        with self._locked(root):
            self._sweep(root)
            file = root.create(name)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            with file:
                yield file, name
        finally:
            with contextlib.suppress(Failure):
                root.remove(name)

    def _sweep(self, root: Directory) -> None:
        for name in root.names():
            if not name.startswith(_UPLOAD):
                continue
            with contextlib.suppress(Failure, OSError), root.file(name) as (file, _):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(root.look(name), os.fstat(file.fileno())):
                    root.remove(name)

    def _replace(
        self,
        directory: Directory,
        name: str,
        root: Directory,
        content: bytes,
        ready: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Writes a file so that a crash leaves either what was there or all of
        `content`. `ready` can still call it off. Only the holder of the lock calls
        this, so that the temporary file has one name for all.
        """
        root.remove(_TEMPORARY)
        with root.create(_TEMPORARY) as file, _writing(directory.path / name):
            file.write(content)
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(directory.look(name).st_mode) & 0o777)
            file.flush()
            os.fsync(file.fileno())
        if not ready():
            root.remove(_TEMPORARY)
            return False
        root.move(_TEMPORARY, directory, name)
        return True


def _parts(digest: str) -> tuple[str, str, str]:
    name, _, digits = digest.partition(":")
    return "blobs", name, digits


def _missing(root: Directory, names: list[str]) -> bool:
    """Whether the first of these directories that cannot be entered is not there."""
    for at, name in enumerate(names):
        with root.enter(*names[:at]) as directory:
            if not directory.has(name):
                return True
            if not stat.S_ISDIR(directory.look(name).st_mode):
                return False
    return False


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise failure_of("write", path, error) from None
