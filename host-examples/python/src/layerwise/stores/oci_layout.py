"""An image store over an OCI image layout directory, writable.

An image is a manifest that is reached from `index.json`, directly or through
nested indexes, and whose config is an image config. Its id is the digest of the
config document. What this store knows more is kept in annotations of the image's
entries in `index.json`, which other tools hand through: `dev.layerwise.parent`
and `dev.layerwise.built-here`, with `dev.layerwise.image`, the id of the image
they are about. Copied to an entry of another image they mean nothing, nor do they
inside nested indexes, because those come from elsewhere as a whole. Whether an image
was built here is a keyed mark, see `marks`: one that came with a layout means nothing.

An entry that notes something of an image tells of that image even when its manifest
is missing or damaged, or its own members are: the image is listed under its parent,
and reading its document fails. Without such a note nothing says that there is an
image; the entry is passed over, and what cannot be found names it. When the blobs
cannot be looked up at all, all calls fail.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ..errors import Failure, quote
from ..image_store import Facts, Image, Provenance
from ..text import escape
from ..types import FailureCode
from . import names
from .catalog import Catalog, Known, Notes, Target, Unreadable
from .causes import too_large
from .documents import BUILT_HERE, CONFIG, MANIFEST, PARENT, REF_NAME, Index, dump, is_name
from .hashing import is_digest, sha256
from .layers import Layers, diff_ids
from .layout import Layout
from .marks import ELSEWHERE, Marks, user_key_file

log = logging.getLogger("layerwise")

T = TypeVar("T")

#: The largest document that is read; a limit above it does not matter.
_LONGEST_DOCUMENT = 64 << 20


class OciLayout:
    """The images of an OCI image layout; `lock_wait` is how many seconds another
    writer is waited for, `marks` decides who was built here, and `within` is a
    directory that the layout must lie below, without links on the way.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        lock_wait: float = 10.0,
        marks: Marks | None = None,
        within: Path | None = None,
    ) -> None:
        self._layout = Layout(root, within=within, lock_wait=lock_wait)
        self._marks = Marks(user_key_file()) if marks is None else marks
        self._told = False
        self._lock = threading.RLock()
        self._catalog: Catalog | None = None
        self._layers = Layers(self._layout)
        self._layout.check()
        self._read()

    @classmethod
    def create_at(cls, root: str | os.PathLike[str]) -> OciLayout:
        """Makes an empty layout where nothing is yet, or opens the one there."""
        Layout(root).create()
        return cls(root)

    def ids(self) -> list[str]:
        """The ids of all images, in ascending order."""
        return self._read().ids()

    def tag(self, image: str, name: str) -> None:
        """Gives an image a name, taking it from another one."""
        if not is_name(name):
            message = f"{quote(name)} is not a name an image layout can hold"
            raise Failure(FailureCode.INVALID, message)

        def change(catalog: Catalog, index: Index) -> None:
            known = self._known(catalog, image)
            before = index.names()
            for position, held in enumerate(before):
                if held == name and position not in known.entries:
                    index.annotate(position, REF_NAME, None)
            if any(before[position] == name for position in known.entries):
                return
            free = [position for position in known.entries if before[position] is None]
            position = free[0] if free else catalog.enter(index, known)
            index.annotate(position, REF_NAME, name)

        self._update(change)

    def set_built_here(self, image: str, built_here: bool) -> None:
        """Notes whether an image was built here, which only the program that builds
        can know. The first mark of this user makes the key of marks.
        """
        self._update(
            lambda catalog, index: catalog.mark(index, self._known(catalog, image), built_here)
        )

    def ignored_marks(self) -> int:
        """How many marks in the layout were not made here, and mean nothing. Once they
        were checked, `layerwise docker adopt` makes them anew.
        """
        return self._read().ignored_marks()

    def get(self, ids: Sequence[str], want: Facts, limit: int) -> Sequence[Image | Failure]:
        """See `ImageStore.get`."""
        catalog = self._read()

        def size(image: str) -> int:
            known = catalog.images.get(image) if Facts.DOCUMENT in want else None
            return known.size if known else 0

        def one(image: str) -> Image:
            known = catalog.unreadable.get(image) or self._known(catalog, image)
            return self._image(catalog, image, known, want, limit)

        return within(ids, limit, size, one)

    def resolve(self, references: Sequence[str], limit: int) -> Sequence[Image | Failure]:
        """See `ImageStore.resolve`."""
        catalog = self._read()

        def one(reference: str) -> Image:
            known = self._find(catalog, reference)
            return self._image(catalog, known.id, known, Facts.DOCUMENT, limit)

        return [_caught(one, reference) for reference in references]

    def children(self, parent: str | None) -> Sequence[str]:
        """See `ImageStore.children`."""
        return self._read().children(parent)

    def set_parent(self, target: str, parent: str) -> None:
        """See `ImageStore.set_parent`."""

        def change(catalog: Catalog, index: Index) -> None:
            known = self._known(catalog, target)
            self._known(catalog, parent)
            catalog.put_on(index, known, parent)

        self._update(change)

    def create(self, parent: str | None, document: str, layer: str | None) -> str:
        """See `ImageStore.create`.

        Writes the config, a manifest with layers the layout has, and then the entry
        with the link. A crash before the last of them leaves two blobs that nobody
        refers to.
        """
        content = document.encode()
        image = sha256(content)
        wanted = diff_ids(content)
        if layer is not None and (not wanted or wanted[-1] != layer):
            message = f"the layer {quote(layer)} is not the last one of the document"
            raise Failure(FailureCode.INVALID, message)

        def change(catalog: Catalog, index: Index) -> None:
            parent_image = None if parent is None else self._known(catalog, parent)
            known = catalog.images.get(image)
            if known is not None:
                self._layout.store(content)
                if parent is not None:
                    catalog.put_on(index, known, parent)
                return
            layers = self._layers.find(catalog, parent_image, wanted)
            digest, size = self._store_manifest(content, layers)
            # An entry whose blobs were collected becomes this image's again.
            positions = index.positions(digest) or [index.push(MANIFEST, digest, size)]
            for position in positions:
                index.note(position, image, PARENT, parent)
                index.note(position, image, BUILT_HERE, ELSEWHERE)

        self._update(change)
        return image

    def _store_manifest(self, config: bytes, layers: list[dict[str, object]]) -> tuple[str, int]:
        manifest = dump(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {
                    "mediaType": CONFIG,
                    "digest": self._layout.store(config),
                    "size": len(config),
                },
                "layers": layers,
            }
        )
        return self._layout.store(manifest), len(manifest)

    def _read(self) -> Catalog:
        """The images `index.json` leads to now."""
        with self._lock:
            text = self._layout.index_text()
            if self._catalog is None or not self._catalog.is_of(text):
                self._catalog = Catalog(self._layout, self._marks, text, self._catalog)
            return self._catalog

    def _update(self, change: Callable[[Catalog, Index], T]) -> T:
        with self._lock:
            return self._layout.update(lambda index: change(self._read(), index))

    def _built(self, catalog: Catalog, image: str, notes: Notes) -> Provenance:
        """Who built an image. Marks that mean nothing are told of once."""
        built = catalog.built(image, notes)
        nothing = notes.marks and built is Provenance.UNKNOWN
        if nothing and not self._told and (ignored := catalog.ignored_marks()):
            self._told = True
            log.warning(
                "%d of the marks in %s were not made here and mean nothing; what you know was "
                "built here is marked again by: layerwise docker adopt --store oci:%s IMAGE",
                ignored,
                *(escape(str(self._layout.root)),) * 2,
            )
        return built

    def _image(
        self, catalog: Catalog, image: str, known: Known | Unreadable, want: Facts, limit: int
    ) -> Image:
        """The facts beside the document are in `index.json`, whatever became of its
        blobs.
        """
        document = None
        if Facts.DOCUMENT in want:
            if isinstance(known, Unreadable):
                raise known.failure
            document = self._document(known, limit)
        return Image(
            image,
            document=document,
            parent=known.notes.checked_parent(image) if Facts.PARENT in want else None,
            built=(
                self._built(catalog, image, known.notes)
                if Facts.BUILT in want
                else Provenance.UNKNOWN
            ),
        )

    def _document(self, known: Known, limit: int) -> str:
        content = self._layout.read_blob(known.id, known.size, min(limit, _LONGEST_DOCUMENT))
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            path = quote(str(self._layout.blob_path(known.id)))
            message = f"{path} is not utf-8 at byte {error.start}"
            raise Failure(FailureCode.CORRUPT, message) from None

    def _find(self, catalog: Catalog, text: str) -> Known:
        """A whole digest is an id or that of a manifest; then come names as they
        are, names as Docker completes them, and beginnings of ids.
        """
        digest = names.as_id(text)
        if digest is not None:
            known = catalog.find(digest)
            return known or self._only(catalog, text, catalog.under_digest(digest))
        named = catalog.names.get(text)
        if named:
            return self._only(catalog, text, named)
        try:
            named = catalog.full_names.get(names.parse(text).full())
        except ValueError:
            named = None
        if named:
            return self._only(catalog, text, named)
        found = beginning(catalog.ids(), text)
        if len(found) > 1:
            message = f"several image ids begin with {quote(text)}"
            raise Failure(FailureCode.NOT_FOUND, message)
        known = catalog.find(found[0]) if found else None
        if known is None:
            raise self._unknown(catalog, text)
        return known

    def _only(self, catalog: Catalog, text: str, targets: Sequence[Target]) -> Known:
        """The one image behind some entries."""
        ids, failure = catalog.reached(targets)
        if len(ids) == 1 and ids[0] in catalog.images:
            return catalog.images[ids[0]]
        if not ids:
            raise failure or self._unknown(catalog, text)
        if len(ids) == 1:
            raise self._unknown(catalog, text)
        message = f"{quote(text)} stands for {len(ids)} images: name one by its id"
        raise Failure(FailureCode.INVALID, message)

    def _known(self, catalog: Catalog, image: str) -> Known:
        if not is_digest(image):
            raise Failure(FailureCode.INVALID, f"{quote(image)} is not an image id")
        known = catalog.find(image)
        if known is None:
            raise self._unknown(catalog, image)
        return known

    def _unknown(self, catalog: Catalog, text: str) -> Failure:
        message = f"no image {quote(text)} in {quote(str(self._layout.root))}{catalog.unread()}"
        return Failure(FailureCode.NOT_FOUND, message)


def within(
    ids: Sequence[str],
    limit: int,
    size: Callable[[str], int],
    read: Callable[[str], Image],
) -> list[Image | Failure]:
    """Answers as many of `ids` as fit into `limit` bytes of documents, at least
    one. `size` tells the bytes of a document before it is read, or 0.
    """
    room = limit
    answers: list[Image | Failure] = []
    for image in ids:
        wanted = size(image)
        if wanted > limit:
            answers.append(too_large(f"document of image {quote(image)}", wanted, limit))
            continue
        if wanted > room:
            break
        room -= wanted
        answers.append(_caught(read, image))
    return answers


def beginning(ids: Iterable[str], text: str) -> list[str]:
    """The ids that begin with `text`, with or without their algorithm, as Docker
    completes them: lower-case hex, of any length.
    """
    algorithm, colon, digits = text.partition(":")
    if not colon:
        algorithm, digits = "", text
    if not re.fullmatch("[0-9a-f]+", digits):
        return []
    found = []
    for candidate in ids:
        name, _, rest = candidate.partition(":")
        if rest.startswith(digits) and (not colon or name == algorithm):
            found.append(candidate)
    return found


def _caught(work: Callable[[str], Image], item: str) -> Image | Failure:
    try:
        return work(item)
    except Failure as failure:
        return failure
