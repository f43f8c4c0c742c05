"""What Docker's classic builder asks its cache at each step of a Dockerfile.

A session goes through a Dockerfile as the builder does: `advance` says what comes, the caller asks
the cache (interface `docker`) and tells with `report` how the step went, because later steps
depend on it. It builds nothing and changes nothing.

`semantics.version` is that of the interface `docker`: versions differ in their parser and in how a
config is written.

Limits and their defaults: `document-bytes` (4 MiB, the Dockerfile, `.dockerignore` and one image
document), `steps` (10,000 instructions, the triggers of base images included), `values` (100,000
words of one instruction), `output-bytes` (4 MiB, one expanded word, one config), `entries`
(1,000,000 files of the context or of an image), `depth` (128, nesting of a document).

Written by `tools/bind.py` from `wit/dockerfile.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from .errors import Refused
from .resource import Exports, Resource
from .types import Finding, Limit, Platform, Semantics


class Packer(StrEnum):
    """What packs the build context into a tar; checksums depend on it."""

    #: The command line client: every owner is 0, modes are permission bits.
    CLIENT = "client"
    #: The client of 20.10: modes have the bits of the file type, too.
    CLIENT20_DOT10 = "client20-dot10"
    #: No client: the context has the entries of a tar that is sent as it is. Owners count and
    #: `.dockerignore` leaves nothing out.
    API = "api"


class Phase(StrEnum):
    """When the builder refuses."""

    #: The client or the engine refuses before the first step.
    BEFORE_STEPS = "before-steps"
    #: At a step, before the cache is asked.
    AT_STEP = "at-step"


@dataclass(frozen=True, slots=True)
class EventArgument:
    """An ARG before the first FROM."""

    case: ClassVar[str] = "argument"
    value: Instruction


@dataclass(frozen=True, slots=True)
class EventStage:
    """A stage begins. Nothing has to be told."""

    case: ClassVar[str] = "stage"
    value: Stage


@dataclass(frozen=True, slots=True)
class EventWanted:
    """Files are needed: `lend` them, or nothing, and go on."""

    case: ClassVar[str] = "wanted"
    value: Wanted


@dataclass(frozen=True, slots=True)
class EventStep:
    """A step: tell how it went with `report`, and go on."""

    case: ClassVar[str] = "step"
    value: Step


@dataclass(frozen=True, slots=True)
class EventRefused:
    """The build fails here; calling `advance` again returns this again."""

    case: ClassVar[str] = "refused"
    value: Refusal


@dataclass(frozen=True, slots=True)
class EventDone:
    """The build is done."""

    case: ClassVar[str] = "done"


#: What comes next.
Event = EventArgument | EventStage | EventWanted | EventStep | EventRefused | EventDone


@dataclass(frozen=True, slots=True)
class Argument:
    """A `--build-arg`."""

    name: str
    #: Absent for a name alone that the client's environment does not have.
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A `--label`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Options:
    """How to open a session."""

    semantics: Semantics = field(default=Semantics(), kw_only=True)
    arguments: Sequence[Argument] = field(default=(), kw_only=True)
    labels: Sequence[Label] = field(default=(), kw_only=True)
    #: `--target`: the name of the last stage to build.
    target: str | None = field(default=None, kw_only=True)
    #: `--platform`, as it was typed.
    platform: str | None = field(default=None, kw_only=True)
    #: The platform of the engine's host.
    host: Platform
    #: The path of the build context in `filesystem`; absent if there is none.
    context: str | None = field(default=None, kw_only=True)
    #: The path of the Dockerfile in the context; absent if it came from standard input or from
    #: outside the context.
    file: str | None = field(default=None, kw_only=True)
    packer: Packer
    limits: Sequence[Limit] = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction as the builder announces it."""

    #: The n of `Step n/m`.
    number: int
    #: The line of the Dockerfile on which it begins; 0 for a `--label`.
    line: int
    #: The logical line: continuations joined, comments taken out.
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage begins."""

    instruction: Instruction
    #: Counted from 0.
    index: int
    name: str | None = field(default=None, kw_only=True)
    #: What stands after FROM, variables replaced.
    base: str
    #: The id of the image it begins with; absent for `scratch`, and for an earlier stage whose
    #: image is not known.
    image: str | None = None
    #: The earlier stage that is the base.
    from_stage: int | None = None
    #: `FROM --platform`.
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A source of COPY or ADD."""

    #: Its path in the context or image, or its address. A wildcard gives one for each match.
    path: str
    #: Its checksum as the builder writes it, such as `file:` and 64 hex digits.
    sum: str


@dataclass(frozen=True, slots=True)
class Copying:
    """What a COPY or ADD copies."""

    sources: Sequence[Source] = field(default=(), kw_only=True)
    #: The checksum of all, which stands in the command.
    sum: str
    #: The stage or image that is copied from.
    from_: str | None = field(default=None, kw_only=True)
    #: Where to: an absolute path, cleaned, with the `/` at its end if it has one.
    to: str


@dataclass(frozen=True, slots=True)
class Step:
    """What the builder asks at one step."""

    #: For a trigger, the FROM.
    instruction: Instruction
    #: The stage, counted from 0.
    stage: int
    #: The ONBUILD trigger of the base image that is executed.
    trigger: str | None = field(default=None, kw_only=True)
    #: The image it starts from; absent after `FROM scratch`, and if the step before was executed
    #: and its image was not told.
    parent: str | None = field(default=None, kw_only=True)
    #: The container config that is asked with, a JSON object with the engine's bytes; absent if
    #: it cannot be known.
    config: str | None = field(default=None, kw_only=True)
    #: What a history entry of the step says; empty without config.
    created_by: str
    #: What the builder builds for.
    platform: Platform
    #: No step of the stage follows.
    last: bool
    copy: Copying | None = None
    #: What the config depends on and is not known, or is known only as long as the caller's
    #: assumption holds.
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files that the session needs for the next step and that are not in the context."""

    instruction: Instruction
    #: The image (an id) whose root directory is wanted; absent if it is not known, which is the
    #: case for a stage that was not built.
    image: str | None = None
    #: The stage whose image that is.
    stage: int | None = None
    #: The address of a file that ADD downloads; the wanted path is the downloaded file.
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The builder ends here with an error."""

    phase: Phase
    #: The last instruction announced.
    instruction: Instruction | None = field(default=None, kw_only=True)
    #: The line of the Dockerfile that it is about.
    line: int | None = field(default=None, kw_only=True)
    #: Its code is the class of the error, its hint the builder's words.
    reason: Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step went, or would go."""

    #: The cache was asked and had an image.
    hit: bool
    #: The image that the step ended with, if it is known.
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """One file, directory or link that a step copies."""

    #: Its path in the context or image.
    path: str
    #: Its checksum, 64 hex digits; its path if the engine has none of it.
    sum: str


class Session(Resource):
    """One build."""

    __slots__ = ()

    def advance(self) -> Event:
        """What comes next. `invalid` after a step whose outcome was not told."""
        result: Event = self._call("dockerfile#[method]session.advance", self)
        return result

    def report(self, outcome: Outcome) -> None:
        """Tells how the last step went. The document of its image is read from `image-store` if the
        next steps depend on it.
        """
        self._call("dockerfile#[method]session.report", self, outcome)

    def lend(self, path: str | None = None, name: str | None = None) -> None:
        """Lends what `wanted` asked for: its path in `filesystem`, and for a download the file name
        that the server gave. Absent if it cannot be had: the step is then told without its config.
        """
        self._call("dockerfile#[method]session.lend", self, path, name)

    def copied(self) -> list[Copied]:
        """Everything that the last step copies, in the order of its paths."""
        result: list[Copied] = self._call("dockerfile#[method]session.copied", self)
        return result

    def other_client(self, parent: str | None = None) -> Finding | None:
        """The image on `parent` that has the last step as another client packs the context, if there
        is one: the same files have another checksum then, which alone makes a COPY or ADD miss. The
        children of `parent` are read from `image-store`; nothing is found for other steps.
        """
        result: Finding | None = self._call("dockerfile#[method]session.other-client", self, parent)
        return result


class Dockerfile(Exports):
    """The functions of the interface `dockerfile`."""

    __slots__ = ()

    def open(self, dockerfile: str, options: Options) -> Session:
        """Begins with the text of a Dockerfile. What the builder refuses is an event, not an error."""
        result: Session = self._call("dockerfile#open", dockerfile, options)
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dockerfile#[method]session.advance": Session.advance,
    "dockerfile#[method]session.report": Session.report,
    "dockerfile#[method]session.lend": Session.lend,
    "dockerfile#[method]session.copied": Session.copied,
    "dockerfile#[method]session.other-client": Session.other_client,
    "dockerfile#open": Dockerfile.open,
}
