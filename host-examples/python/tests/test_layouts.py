"""Image layouts, read by the stores over WASI: what others wrote, and what is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import need, run
from layouts import IMAGE, MANIFEST, NAME, PARENT, Layout, lent, mark

from layerwise import Corrupt, Engine, Platform, Refused, Wasi, docker
from layerwise.image_store import Provenance
from layerwise.stores import Memory, sha256

BASE = '{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}'
CHILD = (
    '{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z",'
    '"container_config":{"Cmd":["make"]},"rootfs":{"type":"layers"}}'
)
KEY = bytes(range(32))
STEP = docker.Step(
    Platform("linux", "amd64"), config='{"Cmd":["make"]}', parent=sha256(BASE.encode())
)


def family(root: Path) -> tuple[Layout, str, str]:
    """A base and a child of it that was built here."""
    layout = Layout(root)
    base = layout.image(BASE, name="base", mark="false")
    built = mark(KEY, sha256(CHILD.encode()), base)
    return layout, base, layout.image(CHILD, parent=base, name="app:1", mark=built)


def keyed(root: Path, key: Path) -> Wasi:
    """The images of a layout, with the key of marks."""
    key.parent.mkdir(exist_ok=True)
    key.write_text(KEY.hex() + "\n")
    return Wasi(
        "oci:/w",
        {"/w": root, "/key": key.parent},
        {"LAYERWISE_MARKS_KEY": f"/key/{key.name}"},
    )


def ask(session: docker.Session) -> list[Any]:
    """What steps come to that hit and miss, with all their evidence."""
    found: list[Any] = []
    for command in ("make", "other"):
        step = docker.Step(STEP.platform, config=f'{{"Cmd":["{command}"]}}', parent=STEP.parent)
        found += [session.lookup(step), session.explain(step)]
    return found


def test_a_layout_gives_the_answers_of_a_store_in_memory(
    engine: Engine, tmp_path: Path, key: Path
) -> None:
    _, base, child = family(tmp_path / "images")
    images = Memory()
    images.add(BASE, built=Provenance.ELSEWHERE)
    images.add(CHILD, base, Provenance.BUILT_HERE)
    with engine.docker(images=images) as session:
        expected = ask(session)
    with Engine(wasi=keyed(tmp_path / "images", key)).docker() as session:
        found = ask(session)
    assert found == expected
    assert found[0] == docker.Answer(docker.Outcome.HIT_LOCAL, image=child)
    assert found[2].outcome is docker.Outcome.MISS


def sources(root: Path, *names: str) -> docker.Description:
    """What names stand for."""
    options = docker.Options(cache_from=[docker.Source(name, trusted=True) for name in names])
    with Engine(wasi=lent(root)).docker(options) as session:
        return session.describe()


def test_names_and_beginnings_of_ids(tmp_path: Path) -> None:
    layout, base, child = family(tmp_path / "x")
    box = layout.image('{"author":"x","rootfs":{"type":"layers"}}')
    *known, last = layout.entries()
    full = "docker.io/library/busybox:latest"
    last["annotations"]["io.containerd.image.name"] = full
    layout.write([*known, last])
    good = ("app:1", base, base.removeprefix("sha256:"), base[7:20], child[:15], full, "busybox")
    found = sources(tmp_path / "x", *good)
    assert not found.skipped
    assert list(found.sources) == [child, base, base, base, child, box, box]
    bad = ("no", "", "sha256:", "UPPER", "../x", "a b", "sha256:" + "0" * 64)
    found = sources(tmp_path / "x", *bad)
    assert not found.sources
    assert [finding.subject for finding in found.skipped] == list(bad)


def missing(layout: Layout, entry: dict[str, Any]) -> None:
    layout.path(entry["digest"]).unlink()


def no_blobs(layout: Layout, entry: dict[str, Any]) -> None:
    shutil.rmtree(layout.root / "blobs")


def short(layout: Layout, entry: dict[str, Any]) -> None:
    layout.path(entry["digest"]).write_text("{")


def other_bytes(layout: Layout, entry: dict[str, Any]) -> None:
    layout.path(entry["digest"]).write_text(" " * entry["size"])


def directory(layout: Layout, entry: dict[str, Any]) -> None:
    missing(layout, entry)
    layout.path(entry["digest"]).mkdir()


def path_for_digest(layout: Layout, entry: dict[str, Any]) -> None:
    entry["digest"] = "sha256:../../etc/passwd"


def negative(layout: Layout, entry: dict[str, Any]) -> None:
    entry["size"] = -1


def foreign_type(layout: Layout, entry: dict[str, Any]) -> None:
    entry["mediaType"] = "text/plain"


def odd_config(layout: Layout, entry: dict[str, Any]) -> None:
    manifest = json.loads(layout.path(entry["digest"]).read_text())
    manifest["config"]["digest"] = "md5:00"
    blob = layout.blob(json.dumps(manifest).encode(), MANIFEST)
    entry.update(digest=blob.digest, size=blob.size)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (missing, "it does not exist"),
        (no_blobs, "it does not exist"),
        (short, "has 1 bytes"),
        (other_bytes, "does not have the digest"),
        (directory, "is not a regular file"),
        (path_for_digest, '"sha256:../../etc/passwd"'),
        (negative, "descriptor"),
        (foreign_type, '"text/plain"'),
        (odd_config, '"md5:00"'),
    ],
)
def test_a_child_that_cannot_be_read_is_listed_and_says_why(
    tmp_path: Path, damage: Callable[[Layout, dict[str, Any]], None], why: str
) -> None:
    layout, _, child = family(tmp_path / "x")
    first, last = layout.entries()
    damage(layout, last)
    layout.write([first, last])
    with Engine(wasi=lent(layout.root)).docker() as session:
        assert session.lookup(STEP).outcome is docker.Outcome.MISS
        [finding] = session.explain(STEP).findings
    assert finding.subject == child
    assert why in str(finding.differences)
    [skipped] = sources(layout.root, "app:1").skipped
    assert why in str(skipped.differences)


@pytest.mark.parametrize(
    "text",
    ["", '{"manifests":[', "[]", '{"manifests":7}', '{"layers":[]}', "[" * 100_000, "\x00"],
)
def test_a_broken_index_is_told(tmp_path: Path, text: str) -> None:
    layout, _, _ = family(tmp_path / "x")
    (layout.root / "index.json").write_text(text)
    with (
        Engine(wasi=lent(layout.root)).docker() as session,
        pytest.raises(Corrupt, match=r"/w/index\.json"),
    ):
        session.lookup(STEP)


def test_what_is_no_layout_is_refused(tmp_path: Path) -> None:
    none = pytest.raises(Refused, match="it does not exist")
    with Engine(wasi=lent(tmp_path)).docker() as session, none:
        session.lookup(STEP)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"9"}')
    with Engine(wasi=lent(tmp_path)).docker() as session, pytest.raises(Refused, match='"9"'):
        session.lookup(STEP)


def test_odd_entries_are_passed_over_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    layout, base, _ = family(tmp_path / "x")
    absent = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    layout.write(
        [
            *layout.entries()[:1],
            7,
            {"digest": 7},
            {"mediaType": MANIFEST, "digest": "../../etc/passwd", "size": 1},
            absent,
            {**absent, "annotations": {PARENT: base}},
            {**absent, "annotations": {PARENT: base, IMAGE: "no id"}},
            {"mediaType": MANIFEST, "digest": base, "size": len(BASE)},
            {**absent, "digest": "md5:00", "annotations": {NAME: "named"}},
        ]
    )
    with Engine(wasi=lent(layout.root)).docker() as session:
        assert session.explain(STEP).considered == 0
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "is passed over: " in said
    assert "it does not exist" in said
    [named] = sources(layout.root, "named").skipped
    assert '"md5:00"' in str(named.differences)


def test_notes_do_not_pass_on(tmp_path: Path, key: Path) -> None:
    """umoci copies the annotations of an entry to that of an image it derives."""
    layout, _, child = family(tmp_path / "x")
    other = CHILD.replace("make", "derived")
    layout.image(other)
    *known, derived = layout.entries()
    derived["annotations"] = known[1]["annotations"]
    broken = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    notes = {**known[1]["annotations"], PARENT: "sha256:" + "1" * 64, NAME: "copy"}
    layout.write([{**broken, "annotations": notes}, *known, derived])
    with Engine(wasi=keyed(layout.root, key)).docker() as session:
        assert session.lookup(STEP).image == child
        assert session.explain(STEP).considered == 1


def test_what_umoci_writes_is_read(tmp_path: Path) -> None:
    need("umoci", "skopeo")
    root = tmp_path / "layout"
    run("umoci", "init", "--layout", root)
    run("umoci", "new", "--image", f"{root}:base")
    (tmp_path / "hello").write_text("hello")
    run("umoci", "insert", "--image", f"{root}:base", tmp_path / "hello", "/hello")
    run("umoci", "config", "--image", f"{root}:base", "--tag", "child", "--author", "me")
    found = sources(root, "base", "child")
    assert not found.skipped
    configs = [
        json.loads(run("skopeo", "inspect", "--raw", f"oci:{root}:{name}"))["config"]["digest"]
        for name in ("base", "child")
    ]
    assert list(found.sources) == configs
