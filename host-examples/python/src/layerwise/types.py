"""Vocabulary shared by all interfaces.

Written by `tools/bind.py` from `wit/types.wit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Reading(StrEnum):
    """Which reading of the rules a session follows."""

    #: Refuses what the upstream system should have refused.
    GUARDED = "guarded"
    #: Does what the named upstream version does, byte for byte.
    COMPATIBLE = "compatible"


class FailureCode(StrEnum):
    """Why an import failed."""

    #: It does not exist.
    NOT_FOUND = "not-found"
    #: Credentials are missing or wrong.
    UNAUTHORIZED = "unauthorized"
    #: Not allowed, whatever the credentials.
    DENIED = "denied"
    #: Not reachable now; a later try may succeed.
    UNAVAILABLE = "unavailable"
    #: The bytes do not match their digest or format.
    CORRUPT = "corrupt"
    #: The bytes ended early.
    TRUNCATED = "truncated"
    #: Larger than the limit given.
    TOO_LARGE = "too-large"
    #: A precondition did not hold.
    CONFLICT = "conflict"
    #: This host does not support it.
    UNSUPPORTED = "unsupported"
    #: The argument is not acceptable.
    INVALID = "invalid"
    #: No room is left.
    FULL = "full"
    #: The caller asked to stop.
    CANCELLED = "cancelled"
    #: The caller's deadline passed.
    DEADLINE = "deadline"
    #: Anything else.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation or label."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a piece of content is, as an OCI descriptor gives it."""

    #: Media type; empty when unknown.
    media_type: str
    digest: str
    #: Size in bytes.
    size: int
    annotations: Sequence[Annotation] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform. An empty text means that it is not given."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Semantics:
    """A reading and the upstream version whose rules it starts from."""

    reading: Reading = Reading.GUARDED
    #: An upstream version each system lists; absent means its newest one.
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on what a session reads or does. Unknown names are refused. Each system documents its
    names and defaults; `limit-exceeded` errors use the same names.
    """

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, in an error."""

    #: A stable code such as `docker/child-unreadable`.
    code: str
    #: What was being done, such as `lookup`.
    operation: str
    #: The thing it was done to: an image id, a path, a field.
    subject: str
    #: For people: lower case, one line, no full stop.
    message: str


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that was exceeded."""

    operation: str
    #: The name of the limit, as in `limit`.
    limit: str
    #: Its value.
    value: int
    #: What was too large.
    subject: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs, or one piece of evidence."""

    #: Where: a field, an index, a key, such as `config.Env[2]`.
    path: str
    #: What is there.
    have: str | None = None
    #: What was asked for.
    want: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason."""

    #: A stable code; the interface `rules` explains each.
    code: str
    #: What it is about: an image id, a layer name, a record.
    subject: str
    differences: Sequence[Difference] = field(default=(), kw_only=True)
    #: What to do about it or what it probably means, if that is known.
    hint: str | None = field(default=None, kw_only=True)
    #: Whether it only follows from an earlier finding.
    cascade: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision came out as it did."""

    #: The outcome.
    summary: Finding
    #: One finding per candidate, root causes first, consequences after them.
    findings: Sequence[Finding] = field(default=(), kw_only=True)
    #: The candidate that came nearest to a hit, with the smallest set of differences; absent on a
    #: hit or without a candidate.
    nearest: Finding | None = field(default=None, kw_only=True)
    #: How many candidates were looked at.
    considered: int
