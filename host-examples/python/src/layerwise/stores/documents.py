"""The documents of a layout: descriptors, and the index with its annotations."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Failure, quote
from ..types import FailureCode
from .hashing import is_digest

#: The annotation with the id of the image that the next two are about.
IMAGE = "dev.layerwise.image"
#: The annotation with the id of the recorded parent.
PARENT = "dev.layerwise.parent"
#: The annotation that says whether an image was built here.
BUILT_HERE = "dev.layerwise.built-here"
#: The annotation with a name, as skopeo and umoci use it.
REF_NAME = "org.opencontainers.image.ref.name"
#: The annotation with a full name, as containerd and `docker save` write it.
FULL_NAME = "io.containerd.image.name"

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
#: All media types of manifests and indexes.
MANIFESTS = (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST)

_LONGEST_NAME = 255
_NAME = re.compile(
    r"[A-Za-z0-9]+((--|[-._:@+])[A-Za-z0-9]+)*(/[A-Za-z0-9]+((--|[-._:@+])[A-Za-z0-9]+)*)*"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A descriptor as documents hold it; its digest is not checked yet."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = field(default_factory=dict)
    #: The object it was read from.
    raw: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, value: object) -> Entry:
        """Reads a descriptor; a `ValueError` says what is wrong."""
        if not isinstance(value, dict):
            raise ValueError("it is not an object")
        digest, size = value.get("digest"), value.get("size")
        media_type = value.get("mediaType", "")
        annotations = value.get("annotations") or {}
        if not isinstance(digest, str) or not isinstance(media_type, str):
            raise ValueError("its digest or media type is not a string")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**64:
            raise ValueError("its size is not a size")
        if not isinstance(annotations, dict) or not all(
            isinstance(text, str) for text in annotations.values()
        ):
            raise ValueError("its annotations are not strings")
        return cls(media_type, digest, size, dict(annotations), value)

    def checked_digest(self) -> str:
        """The digest; `corrupt` when it is not one."""
        if not is_digest(self.digest):
            message = f"a descriptor has {quote(self.digest)} for its digest"
            raise Failure(FailureCode.CORRUPT, message)
        return self.digest


class Index:
    """`index.json`: read whole, changed in place, members of other tools kept."""

    def __init__(self, members: dict[str, Any], entries: list[Any]) -> None:
        self._members = members
        self._entries = entries

    @classmethod
    def empty(cls) -> Index:
        """An index without entries."""
        return cls({"schemaVersion": 2, "mediaType": INDEX}, [])

    @classmethod
    def parse(cls, root: Path, text: bytes) -> Index:
        """Reads the bytes of the `index.json` of the layout at `root`."""
        path = quote(str(root / "index.json"))
        try:
            members = load(text)
        except ValueError as error:
            early = isinstance(error, json.JSONDecodeError) and not error.doc[error.pos :].strip()
            code = FailureCode.TRUNCATED if early else FailureCode.CORRUPT
            why = f"ends early: {error}" if early else f"is not an image index: {error}"
            raise Failure(code, f"{path} {why}") from None
        if not isinstance(members, dict):
            raise Failure(FailureCode.CORRUPT, f"{path} is not an image index")
        said = members.get("mediaType")
        other = isinstance(said, str) and said != INDEX
        if other or "layers" in members or "config" in members:
            message = f"{path} is something else than an image index"
            raise Failure(FailureCode.CORRUPT, message)
        entries = members.pop("manifests", None)
        if entries is not None and not isinstance(entries, list):
            message = f"{path} has something else than a list of manifests"
            raise Failure(FailureCode.CORRUPT, message)
        return cls(members, entries or [])

    def entries(self) -> list[Entry | Failure]:
        """The entries; one that is not a descriptor says why."""
        found: list[Entry | Failure] = []
        for value in self._entries:
            try:
                found.append(Entry.read(value))
            except ValueError as error:
                message = f"an entry of the index is not a descriptor: {error}"
                found.append(Failure(FailureCode.CORRUPT, message))
        return found

    def copy(self) -> Index:
        """Another one with the same content."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index)
            and self._members == other._members
            and self._entries == other._entries
        )

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._entries)

    def positions(self, digest: str) -> list[int]:
        """Where the entries with this digest are."""
        return [
            at
            for at, entry in enumerate(self._entries)
            if isinstance(entry, dict) and entry.get("digest") == digest
        ]

    def names(self) -> list[str | None]:
        """The name of each entry."""
        return [self.annotation(at, REF_NAME) for at in range(len(self))]

    def push(self, media_type: str, digest: str, size: int) -> int:
        """Adds an entry at the end and returns its position."""
        self._entries.append({"digest": digest, "mediaType": media_type, "size": size})
        return len(self) - 1

    def remove(self, position: int) -> None:
        """Takes an entry away."""
        del self._entries[position]

    def note(self, position: int, image: str, key: str, value: str | None) -> None:
        """Sets or takes away what is noted of an image in one of its entries.

        Notes about another image, which came with a copied entry, go.
        """
        if self.annotation(position, IMAGE) != image:
            self.annotate(position, PARENT, None)
            self.annotate(position, BUILT_HERE, None)
            self.annotate(position, IMAGE, image)
        self.annotate(position, key, value)

    def annotate(self, position: int, key: str, value: str | None) -> None:
        """Sets or takes away an annotation of an entry."""
        entry = self._entries[position]
        if not isinstance(entry, dict):
            return
        annotations = entry.get("annotations")
        if not isinstance(annotations, dict):
            if value is None:
                return
            annotations = entry["annotations"] = {}
        if value is None:
            annotations.pop(key, None)
        else:
            annotations[key] = value

    def annotation(self, position: int, key: str) -> str | None:
        """One annotation of an entry, also of one that is not a descriptor."""
        entry = self._entries[position]
        annotations = entry.get("annotations") if isinstance(entry, dict) else None
        text = annotations.get(key) if isinstance(annotations, dict) else None
        return text if isinstance(text, str) else None

    def text(self) -> bytes:
        """The bytes to be written: members sorted, so that they are the same from
        every program of this project.
        """
        return dump({**self._members, "manifests": self._entries}, sort=True)


def is_name(text: str) -> bool:
    """Whether a layout can hold this text as a name: runs of letters and digits,
    joined by one of `-._:@+` or by `--`, in components joined by `/`.
    """
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def load(text: bytes) -> Any:
    """Reads JSON as strictly as other tools do; a `ValueError` says what is wrong."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text.decode(), parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dump(value: object, *, sort: bool = False) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort).encode()
