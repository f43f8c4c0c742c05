"""Layouts that try to lead out: links, pipes and devices in every place of one."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerwise import Annotation, Descriptor, Failure, FailureCode, LayerwiseError, buildkit
from layerwise.engine import Engine
from layerwise.image_store import Facts
from layerwise.registry import Presence, Retrieval, Shelf, SourceRepository, Transfer
from layerwise.stores import Keys, OciLayout, Repositories
from layerwise.stores.hashing import sha256
from layerwise.stores.layout import Layout

SECRET = b"a secret of this machine\n" * 3
CONFIG = '{"rootfs":{"type":"layers"}}'
TIME = "2026-01-01T00:00:00Z"
TAR = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


def layout(root: Path) -> Path:
    OciLayout.create_at(root)
    return root


def blob(root: Path, digest: str) -> Path:
    return root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def refused(answer: object) -> str:
    """The text of a failure, which tells nothing of the secret."""
    assert isinstance(answer, Failure), answer
    text = re.sub(r'"[^"]*"', '""', str(answer))
    assert hashlib.sha256(SECRET).hexdigest() not in text
    assert str(len(SECRET)) not in text
    return text


def linked(path: Path, to: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def test_a_blob_that_is_a_link_is_not_read(tmp_path: Path, secret: Path) -> None:
    """Neither under a wrong digest, which would be told, nor under the right one."""
    root = layout(tmp_path / "x")
    there = Repositories(keys=Keys(file=None))
    for digest in (sha256(b"other"), sha256(SECRET)):
        linked(blob(root, digest), secret)
        asked = Descriptor(TAR, digest, len(SECRET))
        [read] = there.read(f"oci:{root}", [asked], 1 << 20)
        [kept] = there.retrieve(f"oci:{root}", [Retrieval(asked)])
        [copied] = there.store(
            f"oci:{tmp_path}/copy", [Transfer(asked, SourceRepository(f"oci:{root}"))]
        )
        for answer in (read, kept, copied):
            assert "it is a link, which is not followed" in refused(answer)
        with pytest.raises(Failure) as failure:
            there.has(f"oci:{root}", [digest])
        refused(failure.value)
        with pytest.raises(Failure) as failure:
            there.tag(f"oci:{root}:name", digest)
        refused(failure.value)
    wrong = Descriptor(TAR, sha256(b"other"), 1)
    refused(there.retrieve(f"oci:{root}", [Retrieval(wrong)])[0])
    copies = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert SECRET not in [path.read_bytes() for path in copies]


@pytest.mark.parametrize("name", ["blobs", "blobs/sha256", "index.json", "oci-layout"])
def test_nothing_is_reached_through_a_link(tmp_path: Path, name: str) -> None:
    """Not even what is a part of another layout."""
    other = layout(tmp_path / "other")
    OciLayout(other).create(None, CONFIG, None)
    root = layout(tmp_path / "x")
    store = OciLayout(root)
    store.create(None, CONFIG, None)
    aside = tmp_path / "aside"
    (root / name).rename(aside)
    (root / name).symlink_to(other / name)
    before = sorted(other.rglob("*"))
    there = Repositories(keys=Keys(file=None))
    asked = Descriptor("x", sha256(CONFIG.encode()), len(CONFIG))
    with pytest.raises(Failure, match="it is a link, which is not followed"):
        OciLayout(root).get([asked.digest], Facts.DOCUMENT, 1 << 20)
    for write in (
        lambda: there.write(f"oci:{root}", Shelf.BLOB, "x", "new"),
        lambda: there.tag(f"oci:{root}:name", asked.digest),
        lambda: store.create(None, '{"author":"x","rootfs":{"type":"layers"}}', None),
    ):
        with contextlib.suppress(Failure):
            write()
    assert sorted(other.rglob("*")) == before


def test_a_lock_that_is_a_link_makes_nothing(tmp_path: Path) -> None:
    root = layout(tmp_path / "x")
    linked(root / ".layerwise.lock", tmp_path / "made")
    with pytest.raises(Failure) as denied:
        OciLayout(root).create(None, CONFIG, None)
    assert denied.value.code is FailureCode.DENIED
    assert not (tmp_path / "made").exists()


def device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))


@pytest.mark.parametrize("special", [os.mkfifo, device, Path.mkdir])
def test_pipes_and_devices_are_not_opened(tmp_path: Path, special: Callable[[Path], None]) -> None:
    root = layout(tmp_path / "x")
    digest = sha256(b"x")
    try:
        special(blob(root, digest))
    except PermissionError:
        assert os.geteuid() != 0
        return
    there = Repositories(keys=Keys(file=None))
    [answer] = there.retrieve(f"oci:{root}", [Retrieval(Descriptor(TAR, digest, 1))])
    assert "is not a regular file" in refused(answer)
    (root / "index.json").unlink()
    special(root / "index.json")
    with pytest.raises(Failure, match="is not a regular file"):
        OciLayout(root)


def test_layouts_are_below_their_directory_without_links(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    layout(inside / "real")
    layout(tmp_path / "elsewhere")
    (inside / "link").symlink_to(tmp_path / "elsewhere")
    (inside / "within").symlink_to("real")
    there = Repositories(keys=Keys(file=None), layouts=[inside])
    for name in ("link", "within", "../elsewhere", "real/../../elsewhere"):
        with pytest.raises(Failure) as denied:
            there.write(f"oci:{inside}/{name}", Shelf.BLOB, "x", "x")
        assert denied.value.code is FailureCode.DENIED
    assert there.has(f"oci:{inside}/real", [sha256(b"x")]) == [Presence.ABSENT]


def test_an_export_makes_nothing_outside(engine: Engine, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "x"
    root.mkdir()
    (root / "blobs").symlink_to(outside)
    (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": []}))
    registry = Repositories(keys=Keys(file=None))
    layer = registry.write(f"oci:{tmp_path}/built", Shelf.BLOB, TAR, "layer")
    told = Annotation("containerd.io/uncompressed", layer.digest)
    listed = dataclasses.replace(layer, annotations=[told])
    source = SourceRepository(f"oci:{tmp_path}/built")
    options = buildkit.Options(oci=True, image=True, source=source)
    with engine.exporter(registry=registry, options=options) as exporter:
        exporter.add(buildkit.Entry(sha256(b"step"), results=[buildkit.Outcome(TIME, [listed])]))
        with pytest.raises(LayerwiseError, match="it is a link, which is not followed"):
            exporter.finalize(f"oci:{root}", f"oci:{root}:t")
    assert list(outside.iterdir()) == []


def test_what_others_exchange_meanwhile_is_not_followed(
    tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at a blob and opening it."""
    root = layout(tmp_path / "x")
    digest = sha256(SECRET)
    path = blob(root, digest)
    path.write_bytes(SECRET)
    look = os.stat

    def exchanged(name: str, **options: Any) -> os.stat_result:
        found = look(name, **options)
        if name == path.name:
            linked(path, secret)
        return found

    monkeypatch.setattr(os, "stat", exchanged)
    with pytest.raises(Failure, match="it is a link, which is not followed"):
        Layout(root).read_blob(digest, len(SECRET), 1 << 20)
