"""The build cache of stacker: may the result of the last build of a layer be reused?

Versions that `semantics.version` accepts: `16` (the newest, also when absent) and `12`, which
name versions of the cache file. The import used is `filesystem`; base images and results are
read from OCI layout directories through it.

Limits and their defaults: `cache-bytes` (64 MiB, the cache file), `document-bytes` (4 MiB, one
definition or OCI document), `layers` (100,000 definitions, or entries of a cache), `manifests`
(1,000,000 of all entries), `entries` (1,000,000 of one directory tree), `keys` (100,000,000
looked at to compare one tree), `documents` (10,000 to resolve one tag), `depth` (10,000,
nesting of a document), `attempts` (8, to save against other writers).

With `build` in the options a lookup decides as a build would that starts now: the sources of
imports and bases are compared instead of their copies, a layer with binds or without a wanted
layer type is built anyway, and so is everything on top of a layer that is built. The host must
lend the sources.

What the guarded reading does besides: it refuses definitions with members that the version does
not know or with names that lead out of their directories, and to open without knowing every
place and `epoch`. In the file `build.cache.guard` next to the cache file it keeps, beside each
entry that it puts, the SHA-256 of the built base and the hashes of imports with a destination,
and misses if one differs; entries of stacker itself have no such record, which is noted. In a
build it misses if the config or a layer of a result is gone. If the cache file cannot be read
it starts with an empty cache, and keeps the bytes under another name.

Written by `tools/bind.py` from `wit/stacker.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .types import Difference, Explanation, Finding, Limit, Semantics


class Policy(Flag):
    """Choices of the opener; none are set by default."""

    #: Write nothing: what opening and putting would write exists in this session only.
    DRY_RUN = auto()


class State(StrEnum):
    """The state of the cache file."""

    #: There was no file.
    ABSENT = "absent"
    #: It was read.
    LOADED = "loaded"
    #: It was of another version and was deleted.
    VERSION_MISMATCH = "version-mismatch"
    #: It could not be read and was kept under another name (guarded reading).
    UNREADABLE = "unreadable"


class Outcome(StrEnum):
    """How a lookup ended."""

    #: The result of the last build may be reused.
    HIT = "hit"
    #: It may not.
    MISS = "miss"


class ChangeKind(StrEnum):
    """How an object of a directory tree changed."""

    #: It was recorded and is absent.
    MISSING = "missing"
    #: It exists and was not recorded.
    EXTRA = "extra"
    #: It differs.
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True)
class EpochUnstated:
    """Not known: the guarded reading refuses, the compatible one treats it as unset."""

    case: ClassVar[str] = "unstated"


@dataclass(frozen=True, slots=True)
class EpochUnset:
    """Not set."""

    case: ClassVar[str] = "unset"


@dataclass(frozen=True, slots=True)
class EpochSeconds:
    """Seconds since 1970-01-01T00:00:00Z."""

    case: ClassVar[str] = "seconds"
    value: int


#: The value of SOURCE_DATE_EPOCH. Version 12 does not use it.
Epoch = EpochUnstated | EpochUnset | EpochSeconds


@dataclass(frozen=True, slots=True)
class EffectCreate:
    """Writes a file that is not there."""

    case: ClassVar[str] = "create"
    value: Writing


@dataclass(frozen=True, slots=True)
class EffectReplace:
    """Replaces a file as a whole."""

    case: ClassVar[str] = "replace"
    value: Writing


@dataclass(frozen=True, slots=True)
class EffectRemove:
    """Deletes a file."""

    case: ClassVar[str] = "remove"
    value: str


@dataclass(frozen=True, slots=True)
class EffectRename:
    """Moves a file."""

    case: ClassVar[str] = "rename"
    value: Renaming


#: A change of the file system.
Effect = EffectCreate | EffectReplace | EffectRemove | EffectRename


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of a project, as paths of the interface `filesystem`."""

    #: The state directory (`stacker_dir`).
    stacker: str
    #: Where layers are built (`rootfs_dir`).
    rootfs: str
    #: The OCI layout of the results (`oci_dir`).
    oci: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A layer as the user describes it."""

    name: str
    #: A JSON object with the member names of the version, after everything that stacker's parser
    #: does (paths made absolute, substitutions done). Absent lists and maps are not equal to empty
    #: ones.
    document: str


@dataclass(frozen=True, slots=True)
class Build:
    """A build that would start now."""

    #: The directory of the build, which relative sources of bases start from.
    directory: str
    #: The layer types that are wanted: `tar`, `squashfs` (which stacker makes with verity data),
    #: or `TYPE+BOOL` as in the cache. With none, any type will do; an entry that was put without
    #: manifests names no types and is treated as complete.
    types: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How to open a cache."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    places: Places
    epoch: Epoch = EpochUnstated()
    #: Each name once.
    definitions: Sequence[Definition] = ()
    policy: Policy = Policy(0)
    #: Decide as this build would. Without it lookups are about the cache and the copies of sources
    #: as they are.
    build: Build | None = None
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """A file to be written."""

    path: str
    text: str
    #: Permission bits of a new file.
    mode: int


@dataclass(frozen=True, slots=True)
class Renaming:
    """A file to be given another name."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """An entry that was dropped because its result is gone."""

    #: Its name in the cache.
    key: str
    #: The name of the layer it was built as.
    name: str
    #: `stacker/build-only-rootfs-missing` with the difference `path`, or
    #: `stacker/manifest-missing` with one difference for each layer type.
    reason: Finding


@dataclass(frozen=True, slots=True)
class Description:
    """What opening found and did, and what the cache holds now."""

    #: The names in the cache, sorted.
    entries: Sequence[str] = field(default=(), kw_only=True)
    state: State
    #: The version number of a file of another version.
    found: int | None = None
    #: Sorted by key.
    pruned: Sequence[Pruned] = ()
    #: What was written, or in a dry run would be.
    effects: Sequence[Effect] = ()
    #: What the caller should know: where the decision differs from stacker's, files that could not
    #: be read.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A changed object of a directory import or an overlay directory."""

    #: Place of the import or overlay directory in the definition's list.
    index: int
    #: Path of the import or source of the overlay directory.
    root: str
    #: Path below it, in the encoding of the filesystem interface.
    path: str
    kind: ChangeKind
    #: The keywords that differ when it was modified, sorted: `type`, `link`, `uid`, `gid`, `mode`,
    #: `sha256digest`, `xattr.NAME`.
    keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision about one layer."""

    outcome: Outcome
    #: The structure hash of the entry, on a hit.
    hash: int | None = field(default=None, kw_only=True)
    #: The layer types the entry has a manifest for, on a hit. A result of another type must be
    #: built anyway.
    types: Sequence[str] = field(default=(), kw_only=True)
    #: Why it is a miss. Its differences name the evidence: `import`, `overlay`, `disk`, `hash`,
    #: `base`, `epoch`, `type`, `guard`, or the members of a definition.
    reason: Finding | None = field(default=None, kw_only=True)
    #: The changed objects of a directory import or of overlay directories.
    changes: Sequence[Change] = field(default=(), kw_only=True)
    #: Whether the build of the options builds the layer although this is a hit: for its binds, or
    #: for a wanted layer type. The reason is in `notes`.
    rebuilt: bool
    #: What the caller should know about a hit: inputs that nothing checks, reasons for which
    #: stacker builds anyway.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What a recorded tree says about the machine it was written on. All of it is part of an entry's
    hash.
    """

    #: Name of the user; if absent, its line is left out.
    user: str | None = field(default=None, kw_only=True)
    #: Name of the machine; if absent, its line is left out.
    machine: str | None = field(default=None, kw_only=True)
    #: Local wall-clock time, `YYYY-MM-DDThh:mm:ss`.
    now: str
    #: The working directory, for the paths `.` and `..`; empty means `/`.
    directory: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A layer that was put."""

    #: The structure hash of the new entry.
    hash: int
    #: What the caller should know: entries of other writers that were kept.
    notes: Sequence[Finding] = ()


class Session(Resource):
    """An open cache. A layer is verified once: the result is kept until the layer is put,
    definitions are replaced, or `refresh` starts a new pass.
    """

    __slots__ = ()

    def describe(self) -> Description:
        """What opening found and did, and what the cache holds now."""
        result: Description = self._call("stacker#[method]session.describe", self)
        return result

    def define(self, definitions: Sequence[Definition] = ()) -> None:
        """Replaces all definitions; on an error the old ones stay."""
        self._call("stacker#[method]session.define", self, definitions)

    def lookup(self, name: str) -> Answer:
        """Decides about a layer."""
        result: Answer = self._call("stacker#[method]session.lookup", self, name)
        return result

    def put(self, name: str, manifests: str, host: Host) -> Stored:
        """Records the result of building a layer and saves the cache. Reads the inputs of the layer
        from disk, even if this pass has read them. If only saving fails, the entry stays in this
        session and the next put saves it too.

        `manifests` is a JSON map from layer types to OCI descriptors, or `null`.
        """
        result: Stored = self._call("stacker#[method]session.put", self, name, manifests, host)
        return result

    def plan(self, name: str, manifests: str, host: Host) -> list[Effect]:
        """What `put` would write, in order. Changes nothing, not even this session."""
        result: list[Effect] = self._call("stacker#[method]session.plan", self, name, manifests, host)
        return result

    def explain(self, name: str) -> Explanation:
        """Decides as `lookup` does and gives the findings about every layer below, root causes first.
        A lookup that would fail is explained too. Changed objects of trees are differences
        `tree/PATH` and `tree/PATH#KEYWORD`.
        """
        result: Explanation = self._call("stacker#[method]session.explain", self, name)
        return result

    def causes(self) -> list[Finding]:
        """The findings behind the last call that failed, root cause first; the last finding is the
        error itself with its evidence, such as `base` and `miss` of `stacker/base-not-cached`.
        """
        result: list[Finding] = self._call("stacker#[method]session.causes", self)
        return result

    def refresh(self) -> None:
        """Starts a new pass: everything but the cache file is read from disk again when it is needed."""
        self._call("stacker#[method]session.refresh", self)


class Stacker(Exports):
    """The functions of the interface `stacker`."""

    __slots__ = ()

    def open(self, options: Options) -> Session:
        """Opens a cache: reads its file, deletes it when it is of another version, drops the entries
        whose results are gone, and saves if it dropped any.
        """
        result: Session = self._call("stacker#open", options)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "stacker#[method]session.describe": Session.describe,
    "stacker#[method]session.define": Session.define,
    "stacker#[method]session.lookup": Session.lookup,
    "stacker#[method]session.put": Session.put,
    "stacker#[method]session.plan": Session.plan,
    "stacker#[method]session.explain": Session.explain,
    "stacker#[method]session.causes": Session.causes,
    "stacker#[method]session.refresh": Session.refresh,
    "stacker#open": Stacker.open,
}
