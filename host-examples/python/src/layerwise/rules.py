"""The catalogue of codes: what each code in a finding or an error means.

Written by `tools/bind.py` from `wit/rules.wit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .resource import Exports


class Severity(StrEnum):
    """How bad a finding with a code is."""

    #: Worth knowing.
    INFORMATION = "information"
    #: Part of the cache is of no use, or its bytes are not stable.
    WARNING = "warning"
    #: Readers refuse the cache, it promises what it does not have, or that could not be checked.
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means."""

    #: The stable code, such as `docker/config-mismatch`.
    code: str
    #: The section of the specification it comes from.
    section: str
    meaning: str
    #: One line that shows it.
    example: str
    #: What to do about it.
    advice: str
    #: Absent if the system does not grade its findings.
    severity: Severity | None = None


class Rules(Exports):
    """The functions of the interface `rules`."""

    __slots__ = ()

    def all(self) -> list[Rule]:
        """Every code of the systems in this world, system by system."""
        result: list[Rule] = self._call("rules#all")
        return result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "rules#all": Rules.all,
}
