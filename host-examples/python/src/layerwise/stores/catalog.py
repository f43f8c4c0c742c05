"""The images of one reading of `index.json`.

The walk keeps a list of what is to be read and reads nothing twice, so that
cycles and wide or deep nesting cost no more than the documents themselves; their
number and bytes are capped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import Failure, quote
from ..image_store import Provenance
from ..types import FailureCode
from .documents import (
    BUILT_HERE,
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_LIST,
    FULL_NAME,
    IMAGE,
    INDEX,
    MANIFESTS,
    PARENT,
    REF_NAME,
    Entry,
    Index,
    load,
)
from .hashing import is_digest
from .layout import Layout
from .marks import ELSEWHERE, Marks, provenance

#: The largest manifest or index, as registries have it.
_LONGEST_DOCUMENT = 4 << 20
_MOST_DOCUMENTS = 100_000
_MOST_BYTES = 256 << 20
#: The annotation on manifests that only tell something about other manifests.
_ATTESTATION = "vnd.docker.reference.type"

#: What a document is reached by: digest, size and media type.
Pointer = tuple[str, int, str]
#: What an entry leads to, or why it leads nowhere.
Target = Entry | Failure


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest; it is an image when its config is one."""

    config: Entry
    layers: list[Entry]


@dataclass(slots=True)
class Notes:
    """What the entries of an image note of it: facts that are in no blob."""

    #: The recorded parent, as it is written.
    parent: str | None = None
    #: What its entries say of whether it was built here, in their order.
    marks: list[str] = field(default_factory=list)

    def take(self, index: Index, position: int) -> None:
        """Takes what an entry notes, unless another one has said it already."""
        if self.parent is None:
            self.parent = index.annotation(position, PARENT) or None
        mark = index.annotation(position, BUILT_HERE)
        if mark is not None:
            self.marks.append(mark)

    def checked_parent(self, image: str) -> str | None:
        """The recorded parent; `corrupt` when it is not an id."""
        if self.parent is not None and not is_digest(self.parent):
            message = (
                f"image {quote(image)} has {quote(self.parent)} for its parent, "
                "which is not an image id"
            )
            raise Failure(FailureCode.CORRUPT, message)
        return self.parent


@dataclass(slots=True)
class Unreadable:
    """An image that an entry tells of and does not lead to."""

    #: Why its manifest cannot be read.
    failure: Failure
    notes: Notes = field(default_factory=Notes)


@dataclass(slots=True)
class Known:
    """One image."""

    id: str
    #: The size of the config document.
    size: int
    #: Manifests with this config, with what leads to them.
    manifests: list[tuple[Pointer, Manifest]] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    #: The positions of its own entries in `index.json`.
    entries: list[int] = field(default_factory=list)


class Catalog:
    """Everything that is known without reading config documents."""

    def __init__(
        self, layout: Layout, marks: Marks, text: bytes, before: Catalog | None = None
    ) -> None:
        self._layout = layout
        self._marks = marks
        self._text = text
        self._nodes: dict[Pointer, Manifest | list[Entry] | Failure] = {}
        self._known_nodes = before._nodes if before else {}
        self.images: dict[str, Known] = {}
        #: Images that entries tell of, of which no manifest can be read.
        self.unreadable: dict[str, Unreadable] = {}
        self.names: dict[str, list[Target]] = {}
        self.full_names: dict[str, list[Target]] = {}
        #: Why something was passed over.
        self.passed: list[Failure] = []

        index = Index.parse(layout.root, text)
        targets: list[tuple[int, Target]] = []
        for position, entry in enumerate(index.entries()):
            try:
                if isinstance(entry, Failure) or _leads_on(entry):
                    targets.append((position, entry))
            except Failure as failure:
                targets.append((position, failure))
        self._walk([target for _, target in targets if isinstance(target, Entry)])
        self._known_nodes = {}
        self.passed += [target for _, target in targets if isinstance(target, Failure)]
        self._collect()
        for position, target in targets:
            self._take(index, position, target)
        self._children: dict[str | None, list[str]] = {}
        for image in self.ids():
            notes = (self.images.get(image) or self.unreadable[image]).notes
            self._children.setdefault(notes.parent, []).append(image)

    def is_of(self, text: bytes) -> bool:
        """Whether this is what the bytes of `index.json` say. What could not be read
        is tried again, so the answer is no while there is any.
        """
        return self._text == text and not self.passed

    def ids(self) -> list[str]:
        """The ids of all images, readable or not, in ascending order."""
        return sorted([*self.images, *self.unreadable])

    def find(self, image: str) -> Known | None:
        """An image, if there is one; fails when an entry tells of it and it cannot be
        read.
        """
        if image in self.unreadable:
            raise self.unreadable[image].failure
        return self.images.get(image)

    def unread(self) -> str:
        """What the message of a failure ends with that may be due to something that
        was passed over.
        """
        if not self.passed:
            return ""
        return f"; {len(self.passed)} of its entries cannot be read: {self.passed[0]}"

    def children(self, parent: str | None) -> list[str]:
        """The images with this recorded parent, in ascending order."""
        return list(self._children.get(parent, ()))

    def under_digest(self, digest: str) -> list[Target]:
        """The descriptors that were reached with this digest."""
        return [
            Entry(media_type, known, size)
            for known, size, media_type in self._nodes
            if known == digest
        ]

    def reached(self, start: Sequence[Target]) -> tuple[list[str], Failure | None]:
        """The ids of the images some entries lead to, in ascending order, and the
        first failure on the way.
        """
        waiting = deque(target for target in start if isinstance(target, Entry))
        seen: set[Pointer] = set()
        ids: set[str] = set()
        failure = next((target for target in start if isinstance(target, Failure)), None)
        while waiting:
            pointer = _pointer(waiting.popleft())
            if pointer in seen:
                continue
            seen.add(pointer)
            match self._nodes.get(pointer):
                case Manifest(config=config) if _is_image_config(config):
                    ids.add(config.digest)
                case list(inner):
                    waiting.extend(inner)
                case Failure() as why:
                    failure = failure or why
        return sorted(ids), failure

    def built(self, image: str, notes: Notes) -> Provenance:
        """Who built an image; fails when there are marks and the key of this host
        cannot be used.
        """
        return provenance(self._marks.deciding(image, notes.parent, notes.marks))

    def ignored_marks(self) -> int:
        """How many marks mean nothing here: of other hosts, or of earlier versions."""
        known = [(image, of.notes) for image, of in self.images.items()]
        known += [(image, of.notes) for image, of in self.unreadable.items()]
        return sum(
            not self._marks.holds(image, notes.parent, mark)
            for image, notes in known
            for mark in notes.marks
        )

    def mark(self, index: Index, known: Known, built_here: bool) -> None:
        """Notes in the entries of an image whether it was built here."""
        value = self._marks.make(known.id, known.notes.parent) if built_here else ELSEWHERE
        self._note(index, known, BUILT_HERE, value)

    def put_on(self, index: Index, known: Known, parent: str) -> None:
        """Notes the parent of an image. A mark is one of an image on its parent, so
        those that hold are made anew.
        """
        before = known.notes.parent
        marked = [
            position
            for position in known.entries
            if index.annotation(position, IMAGE) == known.id
            and (text := index.annotation(position, BUILT_HERE)) not in (None, ELSEWHERE)
            and self._marks.holds(known.id, before, text or "")
        ]
        self._note(index, known, PARENT, parent)
        if parent != before:
            for position in marked:
                index.note(position, known.id, BUILT_HERE, self._marks.make(known.id, parent))

    def _note(self, index: Index, known: Known, key: str, value: str) -> None:
        """Notes something of an image in its entries; one that has none, because it
        is in a nested index, gets one.
        """
        for position in known.entries or [self.enter(index, known)]:
            index.note(position, known.id, key, value)

    def enter(self, index: Index, known: Known) -> int:
        """Adds one more entry for an image, with what is noted of it."""
        (digest, size, media_type), _ = known.manifests[0]
        position = index.push(media_type, digest, size)
        if known.notes.parent is not None:
            index.note(position, known.id, PARENT, known.notes.parent)
        mark = self._marks.deciding(known.id, known.notes.parent, known.notes.marks)
        if mark is not None:
            index.note(position, known.id, BUILT_HERE, mark)
        return position

    def _walk(self, start: list[Entry]) -> None:
        waiting = deque(start)
        total = 0
        while waiting:
            entry = waiting.popleft()
            pointer = _pointer(entry)
            if pointer in self._nodes:
                continue
            total += entry.size
            if len(self._nodes) >= _MOST_DOCUMENTS or total > _MOST_BYTES:
                message = (
                    f"the index leads to more than {_MOST_DOCUMENTS} manifests "
                    f"or {_MOST_BYTES} bytes of them"
                )
                raise Failure(FailureCode.TOO_LARGE, message)
            node = self._known_nodes.get(pointer)
            if node is None or isinstance(node, Failure):
                try:
                    node = self._read(entry)
                except Failure as failure:
                    node = failure
            if isinstance(node, Failure):
                # One document is passed over, not all of them.
                self._layout.check_reachable(entry.digest)
                if node.code is FailureCode.UNAVAILABLE:
                    raise node
                self.passed.append(node)
            elif isinstance(node, list):
                waiting.extend(node)
            self._nodes[pointer] = node

    def _read(self, entry: Entry) -> Manifest | list[Entry]:
        """Descriptor, media type inside and members must agree on what a document is
        (CVE-2021-41190).
        """
        content = self._layout.read_blob(entry.digest, entry.size, _LONGEST_DOCUMENT)
        try:
            body = load(content)
            if not isinstance(body, dict):
                raise ValueError("it is not an object")
            said = body.get("mediaType")
            if said is not None and said != entry.media_type:
                raise ValueError("its media type is not that of its descriptor")
            return _told_apart(entry, body, self.passed)
        except ValueError as error:
            message = f"blob {entry.digest} is not a {entry.media_type}: {error}"
            raise Failure(FailureCode.CORRUPT, message) from None

    def _collect(self) -> None:
        broken = []
        for pointer, node in self._nodes.items():
            if not isinstance(node, Manifest) or not _is_image_config(node.config):
                continue
            try:
                image = node.config.checked_digest()
            except Failure as failure:
                broken.append(failure)
                continue
            known = self.images.setdefault(image, Known(image, node.config.size))
            known.manifests.append((pointer, node))
        self.passed += broken

    def _take(self, index: Index, position: int, target: Target) -> None:
        """Takes what an entry says: its names, and what it notes of an image. Whether
        the notes are about the image it leads to cannot be told when it leads nowhere;
        they are then believed unless another entry leads to that image.
        """
        about = index.annotation(position, IMAGE)
        try:
            known = self._image_of(target)
        except Failure as failure:
            target = failure
            if about is not None and is_digest(about) and about not in self.images:
                target = self._unreadable(about, failure)
                image = self.unreadable.setdefault(about, Unreadable(target))
                image.notes.take(index, position)
        else:
            if known is not None:
                known.entries.append(position)
                if about == known.id:
                    known.notes.take(index, position)
        for key, into in ((REF_NAME, self.names), (FULL_NAME, self.full_names)):
            name = index.annotation(position, key)
            if name is not None:
                into.setdefault(name, []).append(target)

    def _image_of(self, target: Target) -> Known | None:
        """The image whose manifest an entry leads to; nothing when it leads to
        something else.
        """
        node = target if isinstance(target, Failure) else self._nodes[_pointer(target)]
        if isinstance(node, Failure):
            raise node
        if not isinstance(node, Manifest) or not _is_image_config(node.config):
            return None
        return self.images[node.config.checked_digest()]

    def _unreadable(self, image: str, failure: Failure) -> Failure:
        """The failure of an image whose entry leads nowhere. The image is not unknown,
        so a blob that is missing makes it unavailable: layouts may lack blobs, which
        are then to be had from elsewhere (OCI image layout, "Blobs").
        """
        missing = failure.code is FailureCode.NOT_FOUND
        path = quote(str(self._layout.index_path))
        message = f"the entry of image {quote(image)} in {path} cannot be read: {failure}"
        return Failure(FailureCode.UNAVAILABLE if missing else failure.code, message)


def _told_apart(
    entry: Entry, body: dict[str, Any], passed: list[Failure]
) -> Manifest | list[Entry]:
    config, layers, manifests = (body.get(name) for name in ("config", "layers", "manifests"))
    is_index = entry.media_type in (INDEX, DOCKER_LIST)
    if not is_index and config is not None and manifests is None:
        return Manifest(Entry.read(config), [Entry.read(layer) for layer in _listed(layers)])
    if is_index and config is None and layers is None:
        inner = []
        for item in [Entry.read(item) for item in _listed(manifests)]:
            try:
                if _leads_on(item):
                    inner.append(item)
            except Failure as failure:
                passed.append(failure)
        return inner
    raise ValueError("its members are not those of its media type")


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("a list of descriptors is something else")
    return value


def _leads_on(entry: Entry) -> bool:
    """Whether it leads on to images: other kinds of content do not.

    `corrupt` when its digest is none, or when something is noted of an image and the
    media type is not one of images.
    """
    if _ATTESTATION in entry.annotations:
        return False
    if entry.media_type not in MANIFESTS:
        if IMAGE not in entry.annotations:
            return False
        message = f"a descriptor has {quote(entry.media_type)} for its media type"
        raise Failure(FailureCode.CORRUPT, message)
    entry.checked_digest()
    return True


def _is_image_config(entry: Entry) -> bool:
    return entry.media_type in (CONFIG, DOCKER_CONFIG)


def _pointer(entry: Entry) -> Pointer:
    return entry.digest, entry.size, entry.media_type
