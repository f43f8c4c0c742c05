"""The component with the stores over WASI inside, against the stores of this package."""

from __future__ import annotations

import dataclasses
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Registry

from layerwise import (
    Annotation,
    Descriptor,
    Engine,
    EngineError,
    Failure,
    Lent,
    Platform,
    Reading,
    Refused,
    Semantics,
    Trap,
    Unsupported,
    Wasi,
    buildkit,
    docker,
    dockerfile,
    stores,
)
from layerwise.registry import Shelf, SourceRepository
from layerwise.stores.hashing import sha256

BASE = '{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}'
CHILD = (
    '{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z",'
    '"container_config":{"Cmd":["make"]},"rootfs":{"type":"layers"}}'
)
LAYER = "application/vnd.oci.image.layer.v1.tar"
NONE = Descriptor("application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64, 2)
QUERY = buildkit.Query("sha256:" + "b" * 64, 0, 0, "", record=sha256(b"root@0"))


def layout(directory: Path) -> tuple[str, str]:
    """A layout with an image and one that was built on it here."""
    store = stores.OciLayout.create_at(directory)
    base = store.create(None, BASE, None)
    child = store.create(base, CHILD, None)
    store.set_built_here(child, True)
    return base, child


def ask(session: docker.Session, base: str) -> list[Any]:
    """What a step that hits and one that misses come to, with all their evidence."""
    found: list[Any] = []
    for command in ("make", "other"):
        config = f'{{"Cmd":["{command}"]}}'
        step = docker.Step(Platform("linux", "amd64"), config=config, parent=base)
        found += [session.lookup(step), session.explain(step)]
    return found


def ask_of(wasi: Wasi, base: str) -> list[Any]:
    with (
        Engine(wasi=wasi).instance() as instance,
        instance.docker.open(docker.Options()) as session,
    ):
        return ask(session, base)


def test_a_layout_gives_the_same_answers(engine: Engine, tmp_path: Path, key: Path) -> None:
    base, child = layout(tmp_path / "images")
    with engine.docker(images=stores.OciLayout(tmp_path / "images")) as session:
        expected = ask(session, base)
    directories = {"/w": tmp_path, "/key": key.parent}
    found = ask_of(
        Wasi("oci:/w/images", directories, {"LAYERWISE_MARKS_KEY": f"/key/{key.name}"}), base
    )
    assert found == expected
    assert found[0].outcome == docker.Outcome.HIT_LOCAL and child in str(found[0])
    assert found[2].outcome == docker.Outcome.MISS


def test_without_the_key_nothing_counts_as_built_here(engine: Engine, tmp_path: Path) -> None:
    base, _ = layout(tmp_path)
    marks = stores.Marks(None)
    with engine.docker(images=stores.OciLayout(tmp_path, marks=marks)) as session:
        expected = ask(session, base)
    assert ask_of(Wasi("oci:/w", {"/w": tmp_path}), base) == expected


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
    with Engine(wasi=wasi).instance() as instance, instance.docker.open(options) as session:
        found = session.describe()
    assert not found.skipped
    assert list(found.sources) == list(manifests.values())
    untold = dataclasses.replace(wasi, environment={})
    with Engine(wasi=untold).instance() as instance, instance.docker.open(options) as session:
        assert "LAYERWISE_PLATFORM" in str(session.describe().skipped)


def test_an_engine_with_storage_drivers(tmp_path: Path) -> None:
    """Its images under the ids and names of its own files."""
    unpack(REPOSITORY / "tests" / "vectors" / "docker-diff" / "root.tar.gz", tmp_path)
    (names,) = tmp_path.rglob("repositories.json")
    image = json.loads(names.read_text())["Repositories"]["app"]["app:old"]
    options = docker.Options(cache_from=[docker.Source("app:old", trusted=True)])
    step = docker.Step(Platform("linux", "amd64"), config='{"Cmd":["other"]}')
    with (
        Engine(wasi=Wasi("docker:/w", {"/w": tmp_path})).instance() as instance,
        instance.docker.open(options) as session,
    ):
        assert list(session.describe().sources) == [image]
        explained = session.explain(step)
    assert explained.nearest is not None and explained.considered > 0


def unpack(archive: Path, directory: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")


def test_a_cache_gives_the_same_answers(engine: Engine, tmp_path: Path, registry: Registry) -> None:
    """In a layout, and in a registry over `wasi:http`."""
    repositories = stores.Repositories(keys=stores.Keys(file=None))
    wasi = Wasi(directories={"/w": tmp_path}, network=True)
    with Engine(wasi=wasi).instance() as over_wasi:
        for here, there in (
            (f"oci:{tmp_path}/cache", "oci:/w/cache"),
            (f"{registry.host}/cache", f"{registry.host}/cache"),
        ):
            manifest = push(engine, repositories, here)
            with engine.instance(Lent(registry=repositories)) as instance:
                expected = inspected(instance.buildkit, here, manifest)
            assert inspected(over_wasi.buildkit, there, manifest) == expected
            other = dataclasses.replace(manifest, digest="sha256:" + "0" * 64)
            with pytest.raises(Refused, match=other.digest):
                inspected(over_wasi.buildkit, there, other)


def push(engine: Engine, repositories: stores.Repositories, repository: str) -> Descriptor:
    """Pushes a cache of two records, one with a layer."""
    blob = repositories.write(repository, Shelf.BLOB, LAYER, "a layer")
    told = Annotation("containerd.io/uncompressed", blob.digest)
    layer = dataclasses.replace(blob, annotations=[told])
    options = buildkit.Options(oci=True, image=True, source=SourceRepository(repository))
    with engine.exporter(options, registry=repositories) as exporter:
        root = exporter.add(buildkit.Entry(sha256(b"root@0")))
        result = buildkit.Outcome("2026-01-02T00:00:00Z", [layer])
        link = buildkit.Alternative("", record=root)
        digest = sha256(f"{QUERY.digest}@0".encode())
        exporter.add(buildkit.Entry(digest, inputs=[[link]], results=[result]))
        exporter.finalize(repository, f"{repository}:t")
    (found,) = repositories.resolve([f"{repository}:t"])
    assert not isinstance(found, Failure)
    return found[0]


def inspected(exports: buildkit.Buildkit, repository: str, manifest: Descriptor) -> list[Any]:
    """All that is known of a cache."""
    cache = buildkit.InputManifest(buildkit.ManifestInput(repository, manifest))
    with exports.read(cache) as opened:
        return [opened.contents(), opened.lookup(QUERY), opened.explain(QUERY)]


def test_what_wasi_cannot_do_is_unsupported(tmp_path: Path) -> None:
    layout(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    host = Platform("linux", "amd64")
    options = dockerfile.Options(host, dockerfile.Packer.CLIENT, context="/w")
    with Engine(wasi=Wasi("oci:/w", {"/w": tmp_path})).instance() as instance:
        steps = instance.dockerfile.open("FROM scratch\nCOPY index.json /\n", options)
        steps.advance()
        with pytest.raises(Unsupported, match="not under WASI, which tells no owners and modes"):
            steps.advance()
    assert sorted(tmp_path.rglob("*")) == before
    with Engine(wasi=Wasi()).instance() as instance:
        session = instance.docker.open(docker.Options())
        with pytest.raises(Refused, match="LAYERWISE_STORE"):
            ask(session, "sha256:" + "a" * 64)


def test_nothing_is_reached_that_was_not_lent(tmp_path: Path) -> None:
    base, _ = layout(tmp_path / "images")
    (tmp_path / "lent").mkdir()
    os.symlink(tmp_path / "images", tmp_path / "lent" / "out")
    for store in ("oci:/images", "oci:/lent/../images", "oci:/lent/out", "docker:"):
        with pytest.raises(Refused):
            ask_of(Wasi(store, {"/lent": tmp_path / "lent"}), base)
    with pytest.raises(EngineError, match="not a directory"):
        Engine(wasi=Wasi(None, {"/x": tmp_path / "none"})).instance()


def test_nothing_else_can_be_lent() -> None:
    engine = Engine(wasi=Wasi("memory:"))
    with pytest.raises(EngineError, match="nothing else can be lent"):
        engine.docker(images=stores.Memory())


def test_without_a_network_a_request_is_a_trap() -> None:
    with Engine(wasi=Wasi()).instance() as instance, pytest.raises(Trap):
        inspected(instance.buildkit, "127.0.0.1:1/cache", NONE)
