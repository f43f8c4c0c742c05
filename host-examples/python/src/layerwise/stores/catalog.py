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

#: The largest manifest or index, as registries have it.
_LONGEST_DOCUMENT = 4 << 20
_MOST_DOCUMENTS = 100_000
_MOST_BYTES = 256 << 20
#: The annotation on manifests that only tell something about other manifests.
_ATTESTATION = "vnd.docker.reference.type"

#: What a document is reached by: digest, size and media type.
Pointer = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest; it is an image when its config is one."""

    config: Entry
    layers: list[Entry]


@dataclass(slots=True)
class Known:
    """One image."""

    id: str
    #: The size of the config document.
    size: int
    #: Manifests with this config, with what leads to them.
    manifests: list[tuple[Pointer, Manifest]] = field(default_factory=list)
    #: The recorded parent, as it is written.
    parent: str | None = None
    built: Provenance = Provenance.UNKNOWN
    #: The positions of its own entries in `index.json`.
    entries: list[int] = field(default_factory=list)

    def checked_parent(self) -> str | None:
        """The recorded parent; `corrupt` when it is not an id."""
        if self.parent is not None and not is_digest(self.parent):
            message = (
                f"image {quote(self.id)} has {quote(self.parent)} for its parent, "
                "which is not an image id"
            )
            raise Failure(FailureCode.CORRUPT, message)
        return self.parent


class Catalog:
    """Everything that is known without reading config documents."""

    def __init__(self, layout: Layout, text: bytes, before: Catalog | None = None) -> None:
        self._layout = layout
        self._text = text
        self._nodes: dict[Pointer, Manifest | list[Entry] | Failure] = {}
        self._known_nodes = before._nodes if before else {}
        self.images: dict[str, Known] = {}
        self.names: dict[str, list[Entry]] = {}
        self.full_names: dict[str, list[Entry]] = {}
        #: Why something was passed over.
        self.passed: list[Failure] = []

        entries: list[tuple[int, Entry]] = []
        broken: list[Failure] = []
        for position, entry in enumerate(Index.parse(layout.root, text).entries()):
            if isinstance(entry, Failure):
                broken.append(entry)
            elif _leads_on(entry):
                try:
                    entry.checked_digest()
                except Failure as failure:
                    broken.append(failure)
                else:
                    entries.append((position, entry))
        self._walk([entry for _, entry in entries])
        self._known_nodes = {}
        self.passed += broken
        self._collect()
        for position, entry in entries:
            self._take(position, entry)
        self._children: dict[str | None, list[str]] = {}
        for image in sorted(self.images):
            self._children.setdefault(self.images[image].parent, []).append(image)

    def is_of(self, text: bytes) -> bool:
        """Whether this is what the bytes of `index.json` say. What could not be read
        is tried again, so the answer is no while there is any.
        """
        return self._text == text and not self.passed

    def children(self, parent: str | None) -> list[str]:
        """The images with this recorded parent, in ascending order."""
        return list(self._children.get(parent, ()))

    def under_digest(self, digest: str) -> list[Entry]:
        """The descriptors that were reached with this digest."""
        return [
            Entry(media_type, known, size)
            for known, size, media_type in self._nodes
            if known == digest
        ]

    def reached(self, start: Sequence[Entry]) -> tuple[list[str], Failure | None]:
        """The ids of the images some descriptors lead to, in ascending order, and
        the first failure on the way.
        """
        waiting = deque(start)
        seen: set[Pointer] = set()
        ids: set[str] = set()
        failure: Failure | None = None
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

    def note(self, index: Index, known: Known, key: str, value: str) -> None:
        """Notes something of an image in its entries; one that has none, because it
        is in a nested index, gets one.
        """
        for position in known.entries or [self.enter(index, known)]:
            index.note(position, known.id, key, value)

    def enter(self, index: Index, known: Known) -> int:
        """Adds one more entry for an image, with what is noted of it."""
        (digest, size, media_type), _ = known.manifests[0]
        position = index.push(media_type, digest, size)
        if known.parent is not None:
            index.note(position, known.id, PARENT, known.parent)
        if known.built is not Provenance.UNKNOWN:
            built = "true" if known.built is Provenance.BUILT_HERE else "false"
            index.note(position, known.id, BUILT_HERE, built)
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

    def _take(self, position: int, entry: Entry) -> None:
        for key, into in ((REF_NAME, self.names), (FULL_NAME, self.full_names)):
            name = entry.annotations.get(key)
            if name is not None:
                into.setdefault(name, []).append(entry)
        node = self._nodes.get(_pointer(entry))
        known = self.images.get(node.config.digest) if isinstance(node, Manifest) else None
        if known is None:
            return
        known.entries.append(position)
        if entry.annotations.get(IMAGE) != known.id:
            return
        if known.parent is None:
            known.parent = entry.annotations.get(PARENT) or None
        if known.built is Provenance.UNKNOWN:
            known.built = {
                "true": Provenance.BUILT_HERE,
                "false": Provenance.ELSEWHERE,
            }.get(entry.annotations.get(BUILT_HERE, ""), Provenance.UNKNOWN)


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
            if not _leads_on(item):
                continue
            try:
                item.checked_digest()
            except Failure as failure:
                passed.append(failure)
            else:
                inner.append(item)
        return inner
    raise ValueError("its members are not those of its media type")


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("a list of descriptors is something else")
    return value


def _leads_on(entry: Entry) -> bool:
    """Whether it leads on to images: nothing else does."""
    return entry.media_type in MANIFESTS and _ATTESTATION not in entry.annotations


def _is_image_config(entry: Entry) -> bool:
    return entry.media_type in (CONFIG, DOCKER_CONFIG)


def _pointer(entry: Entry) -> Pointer:
    return entry.digest, entry.size, entry.media_type
