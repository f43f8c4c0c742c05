"""Scenarios: calls over real stores in a fresh directory, as data.

One JSON document (`layerwise/scenario/1`): `files` are made in the directory,
`lend` says which stores below it are lent, `calls` are made in one instance
(`{"call", "args"}`, `{"drop": resource}`, or `{"change": files}` between calls,
where `null` removes), and the outcome is compared with `results` and `after`.
Files are a text, or an object with `text`, `base64`, `link` or `directory`, and
perhaps a `mode` in octal digits. What is lent is below the directory, and no link
on the way there is followed.
"""

from __future__ import annotations

import binascii
import contextlib
import dataclasses
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import Engine
from .errors import Failure, quote
from .imports import Lent
from .registry import Presence, Retrieval, Retrieved, Shelf, SourceRepository, Stored, Transfer
from .stores import Files, Keys, OciLayout, Repositories, Root
from .stores.below import Directory, opened
from .stores.marks import Marks
from .transcript import first_difference, read_document
from .tree import Room, Unreadable, change, listed
from .types import Descriptor, FailureCode
from .values import Mismatch

SCHEMA = "layerwise/scenario/1"
_LAYOUT = "oci:"
#: What JSON leaves as it is and a terminal acts upon.
_ACTED_UPON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario."""

    #: What is below the directory afterwards, by path.
    after: dict[str, Any]
    #: The answer to each call; null where there is none.
    results: list[Any]

    def line(self) -> str:
        """One line of JSON: members sorted, no spaces, and nothing that a terminal acts
        upon. The same bytes from every host.
        """
        document = {"after": self.after, "results": self.results}
        line = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return _ACTED_UPON.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class Scenario:
    """A scenario that was read."""

    def __init__(self, path: Path) -> None:
        document, _ = read_document(path, SCHEMA)
        known = {"schema", "title", "files", "lend", "calls", "results", "after"}
        odd = sorted(document.keys() - known)
        if odd:
            raise Unreadable(f"it has unknown members: {', '.join(odd)}")
        try:
            self.title = str(document["title"])
            self._files: dict[str, Any] = document["files"]
            self._lend: dict[str, Any] = document["lend"]
            self._calls: list[dict[str, Any]] = document["calls"]
        except KeyError as error:
            raise Unreadable(f"it has no member {error}") from None
        self._results = document.get("results", [])
        self._after = document.get("after", {})

    def run(self, engine: Engine) -> Outcome:
        """Runs it in a directory of its own, which is gone afterwards.

        A refusal of the component is an answer; everything else that keeps a call
        from being answered is raised.
        """
        with tempfile.TemporaryDirectory(prefix="layerwise-scenario-") as name:
            try:
                with opened(Path(name).resolve()) as directory:
                    room = Room()
                    change(directory, self._files, room)
                    results = self._play(engine, directory, room)
                    return Outcome(listed(directory), results)
            except Failure as failure:
                raise Unreadable(f"it cannot be run: {failure}") from None
            except (OSError, binascii.Error, ValueError, KeyError, TypeError) as error:
                if isinstance(error, Mismatch):
                    raise
                raise Unreadable(f"it cannot be run: {type(error).__name__}: {error}") from None

    def _play(self, engine: Engine, directory: Directory, room: Room) -> list[Any]:
        results = []
        with _Lending(self._lend, directory) as lent, engine.instance(lent) as instance:
            for step in self._calls:
                result = None
                match step:
                    case {"drop": int(handle)}:
                        instance.drop(handle)
                    case {"change": dict(files)}:
                        change(directory, files, room)
                    case {"call": str(name), "args": list(args)}:
                        result = instance.call_json(name, args)
                    case _:
                        raise Unreadable(f"{step!r} is no call")
                results.append(result)
        return results

    def difference(self, outcome: Outcome) -> str | None:
        """The first thing in which an outcome is not the one the scenario says."""
        for name, expected, came in (
            ("results", self._results, outcome.results),
            ("after", self._after, outcome.after),
        ):
            if expected != came:
                return f"{name} {first_difference(expected, came)}"
        return None


class _Lending:
    """The stores of a scenario."""

    def __init__(self, lend: dict[str, Any], directory: Directory) -> None:
        with contextlib.ExitStack() as stack:
            # Opened here, without following links.
            self._files = Files(
                *(
                    Root(
                        _descriptor(stack, directory, root["directory"]),
                        name=root["name"],
                        writable=bool(root.get("writable", False)),
                    )
                    for root in lend.get("files", ())
                )
            )
        images = lend.get("images")
        if images is not None and not images.startswith(_LAYOUT):
            raise Unreadable(f"{images!r} is not a layout, `oci:DIRECTORY`")
        top = directory.path
        # Whatever key this user has, the answers are the same.
        store = images and OciLayout(
            top / images.removeprefix(_LAYOUT), within=top, marks=Marks(None)
        )
        self._lent = Lent(
            images=store,
            registry=_Below(top) if lend.get("registry") else None,
            filesystem=self._files if lend.get("files") else None,
        )

    def __enter__(self) -> Lent:
        return self._lent

    def __exit__(self, *_: object) -> None:
        self._files.close()


def _descriptor(stack: contextlib.ExitStack, top: Directory, below: str) -> int:
    path = top.path / below
    return stack.enter_context(opened(path, top.path)).fd


class _Below:
    """Layouts below one directory, by names that do not tell where that is."""

    def __init__(self, directory: Path) -> None:
        self._prefix = f"{_LAYOUT}{directory}/"
        self._inner = Repositories(keys=Keys(file=None), layouts=[directory])

    def _there(self, name: str) -> str:
        if not name.startswith(_LAYOUT):
            message = f"a scenario has layouts only, and {quote(name)} is none"
            raise Failure(FailureCode.DENIED, message)
        return self._prefix + name.removeprefix(_LAYOUT)

    def locate(self, reference: str) -> str:
        found = self._inner.locate(self._there(reference))
        if found.startswith(self._prefix):
            return _LAYOUT + found.removeprefix(self._prefix)
        return found

    def resolve(self, references: Sequence[str]) -> Sequence[Sequence[Descriptor] | Failure]:
        def one(reference: str) -> Sequence[Descriptor] | Failure:
            try:
                return self._inner.resolve([self._there(reference)])[0]
            except Failure as failure:
                return failure

        return [one(reference) for reference in references]

    def read(
        self, repository: str, wanted: Sequence[Descriptor], limit: int
    ) -> Sequence[str | Failure]:
        return self._inner.read(self._there(repository), wanted, limit)

    def has(self, repository: str, digests: Sequence[str]) -> Sequence[Presence]:
        return self._inner.has(self._there(repository), digests)

    def write(self, repository: str, shelf: Shelf, media_type: str, document: str) -> Descriptor:
        return self._inner.write(self._there(repository), shelf, media_type, document)

    def store(self, repository: str, layers: Sequence[Transfer]) -> Sequence[Stored | Failure]:
        moved = [
            dataclasses.replace(layer, source=SourceRepository(self._there(layer.source.value)))
            if isinstance(layer.source, SourceRepository)
            else layer
            for layer in layers
        ]
        return self._inner.store(self._there(repository), moved)

    def retrieve(
        self, repository: str, layers: Sequence[Retrieval]
    ) -> Sequence[Retrieved | Failure]:
        return self._inner.retrieve(self._there(repository), layers)

    def tag(self, reference: str, digest: str) -> None:
        self._inner.tag(self._there(reference), digest)

    def delete(self, repository: str, digest: str) -> None:
        self._inner.delete(self._there(repository), digest)
