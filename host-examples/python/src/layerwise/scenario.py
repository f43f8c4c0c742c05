"""Scenarios: calls over real stores in a fresh directory, as data.

One JSON document (`layerwise/scenario/1`): `files` are made in the directory,
`lend` says which stores below it are lent, `calls` are made in one instance
(`{"call", "args"}`, `{"drop": resource}`, or `{"change": files}` between calls,
where `null` removes), and the outcome is compared with `results` and `after`.
Files are a text, or an object with `text`, `base64`, `link` or `directory`, and
perhaps a `mode` in octal digits.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engine import Engine
from .errors import Failure, quote
from .imports import Lent
from .registry import Presence, Retrieval, Retrieved, Shelf, SourceRepository, Stored, Transfer
from .stores import Files, Keys, OciLayout, Repositories, Root
from .stores.hashing import sha256
from .transcript import Unreadable, first_difference, read_document
from .types import Descriptor, FailureCode
from .values import Mismatch

SCHEMA = "layerwise/scenario/1"
_LAYOUT = "oci:"
#: What hosts keep beside the things of others begins so.
_OURS = ".layerwise"
#: Its bytes depend on who writes it.
_INDEX = "index.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario."""

    #: What is below the directory afterwards, by path.
    after: dict[str, Any]
    #: The answer to each call; null where there is none.
    results: list[Any]

    def line(self) -> str:
        """One line of JSON: members sorted, no spaces. The same bytes from every
        host.
        """
        document = {"after": self.after, "results": self.results}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class Scenario:
    """A scenario that was read."""

    def __init__(self, path: Path) -> None:
        document = read_document(path, SCHEMA)
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
            directory = Path(name).resolve()
            try:
                _change(directory, self._files)
                results = self._play(engine, directory)
            except (OSError, binascii.Error, ValueError, KeyError, TypeError) as error:
                if isinstance(error, Mismatch):
                    raise
                raise Unreadable(f"it cannot be run: {type(error).__name__}: {error}") from None
            return Outcome(_listed(directory), results)

    def _play(self, engine: Engine, directory: Path) -> list[Any]:
        results = []
        with _Lending(self._lend, directory) as lent, engine.instance(lent) as instance:
            for step in self._calls:
                result = None
                match step:
                    case {"drop": int(handle)}:
                        instance.drop(handle)
                    case {"change": dict(files)}:
                        _change(directory, files)
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

    def __init__(self, lend: dict[str, Any], directory: Path) -> None:
        self._files = Files(
            *(
                Root(
                    directory / root["directory"],
                    name=root["name"],
                    writable=bool(root.get("writable", False)),
                )
                for root in lend.get("files", ())
            )
        )
        images = lend.get("images")
        if images is not None and not images.startswith(_LAYOUT):
            raise Unreadable(f"{images!r} is not a layout, `oci:DIRECTORY`")
        self._lent = Lent(
            images=images and OciLayout(directory / images.removeprefix(_LAYOUT)),
            registry=_Below(directory, self._files) if lend.get("registry") else None,
            filesystem=self._files if lend.get("files") else None,
        )

    def __enter__(self) -> Lent:
        return self._lent

    def __exit__(self, *_: object) -> None:
        self._files.close()


class _Below:
    """Layouts below one directory, by names that do not tell where that is."""

    def __init__(self, directory: Path, files: Files) -> None:
        self._prefix = f"{_LAYOUT}{directory}/"
        self._inner = Repositories(files=files, keys=Keys(file=None), layouts=[directory])

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


def _change(directory: Path, files: dict[str, Any]) -> None:
    """Makes files, or removes those that are null."""
    for name in sorted(files):
        _put(directory, name, files[name])


def _put(directory: Path, name: str, file: Any) -> None:
    path = Path(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise Unreadable(f"{name!r} does not lie below the directory")
    place = directory / path
    if file is None:
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()
        return
    for parent in reversed(path.parents):
        _make(directory / parent, 0o755)
    what = {"text": file} if isinstance(file, str) else dict(file)
    mode = what.pop("mode", None)
    bits = None if mode is None else int(mode, 8)
    match what:
        case {"text": str(text)} if len(what) == 1:
            _write(place, text.encode(), bits)
        case {"base64": str(text)} if len(what) == 1:
            _write(place, base64.b64decode(text, validate=True), bits)
        case {"link": str(target)} if len(what) == 1 and mode is None:
            place.symlink_to(target)
        case {"directory": True} if len(what) == 1:
            _make(place, 0o755 if bits is None else bits)
        case _:
            raise Unreadable(f"{name!r} is not one kind of thing")


def _make(place: Path, mode: int) -> None:
    if not place.is_dir():
        place.mkdir()
        place.chmod(mode)


def _write(place: Path, content: bytes, mode: int | None) -> None:
    place.write_bytes(content)
    place.chmod(0o644 if mode is None else mode)


def _listed(directory: Path) -> dict[str, Any]:
    """Everything that is below the directory now, by path."""
    found: dict[str, Any] = {}
    waiting = [directory]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(_OURS):
                    continue
                below = str(Path(entry.path).relative_to(directory))
                if entry.is_symlink():
                    found[below] = {"link": os.readlink(entry.path)}
                elif entry.is_dir():
                    found[below] = {"directory": True}
                    waiting.append(Path(entry.path))
                elif entry.is_file():
                    found[below] = _content(Path(entry.path))
                else:
                    found[below] = {"special": True}
    return found


def _content(path: Path) -> Any:
    content = path.read_bytes()
    if path.name == _INDEX:
        try:
            return {"json": json.loads(content)}
        except ValueError:
            pass
    return sha256(content)
