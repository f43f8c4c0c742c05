"""Compressing a tar file to the blob that is stored, and back."""

from __future__ import annotations

import hashlib
import importlib
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import Failure, quote
from ..types import FailureCode
from .blobs import Blob

_CHUNK = 256 << 10
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: Window sizes of zstd above this are refused; it is what `zstd -d` accepts.
_LARGEST_WINDOW_LOG = 27


class Readable(Protocol):
    """Something that bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer, compressed."""

    blob: Blob
    #: Digest of the uncompressed bytes.
    diff_id: str


def compression(media_type: str) -> bool:
    """Whether blobs of a media type are compressed with gzip; `unsupported` for a
    type that cannot be made here.
    """
    kind = media_type.replace("+", ".").rpartition(".")[2]
    if kind == "gzip":
        return True
    if kind in ("tar", ""):
        return False
    message = f"no layer of the media type {quote(media_type)} can be made from a tar file"
    raise Failure(FailureCode.UNSUPPORTED, message)


@contextmanager
def packed(tar: Readable, gzip: bool) -> Iterator[Packed]:
    """Reads a tar file to its end into a temporary file, compressed.

    The same bytes give the same blob, wherever they are compressed by this
    program; other programs compress otherwise.
    """
    plain, whole = hashlib.sha256(), hashlib.sha256()
    # "Unknown" as the system, and no time (RFC 1952).
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS) if gzip else None
    size = checksum = length = 0
    with tempfile.TemporaryFile(prefix="layerwise-") as file:

        def put(content: bytes) -> None:
            nonlocal size
            size += len(content)
            whole.update(content)
            file.write(content)

        if packer:
            put(_GZIP + b"\x08\x00\x00\x00\x00\x00\x00\xff")
        while chunk := tar.read(_CHUNK):
            plain.update(chunk)
            checksum = zlib.crc32(chunk, checksum)
            length += len(chunk)
            put(packer.compress(chunk) if packer else chunk)
        if packer:
            put(packer.flush())
            put(checksum.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little"))

        def read() -> Iterator[bytes]:
            file.seek(0)
            while chunk := file.read(_CHUNK):
                yield chunk

        blob = Blob(f"sha256:{whole.hexdigest()}", size, read)
        yield Packed(blob, f"sha256:{plain.hexdigest()}")


def unpacked(chunks: Iterator[bytes], media_type: str, digest: str) -> Iterator[bytes]:
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


class Hashed:
    """Uncompressed bytes on their way, as a file: counted, hashed and limited."""

    def __init__(self, chunks: Iterator[bytes], algorithm: str, limit: int) -> None:
        self._chunks = chunks
        self._hash = hashlib.new(algorithm)
        self._algorithm = algorithm
        self._limit = limit
        self._held = b""
        self.size = 0

    def read(self, size: int, /) -> bytes:
        """Reads at most so many bytes; none at the end."""
        while len(self._held) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._hash.update(chunk)
            self.size += len(chunk)
            if self.size > self._limit:
                message = f"the layer has more than {self._limit} uncompressed bytes"
                raise Failure(FailureCode.TOO_LARGE, message)
            self._held += chunk
        found, self._held = self._held[:size], self._held[size:]
        return found

    def drain(self) -> str:
        """Reads to the end and answers the digest of everything."""
        while self.read(_CHUNK):
            pass
        return f"{self._algorithm}:{self._hash.hexdigest()}"
