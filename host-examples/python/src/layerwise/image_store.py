"""Images a host can name, and the parent links between them.

All reads are batched. Each result list has the order of what was asked for.

Written by `tools/bind.py` from `wit/image-store.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import Any, Protocol

from .errors import Failure


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
class Image:
    """One image; members that were not asked for are absent or `unknown`."""

    id: str
    #: The exact text of the config document.
    document: str | None = None
    #: The recorded parent; absent when none is recorded.
    parent: str | None = None
    built: Provenance = Provenance.UNKNOWN


class ImageStore(Protocol):
    """Images a host can name, and the parent links between them.

    All reads are batched. Each result list has the order of what was asked for.
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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "image-store#get": ImageStore.get,
    "image-store#resolve": ImageStore.resolve,
    "image-store#children": ImageStore.children,
    "image-store#set-parent": ImageStore.set_parent,
    "image-store#create": ImageStore.create,
}
