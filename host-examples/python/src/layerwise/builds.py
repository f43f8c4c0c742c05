"""Builds by BuildKit: what one left behind, what its steps did, and why a step ran again.

A build is read from documents. The host opens what they are kept in (a `.dockerbuild` file, the
databases of a daemon, a registry), asks with `parts` which blobs belong to a build, and hands in
what it found there. It need not know what any of them means.

Written by `tools/bind.py` from `wit/builds.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .buildkit import Input
from .types import Annotation, Descriptor, Difference, Finding, Limit, Platform


class Form(StrEnum):
    """How a document crosses."""

    #: As text that says what it is: a manifest or an index; the record of a `.dockerbuild` file; a
    #: provenance statement or predicate, version 0.2 or 1; a `--metadata-file`; lines of
    #: `--progress=rawjson`; the config of an image.
    TEXT = "text"
    #: The log of a record, `application/vnd.buildkit.status.v0`, as base64.
    LOG = "log"
    #: A value of the bucket `_records` of `history.db`, as base64.
    RECORD = "record"
    #: A definition of a build that has not been made, marshalled as frontends hand it to a daemon
    #: and `buildctl debug dump-llb` reads it, as base64.
    DEFINITION = "definition"


class Role(StrEnum):
    """What a blob is to a build."""

    #: A manifest or an index that leads to more: ask for its parts.
    MANIFEST = "manifest"
    #: The record, to be handed in as `text`.
    RECORD = "record"
    #: The log, to be handed in as `log`.
    LOG = "log"
    #: Provenance, to be handed in as `text`.
    PROVENANCE = "provenance"
    #: The config of an image without provenance, to be handed in as `text`: `read` then says what
    #: built it.
    CONFIG = "config"


class State(StrEnum):
    """What happened to a step."""

    #: It failed.
    FAILED = "failed"
    #: Its result came from a cache.
    CACHED = "cached"
    #: It ran.
    RAN = "ran"
    #: A step without inputs whose key was made: whether it ran is not told.
    RESOLVED = "resolved"
    #: It was never needed.
    UNNEEDED = "unneeded"
    #: Nothing tells: there is no log of the build, or it ends before the step does.
    UNKNOWN = "unknown"


class Values(StrEnum):
    """Which values are shown in findings."""

    #: All.
    ALL = "all"
    #: All but those whose names say that they are secret, and credentials in addresses.
    NOT_SECRET = "not-secret"
    #: None: of commands the words are left, without the values of variables and options.
    NONE = "none"


class Bytes(StrEnum):
    """What is known of the bytes of an input whose key is new."""

    #: The input has no content key.
    NO_KEY = "no-key"
    #: They are other bytes.
    CHANGED = "changed"
    #: They may be equal.
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What would become of a step."""

    #: A cache has it, or nothing needs it.
    HIT = "hit"
    #: It would run.
    MISS = "miss"
    #: The bytes that a step makes, or something that is not recorded, decide it.
    UNDECIDABLE = "undecidable"
    #: It has no inputs: it always resolves.
    SOURCE = "source"


class Kind(StrEnum):
    """What a digest is to a step."""

    #: Its vertex, as logs have it.
    VERTEX = "vertex"
    #: Its definition, by which a solver asks caches.
    DEFINITION = "definition"
    #: A record of a cache config: its definition and an output.
    RECORD = "record"
    #: The record of the files that it takes.
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class FilesDirectory:
    """A directory that has them all, by the path that the filesystem interface uses."""

    case: ClassVar[str] = "directory"
    value: str


@dataclass(frozen=True, slots=True)
class FilesDigests:
    """Their digests, as base64: a value `buildkit.contenthash.v0` of `metadata_v2.db`."""

    case: ClassVar[str] = "digests"
    value: str


#: The files of a local source.
Files = FilesDirectory | FilesDigests


@dataclass(frozen=True, slots=True)
class Document:
    """A document."""

    form: Form
    content: str


@dataclass(frozen=True, slots=True)
class Part:
    """A blob that belongs to a build."""

    role: Role
    descriptor: Descriptor
    #: Which build it belongs to: the index of a `.dockerbuild` file may lead to several. All parts
    #: of one build are handed in together.
    build: int


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The file that a build was described in."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a build as a whole."""

    #: Its name in the history; empty without a record.
    name: str
    #: When it began, in nanoseconds since 1970.
    created: int | None = field(default=None, kw_only=True)
    #: When it ended; absent while it runs.
    completed: int | None = field(default=None, kw_only=True)
    #: Why it failed, without values that look secret; empty if it did not.
    error: str
    #: Whether it did not fail, but somebody cancelled it.
    canceled: bool
    #: How many steps the history counts, how many of them came from the cache.
    total: int
    cached: int
    #: The frontend, such as `dockerfile.v0`; empty if it is not recorded.
    frontend: str
    #: What was asked, sorted by name: `target`, `platform`, `build-arg:NAME`, `no-cache`.
    attributes: Sequence[Annotation] = field(default=(), kw_only=True)
    #: Names of the images that were made, without tags.
    images: Sequence[str] = field(default=(), kw_only=True)
    #: Where the client had the context, if it noted it.
    context: str
    #: The platforms that there is a definition for, such as `linux/amd64`; empty for a build that
    #: failed before it had one.
    platforms: Sequence[str] = ()
    #: The Dockerfile, as the frontend recorded it; in place of values whose names say that they are
    #: secret stands `***`, on as many lines.
    dockerfile: Dockerfile | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of the Dockerfile, counted from 1, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the definition of a build. One that several platforms have in common is there once.
    Where there is no definition, as of a build that failed, a vertex of the log.
    """

    #: The digest of its vertex; empty if the record does not tell.
    vertex: str
    #: What the log calls it, such as `[build 2/3] RUN make`; without a log its line of the
    #: Dockerfile, or else what its operation does.
    name: str
    #: `exec`, `file`, `source`, `merge`, `diff`, `build` or `passthrough`; empty where a log alone
    #: tells of it.
    kind: str
    #: The platform it names, such as `linux/amd64`; empty if it names none.
    platform: str
    #: Its lines in the Dockerfile; empty where the frontend does not tell.
    lines: Sequence[Lines] = field(default=(), kw_only=True)
    #: The steps it is made from, as places in the list of steps.
    inputs: Sequence[int] = field(default=(), kw_only=True)
    #: The address of a source; empty for other steps.
    source: str
    #: The digest of its definition by which caches know it; absent where it cannot be known.
    cache_map: str | None = field(default=None, kw_only=True)
    state: State
    #: Nanoseconds from its beginning to its end, where the log tells.
    spent: int | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of the client."""

    #: The name of the local source, such as `context`.
    name: str
    files: Files


@dataclass(frozen=True, slots=True)
class Chain:
    """The layers of an image: what keeps a step cached when only other data of the image changed."""

    #: The digest of the image or of its index.
    image: str
    #: Of an index, which of its images.
    platform: Platform
    #: The chain id of its layers.
    id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An input of a step of which it is known that its bytes are others than before."""

    #: The vertex of the step.
    step: str
    #: The vertex of the input.
    input: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known besides the documents of two builds; all of it may be left out."""

    #: Folders as they were at the earlier build, and at this one.
    before: Sequence[Folder] = field(default=(), kw_only=True)
    after: Sequence[Folder] = field(default=(), kw_only=True)
    chains: Sequence[Chain] = field(default=(), kw_only=True)
    changed: Sequence[Changed] = field(default=(), kw_only=True)
    #: Whether this build had nothing but imported caches: a result that is not there was then not
    #: imported, and not lost.
    fresh: bool
    #: The caches that this build imported: `why` looks there for a result that is not there.
    imported: Sequence[Input] = ()
    #: What daemons keep of their own builds, each a JSON document made from `cache.db`:
    #: `{"links": [[name of a bucket of _links, key in it]], "results": [[name of a bucket of
    #: _result, key in it]], "snapshots": [names of the buckets in _main of metadata_v2.db] or null,
    #: "configuration": what the daemon is configured with, buildkitd.toml or daemon.json as JSON, or
    #: null}`. `predict` looks there, too; by them `why` proves which file changed, and by what they
    #: are configured with who let a result go.
    daemons: Sequence[str] = ()
    #: Whether `why` asks about every step of both builds as if it had run: what differs, also for
    #: steps whose results came from a cache.
    every_step: bool = False


@dataclass(frozen=True, slots=True)
class Follow:
    """An input whose key is new."""

    #: The step, as a place in the list of steps.
    step: int
    bytes: Bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a step, and why."""

    step: Step
    #: How it failed; then why it ran: its own causes, after which come those that only follow from
    #: other steps, marked as a cascade, and what may have changed besides; and what is worth knowing
    #: of a step that was cached. In differences `have` is what was before, `want` what is now.
    findings: Sequence[Finding] = field(default=(), kw_only=True)
    #: Whether it has a cause of its own.
    root: bool
    follows: Sequence[Follow] = field(default=(), kw_only=True)
    #: It runs once more because an input was asked to run again.
    again: bool
    #: It was cached although these inputs are new: they have equal bytes.
    stopped: Sequence[int] = field(default=(), kw_only=True)
    #: It was cached although its own definition changed: other paths, equal bytes.
    equal_bytes: bool
    #: Its files changed, and the daemon did not see it: what it used is stale.
    unseen: bool
    #: The digests of an image that was replaced by one with the same layers.
    same_layers: Difference | None = None
    #: The steps with a cause of their own that it comes from for sure, and those it may come from;
    #: of each no more than the first 64.
    must: Sequence[int] = ()
    may: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause, with all it led to."""

    #: What it is, as the first of its steps has it.
    finding: Finding
    #: The steps that have it, as places in the list of steps.
    steps: Sequence[int] = field(default=(), kw_only=True)
    #: The steps that ran only because of these.
    follow: Sequence[int] = field(default=(), kw_only=True)
    #: Nanoseconds that all of them took, as far as the log tells; each step counts for one cause.
    lost: int


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why the steps of a build ran."""

    #: In the order of `steps`.
    verdicts: Sequence[Verdict] = ()
    #: Every cause once, the costliest first.
    causes: Sequence[Cause] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What would become of a step with some caches, and why."""

    step: Step
    outcome: Outcome
    #: Why it is no hit.
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Name:
    """What a digest is."""

    digest: str
    #: The step, as a place in the list of steps; the first of several.
    step: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How documents are read."""

    #: Which target of a file of several (`bake`).
    target: str | None = None
    #: The version of BuildKit, such as `0.32.2`, where it is known: no document has it.
    engine: str | None = None
    #: `document-bytes` (64 MiB, each) and `entries` (1,000,000: steps, events of a log, digests of
    #: files, files of a folder).
    limits: Sequence[Limit] = ()


class Build(Resource):
    """A build."""

    __slots__ = ()

    def describe(self) -> Description:
        """What is known of it as a whole."""
        result: Description = self._call("builds#[method]build.describe", self)
        return result

    def steps(self) -> list[Step]:
        """The steps of its definition, inputs before those that use them."""
        result: list[Step] = self._call("builds#[method]build.steps", self)
        return result

    def why(self, against: Build, evidence: Evidence, values: Values) -> Reasons:
        """What became of each step against an earlier build, and why. Folders that are lent as
        directories are read through the filesystem interface.
        """
        result: Reasons = self._call("builds#[method]build.why", self, against, evidence, values)
        return result

    def predict(self, caches: Sequence[Input], evidence: Evidence, values: Values) -> list[Prediction]:
        """What would become of each step with these caches, in the order of `steps`, before it is
        built. Of the evidence, `before`, `changed` and `imported` do not count.
        """
        result: list[Prediction] = self._call("builds#[method]build.predict", self, caches, evidence, values)
        return result

    def names(self, evidence: Evidence) -> list[Name]:
        """Every digest that its steps are known by, sorted: what a digest of a log or of a cache is in
        words. Of the evidence, `after` and `chains` count.
        """
        result: list[Name] = self._call("builds#[method]build.names", self, evidence)
        return result


class Builds(Exports):
    """The functions of the interface `builds`."""

    __slots__ = ()

    def parts(self, document: Document, limits: Sequence[Limit] = ()) -> list[Part]:
        """The blobs that a manifest, an index, or a record of `history.db` leads to. `corrupt` if it is
        none of them.
        """
        result: list[Part] = self._call("builds#parts", document, limits)
        return result

    def before(self, of: Description, among: Sequence[Description] = ()) -> int | None:
        """The build that another one is compared with unless one is named, as its place in the list: the
        newest that began before it, did not fail, and was asked for the same context, file, target,
        platforms and images. Absent if there is none.
        """
        result: int | None = self._call("builds#before", of, among)
        return result

    def read(self, documents: Sequence[Document] = (), options: ReadOptions = ReadOptions()) -> Build:
        """Reads the documents of one build. `corrupt`; `invalid` for documents of no build or of several;
        `unsupported` for provenance without definitions (mode=min) and for images by kaniko, Buildah
        or Podman.
        """
        result: Build = self._call("builds#read", documents, options)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builds#[method]build.describe": Build.describe,
    "builds#[method]build.steps": Build.steps,
    "builds#[method]build.why": Build.why,
    "builds#[method]build.predict": Build.predict,
    "builds#[method]build.names": Build.names,
    "builds#parts": Builds.parts,
    "builds#before": Builds.before,
    "builds#read": Builds.read,
}
