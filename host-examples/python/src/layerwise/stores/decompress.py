"""The bytes of a layer as they are uncompressed: counted, hashed and limited.

Nothing here looks into archives: this package neither unpacks nor packs layers.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import Failure
from ..types import FailureCode

_CHUNK = 256 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: Window sizes of zstd above this are refused; it is what `zstd -d` accepts.
_LARGEST_WINDOW_LOG = 27
#: So many bytes of a layer may come before it matters how small it was packed.
_FREE = 256 << 20


@dataclass(slots=True)
class Limits:
    """How much may come out of layers."""

    #: Uncompressed bytes of one.
    layer: int
    #: Uncompressed bytes of all of them.
    session: int
    #: Uncompressed bytes for each byte of the blob, after the first 256 MiB.
    ratio: int
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, size: int, before: int, blob: int) -> None:
        """Counts some more bytes of a layer of which `before` came already; raises
        `too-large` with the name of the limit that is met.
        """
        with self._lock:
            self._taken += size
            taken = self._taken
        size += before
        if size > self.layer:
            raise _too_large("the uncompressed layer", "layer-bytes", self.layer)
        if size - _FREE > self.ratio * blob:
            what = "the uncompressed layer for each byte of its blob"
            raise _too_large(what, "layer-ratio", self.ratio)
        if taken > self.session:
            raise _too_large("all uncompressed layers", "session-layer-bytes", self.session)


def measured(chunks: Iterator[bytes], algorithm: str, blob: int, limits: Limits) -> tuple[str, int]:
    """The digest and the number of uncompressed bytes that come out of a blob of
    `blob` bytes.
    """
    found = hashlib.new(algorithm)
    size = 0
    for chunk in chunks:
        limits.take(len(chunk), size, blob)
        found.update(chunk)
        size += len(chunk)
    return f"{algorithm}:{found.hexdigest()}", size


def _too_large(what: str, limit: str, most: int) -> Failure:
    words = f"the size of {what} is more than the limit {limit} of {most}"
    return Failure(FailureCode.TOO_LARGE, words)


def uncompressed(chunks: Iterator[bytes], media_type: str, digest: str) -> Iterator[bytes]:
    """The uncompressed bytes of a layer.

    A media type that says "not compressed" rules. Otherwise the first bytes do, as
    in other tools: a wrong guess ends in another diff id.
    """
    kind = media_type.replace("+", ".").rpartition(".")[2]
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_ZSTD):
            break
    both = _chain(first, chunks)
    if kind == "tar":
        return both
    if first.startswith(_GZIP):
        return _gunzipped(both, digest)
    skippable = len(first) >= 4 and 0x50 <= first[0] <= 0x5F and first[1:4] == b"\x2a\x4d\x18"
    if first.startswith(_ZSTD) or skippable:
        return _unzstd(both, digest)
    return both


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _gunzipped(chunks: Iterator[bytes], digest: str) -> Iterator[bytes]:
    """Several members one after the other are one stream."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in chunks:
            while chunk:
                if member.eof:
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                # Never more than a piece of it at once, however well it was packed.
                found = member.decompress(chunk, _CHUNK)
                if found:
                    yield found
                chunk = member.unconsumed_tail or member.unused_data
    except zlib.error as error:
        raise _corrupt(digest, str(error)) from None
    if not member.eof:
        raise _corrupt(digest, "it ends early")


def _unzstd(chunks: Iterator[bytes], digest: str) -> Iterator[bytes]:
    zstd = _zstd()
    options = {zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW_LOG}
    frame = zstd.ZstdDecompressor(options=options)
    try:
        for chunk in chunks:
            while True:
                if frame.eof:
                    chunk = frame.unused_data + chunk
                    if not chunk:
                        break
                    frame = zstd.ZstdDecompressor(options=options)
                found = frame.decompress(chunk, _CHUNK)
                chunk = b""
                if found:
                    yield found
                if frame.needs_input and not frame.eof:
                    break
                if frame.eof and not frame.unused_data:
                    break
    except zstd.ZstdError as error:
        raise _corrupt(digest, str(error)) from None
    if not frame.eof:
        raise _corrupt(digest, "it ends early")


def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    message = "the layer is compressed with zstd: install layerwise[zstd]"
    raise Failure(FailureCode.UNSUPPORTED, message)


def _corrupt(digest: str, why: str) -> Failure:
    return Failure(FailureCode.CORRUPT, f"cannot decompress {digest}: {why[:1].lower()}{why[1:]}")
