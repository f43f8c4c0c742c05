"""Layout directories as repositories, and layers that do no harm when unpacked."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
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
from layerwise.stores import Files, Keys, Repositories, Root
from layerwise.stores.documents import MANIFEST
from layerwise.stores.hashing import sha256
from layerwise.stores.layout import Layout
from layerwise.stores.references import parse, parse_place

DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TAR = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Repositories]:
    (tmp_path / "files").mkdir()
    with (
        Files(Root(tmp_path / "files", name="/f", writable=True)) as files,
        Repositories(files=files, keys=Keys(file=None), layouts=[tmp_path]) as repositories,
    ):
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


Member = tuple[str, dict[str, object], bytes]


def tar(*entries: Member) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, members, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for member, value in members.items():
                setattr(entry, member, value)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


LAYER = tar(
    ("f/", {"type": tarfile.DIRTYPE, "mode": 0o700}, b""),
    ("f/own/", {"type": tarfile.DIRTYPE, "mode": 0o750}, b""),
    ("f/own/file", {"mode": 0o640}, b"content"),
    ("f/own/link", {"type": tarfile.SYMTYPE, "linkname": "file"}, b""),
    ("f/own/again", {"type": tarfile.LNKTYPE, "linkname": "f/own/file"}, b""),
)


def put(tmp_path: Path, content: bytes, media_type: str = TAR) -> Descriptor:
    layout = Layout(tmp_path / "l")
    layout.create()
    with layout.locked():
        digest = layout.store(content)
    return Descriptor(media_type, digest, len(content))


def retrieve(
    there: Repositories,
    tmp_path: Path,
    descriptor: Descriptor,
    prefix: str | None = "f/own",
    diff_id: str | None = None,
) -> Retrieved | Failure:
    into = None if prefix is None else Destination("/f", prefix)
    [answer] = there.retrieve(f"oci:{tmp_path}/l", [Retrieval(descriptor, into, diff_id)])
    return answer


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_layers_are_unpacked(there: Repositories, tmp_path: Path, packed: object) -> None:
    assert callable(packed)
    media_type = TAR if packed is bytes else f"{TAR}+gzip"
    descriptor = put(tmp_path, packed(LAYER), media_type)
    answer = retrieve(there, tmp_path, descriptor, diff_id=sha256(LAYER))
    assert answer == Retrieved(sha256(LAYER), len(LAYER))
    own = tmp_path / "files" / "f" / "own"
    assert (own / "file").read_bytes() == b"content"
    assert (own / "file").stat().st_mode & 0o777 == 0o640
    assert os.readlink(own / "link") == "file"
    assert (own / "again").stat().st_ino == (own / "file").stat().st_ino
    assert own.stat().st_mode & 0o777 == 0o750
    (own / "more").write_text("kept")
    assert isinstance(retrieve(there, tmp_path, descriptor), Retrieved)
    assert (own / "more").read_text() == "kept"
    names = [path.name for path in (tmp_path / "files").rglob("*")]
    assert not [name for name in names if name.startswith(".layerwise")]


def test_zstd_layers_are_unpacked(there: Repositories, tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    content = zstd.compress(LAYER[:700]) + zstd.compress(LAYER[700:])
    descriptor = put(tmp_path, content, f"{TAR}+zstd")
    assert retrieve(there, tmp_path, descriptor) == Retrieved(sha256(LAYER), len(LAYER))
    cut = put(tmp_path, zstd.compress(LAYER)[:-9], f"{TAR}+zstd")
    assert code(retrieve(there, tmp_path, cut)) is FailureCode.CORRUPT


EVIL: dict[str, Member] = {
    "up": ("f/own/../../x", {}, b"x"),
    "dots": ("../x", {}, b"x"),
    "absolute": ("/etc/x", {}, b"x"),
    "elsewhere": ("f/other/x", {}, b"x"),
    "above": ("f", {}, b"x"),
    "link out": ("f/own/l", {"type": tarfile.SYMTYPE, "linkname": "../../x"}, b""),
    "link to root": ("f/own/l", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b""),
    "link around": ("f/own/l", {"type": tarfile.SYMTYPE, "linkname": "a/../../../x"}, b""),
    "hard link out": ("f/own/l", {"type": tarfile.LNKTYPE, "linkname": "etc/passwd"}, b""),
    "hard link to nothing": ("f/own/l", {"type": tarfile.LNKTYPE, "linkname": "f/own/no"}, b""),
    "device": ("f/own/d", {"type": tarfile.CHRTYPE}, b""),
    "pipe": ("f/own/d", {"type": tarfile.FIFOTYPE}, b""),
}


@pytest.mark.parametrize("name", sorted(EVIL))
def test_nothing_of_an_evil_layer_is_unpacked(
    there: Repositories, tmp_path: Path, name: str
) -> None:
    fine: Member = ("f/own/fine", {}, b"x")
    descriptor = put(tmp_path, tar(fine, EVIL[name]))
    assert code(retrieve(there, tmp_path, descriptor)) is FailureCode.DENIED
    assert list((tmp_path / "files").iterdir()) == []


def test_nothing_is_written_through_links(there: Repositories, tmp_path: Path) -> None:
    through = tar(
        ("f/own/l", {"type": tarfile.SYMTYPE, "linkname": "."}, b""),
        ("f/own/l/x", {}, b"x"),
    )
    assert code(retrieve(there, tmp_path, put(tmp_path, through))) is FailureCode.DENIED
    (tmp_path / "outside").mkdir()
    (tmp_path / "files" / "f").symlink_to("../outside")
    answer = retrieve(there, tmp_path, put(tmp_path, LAYER))
    assert isinstance(answer, Failure)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_directory_is_not_replaced(there: Repositories, tmp_path: Path) -> None:
    own = tmp_path / "files" / "f" / "own"
    (own / "file").mkdir(parents=True)
    answer = retrieve(there, tmp_path, put(tmp_path, LAYER))
    assert code(answer) is FailureCode.CONFLICT
    assert [path.name for path in own.iterdir()] == ["file"]


def test_wrong_bytes_are_not_unpacked(there: Repositories, tmp_path: Path) -> None:
    descriptor = put(tmp_path, LAYER)
    wrong = retrieve(there, tmp_path, descriptor, diff_id=DIGEST)
    assert code(wrong) is FailureCode.CORRUPT
    path = Layout(tmp_path / "l").blob_path(descriptor.digest)
    path.write_bytes(LAYER[:-1] + b"x")
    assert code(retrieve(there, tmp_path, descriptor)) is FailureCode.CORRUPT
    path.write_bytes(LAYER[:-1])
    assert code(retrieve(there, tmp_path, descriptor)) is FailureCode.TRUNCATED
    garbage = put(tmp_path, b"no tar at all" * 100)
    assert code(retrieve(there, tmp_path, garbage)) is FailureCode.CORRUPT
    spoilt = bytearray(LAYER)
    spoilt[512 + 148 : 512 + 156] = b"0000000\0"
    middle = put(tmp_path, bytes(spoilt))
    assert code(retrieve(there, tmp_path, middle)) is FailureCode.CORRUPT
    half = put(tmp_path, gzip.compress(LAYER)[:-9], f"{TAR}+gzip")
    assert code(retrieve(there, tmp_path, half)) is FailureCode.CORRUPT
    assert list((tmp_path / "files").iterdir()) == []
    hashed = retrieve(there, tmp_path, garbage, prefix=None)
    assert hashed == Retrieved(garbage.digest, garbage.size)


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    limited = Repositories(keys=Keys(file=None), largest_layer=1 << 20)
    descriptor = put(tmp_path, bomb, f"{TAR}+gzip")
    assert code(retrieve(limited, tmp_path, descriptor, None)) is FailureCode.TOO_LARGE


def test_layers_are_stored(there: Repositories, tmp_path: Path) -> None:
    (tmp_path / "files" / "layer.tar").write_bytes(LAYER)
    wanted = Descriptor(f"{TAR}+gzip", "", 0)
    transfer = Transfer(wanted, SourceFile("/f/layer.tar"))
    [first] = there.store(f"oci:{tmp_path}/a", [transfer])
    assert isinstance(first, Stored)
    assert (first.diff_id, first.written) == (sha256(LAYER), True)
    content = Layout(tmp_path / "a").blob_path(first.descriptor.digest).read_bytes()
    assert content[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert gzip.decompress(content) == LAYER
    [again] = there.store(f"oci:{tmp_path}/a", [transfer])
    assert isinstance(again, Stored)
    assert again == Stored(first.descriptor, False, diff_id=sha256(LAYER))
    copy = Transfer(first.descriptor, SourceRepository(f"oci:{tmp_path}/a"))
    [moved] = there.store(f"oci:{tmp_path}/b", [copy])
    assert moved == Stored(first.descriptor, True)
    other = Transfer(Descriptor(TAR, DIGEST, 3), SourceFile("/f/layer.tar"))
    [conflict] = there.store(f"oci:{tmp_path}/b", [other])
    assert code(conflict) is FailureCode.CONFLICT
    answers = there.store(
        f"oci:{tmp_path}/b",
        [
            Transfer(wanted, SourceFile("/f/no")),
            Transfer(wanted, SourceFile("/etc/passwd")),
            Transfer(wanted, SourceProvider("x")),
            Transfer(Descriptor(f"{TAR}+zstd", "", 0), SourceFile("/f/layer.tar")),
        ],
    )
    assert [code(answer) for answer in answers] == [
        FailureCode.NOT_FOUND,
        FailureCode.DENIED,
        FailureCode.UNSUPPORTED,
        FailureCode.UNSUPPORTED,
    ]


def test_layers_are_provided(tmp_path: Path) -> None:
    def provider(name: str, wanted: Descriptor) -> io.BytesIO:
        return io.BytesIO(LAYER if name == "layer" else b"something else")

    there = Repositories(keys=Keys(file=None), provider=provider)
    known = Descriptor(TAR, sha256(LAYER), len(LAYER))
    plain = Descriptor(TAR, "", 0)
    repository = f"oci:{tmp_path}/l"
    [stored] = there.store(repository, [Transfer(known, SourceProvider("layer"))])
    assert stored == Stored(known, True)
    [found] = there.store(repository, [Transfer(plain, SourceProvider("layer"))])
    assert found == Stored(known, False, diff_id=sha256(LAYER))
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
