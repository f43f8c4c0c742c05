"""Transcripts: every call of an instance with the calls it made, to replay.

A transcript is one JSON document (`layerwise/transcript/1`), plain or gzipped:

    {"schema", "component", "strings": [long strings], "instances":
      [{"name", "calls": [{"call", "args", "result", "imports":
        [{"call", "args", "result"}]} | {"drop": resource}]}]}

Values are directed by the types of the component, see `values.Json`; a string
may be `{"$": index in strings}`. A transcript may be a stranger's: what its strings
come to is counted before any of them is put in its place.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engine import PACKAGE, Engine
from .errors import LayerwiseError
from .imports import Import
from .instance import Limits
from .tree import Unreadable
from .values import Mismatch

SCHEMA = "layerwise/transcript/1"
#: The largest file; a compressed one comes to at most so many bytes, and so many for
#: each of its own.
_LARGEST = 1 << 30
_FREE, _RATIO = 64 << 20, 100
#: What the strings of one call may come to, when each stands in every place that refers
#: to it; and those of all calls, with so many bytes for each of the document.
_LARGEST_CALL = 64 << 20
_FREE_STRINGS, _STRINGS = 16 << 20, 32
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class _Room:
    """How much the strings of a transcript may still come to."""

    most: int
    taken: int = 0

    def take(self, call: int) -> None:
        """Counts the strings of one more call."""
        self.taken += call
        if call > _LARGEST_CALL:
            words = f"the strings of a call come to more than {_LARGEST_CALL} bytes"
        elif self.taken > self.most:
            words = f"the strings of its calls come to more than {self.most} bytes"
        else:
            return
        raise Unreadable(f"it is refused: {words}")


class Difference(LayerwiseError):
    """A replay went another way than the recording."""

    def __init__(self, what: str, expected: object, came: object) -> None:
        super().__init__(what, expected, came)
        self.what = what
        self.expected = expected
        self.came = came

    def __str__(self) -> str:
        return f"{self.what} {first_difference(self.expected, self.came)}"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded instance."""

    name: str
    raw: Sequence[Any]
    strings: Sequence[str]
    _room: _Room

    @property
    def calls(self) -> Sequence[dict[str, Any]]:
        """The calls, with their strings in place."""
        calls = []
        try:
            for raw in self.raw:
                call, size = _resolved(raw, self.strings)
                self._room.take(size)
                calls.append(call)
        except (IndexError, TypeError, AttributeError, RecursionError) as error:
            raise Unreadable(f"it is not a transcript: {error}") from None
        return calls


def read(path: Path) -> list[Recording]:
    """Reads a transcript."""
    document, size = read_document(path, SCHEMA)
    if document.get("component") != PACKAGE:
        raise Unreadable(f"it is of the component {document.get('component')!r}, not {PACKAGE!r}")
    try:
        strings, room = document["strings"], _Room(_FREE_STRINGS + _STRINGS * size)
        return [
            Recording(str(instance["name"]), instance["calls"], strings, room)
            for instance in document["instances"]
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise Unreadable(f"it is not a transcript: {type(error).__name__} {error}") from None


def read_document(path: Path, schema: str) -> tuple[dict[str, Any], int]:
    """Reads a JSON document, plain or gzipped, that says it is of a schema; returns how
    many bytes it has, too.
    """
    with path.open("rb") as plain:
        content = plain.read(_LARGEST + 1)
    limit = _LARGEST
    try:
        if content.startswith(_GZIP):
            limit = min(limit, _FREE + _RATIO * len(content))
            with gzip.open(path) as file:
                content = file.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"it has more than {limit} bytes")
        document = json.loads(content)
    except (ValueError, OSError, EOFError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {error}") from None
    said = document.get("schema") if isinstance(document, dict) else None
    if said != schema:
        raise Unreadable(f"its schema is {said!r}, not {schema!r}")
    return dict(document), len(content)


def _resolved(value: Any, strings: Sequence[str]) -> tuple[Any, int]:
    """A value with its strings in place, and what they come to. They are not copied:
    that happens when they cross into the component.
    """
    if isinstance(value, list):
        found = [_resolved(item, strings) for item in value]
        return [item for item, _ in found], sum(size for _, size in found)
    if isinstance(value, dict):
        if value.keys() == {"$"}:
            text = strings[value["$"]]
            return text, len(text)
        members = {name: _resolved(item, strings) for name, item in value.items()}
        resolved = {name: item for name, (item, _) in members.items()}
        return resolved, sum(size for _, size in members.values())
    return value, 0


class Replay:
    """Answers the calls of an instance out of a recording, in order."""

    def __init__(self) -> None:
        self._imports: Iterator[dict[str, Any]] = iter(())

    def expect(self, imports: Sequence[dict[str, Any]]) -> None:
        """What the next call is going to ask."""
        self._imports = iter(imports)

    def finish(self) -> None:
        """All of it must have been asked."""
        left = next(self._imports, None)
        if left is not None:
            raise Difference("a call of an import", _asked(left), None)

    def answer(self, function: Import, args: Sequence[Any]) -> Any:
        """See `imports.Backend`."""
        params, result = function.json
        given = [param.lift(arg) for param, arg in zip(params, args, strict=True)]
        came = {"call": function.name, "args": given}
        recorded = next(self._imports, None)
        expected = None if recorded is None else _asked(recorded)
        if recorded is None or expected != came:
            raise Difference("a call of an import", expected, came)
        return None if result is None else result.lower(recorded["result"])


def _asked(recorded: dict[str, Any]) -> dict[str, Any]:
    return {"call": recorded["call"], "args": recorded["args"]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call of a replay ended."""

    call: str
    difference: str | None


def replay(engine: Engine, recording: Recording, limits: Limits = Limits()) -> Iterator[Outcome]:
    """Makes the calls of a recording in a fresh instance, until one differs."""
    backend = Replay()
    with engine.instance(backend, limits) as instance:
        for call in recording.calls:
            name = call.get("call", "drop")
            try:
                if "drop" in call:
                    instance.drop(call["drop"])
                else:
                    backend.expect(call.get("imports", ()))
                    came = instance.call_json(name, call["args"])
                    backend.finish()
                    if came != call.get("result"):
                        raise Difference("the result", call.get("result"), came)
            except (LayerwiseError, Mismatch, LookupError, TypeError) as error:
                yield Outcome(name, f"{type(error).__name__}: {error}")
                return
            yield Outcome(name, None)


def brief(value: object, longest: int = 600) -> str:
    """A value as JSON, cut off when it is long."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def first_difference(expected: object, came: object, where: str = "") -> str:
    """Where two JSON values part, with both sides."""
    if isinstance(expected, dict) and isinstance(came, dict):
        for name in [*expected, *(name for name in came if name not in expected)]:
            if name not in expected or name not in came or expected[name] != came[name]:
                return first_difference(expected.get(name), came.get(name), f"{where}.{name}")
    if isinstance(expected, list) and isinstance(came, list):
        for at, (one, other) in enumerate(zip(expected, came, strict=False)):
            if one != other:
                return first_difference(one, other, f"{where}[{at}]")
    return f"at {where or 'the top'} expected {brief(expected, 300)}, came {brief(came, 300)}"
