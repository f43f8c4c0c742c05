"""Scenarios: calls over real stores in a fresh directory, as data.

One JSON document (`layerwise/scenario/1`): `files` are made in the directory,
`lend` says which stores below it are meant, `calls` are made in one instance
(`{"call", "args"}`, `{"drop": resource}`, or `{"change": files}` between calls,
where `null` removes), and the outcome is compared with `results` and `after`.
Files are a text, or an object with `text`, `base64`, `link` or `directory`, and
perhaps a `mode` in octal digits.

The stores are those inside of the component over WASI, and what they have is that
directory, for reading only. No link on the way to what is lent is followed.
"""

from __future__ import annotations

import binascii
import dataclasses
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from .engine import Engine
from .transcript import first_difference, read_document
from .tree import Tree, Unreadable
from .values import Mismatch
from .wasi import Wasi

SCHEMA = "layerwise/scenario/1"
_LAYOUT = "oci:"
_MEMBERS = {"schema", "title", "files", "lend", "calls", "results", "after"}
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
        odd = sorted(document.keys() - _MEMBERS)
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

    def run(self, component: Path | None = None) -> Outcome:
        """Runs it in a directory of its own, which is gone afterwards, over the component
        with the stores inside, this package's or another.

        A refusal of the component is an answer; everything else that keeps a call
        from being answered is raised.
        """
        with tempfile.TemporaryDirectory(prefix="layerwise-scenario-") as name:
            top = Path(name).resolve()
            fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
            try:
                tree = Tree(fd)
                tree.change(self._files)
                engine = Engine(component, wasi=_wasi(self._lend, top, tree))
                return Outcome(results=self._play(engine, tree), after=tree.listed())
            except (OSError, binascii.Error, ValueError, KeyError, TypeError) as error:
                if isinstance(error, Mismatch):
                    raise
                raise Unreadable(f"it cannot be run: {type(error).__name__}: {error}") from None
            finally:
                os.close(fd)

    def _play(self, engine: Engine, tree: Tree) -> list[Any]:
        results = []
        with engine.instance() as instance:
            for step in self._calls:
                result = None
                match step:
                    case {"drop": int(handle)}:
                        instance.drop(handle)
                    case {"change": dict(files)}:
                        tree.change(files)
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


def _wasi(lend: dict[str, Any], top: Path, tree: Tree) -> Wasi:
    """The directory as `.`, and what is lent under other names."""
    directories: dict[str, Path] = {".": top}
    for root in lend.get("files", ()):
        inner = tree.directories(root["directory"])
        directory = top / root["directory"]
        if root["name"] == "/":
            # The runtime takes `/` for the same as `.`.
            directories |= {f"/{name}": directory / name for name in inner}
        else:
            directories[root["name"]] = directory
    images = lend.get("images")
    if images is not None:
        if not images.startswith(_LAYOUT):
            raise Unreadable(f"{images!r} is not a layout, `oci:DIRECTORY`")
        tree.directories(images.removeprefix(_LAYOUT))
    return Wasi(images, directories)
