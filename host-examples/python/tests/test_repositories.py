"""Layout directories as repositories, and layers that are checked."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwise import Descriptor, Failure, FailureCode
from layerwise.registry import (
    Destination,
    Presence,
    Retrieval,
    Retrieved,
    Shelf,
    SourceFile,
    SourceProvider,
    SourceRepository,
    Stored,
    Transfer,
)
from layerwise.stores import Keys, Repositories
from layerwise.stores.documents import MANIFEST
from layerwise.stores.hashing import sha256
from layerwise.stores.layout import Layout
from layerwise.stores.references import parse, parse_place

DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TAR = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Repositories]:
    with Repositories(keys=Keys(file=None), layouts=[tmp_path]) as repositories:
        yield repositories


def code(answer: object) -> FailureCode:
    assert isinstance(answer, Failure), answer
    return answer.code


def test_references_have_a_place_and_a_target() -> None:
    for text, place, target in (
        ("busybox", "docker.io/library/busybox", "latest"),
        ("docker://ghcr.io/a/b:1", "ghcr.io/a/b", "1"),
        ("[::1]:5000/a:t", "[::1]:5000/a", "t"),
        (f"127.0.0.1:5000/a/b:t@{DIGEST}", "127.0.0.1:5000/a/b", DIGEST),
        ("oci:dir", "oci:dir", "latest"),
        ("oci:/a b/dir:1.0", "oci:/a b/dir", "1.0"),
        ("oci:dir:host:5000/a:1", "oci:dir", "host:5000/a:1"),
        (f"oci:dir:name@{DIGEST}", "oci:dir", DIGEST),
    ):
        found, what = parse(text)
        assert str(found) == place
        assert (what.digest or what.tag) == target
    for text in ("", "oci:", "oci:a:/", "A", "a b", DIGEST, "a@sha256:1", "oci:a\0b", "\x1b[2m"):
        with pytest.raises(Failure) as failure:
            parse(text)
        assert failure.value.code is FailureCode.INVALID
        assert "\x1b" not in str(failure.value)
    for text in ("busybox", "oci:a:b", "docker://ghcr.io/a", "ghcr.io/a:1"):
        with pytest.raises(Failure):
            parse_place(text)


def manifest(config: str = DIGEST) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "x", "digest": config, "size": 0},
            "layers": [],
        }
    )


def test_documents_are_stored_named_and_deleted(there: Repositories, tmp_path: Path) -> None:
    repository = there.locate(f"oci:{tmp_path}/new:main")
    assert repository == f"oci:{tmp_path}/new"
    assert there.has(repository, [DIGEST]) == [Presence.ABSENT]
    assert code(there.resolve([f"{repository}:main"])[0]) is FailureCode.NOT_FOUND
    text = manifest()
    stored = there.write(repository, Shelf.MANIFEST, MANIFEST, text)
    assert stored == Descriptor(MANIFEST, sha256(text.encode()), len(text))
    there.tag(f"{repository}:main", stored.digest)
    there.tag(f"{repository}:main", stored.digest)
    there.tag(f"{repository}:other", stored.digest)
    by_name, by_digest, nothing = there.resolve(
        [f"{repository}:main", f"{repository}@{stored.digest}", f"{repository}:no"]
    )
    assert not isinstance(by_name, Failure)
    assert not isinstance(by_digest, Failure)
    assert [d.digest for d in (*by_name, *by_digest)] == [stored.digest] * 2
    assert code(nothing) is FailureCode.NOT_FOUND
    assert there.read(repository, [stored], len(text)) == [text]
    assert code(there.read(repository, [stored], len(text) - 1)[0]) is FailureCode.TOO_LARGE
    assert there.has(repository, [stored.digest]) == [Presence.PRESENT]
    there.delete(repository, stored.digest)
    assert code(there.read(repository, [stored], 1 << 20)[0]) is FailureCode.NOT_FOUND
    assert json.loads((tmp_path / "new" / "index.json").read_text())["manifests"] == []
    with pytest.raises(Failure):
        there.delete(repository, stored.digest)


def test_a_manifest_that_an_index_lists_is_kept(there: Repositories, tmp_path: Path) -> None:
    repository = f"oci:{tmp_path}/l"
    inner = there.write(repository, Shelf.MANIFEST, MANIFEST, manifest())
    index_type = "application/vnd.oci.image.index.v1+json"
    entry = {"mediaType": MANIFEST, "digest": inner.digest, "size": inner.size}
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": [entry]})
    outer = there.write(repository, Shelf.MANIFEST, index_type, index)
    there.tag(f"{repository}:index", outer.digest)
    there.delete(repository, inner.digest)
    assert there.has(repository, [inner.digest]) == [Presence.PRESENT]
    there.delete(repository, outer.digest)
    there.delete(repository, inner.digest)
    assert there.has(repository, [inner.digest]) == [Presence.ABSENT]


def test_confused_manifests_are_refused(there: Repositories, tmp_path: Path) -> None:
    repository = f"oci:{tmp_path}/l"
    for media_type in ("", "application/vnd.oci.image.index.v1+json"):
        with pytest.raises(Failure) as invalid:
            there.write(repository, Shelf.MANIFEST, media_type, manifest())
        assert invalid.value.code is FailureCode.INVALID
    both = json.dumps({"manifests": [], "layers": []})
    blob = there.write(repository, Shelf.BLOB, "x", both)
    with pytest.raises(Failure) as corrupt:
        there.tag(f"{repository}:x", blob.digest)
    assert corrupt.value.code is FailureCode.CORRUPT


def test_documents_are_checked(there: Repositories, tmp_path: Path) -> None:
    repository = f"oci:{tmp_path}/l"
    stored = there.write(repository, Shelf.BLOB, "x", "document")
    path = Layout(tmp_path / "l").blob_path(stored.digest)
    for content, wanted in (
        (b"documenT", FailureCode.CORRUPT),
        (b"doc", FailureCode.TRUNCATED),
        (b"document and more", FailureCode.CORRUPT),
    ):
        path.write_bytes(content)
        assert code(there.read(repository, [stored], 100)[0]) is wanted
    odd = Descriptor("x", "sha256:../../../etc/passwd", 8)
    assert code(there.read(repository, [odd], 100)[0]) is FailureCode.INVALID
    latin = there.write(repository, Shelf.BLOB, "x", "ä")
    bad = "ä".encode("latin-1")
    with Layout(tmp_path / "l").locked():
        digest = Layout(tmp_path / "l").store(bad)
    assert code(there.read(repository, [Descriptor("x", digest, 1)], 9)[0]) is FailureCode.CORRUPT
    assert there.read(repository, [latin], 9) == ["ä"]


def test_layouts_stay_where_they_may_be(there: Repositories, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    for path in ("/tmp/elsewhere", f"{tmp_path}/../elsewhere", f"{tmp_path}/link/elsewhere"):
        with pytest.raises(Failure) as denied:
            there.write(f"oci:{path}", Shelf.BLOB, "x", "x")
        assert denied.value.code is FailureCode.DENIED
        assert not Path(path).exists()


LAYER = bytes(range(256)) * 20


def put(tmp_path: Path, content: bytes, media_type: str = TAR) -> Descriptor:
    layout = Layout(tmp_path / "l")
    layout.create()
    with layout.locked():
        digest = layout.store(content)
    return Descriptor(media_type, digest, len(content))


def retrieve(
    there: Repositories, tmp_path: Path, descriptor: Descriptor, diff_id: str | None = None
) -> Retrieved | Failure:
    [answer] = there.retrieve(f"oci:{tmp_path}/l", [Retrieval(descriptor, None, diff_id)])
    return answer


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_layers_are_checked(there: Repositories, tmp_path: Path, packed: object) -> None:
    assert callable(packed)
    media_type = TAR if packed is bytes else f"{TAR}+gzip"
    descriptor = put(tmp_path, packed(LAYER), media_type)
    answer = retrieve(there, tmp_path, descriptor, sha256(LAYER))
    assert answer == Retrieved(sha256(LAYER), len(LAYER))
    assert code(retrieve(there, tmp_path, descriptor, DIGEST)) is FailureCode.CORRUPT


def test_zstd_layers_are_checked(there: Repositories, tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    content = zstd.compress(LAYER[:700]) + zstd.compress(LAYER[700:])
    descriptor = put(tmp_path, content, f"{TAR}+zstd")
    assert retrieve(there, tmp_path, descriptor) == Retrieved(sha256(LAYER), len(LAYER))
    cut = put(tmp_path, zstd.compress(LAYER)[:-9], f"{TAR}+zstd")
    assert code(retrieve(there, tmp_path, cut)) is FailureCode.CORRUPT


def test_wrong_bytes_are_told(there: Repositories, tmp_path: Path) -> None:
    descriptor = put(tmp_path, LAYER)
    path = Layout(tmp_path / "l").blob_path(descriptor.digest)
    path.write_bytes(LAYER[:-1] + b"x")
    assert code(retrieve(there, tmp_path, descriptor)) is FailureCode.CORRUPT
    path.write_bytes(LAYER[:-1])
    assert code(retrieve(there, tmp_path, descriptor)) is FailureCode.TRUNCATED
    half = put(tmp_path, gzip.compress(LAYER)[:-9], f"{TAR}+gzip")
    assert code(retrieve(there, tmp_path, half)) is FailureCode.CORRUPT


def test_layers_are_not_unpacked(there: Repositories, tmp_path: Path) -> None:
    descriptor = put(tmp_path, LAYER)
    into = Destination(str(tmp_path), "f/own")
    before = sorted(tmp_path.rglob("*"))
    [answer] = there.retrieve(f"oci:{tmp_path}/l", [Retrieval(descriptor, into)])
    assert code(answer) is FailureCode.UNSUPPORTED
    assert f'cannot unpack the layer "{descriptor.digest}"' in str(answer)
    assert sorted(tmp_path.rglob("*")) == before


def test_layers_are_not_packed(tmp_path: Path) -> None:
    there = Repositories(keys=Keys(file=None), provider=lambda name, wanted: io.BytesIO(LAYER))
    answers = there.store(
        f"oci:{tmp_path}/l",
        [
            Transfer(Descriptor(f"{TAR}+gzip", "", 0), SourceFile("/f/layer.tar")),
            Transfer(Descriptor(TAR, sha256(LAYER), len(LAYER)), SourceFile("/etc/passwd")),
            Transfer(Descriptor(TAR, "", 0), SourceProvider("x")),
        ],
    )
    assert [code(answer) for answer in answers] == [FailureCode.UNSUPPORTED] * 3
    assert 'cannot store the layer "/f/layer.tar"' in str(answers[0])
    assert not (tmp_path / "l").exists()


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    whole = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20))
    return whole + packer.flush()


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"largest_layer": 8 << 20}, "limit layer-bytes"),
        ({"largest_session": 8 << 20}, "limit session-layer-bytes"),
    ],
)
def test_a_bomb_is_stopped(tmp_path: Path, options: dict[str, int], limit: str) -> None:
    there = Repositories(keys=Keys(file=None), **options)  # type: ignore[arg-type]
    small = put(tmp_path, bomb(6 << 20), f"{TAR}+gzip")
    assert isinstance(retrieve(there, tmp_path, small), Retrieved)
    stopped = retrieve(there, tmp_path, put(tmp_path, bomb(64 << 20), f"{TAR}+gzip"))
    assert code(stopped) is FailureCode.TOO_LARGE
    assert limit in str(stopped)


def test_a_ratio_is_refused_after_the_first_256_mib(tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    there = Repositories(keys=Keys(file=None))
    chunk = zstd.compress(bytes(8 << 20))
    fine = put(tmp_path, chunk * 32, f"{TAR}+zstd")
    assert retrieve(there, tmp_path, fine) == Retrieved(sha256(bytes(256 << 20)), 256 << 20)
    stopped = retrieve(there, tmp_path, put(tmp_path, chunk * 400, f"{TAR}+zstd"))
    assert code(stopped) is FailureCode.TOO_LARGE
    assert "limit layer-ratio" in str(stopped)


def test_a_length_above_the_limit_is_refused_at_once(tmp_path: Path) -> None:
    def provider(name: str, wanted: Descriptor) -> io.BytesIO:
        raise AssertionError("it is read")

    there = Repositories(keys=Keys(file=None), provider=provider)
    huge = Descriptor(TAR, DIGEST, 99 << 40)
    put(tmp_path, LAYER)
    assert "limit layer-bytes" in str(retrieve(there, tmp_path, huge))
    for source in (SourceRepository(f"oci:{tmp_path}/l"), SourceProvider("x")):
        [answer] = there.store(f"oci:{tmp_path}/to", [Transfer(huge, source)])
        assert code(answer) is FailureCode.TOO_LARGE


def test_layers_are_copied_and_provided(tmp_path: Path) -> None:
    def provider(name: str, wanted: Descriptor) -> io.BytesIO:
        return io.BytesIO(LAYER if name == "layer" else b"something else")

    there = Repositories(keys=Keys(file=None), provider=provider)
    known = Descriptor(TAR, sha256(LAYER), len(LAYER))
    repository = f"oci:{tmp_path}/l"
    [stored] = there.store(repository, [Transfer(known, SourceProvider("layer"))])
    assert stored == Stored(known, True)
    [copied] = there.store(f"oci:{tmp_path}/to", [Transfer(known, SourceRepository(repository))])
    assert copied == Stored(known, True)
    Layout(tmp_path / "l").blob_path(known.digest).unlink()
    [wrong] = there.store(repository, [Transfer(known, SourceProvider("other"))])
    assert code(wrong) is FailureCode.TRUNCATED
    assert there.has(repository, [known.digest]) == [Presence.ABSENT]
    assert sorted(path.name for path in (tmp_path / "l").iterdir()) == [
        ".layerwise.lock",
        "blobs",
        "index.json",
        "oci-layout",
    ]
