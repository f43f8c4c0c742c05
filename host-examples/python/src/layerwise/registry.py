"""Content addressed by digest, in OCI registries and OCI layout directories.

A *reference* is what a user types; a *repository* is the host's name for where its content is.
References are resolved once, then digests are used. Layer bytes never cross: the host moves
them. Each result list has the order of what was asked for.

Written by `tools/bind.py` from `wit/registry.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from .errors import Failure
from .types import Descriptor


class Shelf(StrEnum):
    """How a document is stored."""

    #: As a manifest, which tags can name.
    MANIFEST = "manifest"
    #: As a blob.
    BLOB = "blob"


class Presence(StrEnum):
    """Whether a repository has a blob."""

    PRESENT = "present"
    ABSENT = "absent"
    #: The host cannot tell.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A tar file, by the path that the filesystem interface uses. It is compressed as the wanted
    media type says.
    """

    case: ClassVar[str] = "file"
    value: str


@dataclass(frozen=True, slots=True)
class SourceRepository:
    """Another repository."""

    case: ClassVar[str] = "repository"
    value: str


@dataclass(frozen=True, slots=True)
class SourceProvider:
    """Something else the host knows by this name."""

    case: ClassVar[str] = "provider"
    value: str


#: Where the bytes of a layer come from.
Source = SourceFile | SourceRepository | SourceProvider


@dataclass(frozen=True, slots=True)
class Transfer:
    """A layer to be stored."""

    #: What is wanted. For a file the digest may be empty and the size 0: they are known when it
    #: has been compressed.
    descriptor: Descriptor
    #: Digest of the uncompressed bytes, where it is known.
    diff_id: str | None = field(default=None, kw_only=True)
    source: Source


@dataclass(frozen=True, slots=True)
class Stored:
    """A layer as it was stored."""

    descriptor: Descriptor
    #: Digest of the uncompressed bytes, where the host computed it.
    diff_id: str | None = field(default=None, kw_only=True)
    #: False if the repository already had it.
    written: bool


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to unpack a layer."""

    #: A directory, by the path that the filesystem interface uses.
    root: str
    #: Every entry of the layer must stay below this path inside `root`; otherwise nothing of the
    #: layer is unpacked and the failure is `denied`.
    prefix: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A layer to be read."""

    descriptor: Descriptor
    #: Absent: only hash it.
    into: Destination | None = None
    #: Unpack only if the uncompressed bytes have this digest.
    diff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A layer that was read."""

    #: Digest of the uncompressed bytes, computed by the host.
    diff_id: str
    #: Number of uncompressed bytes.
    size: int


class Registry(Protocol):
    """Content addressed by digest, in OCI registries and OCI layout directories.

    A *reference* is what a user types; a *repository* is the host's name for where its content is.
    References are resolved once, then digests are used. Layer bytes never cross: the host moves
    them. Each result list has the order of what was asked for.
    """

    def locate(self, reference: str) -> str:
        """The repository of a reference; nothing is contacted. `invalid` if the reference does not
        parse.
        """
        ...

    def resolve(self, references: Sequence[str]) -> Sequence[Sequence[Descriptor] | Failure]:
        """What each reference stands for now. More than one descriptor only where a layout's index lists
        the name more than once. A name that does not exist is `not-found`.
        """
        ...

    def read(self, repository: str, wanted: Sequence[Descriptor], limit: int) -> Sequence[str | Failure]:
        """Reads documents, each at most `limit` bytes; the host checks digest and size first (`corrupt`,
        `truncated`, `too-large`). One that has the right digest and is not UTF-8 cannot be handed
        over: `unsupported`.
        """
        ...

    def has(self, repository: str, digests: Sequence[str]) -> Sequence[Presence]:
        """Whether the repository has each of the blobs."""
        ...


class WritableRegistry(Registry, Protocol):
    """A `Registry` with functions that others leave out; they are `unsupported` then."""

    def write(self, repository: str, shelf: Shelf, media_type: str, document: str) -> Descriptor:
        """Stores a document under its digest and returns its descriptor."""
        ...

    def tag(self, reference: str, digest: str) -> None:
        """Makes a reference stand for a stored manifest."""
        ...

    def delete(self, repository: str, digest: str) -> None:
        """Deletes a manifest by its digest."""
        ...


class LayerRegistry(Registry, Protocol):
    """A `Registry` with functions that others leave out; they are `unsupported` then."""

    def store(self, repository: str, layers: Sequence[Transfer]) -> Sequence[Stored | Failure]:
        """Stores layers, in parallel where the host can. A layer that the repository already has is not
        written again.
        """
        ...

    def retrieve(self, repository: str, layers: Sequence[Retrieval]) -> Sequence[Retrieved | Failure]:
        """Reads layers, in parallel where the host can, and unpacks those that have a destination."""
        ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "registry#locate": Registry.locate,
    "registry#resolve": Registry.resolve,
    "registry#read": Registry.read,
    "registry#has": Registry.has,
    "registry#write": WritableRegistry.write,
    "registry#store": LayerRegistry.store,
    "registry#retrieve": LayerRegistry.retrieve,
    "registry#tag": WritableRegistry.tag,
    "registry#delete": WritableRegistry.delete,
}
