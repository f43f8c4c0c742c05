"""A store to lend that is ready-made: images in memory, for tests and demonstrations.

Images, registries and files of this machine and of others are read by the stores that are
inside of the component over WASI, see `wasi`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import Failure, quote
from .image_store import Facts, Image, Provenance
from .types import FailureCode


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
        """See `ImageStore.get`: as many as fit into the limit, at least one."""
        room = limit
        answers: list[Image | Failure] = []
        for image in ids:
            slot = self._images.get(image)
            size = len(slot.document.encode()) if slot and Facts.DOCUMENT in want else 0
            if slot is None:
                answers.append(_unknown(image))
            elif size > limit:
                message = f"the document of image {quote(image)} has {size} bytes, above {limit}"
                answers.append(Failure(FailureCode.TOO_LARGE, message))
            elif size > room:
                break
            else:
                room -= size
                answers.append(_image(image, slot, want))
        return answers

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
        slot = self._images.get(target)
        if slot is None:
            raise _unknown(target)
        slot.parent = parent

    def create(self, parent: str | None, document: str, layer: str | None) -> str:
        """See `ImageStore.create`."""
        del layer
        image = sha256(document.encode())
        slot = self._images.setdefault(image, _Slot(document, None, Provenance.ELSEWHERE))
        slot.parent = parent if parent is not None else slot.parent
        return image


def sha256(content: bytes) -> str:
    """The digest of bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _image(image: str, slot: _Slot, want: Facts) -> Image:
    return Image(
        image,
        document=slot.document if Facts.DOCUMENT in want else None,
        parent=slot.parent if Facts.PARENT in want else None,
        built=slot.built if Facts.BUILT in want else Provenance.UNKNOWN,
    )


def _unknown(image: str) -> Failure:
    return Failure(FailureCode.NOT_FOUND, f"no image {quote(image)}")
