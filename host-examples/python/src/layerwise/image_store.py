"""Images a host can name, and the parent links between them.

All reads are batched. Each result list has the order of what was asked for.

A session over the containerd image store calls `resolve`, of which it takes the ids, and
`records`, `documents`, `labelled` and `put`: what containerd itself keeps. What its labels and
manifests mean is decided inside. All other sessions call `get`, `resolve`, `children`,
`set-parent` and `create`; one of a Dockerfile that is given a platform also asks `records` and
`documents`, by which it knows that store: another one returns `unsupported`.

Written by `tools/bind.py` from `wit/image-store.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar, Protocol

from .errors import Failure
from .types import Annotation, Descriptor


class Facts(Flag):
    """What a call wants to know about an image, so that a store reads no more than that."""

    #: The config document.
    DOCUMENT = auto()
    #: The recorded parent link.
    PARENT = auto()
    #: Whether it was built here.
    BUILT = auto()


class Provenance(StrEnum):
    """Whether an image was built by this store's own builder. This is never read from an image's own
    document.
    """

    #: Not recorded, not readable or not asked for: treated as untrusted.
    UNKNOWN = "unknown"
    #: Built here.
    BUILT_HERE = "built-here"
    #: Pulled, loaded, imported or restored.
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class SelectorName:
    """The one with this name."""

    case: ClassVar[str] = "name"
    value: str


@dataclass(frozen=True, slots=True)
class SelectorTarget:
    """Those that lead to this digest."""

    case: ClassVar[str] = "target"
    value: str


@dataclass(frozen=True, slots=True)
class SelectorLabel:
    """Those with this label."""

    case: ClassVar[str] = "label"
    value: Annotation


#: Which records are wanted.
Selector = SelectorName | SelectorTarget | SelectorLabel


@dataclass(frozen=True, slots=True)
class Image:
    """One image; members that were not asked for are absent or `unknown`."""

    id: str
    #: The exact text of the config document.
    document: str | None = None
    #: The recorded parent; absent when none is recorded.
    parent: str | None = None
    built: Provenance = Provenance.UNKNOWN


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A record of an image, as containerd keeps it."""

    #: Its full name, which no other record has.
    name: str
    #: The manifest or index that it leads to.
    target: Descriptor
    labels: Sequence[Annotation] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document among the content: a manifest, an index, a config."""

    #: Its exact text.
    text: str
    labels: Sequence[Annotation] = ()


class ImageStore(Protocol):
    """Images a host can name, and the parent links between them.

    All reads are batched. Each result list has the order of what was asked for.

    A session over the containerd image store calls `resolve`, of which it takes the ids, and
    `records`, `documents`, `labelled` and `put`: what containerd itself keeps. What its labels and
    manifests mean is decided inside. All other sessions call `get`, `resolve`, `children`,
    `set-parent` and `create`; one of a Dockerfile that is given a platform also asks `records` and
    `documents`, by which it knows that store: another one returns `unsupported`.
    """

    def get(self, ids: Sequence[str], want: Facts, limit: int) -> Sequence[Image | Failure]:
        """Reads facts of the images `ids`, at most `limit` bytes of documents in all: the result may be
        shorter than `ids`, but holds at least one item unless `ids` is empty. A single document above
        the limit is `too-large`, an unknown id is `not-found`, and an image with a wanted fact that
        cannot be read is that failure (except `built`, which is `unknown` then).
        """
        ...

    def resolve(self, references: Sequence[str], limit: int) -> Sequence[Image | Failure]:
        """Finds the image behind each name or id, with its document (at most `limit` bytes each) and
        without the other facts.
        """
        ...

    def children(self, parent: str | None) -> Sequence[str]:
        """The images whose recorded parent is `parent`; without one, all images that have no recorded
        parent. Listed in ascending order of their ids.
        """
        ...


class WritableImageStore(ImageStore, Protocol):
    """A `ImageStore` with functions that others leave out; they are `unsupported` then."""

    def set_parent(self, target: str, parent: str) -> None:
        """Records `parent` as the parent of `target`, replacing an older link."""
        ...

    def create(self, parent: str | None, document: str, layer: str | None) -> str:
        """Stores a document as an image and returns its id. Storing the same bytes again is not an error
        and duplicates nothing. With a parent the link is recorded, replacing an older one; document
        and link are stored together or not at all. `layer` is the diff id of the layer the image has
        beyond its parent's. The image is not recorded as built here.
        """
        ...


class ContentStore(ImageStore, Protocol):
    """A `ImageStore` with functions that others leave out; they are `unsupported` then."""

    def records(self, wanted: Sequence[Selector]) -> Sequence[Sequence[ImageRecord] | Failure]:
        """The records that each selector wants, in ascending order of their names' bytes; none is not a
        failure.
        """
        ...

    def documents(self, digests: Sequence[str], limit: int) -> Sequence[Document | Failure]:
        """Reads documents, at most `limit` bytes in all: the result may be shorter than `digests`, but
        holds at least one item unless `digests` is empty. A single document above the limit is
        `too-large`, one that is not stored is `not-found`.
        """
        ...

    def labelled(self, labels: Sequence[Annotation]) -> Sequence[Descriptor | None | Failure]:
        """For each label the first content that has it, in ascending order of digests; the media type
        is left empty.
        """
        ...

    def put(self, documents: Sequence[Document], records: Sequence[ImageRecord]) -> None:
        """Stores documents under their SHA-256 digests, and records, which replace those of the same
        names: together or not at all.
        """
        ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "image-store#get": ImageStore.get,
    "image-store#resolve": ImageStore.resolve,
    "image-store#children": ImageStore.children,
    "image-store#set-parent": WritableImageStore.set_parent,
    "image-store#create": WritableImageStore.create,
    "image-store#records": ContentStore.records,
    "image-store#documents": ContentStore.documents,
    "image-store#labelled": ContentStore.labelled,
    "image-store#put": ContentStore.put,
}
