"""What is lent over WASI, and layouts that try to lead out of it: links, pipes and devices."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from layouts import LAYER, MANIFEST, Layout, lent

from layerwise import (
    Annotation,
    Descriptor,
    Engine,
    EngineError,
    Platform,
    Refused,
    Wasi,
    buildkit,
    docker,
    stacker,
)
from layerwise.registry import SourceRepository
from layerwise.stores import sha256

SECRET = b'{"a secret": "of this machine"}\n'
BASE = '{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}'
STEP = docker.Step(Platform("linux", "amd64"), config="{}", parent=sha256(BASE.encode()))
TIME = "2026-01-01T00:00:00Z"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET)
    return path


def refused(error: object) -> str:
    """The text of a refusal, which tells nothing of the secret."""
    text = re.sub(r'"[^"]*"', '""', str(error))
    assert hashlib.sha256(SECRET).hexdigest() not in text
    assert str(len(SECRET)) not in text
    assert "a secret" not in str(error)
    return text


def cache(root: Path, descriptor: Descriptor) -> str:
    """What reading a document of a layout as the manifest of a cache comes to."""
    asked = buildkit.InputManifest(buildkit.ManifestInput("oci:/w", descriptor))
    with Engine(wasi=lent(root)).instance() as instance, pytest.raises(Refused) as error:
        instance.buildkit.read(asked)
    return refused(error.value)


def images(wasi: Wasi) -> str:
    """What asking for the children of an image comes to."""
    with Engine(wasi=wasi).docker() as session, pytest.raises(Refused) as error:
        session.lookup(STEP)
    return refused(error.value)


def test_a_blob_that_is_a_link_is_not_read(tmp_path: Path, secret: Path) -> None:
    """Neither under a wrong digest, which would be told, nor under the right one; neither
    to something outside nor to something in the layout.
    """
    layout = Layout(tmp_path / "x")
    (layout.root / "inside").write_bytes(SECRET)
    for digest in (sha256(b"other"), sha256(SECRET)):
        for to in (str(secret), "../../inside"):
            layout.path(digest).unlink(missing_ok=True)
            layout.path(digest).symlink_to(to)
            asked = Descriptor(MANIFEST, digest, len(SECRET))
            assert "it is a link, which is not followed" in cache(layout.root, asked)


@pytest.mark.parametrize("name", ["blobs", "blobs/sha256", "index.json", "oci-layout"])
def test_nothing_is_reached_through_a_link(tmp_path: Path, name: str) -> None:
    """Not even what is a part of another layout beside it."""
    other, layout = Layout(tmp_path / "w" / "other"), Layout(tmp_path / "w" / "x")
    for one in (other, layout):
        one.image(BASE)
    (layout.root / name).rename(tmp_path / "aside")
    (layout.root / name).symlink_to(Path("../" * (name.count("/") + 1)) / "other" / name)
    text = images(Wasi("oci:/w/x", {"/w": tmp_path / "w"}))
    assert "it is a link, which is not followed" in text


def device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))


@pytest.mark.parametrize("special", [os.mkfifo, device, Path.mkdir])
def test_pipes_and_devices_are_not_opened(tmp_path: Path, special: Callable[[Path], None]) -> None:
    layout = Layout(tmp_path / "x")
    digest = sha256(b"x")
    try:
        special(layout.path(digest))
    except PermissionError:
        assert os.geteuid() != 0
        return
    asked = Descriptor(MANIFEST, digest, 1)
    assert "is not a regular file" in cache(layout.root, asked)
    (layout.root / "index.json").unlink()
    special(layout.root / "index.json")
    assert "is not a regular file" in images(lent(layout.root))


def test_nothing_is_reached_that_was_not_lent(tmp_path: Path) -> None:
    Layout(tmp_path / "images").image(BASE)
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "out").symlink_to(tmp_path / "images")
    (tmp_path / "lent" / "up").symlink_to("../images")
    for store in ("oci:/images", "oci:/lent/../images", "oci:/lent/out", "oci:/lent/up", "docker:"):
        images(Wasi(store, {"/lent": tmp_path / "lent"}))
    with pytest.raises(EngineError, match="not a directory"):
        Engine(wasi=Wasi(None, {"/x": tmp_path / "none"})).instance()


def test_an_export_makes_nothing(tmp_path: Path) -> None:
    """Neither in what was lent, which is for reading, nor outside of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    layout = Layout(tmp_path / "w" / "x")
    blob = Layout(tmp_path / "w" / "built").blob(b"layer")
    (layout.root / "blobs" / "sha256").rmdir()
    (layout.root / "blobs" / "sha256").symlink_to(outside)
    before = sorted(tmp_path.rglob("*"))
    told = Annotation("containerd.io/uncompressed", blob.digest)
    layer = Descriptor(LAYER, blob.digest, blob.size, [told])
    options = buildkit.Options(oci=True, image=True, source=SourceRepository("oci:/w/built"))
    with Engine(wasi=Wasi(None, {"/w": tmp_path / "w"})).exporter(options) as exporter:
        exporter.add(buildkit.Entry(sha256(b"step"), results=[buildkit.Outcome(TIME, [layer])]))
        for to in ("oci:/w/x", "oci:/w/new"):
            with pytest.raises(Refused):
                exporter.finalize(to, f"{to}:t")
    assert sorted(tmp_path.rglob("*")) == before


def test_files_are_those_that_were_lent(tmp_path: Path) -> None:
    """A stacker's cache is read where it is, and not through what leads out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "build.cache").write_text(json.dumps({"version": 16, "cache": {}}))
    for name in ("stacker", "roots", "oci"):
        (tmp_path / "w" / name).mkdir(parents=True)
    options = stacker.Options(
        stacker.Places("/p/stacker", "/p/roots", "/p/oci"), epoch=stacker.EpochUnset()
    )
    engine = Engine(wasi=Wasi(None, {"/p": tmp_path / "w"}))
    with engine.stacker(options) as session:
        assert session.describe().state is stacker.State.ABSENT
    place = tmp_path / "w" / "stacker" / "build.cache"
    place.write_bytes((outside / "build.cache").read_bytes())
    with engine.stacker(options) as session:
        assert session.describe().state is stacker.State.LOADED
    place.unlink()
    place.symlink_to(outside / "build.cache")
    with pytest.raises(Refused) as error:
        engine.stacker(options).describe()
    assert "build.cache" in str(error.value)
