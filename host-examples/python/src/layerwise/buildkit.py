"""The remote cache of BuildKit: exporting a cache byte for byte as BuildKit does, and reading,
verifying and explaining one.

`semantics.version` is absent or `0.33` (the newest rules, which keep every link they import),
`0.32` (0.25 to 0.32, which may lose links while they import; this component keeps them and
reports it) or `0.8-dev`, the rules of October 2020.

Limits and their defaults: `records` (250,000), `links` (1,000,000), `layers` (1,000,000,
distinct chains of layers; in `contents` the layers of all results), `steps` (50,000,000,
records looked at to keep loops out), and `document-bytes` (64 MiB, one document of the caller).
Importers accept 1 MiB of a config or manifest; that is not a limit of a session but a fact
about readers.

Written by `tools/bind.py` from `wit/buildkit.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .registry import Source
from .types import Descriptor, Explanation, Finding, Limit, Semantics


class Policy(Flag):
    """Choices of the opener; none are set by default."""

    #: Export the newest complete result; upstream exports none if the newest is incomplete.
    FALL_BACK = auto()
    #: Keep results of one instant and length apart when their digests differ.
    STRICT_RESULTS = auto()
    #: Refuse, before anything is written, what readers would refuse: a config or manifest above 1
    #: MiB, or a time that has no text.
    CHECK_FIRST = auto()


class Standing(StrEnum):
    """Whether a lookup can use a record."""

    #: Every input can be reached and there is a complete result.
    HIT = "hit"
    #: It can be reached, and a result that it names has a layer that is absent: builders that
    #: import the cache from a registry count it as a hit and then fail; from a local directory
    #: they run the step again.
    BROKEN = "broken"
    #: It can be reached and has no result.
    KEY = "key"
    #: No lookup reaches it.
    DEAD = "dead"


class Evidence(StrEnum):
    """What is known about layers."""

    #: Nothing: there was no repository to ask.
    NONE = "none"
    #: Whether they are present; their bytes were not read.
    PRESENCE = "presence"
    #: They were read, and have the digests they are listed by.
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class EffectLayer:
    """A layer is copied, unless the target has it."""

    case: ClassVar[str] = "layer"
    value: Descriptor


@dataclass(frozen=True, slots=True)
class EffectConfig:
    """The config is written."""

    case: ClassVar[str] = "config"
    value: Descriptor


@dataclass(frozen=True, slots=True)
class EffectManifest:
    """The manifest is written."""

    case: ClassVar[str] = "manifest"
    value: Descriptor


#: Something an export writes.
Effect = EffectLayer | EffectConfig | EffectManifest


@dataclass(frozen=True, slots=True)
class InputConfig:
    """The case `config` of Input."""

    case: ClassVar[str] = "config"
    value: ConfigInput


@dataclass(frozen=True, slots=True)
class InputManifest:
    """The case `manifest` of Input."""

    case: ClassVar[str] = "manifest"
    value: ManifestInput


#: Where a cache is.
Input = InputConfig | InputManifest


@dataclass(frozen=True, slots=True)
class Options:
    """How to open an exporter."""

    #: Guarded merging leaves no duplicates and no loops behind; compatible merging does as
    #: upstream.
    semantics: Semantics = field(default=Semantics(), kw_only=True)
    #: OCI media types; otherwise Docker's.
    oci: bool
    #: An image manifest; otherwise a list of layers, which many registries refuse. Needs `oci`.
    image: bool
    policy: Policy = Policy(0)
    #: Where layers are, unless a result says otherwise. A repository and a provider are asked
    #: which layers they have; a host that cannot tell returns `unknown`, which is treated as
    #: having them.
    source: Source | None = None
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """One alternative of an input."""

    #: The record the link starts at; absent if adding it returned no handle, which is refused.
    record: int | None = field(default=None, kw_only=True)
    #: Which part of its output is used; empty for all of it.
    selector: str
    #: The digest of a record of another session, which is refused.
    foreign: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result of a record."""

    #: When it was made, RFC 3339.
    created: str
    #: Its layers, lowest first.
    layers: Sequence[Descriptor] = ()
    #: Where the layers are; absent for the session's source.
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A cache key."""

    #: Its digest, any text. One that begins with `random:` is never kept.
    digest: str
    #: For each input the alternatives that reach it.
    inputs: Sequence[Sequence[Alternative]] = ()
    results: Sequence[Outcome] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """The outcome of adding one record of a document."""

    #: The record's handle, that of an earlier record when the two merged; absent if it is never
    #: kept or was refused.
    record: int | None = None
    #: Why it was refused.
    error: Refused | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export would write."""

    #: Nothing would be written, since no record has a result with layers.
    empty: bool
    #: The config; it is not written if the plan is empty.
    config: str
    #: The manifest; empty if nothing would be written.
    manifest: str
    #: The manifest's descriptor as JSON, the value of `cache.manifest`.
    descriptor: str
    #: What would be written, in order, each thing once.
    effects: Sequence[Effect] = ()
    #: What the caller should know before anything is pushed.
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Pushed:
    """An export that was written."""

    #: Nothing was written, and no reference was moved.
    empty: bool
    #: The manifest's descriptor as JSON, the value of `cache.manifest`; empty if nothing was
    #: written.
    descriptor: str
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """A link between two records of a cache, by their names."""

    from_: str
    to: str
    #: Which input of `to`.
    input: int
    selector: str
    #: The digest of `to`.
    digest: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A result a record offers."""

    #: The record's name.
    record: str
    #: The result's name: SHA-256 of the digests of its layers.
    result: str
    created: str
    #: Digests of its layers, lowest first.
    blobs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A lookup: the records that stand on a record."""

    #: The name of the record to start from; absent asks for a record without inputs.
    record: str | None = field(default=None, kw_only=True)
    #: Cache digest of the vertex.
    digest: str
    #: Which output of it; -1 for a content key, whose digest is one of bytes.
    output: int
    #: Which input of the wanted record the link is of.
    input: int
    selector: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Numbers about a cache."""

    #: Records after merging.
    records: int
    #: Records without inputs.
    roots: int
    #: Records that are no record's source.
    leaves: int
    links: int
    results: int
    #: Most records on one way from a root.
    depth: int
    #: Distinct layers of results.
    blobs: int
    #: Bytes of these layers.
    bytes: int
    #: The times of the oldest and the newest result, RFC 3339; empty if no result has one.
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about a cache."""

    #: The media type of its manifest; empty without a manifest.
    kind: str
    #: The digest of its config; empty without a manifest.
    config: str
    #: What was noticed while it was read.
    findings: Sequence[Finding] = ()
    #: Absent by the rules of 2020.
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a cache holds."""

    #: Number of records after merging.
    records: int
    #: Digests of the records without inputs, in the order of a config.
    roots: Sequence[str] = ()
    #: Every link, sorted; empty by the rules of 2020.
    links: Sequence[Connection] = ()
    #: Every result that records offer, sorted; empty by the rules of 2020.
    offers: Sequence[Offer] = ()


@dataclass(frozen=True, slots=True)
class ConfigInput:
    """A cache config by itself."""

    text: str
    #: A JSON list of what the manifest lists; absent for a config without a manifest, as GitHub,
    #: S3 and Azure caches keep it, whose layers describe themselves.
    descriptors: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestInput:
    """A manifest in a repository. If it lists no cache config, the inline caches of its images are
    read, as importers do.
    """

    repository: str
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a cache."""

    semantics: Semantics = Semantics()
    #: Also read a manifest or config above 1 MiB, which importers refuse, and report it in
    #: `findings`: to look into a cache, not to export from it. Newest rules and guarded reading
    #: only.
    any_size: bool = False
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a record of a config."""

    #: Which input it is of.
    input: int
    #: The index of the record it starts at, as it is written.
    record: int
    selector: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A result in short."""

    #: When it was made, RFC 3339.
    created: str
    #: Number of layers, of the whole chain.
    layers: int
    #: Bytes of these layers, as they are listed.
    bytes: int
    #: The digest of the topmost layer; empty if there is none.
    top: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about one record of a config."""

    #: Its index in the config.
    record: int
    #: The name that lookups start from; empty for a record that importers do not keep, and for all
    #: if they refuse the cache.
    name: str
    digest: str
    standing: Standing
    #: The first input that no source reaches.
    input: int | None = None
    #: Its links, input after input.
    links: Sequence[Link] = ()
    #: The newest result that it names, whether or not importers take it.
    newest: Summary | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is known about a cache."""

    #: The media type of the manifest; empty without one.
    kind: str
    #: The digest of the config; empty without one.
    config: str
    #: The records are in the configs of images; `verdicts` numbers them as the config that
    #: exporting them gives.
    inline: bool
    #: What is known about the layers.
    layers: Evidence
    findings: Sequence[Finding] = field(default=(), kw_only=True)
    verdicts: Sequence[Verdict] = field(default=(), kw_only=True)
    #: Zero if importers refuse the cache for anything but its size.
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Form:
    """The form that the attributes `oci-mediatypes` and `image-manifest` ask for."""

    oci: bool
    image: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a cache exporter."""

    name: str
    value: str


class Exporter(Resource):
    """An export session. Handles are numbers from 0 up, in the order in which records were made."""

    __slots__ = ()

    def add(self, entry: Entry) -> int | None:
        """Adds a record and returns its handle; `none` for a record that is never kept. A refused
        record changes nothing.
        """
        result: int | None = self._call("buildkit#[method]exporter.add", self, entry)
        return result

    def add_all(self, records: str) -> list[Added]:
        """Adds many records: a JSON list of objects with `digest`, `inputs` (for each input a list of
        `{"record": handle, "selector": text}`, or with `item`, the index of an earlier record of
        the same list, in place of `record`) and `results` (`{"created": time, "layers":
        descriptors, "source": {"repository" | "provider" | "file": name}}`). A refused record does
        not stop those after it.
        """
        result: list[Added] = self._call("buildkit#[method]exporter.add-all", self, records)
        return result

    def link(self, target: int, input: int, alternative: Alternative) -> None:
        """Adds a link to a record. Only in the rules of 2020; `unsupported` by the others."""
        self._call("buildkit#[method]exporter.link", self, target, input, alternative)

    def put_result(self, target: int, outcome: Outcome) -> None:
        """Sets the result of a record; the last one counts. Only in the rules of 2020; `unsupported`
        by the others.
        """
        self._call("buildkit#[method]exporter.put-result", self, target, outcome)

    def merge(self, cache: Cache, source: Source | None = None) -> None:
        """Adds every record of a cache that was read, with its results. Layers without a source in the
        cache are at `source`. Guarded: what was added with `add` outranks every cache, and a cache
        outranks those merged after it, whatever time a result names; where they differ, `plan`
        reports it. Compatible: the newest result of all counts, as upstream does.
        """
        self._call("buildkit#[method]exporter.merge", self, cache, source)

    def plan(self) -> Plan:
        """What an export would write. Sources are asked which layers they have, each digest once;
        nothing is written.
        """
        result: Plan = self._call("buildkit#[method]exporter.plan", self)
        return result

    def finalize(self, repository: str, reference: str | None = None) -> Pushed:
        """Exports: layers first, then the config, then the manifest. With a reference, that reference
        is then moved to the manifest. Retrying is up to the host. The session can be used further.
        """
        result: Pushed = self._call("buildkit#[method]exporter.finalize", self, repository, reference)
        return result


class Cache(Resource):
    """A cache that was read. A record's name is the one it has in an importer's key storage: the
    digest of a record without inputs, otherwise `xxh64:` and 16 hex digits. `lookup`, `explain`
    and `compare` are `unsupported` by the rules of 2020.
    """

    __slots__ = ()

    def describe(self) -> Description:
        """What is known about it."""
        result: Description = self._call("buildkit#[method]cache.describe", self)
        return result

    def contents(self) -> Contents:
        """Every record, link and result: as much as the cache is large."""
        result: Contents = self._call("buildkit#[method]cache.contents", self)
        return result

    def lookup(self, query: Query) -> list[str]:
        """The names of the records a lookup finds, sorted."""
        result: list[str] = self._call("buildkit#[method]cache.lookup", self, query)
        return result

    def explain(self, query: Query) -> Explanation:
        """Looks up and says why nothing was found: the links that come nearest, and where else the
        wanted digest is.
        """
        result: Explanation = self._call("buildkit#[method]cache.explain", self, query)
        return result

    def compare(self, other: Cache) -> Explanation:
        """What changed from this cache to another: first where the builds part, then what only follows
        from that, marked as a cascade. A record is the same in both if it has the same digest and,
        for each input, a link from the same source. A key that lost its result, or that is one of
        several ways to a record in both, changes no build and is only counted.
        """
        result: Explanation = self._call("buildkit#[method]cache.compare", self, other)
        return result


class Buildkit(Exports):
    """The functions of the interface `buildkit`."""

    __slots__ = ()

    def export_to(self, options: Options) -> Exporter:
        """Opens an export session."""
        result: Exporter = self._call("buildkit#export-to", options)
        return result

    def read(self, input: Input, options: ReadOptions = ReadOptions()) -> Cache:
        """Reads a cache as an importer does. The guarded reading refuses documents that do not match
        their descriptors (`corrupt`); the compatible one notes it in `findings`.
        """
        result: Cache = self._call("buildkit#read", input, options)
        return result

    def inspect(self, input: Input, read_layers: bool, limits: Sequence[Limit] = ()) -> Report:
        """Reports everything that is wrong with a cache, whatever its size. The repository of a manifest
        is asked for all layers in one call, and with `read-layers` those that are there are read; the
        layers of a config by itself are not looked for.
        """
        result: Report = self._call("buildkit#inspect", input, read_layers, limits)
        return result

    def attributes(self, given: Sequence[Attribute] = ()) -> Form:
        """Reads attributes as users give them; others are ignored."""
        result: Form = self._call("buildkit#attributes", given)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "buildkit#[method]exporter.add": Exporter.add,
    "buildkit#[method]exporter.add-all": Exporter.add_all,
    "buildkit#[method]exporter.link": Exporter.link,
    "buildkit#[method]exporter.put-result": Exporter.put_result,
    "buildkit#[method]exporter.merge": Exporter.merge,
    "buildkit#[method]exporter.plan": Exporter.plan,
    "buildkit#[method]exporter.finalize": Exporter.finalize,
    "buildkit#[method]cache.describe": Cache.describe,
    "buildkit#[method]cache.contents": Cache.contents,
    "buildkit#[method]cache.lookup": Cache.lookup,
    "buildkit#[method]cache.explain": Cache.explain,
    "buildkit#[method]cache.compare": Cache.compare,
    "buildkit#export-to": Buildkit.export_to,
    "buildkit#read": Buildkit.read,
    "buildkit#inspect": Buildkit.inspect,
    "buildkit#attributes": Buildkit.attributes,
}
