"""Names and manifests of a layout directory: resolving, tagging, deleting."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Failure, quote
from ..types import Annotation, Descriptor, FailureCode
from . import documents
from .layout import Layout
from .references import LATEST, Target

#: How many indexes inside indexes are looked into before a blob is deleted.
_MOST_INDEXES = 10_000
_LONGEST_INDEX = 4 << 20


def resolve_in(there: Layout, target: Target) -> Sequence[Descriptor]:
    """The entries with a name; with a digest, one of them."""
    there.check()
    entries = _entries(there.index())
    root = quote(str(there.root))
    if target.digest:
        found = [entry for entry in entries if entry.digest == target.digest][:1]
        missing = f"no {target.digest} in the index of {root}"
    else:
        name = target.tag
        found = [entry for entry in entries if entry.annotations.get(documents.REF_NAME) == name]
        missing = f"no {quote(name or LATEST)} in {root}"
        if not found and target.name is None:
            if len(entries) > 1:
                message = f"{root} has {len(entries)} entries: name one of them"
                raise Failure(FailureCode.INVALID, message)
            found = entries
    if not found:
        raise Failure(FailureCode.NOT_FOUND, missing)
    return [
        Descriptor(
            entry.media_type,
            entry.checked_digest(),
            entry.size,
            annotations=[
                Annotation(key, value) for key, value in sorted(entry.annotations.items())
            ],
        )
        for entry in found
    ]


def _entries(index: documents.Index) -> list[documents.Entry]:
    found = []
    for entry in index.entries():
        if isinstance(entry, Failure):
            raise entry
        found.append(entry)
    return found


def tag_in(there: Layout, name: str, digest: str, limit: int) -> None:
    """Gives a stored manifest a name, taking it from other entries."""
    if not documents.is_name(name):
        message = f"{quote(name)} is not a name an image layout can hold"
        raise Failure(FailureCode.INVALID, message)
    there.check()
    size = there.blob_size(digest)
    if size > limit:
        message = f"{digest} has {size} bytes, more than the limit of {limit}"
        raise Failure(FailureCode.TOO_LARGE, message)
    media_type = _manifest_type(digest, there.read_blob(digest, size, limit))

    def change(index: documents.Index) -> None:
        names = index.names()
        own = index.positions(digest)
        for position, known in enumerate(names):
            if known == name and position not in own:
                index.annotate(position, documents.REF_NAME, None)
        if any(names[position] == name for position in own):
            return
        free = [position for position in own if names[position] is None]
        position = free[0] if free else index.push(media_type, digest, size)
        index.annotate(position, documents.REF_NAME, name)

    there.update(change)


def delete_in(there: Layout, digest: str) -> None:
    """Takes every entry of a manifest out of the index, and its blob away when
    nothing else refers to it.
    """
    there.check()
    if not there.index().positions(digest) and not _is_there(there, digest):
        message = f"no manifest {digest} in {quote(str(there.root))}"
        raise Failure(FailureCode.NOT_FOUND, message)

    def change(index: documents.Index) -> None:
        for position in reversed(index.positions(digest)):
            index.remove(position)

    there.update(change)
    with there.locked():
        if _is_there(there, digest) and not _is_referred_to(there, digest):
            there.remove_blob(digest)


def _is_there(there: Layout, digest: str) -> bool:
    try:
        there.blob_size(digest)
    except Failure as failure:
        if failure.code is FailureCode.NOT_FOUND:
            return False
        raise
    return True


def _is_referred_to(there: Layout, digest: str) -> bool:
    """Whether the index, or one inside it, refers to a manifest. Says yes when that
    cannot be told.
    """
    seen: set[str] = set()
    try:
        waiting = _entries(there.index())
        looked = 0
        while waiting:
            entry = waiting.pop()
            if entry.digest in seen:
                continue
            seen.add(entry.digest)
            if entry.media_type not in (documents.INDEX, documents.DOCKER_LIST):
                continue
            looked += 1
            if looked > _MOST_INDEXES:
                return True
            content = there.read_blob(entry.checked_digest(), entry.size, _LONGEST_INDEX)
            waiting += [
                documents.Entry.read(item) for item in documents.load(content)["manifests"] or ()
            ]
    except (Failure, ValueError, KeyError, TypeError):
        return True
    return digest in seen


def _manifest_type(digest: str, content: bytes) -> str:
    """The media type of a manifest: what it says itself, else what its members say."""

    def corrupt(why: str) -> Failure:
        return Failure(FailureCode.CORRUPT, f"{digest} {why}")

    try:
        body = documents.load(content)
        said = body.get("mediaType")
        lists = body.get("manifests") is not None
        holds = body.get("config") is not None or body.get("layers") is not None
    except (ValueError, AttributeError):
        raise corrupt("is not a manifest") from None
    if lists and holds:
        raise corrupt("is a manifest and an index at the same time")
    if isinstance(said, str) and said:
        return said
    if not lists and not holds:
        raise corrupt("is not a manifest")
    return documents.INDEX if lists else documents.MANIFEST
