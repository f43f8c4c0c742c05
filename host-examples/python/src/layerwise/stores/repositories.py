"""The registry import over OCI registries and image layout directories.

A reference is `oci:PATH[:NAME][@DIGEST]` for a layout, else the name of an image
in a registry, with `docker://` in front of it or without.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from ..errors import Failure, quote
from ..registry import (
    Presence,
    Retrieval,
    Retrieved,
    Shelf,
    SourceFile,
    SourceProvider,
    SourceRepository,
    Stored,
    Transfer,
)
from ..types import Descriptor, FailureCode
from .answers import media_type_of
from .blobs import Blob
from .causes import too_large
from .credentials import Keys
from .decompress import Limits, measured, uncompressed
from .documents import MANIFESTS
from .hashing import algorithm, checked, sha256
from .layout import Layout
from .pace import Pace
from .references import Directory, Place, Remote, parse, parse_place
from .remote import Remotes, Retry
from .tags import delete_in, resolve_in, tag_in

A = TypeVar("A")
T = TypeVar("T")

_CHUNK = 256 << 10


class Readable(Protocol):
    """Something that bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


#: Opens the blob that a name stands for, from its beginning.
Provider = Callable[[str, Descriptor], Readable]


class Repositories:
    """Registries and image layout directories. Contacts nothing until it is asked.

    Layers are copied and checked, and neither unpacked nor packed: a destination to
    unpack to and a tar file to store are `unsupported`. `provider` opens blobs that
    only the caller has. `layouts` are the directories that layouts may be in, without
    links on the way; without them they may be anywhere. `plain_http` registries are
    spoken to without encryption, as those on loopback are unless they are among
    `https`; `ca_file` holds certificates to trust instead of the system's. Times are
    in seconds.

    A manifest has at most `largest_manifest` bytes. A blob and what it is
    uncompressed have at most `largest_layer` bytes, all layers together
    `largest_session`, and after the first 256 MiB a layer has at most `highest_ratio`
    times the bytes of its blob. A transfer takes at most `transfer_time`, and brings
    at least `lowest_rate` bytes a second over each minute.
    """

    def __init__(
        self,
        *,
        provider: Provider | None = None,
        layouts: Iterable[str | os.PathLike[str]] | None = None,
        plain_http: Iterable[str] = (),
        https: Iterable[str] = (),
        ca_file: str | None = None,
        keys: Keys | None = None,
        retry: Retry = Retry(),
        connect_timeout: float = 30.0,
        idle_timeout: float = 60.0,
        lock_wait: float = 30.0,
        at_once: int = 4,
        largest_manifest: int = 4 << 20,
        largest_layer: int = 64 << 30,
        largest_session: int = 256 << 30,
        highest_ratio: int = 1_000,
        transfer_time: float = 3600.0,
        lowest_rate: int = 1024,
    ) -> None:
        self._provider = provider
        self._layouts = None if layouts is None else [Path(path) for path in layouts]
        self._lock_wait = lock_wait
        self._at_once = max(1, at_once)
        self._largest_manifest = largest_manifest
        self._limits = Limits(largest_layer, largest_session, highest_ratio)
        self._remotes = Remotes(
            keys=keys or Keys(),
            plain_http=plain_http,
            https=https,
            ca_file=ca_file,
            retry=retry,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            largest_manifest=largest_manifest,
            pace=lambda: Pace(transfer_time, lowest_rate),
        )

    def close(self) -> None:
        """Ends all connections."""
        self._remotes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def locate(self, reference: str) -> str:
        """See `Registry.locate`."""
        return str(parse(reference)[0])

    def resolve(self, references: Sequence[str]) -> Sequence[Sequence[Descriptor] | Failure]:
        """See `Registry.resolve`."""

        def one(reference: str) -> Sequence[Descriptor]:
            place, target = parse(reference)
            if isinstance(place, Remote):
                return [self._remotes.resolve(place, target)]
            return resolve_in(self._layout(place), target)

        return self._each(one, references)

    def read(
        self, repository: str, wanted: Sequence[Descriptor], limit: int
    ) -> Sequence[str | Failure]:
        """See `Registry.read`."""

        def one(place: Place, descriptor: Descriptor) -> str:
            digest = checked(descriptor.digest)
            if descriptor.size > limit:
                message = f"{digest} has {descriptor.size} bytes, more than the limit of {limit}"
                raise Failure(FailureCode.TOO_LARGE, message)
            content = self._content(place, descriptor)
            try:
                return content.decode()
            except UnicodeDecodeError as error:
                message = f"{digest} is not utf-8 at byte {error.start}"
                raise Failure(FailureCode.UNSUPPORTED, message) from None

        return self._everywhere(repository, wanted, one)

    def has(self, repository: str, digests: Sequence[str]) -> Sequence[Presence]:
        """See `Registry.has`."""

        def one(place: Place, digest: str) -> Presence:
            checked(digest)
            if isinstance(place, Remote):
                return self._remotes.has(place, digest)
            there = self._layout(place)
            try:
                there.check()
            except Failure as failure:
                # A layout that was not made yet has nothing.
                if failure.code is FailureCode.NOT_FOUND:
                    return Presence.ABSENT
                raise
            try:
                there.blob_size(digest)
            except Failure as failure:
                if failure.code is FailureCode.NOT_FOUND:
                    return Presence.ABSENT
                raise
            return Presence.PRESENT

        parse_place(repository)
        answers = self._everywhere(repository, digests, one)
        for answer in answers:
            if isinstance(answer, Failure):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Failure)]

    def write(self, repository: str, shelf: Shelf, media_type: str, document: str) -> Descriptor:
        """See `Registry.write`."""
        place = parse_place(repository)
        content = document.encode()
        digest = sha256(content)
        if shelf is Shelf.MANIFEST:
            # What a manifest says of itself must be what it is stored as: otherwise
            # it would be something else after it was read (CVE-2021-41190).
            own = media_type_of(media_type, content)
            if not media_type or own != media_type:
                message = f"the manifest {digest} is {quote(own)}, and not {quote(media_type)}"
                raise Failure(FailureCode.INVALID, message)
        blob = Blob(digest, len(content), lambda: iter([content]))
        if isinstance(place, Remote) and shelf is Shelf.MANIFEST:
            self._remotes.put_manifest(place, digest, media_type, content)
        else:
            self._put(place, blob)
        return Descriptor(media_type, digest, len(content))

    def store(self, repository: str, layers: Sequence[Transfer]) -> Sequence[Stored | Failure]:
        """See `Registry.store`."""
        return self._everywhere(repository, layers, self._store_one)

    def retrieve(
        self, repository: str, layers: Sequence[Retrieval]
    ) -> Sequence[Retrieved | Failure]:
        """See `Registry.retrieve`."""
        return self._everywhere(repository, layers, self._retrieve_one)

    def tag(self, reference: str, digest: str) -> None:
        """See `Registry.tag`."""
        place, target = parse(reference)
        checked(digest)
        if target.tag is None:
            message = f"{quote(reference)} names a digest: no tag can be set there"
            raise Failure(FailureCode.INVALID, message)
        if isinstance(place, Remote):
            self._remotes.tag(place, target.tag, digest)
        else:
            tag_in(self._layout(place), target.tag, digest, self._largest_manifest)

    def delete(self, repository: str, digest: str) -> None:
        """See `Registry.delete`."""
        checked(digest)
        place = parse_place(repository)
        if isinstance(place, Remote):
            self._remotes.delete(place, digest)
        else:
            delete_in(self._layout(place), digest)

    def _content(self, place: Place, descriptor: Descriptor) -> bytes:
        if isinstance(place, Directory):
            return self._blob(place, descriptor).content()
        kinds = ["manifests", "blobs"]
        if descriptor.media_type not in MANIFESTS:
            kinds.reverse()
        digest, size = descriptor.digest, descriptor.size
        try:
            return self._remotes.content(place, kinds[0], digest, size).content()
        except Failure as failure:
            if failure.code is not FailureCode.NOT_FOUND:
                raise
            # Its media type tells where it should be, and it may be on the other
            # shelf.
            try:
                return self._remotes.content(place, kinds[1], digest, size).content()
            except Failure:
                raise failure from None

    def _checked(self, wanted: Descriptor) -> str:
        """The digest of a blob that is not too large to be moved."""
        if wanted.size > self._limits.layer:
            what = f"{wanted.digest} (limit layer-bytes)"
            raise too_large(what, wanted.size, self._limits.layer)
        return checked(wanted.digest)

    def _blob(self, place: Place, wanted: Descriptor) -> Blob:
        digest = self._checked(wanted)
        if isinstance(place, Remote):
            return self._remotes.content(place, "blobs", digest, wanted.size)
        there = self._layout(place)

        def chunks() -> Iterator[bytes]:
            there.check()
            with there.open_blob(digest, wanted.size) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk

        return Blob(digest, wanted.size, chunks)

    def _put(self, place: Place, blob: Blob, source: str | None = None) -> bool:
        if isinstance(place, Remote):
            return self._remotes.store(place, blob, source)
        return self._layout(place).store_stream(blob.digest, blob.size, blob.chunks())

    def _store_one(self, to: Place, layer: Transfer) -> Stored:
        wanted = layer.descriptor
        match layer.source:
            case SourceRepository(name):
                source = parse_place(name)
                mount = None
                if isinstance(source, Remote) and isinstance(to, Remote) and source.host == to.host:
                    mount = source.path
                written = self._put(to, self._blob(source, wanted), mount)
                return Stored(wanted, written)
            case SourceFile(path):
                raise _unsupported("store", path)
            case SourceProvider(name):
                return self._store_provided(to, wanted, name)

    def _store_provided(self, to: Place, wanted: Descriptor, name: str) -> Stored:
        if not wanted.digest:
            raise _unsupported("store", name)
        if self._provider is None:
            raise Failure(FailureCode.UNSUPPORTED, f"nothing provides the layer {quote(name)}")
        provider = self._provider

        def chunks() -> Iterator[bytes]:
            source = provider(name, wanted)
            while chunk := source.read(_CHUNK):
                yield chunk

        blob = Blob(self._checked(wanted), wanted.size, chunks)
        return Stored(wanted, self._put(to, blob))

    def _retrieve_one(self, source: Place, layer: Retrieval) -> Retrieved:
        """The blob is checked, decompressed and hashed in one pass."""
        wanted = None if layer.diff_id is None else checked(layer.diff_id)
        descriptor = layer.descriptor
        if layer.into is not None:
            raise _unsupported("unpack", descriptor.digest)
        chunks = self._blob(source, descriptor).chunks()
        try:
            diff_id, size = measured(
                uncompressed(chunks, descriptor.media_type, descriptor.digest),
                algorithm(wanted) if wanted else "sha256",
                descriptor.size,
                self._limits,
            )
        except Failure as failure:
            if failure.code is not FailureCode.CORRUPT:
                raise
            # All of the blob is checked. When its bytes are wrong, then that is why
            # they cannot be decompressed.
            try:
                for _ in chunks:
                    pass
            except Failure as cause:
                raise cause from None
            raise failure from None
        if wanted and diff_id != wanted:
            message = (
                f"the uncompressed bytes of {descriptor.digest} have the digest {diff_id}, "
                f"expected {wanted}"
            )
            raise Failure(FailureCode.CORRUPT, message)
        return Retrieved(diff_id, size)

    def _layout(self, place: Directory) -> Layout:
        """A layout directory, where layouts may be."""
        path = Path(os.path.abspath(place.path))
        if self._layouts is None:
            return Layout(path, lock_wait=self._lock_wait)
        for allowed in self._layouts:
            for top in (os.path.abspath(allowed), os.path.realpath(allowed)):
                if path.is_relative_to(top):
                    return Layout(path, within=Path(top), lock_wait=self._lock_wait)
        message = f"no layouts may be opened at {quote(str(place.path))}"
        raise Failure(FailureCode.DENIED, message)

    def _everywhere(
        self, repository: str, items: Sequence[A], work: Callable[[Place, A], T]
    ) -> list[T | Failure]:
        try:
            place = parse_place(repository)
        except Failure as failure:
            return [failure for _ in items]
        return self._each(lambda item: work(place, item), items)

    def _each(self, work: Callable[[A], T], items: Sequence[A]) -> list[T | Failure]:
        """Works on several at a time; what fails is the answer for its item."""

        def one(item: A) -> T | Failure:
            try:
                return work(item)
            except Failure as failure:
                return failure

        if len(items) < 2 or self._at_once < 2:
            return [one(item) for item in items]
        with ThreadPoolExecutor(max_workers=min(self._at_once, len(items))) as team:
            return list(team.map(one, items))


def _unsupported(what: str, name: str) -> Failure:
    words = "this host neither unpacks nor packs layers: use another one, such as `layerwise`"
    return Failure(FailureCode.UNSUPPORTED, f"cannot {what} the layer {quote(name)}: {words}")
