"""What a reference names: a place, and something in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import Failure, quote
from ..types import FailureCode
from . import names
from .documents import is_name
from .hashing import is_digest

#: What a reference without a tag or digest stands for.
LATEST = "latest"
_LAYOUT = "oci:"
_DOCKER = "docker://"


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository of a registry."""

    #: `host` or `host:port`.
    host: str
    #: The name inside it.
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Directory:
    """An image layout directory."""

    path: Path
    text: str

    def __str__(self) -> str:
        return f"{_LAYOUT}{self.text}"


#: Where content is. Prints as the repository of the contract.
Place = Remote | Directory


@dataclass(frozen=True, slots=True)
class Target:
    """What is named in a place: a digest, a tag, or nothing, which is `latest` and
    in a layout that has one entry only, that one.
    """

    digest: str | None = None
    name: str | None = None

    @property
    def tag(self) -> str | None:
        """The tag that is written."""
        return None if self.digest else self.name or LATEST


def parse(text: str) -> tuple[Place, Target]:
    """Reads a reference; `invalid` with what is wrong about it."""
    if text.startswith(_LAYOUT):
        return _in_layout(text, text.removeprefix(_LAYOUT))
    return _in_registry(text)


def parse_place(repository: str) -> Place:
    """Reads what a place prints as."""
    place, target = parse(repository)
    if target != Target() or str(place) != repository:
        raise _invalid(f"{quote(repository)} is not a repository")
    return place


def _in_layout(text: str, rest: str) -> tuple[Place, Target]:
    """`PATH`, `PATH:NAME` or `PATH@DIGEST`. A path has no colon, and a name can have
    some, as skopeo and umoci read it.
    """
    before, at, digest = rest.rpartition("@")
    if at and is_digest(digest):
        rest = before
    else:
        digest = ""
    path, colon, name = rest.partition(":")
    why = f"{quote(text)} is not a reference into a layout: "
    if not path:
        raise _invalid(why + "it has no path")
    if "\0" in path:
        raise _invalid(why + "a path has no zero byte")
    if colon and not is_name(name):
        raise _invalid(why + 'a name consists of letters and digits, joined by "-._:@+/"')
    target = Target(digest=digest) if digest else Target(name=name or None)
    return Directory(Path(path), path), target


def _in_registry(text: str) -> tuple[Place, Target]:
    name = text.removeprefix(_DOCKER)
    if names.as_id(name):
        raise _invalid(f"{quote(text)} is an image id: a reference names a repository")
    try:
        named = names.parse(name)
    except ValueError as error:
        why = f"{quote(name)} is not an image name or id: {error}"
        raise _invalid(f"{quote(text)} is not a reference: {why}") from None
    target = Target(digest=named.digest) if named.digest else Target(name=named.tag)
    return Remote(named.domain, named.path), target


def _invalid(message: str) -> Failure:
    return Failure(FailureCode.INVALID, message)
