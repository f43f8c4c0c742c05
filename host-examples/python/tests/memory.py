"""Files in memory, for tests: what a host that implements the protocols itself looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from layerwise import Failure, FailureCode
from layerwise.filesystem import (
    Change,
    Content,
    Entry,
    Facts,
    Hashing,
    Kind,
    PreconditionAbsent,
    PreconditionAny,
)
from layerwise.stores import sha256

A = TypeVar("A")
T = TypeVar("T")


class Files:
    """Files by their paths; `None` is a directory. Nobody else changes them."""

    def __init__(self, *directories: str) -> None:
        self.files: dict[str, bytes | None] = dict.fromkeys(directories)

    def stat(self, paths: Sequence[str], follow: bool, want: Facts) -> Sequence[Entry | Failure]:
        return _each(lambda path: self._entry(path, path, want), paths)

    def list_names(self, directory: str) -> Sequence[str]:
        if self._found(directory) is not None:
            raise Failure(FailureCode.OTHER, f"{directory} is not a directory")
        below = f"{directory.rstrip('/')}/"
        names = {
            path[len(below) :].partition("/")[0] for path in self.files if path.startswith(below)
        }
        return sorted(names)

    def read(self, paths: Sequence[str], limit: int) -> Sequence[Content | Failure]:
        def one(path: str) -> Content:
            content = self._content(path)
            if len(content) > limit:
                raise Failure(FailureCode.TOO_LARGE, f"{path} has {len(content)} bytes")
            return Content(content.decode(), False, sha256(content))

        return _each(one, paths)

    def walk(self, root: str, want: Facts, limit: int) -> Sequence[Entry]:
        below = sorted(path for path in self.files if path.startswith(f"{root}/"))
        inner = [self._entry(path, path[len(root) + 1 :], want) for path in below]
        return [self._entry(root, ".", want), *inner]

    def hash(self, files: Sequence[Hashing]) -> Sequence[str | Failure]:
        def one(file: Hashing) -> str:
            return sha256(file.prefix.encode() + self._content(file.path) + file.suffix.encode())

        return _each(one, files)

    def write(self, changes: Sequence[Change]) -> Sequence[Failure | None]:
        done: list[Failure | None] = []
        for change in changes:
            there = self.files.get(change.path)
            match change.precondition:
                case PreconditionAny():
                    fits = True
                case PreconditionAbsent():
                    fits = change.path not in self.files
                case unchanged:
                    fits = there is not None and sha256(there) == unchanged.value
            if not fits:
                return [*done, Failure(FailureCode.CONFLICT, f"{change.path} was changed")]
            parent = change.path.rpartition("/")[0]
            while change.parents and parent and parent not in self.files:
                self.files[parent] = None
                parent = parent.rpartition("/")[0]
            self.files[change.path] = change.text.encode()
            done.append(None)
        return done

    def rename(self, old: str, new: str) -> None:
        if new in self.files:
            raise Failure(FailureCode.CONFLICT, f"{new} is there already")
        self.files[new] = self._content(old)
        del self.files[old]

    def remove(self, paths: Sequence[str]) -> Sequence[Failure | None]:
        def one(path: str) -> None:
            self._found(path)
            del self.files[path]

        return _each(one, paths)

    def _found(self, path: str) -> bytes | None:
        if path not in self.files:
            raise Failure(FailureCode.NOT_FOUND, f"{path} does not exist")
        return self.files[path]

    def _content(self, path: str) -> bytes:
        content = self._found(path)
        if content is None:
            raise Failure(FailureCode.OTHER, f"{path} is a directory")
        return content

    def _entry(self, path: str, name: str, want: Facts) -> Entry:
        content = self._found(path)
        if content is None:
            return Entry(name, Kind.DIRECTORY, 0o755, 0, 0, 0)
        digest = sha256(content) if Facts.CONTENT in want else None
        return Entry(name, Kind.FILE, 0o644, 0, 0, len(content), content=digest)


def _each(work: Callable[[A], T], items: Sequence[A]) -> list[T | Failure]:
    """An answer for each item, or why there is none."""
    answers: list[T | Failure] = []
    for item in items:
        try:
            answers.append(work(item))
        except Failure as failure:
            answers.append(failure)
    return answers
