"""Lets a host watch. Nothing here influences a decision.

Written by `tools/bind.py` from `wit/observer.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

from .types import Annotation


class Level(StrEnum):
    """How much a message matters."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Observer(Protocol):
    """Lets a host watch. Nothing here influences a decision."""

    def log(self, level: Level, message: str, fields: Sequence[Annotation]) -> None:
        """One message, with the data it is about."""
        ...

    def progress(self, operation: str, item: str, done: int, total: int) -> None:
        """How far an operation is: `done` of `total` steps, `item` being the one that was started or
        finished. A total of 0 means that it is not known.
        """
        ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "observer#log": Observer.log,
    "observer#progress": Observer.progress,
}
