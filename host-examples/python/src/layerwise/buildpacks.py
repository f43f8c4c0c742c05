"""The caches of the Cloud Native Buildpacks lifecycle: the cache image or the volume cache, and
the layer metadata that a build finds again.

Versions that `semantics.version` accepts: the newest rules (absent, or `0.21`) and `0.13`. In
every reading a layer name or buildpack id that is not a single path component is refused by
name.

Limits and their defaults: `label-bytes` (4 MiB, one label), `depth` (128, nesting of a
document), `buildpacks` (10,000 in a label), `layers` (10,000 in a label), `values` (500,000 in
a label), `document-bytes` (16 MiB, one manifest or config), `file-bytes` (8 MiB, one metadata
file), `output-bytes` (32 MiB, all files of a restore). A label that exceeds a limit counts as
malformed, and the reason names the limit.

Written by `tools/bind.py` from `wit/buildpacks.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .types import Descriptor, Explanation, Finding, Limit, Semantics


class ImagePolicy(Flag):
    """Choices of the opener of a cache image; none are set by default."""

    #: Delete the old image after a commit, when it differs. Upstream does so below Platform API
    #: 0.13.
    DELETE_ORIGINAL = auto()
    #: Use an image that names no scope, such as one that upstream wrote.
    ACCEPT_UNSCOPED = auto()
    #: Integers in metadata stay integers; upstream turns every number into a float.
    KEEP_INTEGERS = auto()


class Outcome(StrEnum):
    """How an operation on one layer ended."""

    #: As asked.
    DONE = "done"
    #: The layer is absent or does not have its diff id: upstream's read error, which callers skip.
    MISS = "miss"
    #: Anything else went wrong.
    FAILED = "failed"


class ShaStore(StrEnum):
    """Where the shas of restored layers are kept."""

    #: In the session.
    MEMORY = "memory"
    #: In `<layer>.sha` files next to the metadata files.
    FILES = "files"


class RestorePolicy(Flag):
    """Choices of the opener of a restorer; none are set by default."""

    #: Restore `store.toml` files only.
    SKIP_LAYERS = auto()
    #: Integers in metadata stay integers; upstream turns every number into a float.
    KEEP_INTEGERS = auto()


class Origin(StrEnum):
    """Where metadata comes from."""

    APP = "app"
    CACHE = "cache"
    STORE = "store"


class Action(StrEnum):
    """What happens to the data of a layer."""

    #: Its content is retrieved.
    RETRIEVE = "retrieve"
    #: Its directory, sha and metadata files are removed.
    REMOVE = "remove"
    #: Nothing.
    KEEP = "keep"


class OnMiss(StrEnum):
    """What becomes of a layer whose content cannot be retrieved."""

    #: Its metadata stays and the build goes on, as upstream does.
    KEEP = "keep"
    #: All of it is removed and the build goes on: metadata and content, both or neither.
    REMOVE = "remove"
    #: The restore fails, as upstream does for the SBOM layer.
    FAIL = "fail"


class Treatment(StrEnum):
    """What happens to a layer of a build."""

    #: The old cache's layer is reused.
    REUSE = "reuse"
    #: The layer is stored.
    ADD = "add"
    #: It is left out.
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True, slots=True)
class AdditionSourceFile:
    """A tar file, by a path of the file system interface."""

    case: ClassVar[str] = "file"
    value: str


@dataclass(frozen=True, slots=True)
class AdditionSourceProvider:
    """Something the host knows by this name."""

    case: ClassVar[str] = "provider"
    value: str


#: Where the bytes of a layer are.
AdditionSource = AdditionSourceFile | AdditionSourceProvider


@dataclass(frozen=True, slots=True)
class EffectWriteLayer:
    """Stores the layer of an image that has none."""

    case: ClassVar[str] = "write-layer"
    value: Written


@dataclass(frozen=True, slots=True)
class EffectWriteConfig:
    """Stores the config."""

    case: ClassVar[str] = "write-config"
    value: Written


@dataclass(frozen=True, slots=True)
class EffectWriteManifest:
    """Stores the manifest."""

    case: ClassVar[str] = "write-manifest"
    value: Written


@dataclass(frozen=True, slots=True)
class EffectSetTag:
    """Makes the name stand for this manifest."""

    case: ClassVar[str] = "set-tag"
    value: str


@dataclass(frozen=True, slots=True)
class EffectDelete:
    """Deletes this manifest."""

    case: ClassVar[str] = "delete"
    value: str


#: A change of the registry.
Effect = EffectWriteLayer | EffectWriteConfig | EffectWriteManifest | EffectSetTag | EffectDelete


@dataclass(frozen=True, slots=True)
class TriedNothing:
    """Nothing was tried, or it worked."""

    case: ClassVar[str] = "nothing"


@dataclass(frozen=True, slots=True)
class TriedUnverified:
    """The old cache's layer with this diff id is absent or does not have that diff id."""

    case: ClassVar[str] = "unverified"


@dataclass(frozen=True, slots=True)
class TriedNotReused:
    """It could not be reused from the old cache, for another reason."""

    case: ClassVar[str] = "not-reused"
    value: str


@dataclass(frozen=True, slots=True)
class TriedNotStored:
    """It could not be read or stored."""

    case: ClassVar[str] = "not-stored"
    value: str


#: What was tried with a layer so far.
Tried = TriedNothing | TriedUnverified | TriedNotReused | TriedNotStored


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How to open a cache image."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    #: The name, such as a tag in a registry. A name that `registry.resolve` answers with the media
    #: type `application/vnd.buildpacks.lifecycle.cache.metadata.v1+json` is a volume cache: its
    #: only document is the metadata, its layers are tar files that are not compressed, and their
    #: diff ids are their digests (the size 0 means that it is not known).
    reference: str
    #: Whose cache it is, such as an application's name and architecture. The guarded reading wants
    #: one, writes it into the manifest's annotation `layerwise.buildpacks.scope`, and uses no
    #: image of another scope. The compatible reading ignores it, and a volume cache has none.
    scope: str
    #: The operating system in the image's config; empty means `linux`.
    os: str = ""
    policy: ImagePolicy = ImagePolicy(0)
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Metadata, and why it was used or not."""

    #: Canonical JSON; the empty metadata on a miss.
    document: str
    #: `buildpacks/hit`, or the reason for the miss.
    finding: Finding


@dataclass(frozen=True, slots=True)
class Addition:
    """A layer to be added."""

    source: AdditionSource
    #: The diff id it should have; empty when not known. The compatible reading ignores it when the
    #: host computed one.
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to unpack a layer."""

    #: A directory, by a path of the file system interface.
    root: str
    #: Every entry of the layer must stay below this path inside `root`; otherwise nothing is unpacked.
    prefix: str


@dataclass(frozen=True, slots=True)
class WantedLayer:
    """A layer to be retrieved."""

    #: Its diff id.
    diff: str
    #: Absent: only hash it.
    into: Place | None = None


@dataclass(frozen=True, slots=True)
class LayerAnswer:
    """What happened to one layer."""

    #: The diff id, as it was given or as the host computed it.
    diff: str
    outcome: Outcome
    #: Upstream's message; empty if done.
    message: str
    #: The reason, with the cause that upstream omits.
    finding: Finding


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the new image."""

    #: Its diff id.
    diff: str
    #: Its blob.
    blob: Descriptor


@dataclass(frozen=True, slots=True)
class Description:
    """What a session holds."""

    #: The name as it was given.
    name: str
    committed: bool
    #: The label of the new image; absent if metadata was never set.
    label: str | None = None
    #: The layers of the new image, in order.
    layers: Sequence[Layer] = ()
    #: The digest of the image the name stood for when it was opened or committed; absent if there
    #: was none.
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A document to be stored."""

    descriptor: Descriptor
    text: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit does."""

    #: The digest of the new image.
    digest: str
    #: Its layers, in order.
    layers: Sequence[Layer] = ()
    #: The changes, in order. Layers were stored when they were added.
    effects: Sequence[Effect] = ()
    #: `buildpacks/saved`, and what becomes of the old image.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """How to open a restorer."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    #: The layers directory, by a path of the file system interface.
    directory: str
    #: The Platform API, such as `0.14`.
    platform_api: str
    shas: ShaStore = ShaStore.MEMORY
    policy: RestorePolicy = RestorePolicy(0)
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class GroupElement:
    """A buildpack that takes part in the build."""

    id: str
    version: str
    #: Its Buildpack API, such as `0.10`.
    api: str


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What to restore from."""

    #: The buildpacks, in order.
    group: Sequence[GroupElement] = ()
    #: The label `io.buildpacks.lifecycle.metadata` of the application image; absent or empty
    #: without one.
    app: str | None = None
    #: The label of the cache image, or `retrieval.document`; absent when no cache is configured.
    cache: str | None = None
    #: The code of `retrieval.finding`; empty when not known.
    retrieval: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about one layer, from the application image or the cache."""

    #: The buildpack's id.
    buildpack: str
    #: The layer's name; empty for a store.
    layer: str
    origin: Origin
    #: Whether its metadata is written.
    restored: bool
    finding: Finding
    #: For a restored layer the directory, below the layers directory, that its content must stay
    #: in; otherwise empty.
    prefix: str


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be written."""

    #: Where, by a path of the file system interface.
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RecordedSha:
    """A sha that was recorded."""

    buildpack: str
    layer: str
    #: It may be empty.
    sha: str


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Everything a restore does."""

    #: The files, in the order of writing, each once.
    files: Sequence[PlannedFile] = ()
    #: Stores that cannot be written, then each buildpack's layers, then those that are never
    #: looked at.
    decisions: Sequence[Decision] = ()
    #: Shas kept in memory, by id and name; empty with the file store.
    shas: Sequence[RecordedSha] = ()
    #: Stores, labels that cannot be read, where the readings differ.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Present:
    """A layer that exists when its data is to be restored: a directory or a metadata file."""

    buildpack: str
    layer: str
    #: The sha that was recorded when its metadata was restored; may be empty.
    sha: str
    #: Whether its metadata file has the cache flag; matters below Buildpack API 0.6.
    cached: bool


@dataclass(frozen=True, slots=True)
class DataRequest:
    """What layer data to decide about."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    #: The layers directory as it is written in layers, such as `/layers`.
    directory: str
    #: The Platform API.
    platform_api: str
    group: Sequence[GroupElement] = ()
    present: Sequence[Present] = ()
    #: The label of the cache image, or `retrieval.document`.
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class DataDecision:
    """The decision about the data of one layer."""

    #: Empty for the SBOM layer.
    buildpack: str
    #: Empty for the SBOM layer.
    layer: str
    action: Action
    #: The diff id to retrieve; otherwise empty.
    diff: str
    #: Where everything retrieved must stay, inside the root `/`; otherwise empty.
    prefix: str
    #: What to remove, by paths of the file system interface. While the action is `retrieve`, what
    #: `settle-data` may say is to be removed.
    paths: Sequence[str] = field(default=(), kw_only=True)
    on_miss: OnMiss
    finding: Finding


@dataclass(frozen=True, slots=True)
class SbomRequest:
    """Where SBOM files go once the SBOM layer was retrieved."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    #: The layers directory, by a path of the file system interface.
    directory: str
    #: The Platform API.
    platform_api: str
    group: Sequence[GroupElement] = ()
    #: The regular files below `sbom/cache` and `sbom/launch` in the layers directory, as `walk`
    #: names them from the layers directory: those of the last application image are there already
    #: when a restore begins.
    files: Sequence[str] = ()
    #: The directories in the layers directory, as `list-names` names them.
    directories: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SbomCopy:
    """A file to be copied."""

    source: str
    #: An existing file is replaced.
    target: str


@dataclass(frozen=True, slots=True)
class SbomPlan:
    """What to do with SBOM files."""

    #: In this order.
    copies: Sequence[SbomCopy] = ()
    #: What is removed afterwards.
    remove: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class LocalLayer:
    """A layer that a build left."""

    buildpack: str
    layer: str
    #: The diff id of its content; empty if there is none.
    diff: str
    #: Its metadata as JSON; empty for none.
    data: str
    build: bool
    launch: bool
    cache: bool
    #: What was tried with it so far.
    tried: Tried = TriedNothing()


@dataclass(frozen=True, slots=True)
class SbomLayer:
    """The software bill of materials of all cached layers, a layer of its own."""

    #: The diff id of its content; empty when that could not be read.
    diff: str
    #: What was tried with it so far.
    tried: Tried = TriedNothing()


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to write into the cache."""

    semantics: Semantics = Semantics()
    #: The Platform API; empty for the newest.
    platform_api: str = ""
    group: Sequence[GroupElement] = ()
    layers: Sequence[LocalLayer] = ()
    #: The SBOM layer, where the build left one.
    sbom: SbomLayer | None = None
    #: The metadata of the old cache.
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class ExportStep:
    """The decision about one layer of a build."""

    #: Empty for the SBOM layer.
    buildpack: str
    #: Empty for the SBOM layer.
    layer: str
    treatment: Treatment
    diff: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """How the cache is written."""

    #: One step per layer, in the order of the group and then of the names, the SBOM layer last. A
    #: layer that goes into the image twice, as the newest lifecycle does with reused ones, has a
    #: second step.
    steps: Sequence[ExportStep] = field(default=(), kw_only=True)
    #: The metadata of the layers that are not left out, for `set-metadata`.
    document: str


class CacheImage(Resource):
    """A session over one cache image: an ordinary image under one name, rebuilt from nothing on
    every commit. Or over a volume cache, which is held to the same calls.
    """

    __slots__ = ()

    def metadata(self) -> Retrieval:
        """The metadata of the image the name stood for, or of the one committed. Reports through the
        observer why it is not used.
        """
        result: Retrieval = self._call("buildpacks#[method]cache-image.metadata", self)
        return result

    def set_metadata(self, document: str) -> None:
        """Sets the metadata of the new image, a JSON document; the last one counts."""
        self._call("buildpacks#[method]cache-image.set-metadata", self, document)

    def add(self, layers: Sequence[Addition] = ()) -> list[LayerAnswer]:
        """Stores layers and puts them into the new image, in this order. A layer that it has already
        is not added again (guarded).
        """
        result: list[LayerAnswer] = self._call("buildpacks#[method]cache-image.add", self, layers)
        return result

    def reuse(self, diffs: Sequence[str] = ()) -> list[LayerAnswer]:
        """Reuses layers of the old image in the new one, in this order."""
        result: list[LayerAnswer] = self._call("buildpacks#[method]cache-image.reuse", self, diffs)
        return result

    def retrieve(self, layers: Sequence[WantedLayer] = ()) -> list[LayerAnswer]:
        """Retrieves layers. The guarded reading unpacks a layer only if its uncompressed bytes have
        the diff id.
        """
        result: list[LayerAnswer] = self._call("buildpacks#[method]cache-image.retrieve", self, layers)
        return result

    def verify(self, diffs: Sequence[str] = ()) -> list[LayerAnswer]:
        """Verifies layers: the guarded reading hashes each that the image has, the compatible one
        trusts the registry. Those of a volume cache are hashed.
        """
        result: list[LayerAnswer] = self._call("buildpacks#[method]cache-image.verify", self, diffs)
        return result

    def plan(self) -> Commit:
        """What `commit` would do, as far as it is known without asking the registry again."""
        result: Commit = self._call("buildpacks#[method]cache-image.plan", self)
        return result

    def commit(self) -> Commit:
        """Stores the new image, makes the name stand for it, and deletes the old one if that was asked
        for and is safe. Stopping anywhere is safe, and so is committing again after a failure.
        """
        result: Commit = self._call("buildpacks#[method]cache-image.commit", self)
        return result

    def describe(self) -> Description:
        """What this session holds."""
        result: Description = self._call("buildpacks#[method]cache-image.describe", self)
        return result

    def explain(self) -> Explanation:
        """Why the metadata was used or not, and for each cached layer in it whether the image has it."""
        result: Explanation = self._call("buildpacks#[method]cache-image.explain", self)
        return result


class Restorer(Resource):
    """A session of the layer metadata restorer."""

    __slots__ = ()

    def plan(self, request: RestoreRequest) -> RestorePlan:
        """Decides and changes nothing."""
        result: RestorePlan = self._call("buildpacks#[method]restorer.plan", self, request)
        return result

    def restore(self, request: RestoreRequest) -> RestorePlan:
        """Decides, writes the files and keeps the shas. Nothing is written unless everything was
        decided. Restoring again after a failure is safe.
        """
        result: RestorePlan = self._call("buildpacks#[method]restorer.restore", self, request)
        return result

    def explain(self, request: RestoreRequest) -> Explanation:
        """Decides as `plan` does and orders the reasons. A restore that would fail is explained too."""
        result: Explanation = self._call("buildpacks#[method]restorer.explain", self, request)
        return result


class Buildpacks(Exports):
    """The functions of the interface `buildpacks`."""

    __slots__ = ()

    def open_image(self, options: ImageOptions) -> CacheImage:
        """Opens the image behind a name. A name that stands for nothing, or for something that may not
        be seen, is an empty cache.
        """
        result: CacheImage = self._call("buildpacks#open-image", options)
        return result

    def open_restorer(self, options: RestoreOptions) -> Restorer:
        """Opens a restorer; nothing is read."""
        result: Restorer = self._call("buildpacks#open-restorer", options)
        return result

    def plan_data(self, request: DataRequest) -> list[DataDecision]:
        """Decides about each existing layer, in the order of the group and then of the names; the SBOM
        layer last.
        """
        result: list[DataDecision] = self._call("buildpacks#plan-data", request)
        return result

    def settle_data(self, decision: DataDecision, answer: LayerAnswer) -> DataDecision:
        """The final decision, once its layer was asked for. A layer that was not retrieved is kept or
        removed as `on-miss` says; `buildpacks/data-failed` is the code of a restore that fails.
        """
        result: DataDecision = self._call("buildpacks#settle-data", decision, answer)
        return result

    def plan_sbom(self, request: SbomRequest) -> SbomPlan:
        """Decides which SBOM files go beside the layers they are about, by paths of the file system
        interface. Nothing happens below Platform API 0.8.
        """
        result: SbomPlan = self._call("buildpacks#plan-sbom", request)
        return result

    def plan_export(self, request: ExportRequest) -> ExportPlan:
        """Decides about each layer of a build. Deciding again with what was tried changes only the
        layers in question.
        """
        result: ExportPlan = self._call("buildpacks#plan-export", request)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "buildpacks#[method]cache-image.metadata": CacheImage.metadata,
    "buildpacks#[method]cache-image.set-metadata": CacheImage.set_metadata,
    "buildpacks#[method]cache-image.add": CacheImage.add,
    "buildpacks#[method]cache-image.reuse": CacheImage.reuse,
    "buildpacks#[method]cache-image.retrieve": CacheImage.retrieve,
    "buildpacks#[method]cache-image.verify": CacheImage.verify,
    "buildpacks#[method]cache-image.plan": CacheImage.plan,
    "buildpacks#[method]cache-image.commit": CacheImage.commit,
    "buildpacks#[method]cache-image.describe": CacheImage.describe,
    "buildpacks#[method]cache-image.explain": CacheImage.explain,
    "buildpacks#[method]restorer.plan": Restorer.plan,
    "buildpacks#[method]restorer.restore": Restorer.restore,
    "buildpacks#[method]restorer.explain": Restorer.explain,
    "buildpacks#open-image": Buildpacks.open_image,
    "buildpacks#open-restorer": Buildpacks.open_restorer,
    "buildpacks#plan-data": Buildpacks.plan_data,
    "buildpacks#settle-data": Buildpacks.settle_data,
    "buildpacks#plan-sbom": Buildpacks.plan_sbom,
    "buildpacks#plan-export": Buildpacks.plan_export,
}
