"""How long a transfer may take, and how slow it may be.

A time-out between two reads stops a peer that is silent. It does not stop one that
sends a byte now and then, which would keep a build waiting for days.
"""

from __future__ import annotations

import time
from collections import deque

from ..errors import Failure
from ..types import FailureCode

#: Over so many seconds the rate is looked at.
_WINDOW = 60.0


class Pace:
    """The time of one transfer, and the bytes it brought."""

    def __init__(self, longest: float, lowest_rate: int, window: float = _WINDOW) -> None:
        self._longest = longest
        self._lowest = lowest_rate
        self._window = window
        self._start = time.monotonic()
        self._moved = 0
        #: When how many bytes had been moved: the newest that is a window old, and
        #: those after it, one for each part of a window.
        self._seen = deque([(self._start, 0)])

    def left(self) -> float:
        """The seconds that are left."""
        return self._start + self._longest - time.monotonic()

    def moved(self, what: str, count: int) -> None:
        """Counts bytes; raises `unavailable` with the name of the limit that is met."""
        now = time.monotonic()
        self._moved += count
        if now - self._start > self._longest:
            words = f"it takes more than {self._longest:g} seconds (limit transfer-seconds)"
            raise Failure(FailureCode.UNAVAILABLE, f"{what}: {words}")
        while len(self._seen) > 1 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - since >= self._window and self._moved - before < self._lowest * (now - since):
            words = f"it brings less than {self._lowest} bytes a second (limit transfer-rate)"
            raise Failure(FailureCode.UNAVAILABLE, f"{what}: {words}")
        if now - self._seen[-1][0] >= self._window / 60:
            self._seen.append((now, self._moved))
