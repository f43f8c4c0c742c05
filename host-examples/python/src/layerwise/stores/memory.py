"""Images in memory, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Failure, quote
from ..image_store import Facts, Image, Provenance
from ..types import FailureCode
from .hashing import sha256
from .oci_layout import within


@dataclass(slots=True)
class _Slot:
    document: str
    parent: str | None
    built: Provenance


class Memory:
    """An image store in memory. Nothing is checked that a test may want to be
    wrong: links need not lead anywhere.
    """

    def __init__(self) -> None:
        self._images: dict[str, _Slot] = {}
        self._names: dict[str, str] = {}

    def add(
        self,
        document: str,
        parent: str | None = None,
        built: Provenance = Provenance.UNKNOWN,
        *,
        name: str | None = None,
    ) -> str:
        """Adds an image by its document and returns its id, the SHA-256 of it."""
        image = sha256(document.encode())
        self._images[image] = _Slot(document, parent, built)
        if name is not None:
            self._names[name] = image
        return image

    def get(self, ids: Sequence[str], want: Facts, limit: int) -> Sequence[Image | Failure]:
        """See `ImageStore.get`."""

        def size(image: str) -> int:
            slot = self._images.get(image) if Facts.DOCUMENT in want else None
            return len(slot.document.encode()) if slot else 0

        return within(ids, limit, size, lambda image: self._image(image, want))

    def resolve(self, references: Sequence[str], limit: int) -> Sequence[Image | Failure]:
        """See `ImageStore.resolve`."""
        answers: list[Image | Failure] = []
        for reference in references:
            image = self._names.get(reference, reference)
            answers += self.get([image], Facts.DOCUMENT, limit)
        return answers

    def children(self, parent: str | None) -> Sequence[str]:
        """See `ImageStore.children`."""
        return sorted(image for image, slot in self._images.items() if slot.parent == parent)

    def set_parent(self, target: str, parent: str) -> None:
        """See `ImageStore.set_parent`."""
        self._slot(target).parent = parent

    def create(self, parent: str | None, document: str, layer: str | None) -> str:
        """See `ImageStore.create`."""
        del layer
        image = sha256(document.encode())
        slot = self._images.setdefault(image, _Slot(document, None, Provenance.ELSEWHERE))
        slot.parent = parent if parent is not None else slot.parent
        return image

    def _image(self, image: str, want: Facts) -> Image:
        slot = self._slot(image)
        return Image(
            image,
            document=slot.document if Facts.DOCUMENT in want else None,
            parent=slot.parent if Facts.PARENT in want else None,
            built=slot.built if Facts.BUILT in want else Provenance.UNKNOWN,
        )

    def _slot(self, image: str) -> _Slot:
        slot = self._images.get(image)
        if slot is None:
            raise Failure(FailureCode.NOT_FOUND, f"no image {quote(image)}")
        return slot
