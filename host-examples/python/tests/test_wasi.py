"""The component with the stores over WASI inside: what it reads, and what it does not do."""

from __future__ import annotations

import dataclasses
import json
import logging
import tarfile
from pathlib import Path

import pytest
from conftest import REPOSITORY
from layouts import Layout, lent
from test_layouts import STEP, family, keyed

from layerwise import (
    Deadline,
    Descriptor,
    Engine,
    EngineError,
    Fuel,
    Limits,
    Platform,
    Reading,
    Refused,
    Semantics,
    Stopped,
    Trap,
    Unsupported,
    Wasi,
    buildkit,
    docker,
    dockerfile,
    stores,
)
from layerwise.instance import Net
from layerwise.wasi import Stderr

NONE = Descriptor("application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64, 2)


def test_an_engine_with_containerd(tmp_path: Path) -> None:
    """Its images under the ids that the engine itself listed."""
    roots = REPOSITORY / "tests" / "vectors" / "roots-29-containerd"
    expected = json.loads((roots / "r4-mixed.expected.json").read_text())
    unpack(roots / "r4-mixed.tar.gz", tmp_path)
    manifests = {
        record["name"]: record["target"]["digest"]
        for record in expected["records"]
        if record["target"]["mediaType"].endswith("manifest.v1+json")
        and record["name"].startswith("docker.io/library/")
    }
    assert len(manifests) > 3
    options = docker.Options(
        cache_from=[docker.Source(name) for name in manifests],
        store=docker.StoreKind.CONTAINERD,
        machine=Platform("linux", "amd64"),
        semantics=Semantics(Reading.COMPATIBLE),
    )
    wasi = Wasi("containerd:/root", {"/root": tmp_path}, {"LAYERWISE_PLATFORM": "linux/amd64"})
    with Engine(wasi=wasi).docker(options) as session:
        found = session.describe()
    assert not found.skipped
    assert list(found.sources) == list(manifests.values())
    untold = dataclasses.replace(wasi, environment={})
    with Engine(wasi=untold).docker(options) as session:
        assert "LAYERWISE_PLATFORM" in str(session.describe().skipped)


def test_an_engine_with_storage_drivers(tmp_path: Path) -> None:
    """Its images under the ids and names of its own files."""
    unpack(REPOSITORY / "tests" / "vectors" / "docker-diff" / "root.tar.gz", tmp_path)
    (names,) = tmp_path.rglob("repositories.json")
    image = json.loads(names.read_text())["Repositories"]["app"]["app:old"]
    options = docker.Options(cache_from=[docker.Source("app:old", trusted=True)])
    step = docker.Step(Platform("linux", "amd64"), config='{"Cmd":["other"]}')
    with Engine(wasi=Wasi("docker:/w", {"/w": tmp_path})).docker(options) as session:
        assert list(session.describe().sources) == [image]
        explained = session.explain(step)
    assert explained.nearest is not None and explained.considered > 0


def unpack(archive: Path, directory: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")


def test_an_archive_has_the_images_of_its_layout(tmp_path: Path) -> None:
    layout, base, child = family(tmp_path / "x")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(layout.root, ".")
    options = docker.Options(cache_from=[docker.Source("base"), docker.Source("app:1")])
    with Engine(wasi=Wasi("archive:/w/x.tar", {"/w": tmp_path})).docker(options) as session:
        assert list(session.describe().sources) == [base, child]


def test_what_wasi_cannot_do_is_unsupported(tmp_path: Path) -> None:
    layout, _, _ = family(tmp_path / "x")
    before = sorted(tmp_path.rglob("*"))
    host = Platform("linux", "amd64")
    options = dockerfile.Options(host, dockerfile.Packer.CLIENT, context="/w")
    engine = Engine(wasi=lent(layout.root))
    with engine.dockerfile("FROM scratch\nCOPY index.json /\n", options) as steps:
        steps.advance()
        with pytest.raises(Unsupported, match="not under WASI, which tells no owners and modes"):
            steps.advance()
    assert sorted(tmp_path.rglob("*")) == before
    with Engine(wasi=Wasi()).docker() as session, pytest.raises(Refused, match="LAYERWISE_STORE"):
        session.lookup(STEP)


def test_nothing_else_can_be_lent() -> None:
    engine = Engine(wasi=Wasi("memory:"))
    with pytest.raises(EngineError, match="nothing else can be lent"):
        engine.docker(images=stores.Memory())
    with engine.docker() as session:
        assert session.lookup(STEP).outcome is docker.Outcome.MISS


def test_without_a_network_a_request_is_a_trap() -> None:
    asked = buildkit.InputManifest(buildkit.ManifestInput("127.0.0.1:1/cache", NONE))
    with Engine(wasi=Wasi()).instance() as instance, pytest.raises(Trap):
        instance.buildkit.read(asked)


def large(root: Path) -> Wasi:
    """A store with an image whose document has 4 MB."""
    document = {"author": "x" * 4_000_000, "rootfs": {"type": "layers"}, **HOST}
    Layout(root).image(json.dumps(document), name="large")
    return lent(root)


HOST = {"os": "linux", "architecture": "amd64"}


@pytest.mark.parametrize(
    ("net", "limits", "kind"),
    [
        ("deadline", Limits(deadline=0.02), Deadline),
        ("fuel", Limits(fuel=5_000_000), Fuel),
    ],
)
def test_limits_hold_for_the_stores_too(
    tmp_path: Path, net: Net, limits: Limits, kind: type[Stopped]
) -> None:
    engine = Engine(wasi=large(tmp_path / "x"), net=net)
    options = docker.Options(cache_from=[docker.Source("large")])
    with pytest.raises(kind):
        engine.docker(options, limits=limits)


def test_a_store_without_memory_says_so(tmp_path: Path) -> None:
    """The limit holds for the memory of the stores and for that of the decisions each."""
    options = docker.Options(cache_from=[docker.Source("large")])
    engine = Engine(wasi=large(tmp_path / "x"))
    with engine.docker(options, limits=Limits(memory=6 << 20)) as session:
        [skipped] = session.describe().skipped
    assert "out of memory" in str(skipped.differences)


def test_what_the_component_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Line by line, safe for a terminal, and of a panic what it says."""
    caplog.set_level(logging.WARNING, "layerwise")
    stderr = Stderr()
    for part in (b"warning: a\x1b", b"[2J\nwar", b"ning: b\nerror: c\n", b"x" * 10_000 + b"\nd"):
        stderr(part)
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == ["a\\u{1b}[2J", "b", "error: c"]
    assert len(said) == 4 and len(said[3]) <= 2_000
    assert stderr.words.startswith("error: c xxx")


def test_marks_are_read_from_the_file_that_is_lent(tmp_path: Path, key: Path) -> None:
    layout, _, child = family(tmp_path / "x")
    wasi = keyed(layout.root, key)
    with Engine(wasi=wasi).docker() as session:
        assert session.lookup(STEP).image == child
    with Engine(wasi=dataclasses.replace(wasi, environment={})).docker() as session:
        assert session.lookup(STEP).image is None
