"""The image cache of Docker's classic builder: is there an image that is the result of this step?

`semantics.version` is absent or names rules, `29.9` (the newest), `29`, `26.0` or `20.10`, or an
engine from 20.10 on, such as `28` or `27.5.1`, which has the newest rules that are not newer.

Limits and their defaults: `document-bytes` (4 MiB, one document), `answer-bytes` (16 MiB, the
documents of one import call), `session-bytes` (64 MiB: documents of sources and parents whose
facts a session keeps, likewise what it keeps of children, and the verdicts of one explanation),
`children` (100,000 of one image), `sources` (1,000; an explanation looks at as many images that
could be one), `entries` (100,000 history entries or layers of one image), `ancestors` (100,000
links followed from one image), `depth` (128, nesting of a document).

Written by `tools/bind.py` from `wit/docker.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .types import Difference, Explanation, Finding, Limit, Platform, Semantics


class Policy(Flag):
    """Choices of the opener; none are set by default."""

    #: Change nothing: images and links that a lookup would make exist in this session only, so
    #: that the next step can build on them.
    DRY_RUN = auto()
    #: Skip a child whose document cannot be read instead of failing.
    SKIP_UNREADABLE = auto()
    #: Refuse a source for another platform instead of noting it. The guarded reading always does
    #: so for the containerd image store.
    SAME_PLATFORM = auto()


class StoreKind(StrEnum):
    """The image store of the engine."""

    #: A storage driver's: ids are digests of config documents.
    GRAPH_DRIVER = "graph-driver"
    #: Containerd's, the default of engine 29: ids are digests of manifests and indexes.
    CONTAINERD = "containerd"


class StepPlace(Flag):
    """Where a step is in its stage, as far as that is known."""

    #: The last step of its stage: its image is the stage's. The guarded reading does not restore
    #: such an image, but lets the build run the step.
    LAST = auto()


class Outcome(StrEnum):
    """How a lookup ended."""

    #: A child of the parent is the result.
    HIT_LOCAL = "hit-local"
    #: A source is the result.
    HIT_SOURCE = "hit-source"
    #: The result was made from a source's history entry.
    HIT_RESTORED = "hit-restored"
    #: No cached image matches.
    MISS = "miss"
    #: A source does the step, but the engine fails to restore it: the build ends here. Only the
    #: containerd image store does this, and only the compatible reading says it; the last note is
    #: why: `docker/restore-metadata-step`, `docker/restore-name-taken` or
    #: `docker/restore-layer-unknown`.
    RESTORE_FAILED = "restore-failed"


class MemberOrder(StrEnum):
    """In which order the members of an image document are written."""

    #: As in images that were restored.
    DECLARED = "declared"
    #: As in images that the builder commits.
    SORTED = "sorted"


@dataclass(frozen=True, slots=True)
class EffectSetParent:
    """The case `set-parent` of Effect."""

    case: ClassVar[str] = "set-parent"
    value: Link


@dataclass(frozen=True, slots=True)
class EffectCreate:
    """The case `create` of Effect."""

    case: ClassVar[str] = "create"
    value: Creation


#: A change of the image store.
Effect = EffectSetParent | EffectCreate


@dataclass(frozen=True, slots=True)
class Source:
    """An image named with `--cache-from`."""

    #: Image name or id.
    reference: str
    #: The opener vouches for whoever can write this name. The guarded reading uses no other
    #: source: only the text of a history entry says what is in a source's layer.
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How to open a session."""

    semantics: Semantics = Semantics()
    #: With at least one source, only images that lead to a source or come from one can hit. With
    #: none, only children of the parent can.
    cache_from: Sequence[Source] = ()
    policy: Policy = Policy(0)
    store: StoreKind = StoreKind.GRAPH_DRIVER
    #: The engine's machine, with the variant such as `v4`: of an index in the containerd image
    #: store, the manifest that fits it best counts, whatever the build is for. No other store asks
    #: for it.
    machine: Platform = Platform("", "")
    #: The operating system the builder runs on, in Go's spelling; empty means `linux`.
    host_os: str = ""
    #: The `docker_version` of restored images, in the versions that write it; empty means the
    #: version's own.
    docker_version: str = ""
    #: The id of the image of the last build. `explain` ranks what that was built through before
    #: all else for `nearest`.
    last: str | None = None
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A Dockerfile instruction that is about to run."""

    #: The id of the image it starts from; absent for the first step of `FROM scratch`. A name is
    #: refused: no image has a name as its parent, so it would always miss.
    parent: str | None = field(default=None, kw_only=True)
    #: The container config it would commit, a JSON object (`container_config` in an image
    #: document); absent if there is none.
    config: str | None = field(default=None, kw_only=True)
    #: What the builder builds for.
    platform: Platform
    place: StepPlace = StepPlace(0)


@dataclass(frozen=True, slots=True)
class Link:
    """Records `parent` as the parent of `target`."""

    target: str
    parent: str


@dataclass(frozen=True, slots=True)
class Creation:
    """Stores a document as an image."""

    #: The id it gets.
    id: str
    parent: str | None = None
    #: The exact text of the config document; absent if the store has it already.
    document: str | None = None
    #: The exact text of its manifest, in the containerd image store; absent elsewhere, and if the
    #: store has it already.
    manifest: str | None = None
    #: The diff id of the layer it has beyond its parent's.
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision about one step."""

    outcome: Outcome
    #: The image that is the result; absent on a miss, and if a restore fails.
    image: str | None = None
    #: The source that supplied it, or that the restore fails with.
    source: str | None = None
    #: What was done to the store, or what a plan or dry run would do.
    effects: Sequence[Effect] = ()
    #: What the caller should know: where the readings differ, a source for another platform,
    #: labels that only look equal.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What a session works with."""

    #: Ids of the sources that are still in use, in order.
    sources: Sequence[str] = ()
    #: The names that were skipped when the session was opened, and why.
    skipped: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two container configs compared."""

    #: Whether the rules call them equal.
    equal: bool
    #: Every compared field that differs.
    differences: Sequence[Difference] = ()
    #: Labels that differ although the rules call them equal.
    overlooked: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What a step made."""

    #: The command, as the history tells it.
    command: str
    #: The place of its layer in `rootfs.diff_ids`; absent if it made none.
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class StepComparison:
    """One step of two images."""

    #: The step of each image; absent if that image has fewer.
    old: Made | None = None
    new: Made | None = None
    #: The members of the history entry that differ, and `layer`.
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """Two images compared. In every difference `have` is the old side and `want` the new one."""

    #: One for each history entry of the longer history.
    steps: Sequence[StepComparison] = ()
    #: What differs beside the history: members of the documents, and layers that belong to no
    #: history entry.
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """What a builder asks for a step that made an image."""

    #: The container config, a JSON object, if all steps before were hits. Only the command is
    #: known if no image of the step is left.
    config: str
    #: Why that is not exactly known; absent if it is.
    approximate: Finding | None = None
    #: The container config if the step before was executed, where that differs: the options of a
    #: HEALTHCHECK are filled in then.
    executed: str | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """The steps that made an image."""

    #: One for each history entry that was asked about.
    steps: Sequence[RecordedStep] = ()
    #: Findings about the image as a whole.
    findings: Sequence[Finding] = ()


class Session(Resource):
    """The lookups of one build stage. Each document is parsed once per session."""

    __slots__ = ()

    def lookup(self, step: Step) -> Answer:
        """Decides about a step and makes the changes that go with the decision. After a restore, only
        the source it used stays in use.
        """
        result: Answer = self._call("docker#[method]session.lookup", self, step)
        return result

    def plan(self, step: Step) -> Answer:
        """Decides as `lookup` does and changes nothing, not even this session."""
        result: Answer = self._call("docker#[method]session.plan", self, step)
        return result

    def replay(self, steps: Sequence[Step] = ()) -> list[Answer]:
        """Looks up steps in order until one misses, each starting from the image of the step before
        (`parent` counts for the first only). Returns one answer for each step that was looked up.
        """
        result: list[Answer] = self._call("docker#[method]session.replay", self, steps)
        return result

    def explain(self, step: Step) -> Explanation:
        """Decides as `plan` does and gives a verdict on every candidate. A step whose lookup would
        fail is explained too.
        """
        result: Explanation = self._call("docker#[method]session.explain", self, step)
        return result

    def describe(self) -> Description:
        """What this session works with now."""
        result: Description = self._call("docker#[method]session.describe", self)
        return result


class Docker(Exports):
    """The functions of the interface `docker`."""

    __slots__ = ()

    def open(self, options: Options) -> Session:
        """Opens a session. A name that cannot be resolved is skipped; cancellation is an error."""
        result: Session = self._call("docker#open", options)
        return result

    def compare_configs(self, have: str | None = None, want: str | None = None, semantics: Semantics = Semantics()) -> Comparison:
        """Compares an image's container config with a requested one; absent stands for no config."""
        result: Comparison = self._call("docker#compare-configs", have, want, semantics)
        return result

    def match_platforms(self, builders: Sequence[Platform], images: Sequence[Platform], host_os: str, semantics: Semantics = Semantics()) -> list[list[bool]]:
        """For each builder platform, whether it accepts each image platform."""
        result: list[list[bool]] = self._call("docker#match-platforms", builders, images, host_os, semantics)
        return result

    def step_platform(self, base: Platform | None, build: Platform | None, machine: Platform, semantics: Semantics = Semantics()) -> Platform:
        """The platform that a builder asks for in the steps of a stage. `base` is that of the image the
        stage starts from, absent for scratch; `build` that of `--platform`; `machine` the engine's.
        From 29.9 on the base goes first if it names an architecture, before that only its operating
        system counts.
        """
        result: Platform = self._call("docker#step-platform", base, build, machine, semantics)
        return result

    def normalize_platform(self, platform: Platform, host_os: str) -> Platform:
        """The normal form of a platform."""
        result: Platform = self._call("docker#normalize-platform", platform, host_os)
        return result

    def compare_parent(self, document: str, parent: str | None = None, semantics: Semantics = Semantics()) -> Finding | None:
        """Whether the image `document` can continue the image `parent` (absent stands for scratch):
        `none` if it can, otherwise the first reason against it.
        """
        result: Finding | None = self._call("docker#compare-parent", document, parent, semantics)
        return result

    def compare_command(self, entry: str, config: str, semantics: Semantics = Semantics()) -> Finding | None:
        """Compares a history entry with the command of a container config; `none` if the entry was made
        by that command, otherwise what differs.
        """
        result: Finding | None = self._call("docker#compare-command", entry, config, semantics)
        return result

    def compare_history(self, a: str, b: str) -> list[Difference]:
        """The fields in which two history entries differ."""
        result: list[Difference] = self._call("docker#compare-history", a, b)
        return result

    def compare_images(self, old: str, new: str, semantics: Semantics = Semantics()) -> ImageComparison:
        """Compares two images by their documents."""
        result: ImageComparison = self._call("docker#compare-images", old, new, semantics)
        return result

    def closest_history(self, documents: Sequence[str] = (), commands: Sequence[str] = (), semantics: Semantics = Semantics()) -> int | None:
        """Of the documents of some images, the place of the one whose history has most of these commands
        (`created-by` of the steps of `dockerfile`), whatever files COPY and ADD copied; of several the
        newest. Absent if none has any.
        """
        result: int | None = self._call("docker#closest-history", documents, commands, semantics)
        return result

    def recorded_steps(self, document: str, first: int, made: Sequence[str | None] = (), semantics: Semantics = Semantics()) -> Recording:
        """What a builder asks for each history entry of `document` from `first` on. For each of them,
        `made` holds the document of the image that the step made, if that image still exists.
        """
        result: Recording = self._call("docker#recorded-steps", document, first, made, semantics)
        return result

    def encode_image(self, text: str, order: MemberOrder, semantics: Semantics = Semantics()) -> str:
        """An image document, read and written as Go does."""
        result: str = self._call("docker#encode-image", text, order, semantics)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "docker#[method]session.lookup": Session.lookup,
    "docker#[method]session.plan": Session.plan,
    "docker#[method]session.replay": Session.replay,
    "docker#[method]session.explain": Session.explain,
    "docker#[method]session.describe": Session.describe,
    "docker#open": Docker.open,
    "docker#compare-configs": Docker.compare_configs,
    "docker#match-platforms": Docker.match_platforms,
    "docker#step-platform": Docker.step_platform,
    "docker#normalize-platform": Docker.normalize_platform,
    "docker#compare-parent": Docker.compare_parent,
    "docker#compare-command": Docker.compare_command,
    "docker#compare-history": Docker.compare_history,
    "docker#compare-images": Docker.compare_images,
    "docker#closest-history": Docker.closest_history,
    "docker#recorded-steps": Docker.recorded_steps,
    "docker#encode-image": Docker.encode_image,
}
