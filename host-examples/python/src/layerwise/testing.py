"""Functions that only tests call: single steps of the decisions, so that vectors recorded from the
upstream systems can be compared with them one by one. Only the world `cache-testing` has them.

Written by `tools/bind.py` from `wit/testing.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import Refused
from .resource import Exports
from .buildkit import Cache
from .buildpacks import CacheImage
from .stacker import Change, Host, Session
from .types import Difference, Semantics


class BuildQuestion(StrEnum):
    """What is asked about a build."""

    #: The key of an operation, or those of a source.
    KEY = "key"
    #: Digests of the content of a tree.
    CONTENT = "content"
    #: Why the steps of a build ran, against an earlier one.
    WHY = "why"
    #: What would become of the steps of a build with a cache.
    PREDICTION = "prediction"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time as Go reads it."""

    #: Seconds since 1970-01-01T00:00:00Z.
    seconds: int
    nanoseconds: int
    #: Offset from UTC in seconds.
    offset: int
    #: The text ended in `Z`.
    zulu: bool
    #: The text that Go writes for it; absent if Go refuses to write it.
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Detected:
    """The kind of a BuildKit cache manifest, and the config in it."""

    #: The media type it stands for.
    kind: str
    #: The digest of the cache config; empty if there is none.
    config: str


@dataclass(frozen=True, slots=True)
class FileHash:
    """How a file import is recorded."""

    #: `sha256:` and the hash of the bytes followed by the mode text.
    hash: str
    #: The mode as Go writes it, such as `-rw-r--r--`.
    mode: str


@dataclass(frozen=True, slots=True)
class LayerType:
    """A layer type."""

    #: Such as `tar` or `squashfs`.
    name: str
    #: Whether it carries verity data.
    verity: bool
    #: As it is written, such as `tar+false`.
    text: str


@dataclass(frozen=True, slots=True)
class BaseTag:
    """The tag of a base."""

    tag: str
    #: Whether it is a valid reference name.
    valid: bool


@dataclass(frozen=True, slots=True)
class LayerText:
    """A definition as it is written."""

    text: str
    #: Whether reading it gives an equal definition. If not, the layer misses in every new session.
    stable: bool


@dataclass(frozen=True, slots=True)
class Equality:
    """Two definitions compared."""

    #: Whether they are equal as Go compares them.
    equal: bool
    #: Where they differ, both sides as JSON.
    differences: Sequence[Difference] = ()


class Testing(Exports):
    """The functions of the interface `testing`."""

    __slots__ = ()

    def layer_of(self, document: str, index: int, semantics: Semantics = Semantics()) -> str | None:
        """The diff id that belongs to history entry `index`; `none` for an entry without a layer."""
        result: str | None = self._call("testing#layer-of", document, index, semantics)
        return result

    def newest(self, created: Sequence[str | None] = (), semantics: Semantics = Semantics()) -> int | None:
        """The index of the creation time that the local lookup keeps; absent times are allowed."""
        result: int | None = self._call("testing#newest", created, semantics)
        return result

    def parse_time(self, text: str) -> Timestamp:
        """Reads a time stamp."""
        result: Timestamp = self._call("testing#parse-time", text)
        return result

    def encode_config(self, text: str, semantics: Semantics = Semantics()) -> str:
        """A container config, read and written as Go does."""
        result: str = self._call("testing#encode-config", text, semantics)
        return result

    def detect(self, manifest: str) -> Detected:
        """Tells the kind of a manifest."""
        result: Detected = self._call("testing#detect", manifest)
        return result

    def encode_cache(self, of: Cache) -> str:
        """The config that exporting the records of a cache again gives, assuming that every result is
        whole.
        """
        result: str = self._call("testing#encode-cache", of)
        return result

    def exists(self, of: CacheImage) -> bool:
        """Whether the name of a cache image stands for something now; asked again at each call."""
        result: bool = self._call("testing#exists", of)
        return result

    def hash_value(self, name: str, value: str, semantics: Semantics = Semantics()) -> int:
        """stacker's structure hash of a JSON value of a named type: `string`, `int64`, `int`, `uint32`,
        `uint8`, `bool`, `nil`, `bytes`, `strings`, `string-map`, `LayerType`, or a structure of the
        version such as `CacheEntry` or `Layer`.
        """
        result: int = self._call("testing#hash-value", name, value, semantics)
        return result

    def vis(self, name: str) -> str:
        """Encodes a name, given as a path, as mtree texts do."""
        result: str = self._call("testing#vis", name)
        return result

    def unvis(self, text: str) -> str:
        """Decodes a name of an mtree text to a path."""
        result: str = self._call("testing#unvis", text)
        return result

    def hash_file(self, path: str) -> FileHash:
        """The hash of a file as it is recorded for an import; links are followed."""
        result: FileHash = self._call("testing#hash-file", path)
        return result

    def tree_text(self, root: str, host: Host) -> str:
        """The mtree text of a directory as it is recorded: base64."""
        result: str = self._call("testing#tree-text", root, host)
        return result

    def compare_tree(self, stored: str, root: str) -> list[Change]:
        """Compares a recorded mtree text with a directory."""
        result: list[Change] = self._call("testing#compare-tree", stored, root)
        return result

    def parse_layer_type(self, text: str) -> LayerType:
        """Reads a layer type."""
        result: LayerType = self._call("testing#parse-layer-type", text)
        return result

    def parse_tag(self, source: str, semantics: Semantics = Semantics()) -> BaseTag:
        """The tag that a base has in the layout of base images; for a built base the name of the layer.
        `source` is the JSON object that a definition holds under `from`.
        """
        result: BaseTag = self._call("testing#parse-tag", source, semantics)
        return result

    def encode_layer(self, definition: str, semantics: Semantics = Semantics()) -> LayerText:
        """A definition as it is written to the cache file."""
        result: LayerText = self._call("testing#encode-layer", definition, semantics)
        return result

    def base_hash(self, of: Session, name: str) -> str:
        """The base hash that putting this layer would record."""
        result: str = self._call("testing#base-hash", of, name)
        return result

    def entry(self, of: Session, name: str) -> str | None:
        """An entry as the cache file has it."""
        result: str | None = self._call("testing#entry", of, name)
        return result

    def compare_layers(self, have: str, want: str, semantics: Semantics = Semantics()) -> Equality:
        """Compares a recorded definition with a current one."""
        result: Equality = self._call("testing#compare-layers", have, want, semantics)
        return result

    def ask_build(self, question: BuildQuestion, document: str) -> str:
        """Answers a question about a build with all it needs, as JSON, in JSON: what vectors compare."""
        result: str = self._call("testing#ask-build", question, document)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "testing#layer-of": Testing.layer_of,
    "testing#newest": Testing.newest,
    "testing#parse-time": Testing.parse_time,
    "testing#encode-config": Testing.encode_config,
    "testing#detect": Testing.detect,
    "testing#encode-cache": Testing.encode_cache,
    "testing#exists": Testing.exists,
    "testing#hash-value": Testing.hash_value,
    "testing#vis": Testing.vis,
    "testing#unvis": Testing.unvis,
    "testing#hash-file": Testing.hash_file,
    "testing#tree-text": Testing.tree_text,
    "testing#compare-tree": Testing.compare_tree,
    "testing#parse-layer-type": Testing.parse_layer_type,
    "testing#parse-tag": Testing.parse_tag,
    "testing#encode-layer": Testing.encode_layer,
    "testing#base-hash": Testing.base_hash,
    "testing#entry": Testing.entry,
    "testing#compare-layers": Testing.compare_layers,
    "testing#ask-build": Testing.ask_build,
}
