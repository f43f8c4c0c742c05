"""Files below the directories a host has opened.

A *path* is text with `/` between its parts. Bytes that are not valid UTF-8 are written `%XX`
with upper-case hex digits, and `%` itself as `%25`, so that every name has a text. The host
confines every path: no `..`, no symbolic link and no absolute path leads out of what it opened
(`denied`). Each result list has the order of what was asked for.

Written by `tools/bind.py` from `wit/filesystem.wit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any, ClassVar, Protocol

from .errors import Failure


class Kind(StrEnum):
    """What kind of file it is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    FIFO = "fifo"
    SOCKET = "socket"
    CHARACTER_DEVICE = "character-device"
    BLOCK_DEVICE = "block-device"
    OTHER = "other"


class Facts(Flag):
    """What a call wants to know beyond kind, mode, owner and size."""

    #: Where a link points.
    TARGET = auto()
    #: Extended attributes of files and directories.
    ATTRIBUTES = auto()
    #: SHA-256 of regular files.
    CONTENT = auto()
    #: Which names are names of one file.
    IDENTITY = auto()


@dataclass(frozen=True, slots=True)
class PreconditionAny:
    """Nothing."""

    case: ClassVar[str] = "any"


@dataclass(frozen=True, slots=True)
class PreconditionAbsent:
    """No file is there."""

    case: ClassVar[str] = "absent"


@dataclass(frozen=True, slots=True)
class PreconditionUnchanged:
    """The file there has this SHA-256."""

    case: ClassVar[str] = "unchanged"
    value: str


#: What must hold for a write to happen; otherwise `conflict`.
Precondition = PreconditionAny | PreconditionAbsent | PreconditionUnchanged


@dataclass(frozen=True, slots=True)
class Attribute:
    """One extended attribute."""

    #: Its name, in the encoding of paths.
    name: str
    #: Its value in standard base64 with padding.
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory or other entry. Members not asked for are empty or absent."""

    #: The path asked for; in a walk, the path relative to its root.
    path: str
    kind: Kind
    #: The 12 permission bits.
    mode: int
    uid: int
    gid: int
    #: Size in bytes.
    size: int
    target: str | None = None
    #: In the order in which the system lists them; also empty if any cannot be read.
    attributes: Sequence[Attribute] = ()
    content: str | None = None
    #: The same text for every name of one file; absent for a file that has one name, and for a
    #: directory.
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a file."""

    #: Each byte that is not part of valid UTF-8 is one U+FFFD.
    text: str
    #: Whether that happened.
    lossy: bool
    #: SHA-256 of the bytes.
    digest: str


@dataclass(frozen=True, slots=True)
class Change:
    """A file to be written."""

    path: str
    text: str
    #: Permission bits of a new file, before the umask; an existing file keeps its own.
    mode: int
    #: Make missing parent directories (mode 0777 before the umask).
    parents: bool = False
    precondition: Precondition = PreconditionAny()


@dataclass(frozen=True, slots=True)
class Hashing:
    """A file to be hashed."""

    prefix: str = field(default="", kw_only=True)
    path: str
    suffix: str = ""


class Filesystem(Protocol):
    """Files below the directories a host has opened.

    A *path* is text with `/` between its parts. Bytes that are not valid UTF-8 are written `%XX`
    with upper-case hex digits, and `%` itself as `%25`, so that every name has a text. The host
    confines every path: no `..`, no symbolic link and no absolute path leads out of what it opened
    (`denied`). Each result list has the order of what was asked for.
    """

    def stat(self, paths: Sequence[str], follow: bool, want: Facts) -> Sequence[Entry | Failure]:
        """Reads the metadata of paths; `follow` says whether a link stands for its target."""
        ...

    def list_names(self, directory: str) -> Sequence[str]:
        """The names in a directory, sorted by bytes, in the encoding of paths."""
        ...

    def read(self, paths: Sequence[str], limit: int) -> Sequence[Content | Failure]:
        """Reads files, each at most `limit` bytes (`too-large`)."""
        ...

    def walk(self, root: str, want: Facts, limit: int) -> Sequence[Entry]:
        """Everything below a directory, and the directory itself as `.` first: a directory before what
        is in it, names in the order of their bytes. Links are not followed. More than `limit` entries
        are `too-large`.
        """
        ...

    def hash(self, files: Sequence[Hashing]) -> Sequence[str | Failure]:
        """SHA-256 of the bytes of each file, between those of `prefix`, which is in the encoding of
        paths, and those of `suffix`; both may be empty. Links are followed.
        """
        ...


class WritableFilesystem(Filesystem, Protocol):
    """A `Filesystem` with functions that others leave out; they are `unsupported` then."""

    def write(self, changes: Sequence[Change]) -> Sequence[None | Failure]:
        """Writes files one after the other, each atomically: afterwards the old or the new bytes are
        there, whatever happens. Stops at the first failure; the result holds one item for each file
        tried.
        """
        ...

    def rename(self, old: str, new: str) -> None:
        """Moves a file to a new name in the same directory tree, replacing nothing (`conflict`)."""
        ...

    def remove(self, paths: Sequence[str]) -> Sequence[None | Failure]:
        """Removes files or empty directories."""
        ...


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "filesystem#stat": Filesystem.stat,
    "filesystem#list-names": Filesystem.list_names,
    "filesystem#read": Filesystem.read,
    "filesystem#walk": Filesystem.walk,
    "filesystem#hash": Filesystem.hash,
    "filesystem#write": WritableFilesystem.write,
    "filesystem#rename": WritableFilesystem.rename,
    "filesystem#remove": WritableFilesystem.remove,
}
