"""Layouts whose `index.json` tells of images that cannot be read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerwise import Failure, FailureCode
from layerwise.image_store import Facts, Image, Provenance
from layerwise.stores import OciLayout
from layerwise.stores.layout import Layout

BASE = '{"author":"base","rootfs":{"type":"layers"}}'
CHILD = '{"author":"child","rootfs":{"type":"layers"}}'
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LIMIT = 1 << 20
ALL = Facts.DOCUMENT | Facts.PARENT | Facts.BUILT


def family(root: Path) -> tuple[str, str, dict[str, Any]]:
    """A base and a child of it that was built here, and the child's entry."""
    store = OciLayout.create_at(root)
    base = store.create(None, BASE, None)
    child = store.create(base, CHILD, None)
    store.set_built_here(child, True)
    store.tag(base, "base")
    store.tag(child, "app:1")
    return base, child, entries(root)[1]


def entries(root: Path) -> list[Any]:
    listed = json.loads((root / "index.json").read_text())["manifests"]
    assert isinstance(listed, list)
    return listed


def enter(root: Path, *listed: object) -> None:
    index = json.loads((root / "index.json").read_text())
    (root / "index.json").write_text(json.dumps({**index, "manifests": listed}))


def fails(answer: object, code: str, *said: str) -> None:
    assert isinstance(answer, Failure), answer
    assert answer.code == code, answer
    assert [text for text in said if text not in answer.message] == [], answer


def raises(work: Callable[[], object], code: str, *said: str) -> None:
    with pytest.raises(Failure) as caught:
        work()
    fails(caught.value, code, *said)


def missing(path: Path, entry: dict[str, Any]) -> None:
    path.unlink()


def no_blobs(path: Path, entry: dict[str, Any]) -> None:
    shutil.rmtree(path.parent.parent)


def short(path: Path, entry: dict[str, Any]) -> None:
    path.write_text("{")


def other_bytes(path: Path, entry: dict[str, Any]) -> None:
    path.write_text(" " * path.stat().st_size)


def directory(path: Path, entry: dict[str, Any]) -> None:
    path.unlink()
    path.mkdir()


def path_for_digest(path: Path, entry: dict[str, Any]) -> None:
    entry["digest"] = "sha256:../../etc/passwd"


def no_digest(path: Path, entry: dict[str, Any]) -> None:
    del entry["digest"]


def negative(path: Path, entry: dict[str, Any]) -> None:
    entry["size"] = -1


def foreign_type(path: Path, entry: dict[str, Any]) -> None:
    entry["mediaType"] = "text/plain"


def odd_config(path: Path, entry: dict[str, Any]) -> None:
    manifest = json.loads(path.read_text())
    manifest["config"]["digest"] = "md5:00"
    text = json.dumps(manifest).encode()
    layout = Layout(path.parent.parent.parent)
    entry.update(digest=layout.store(text), size=len(text))


@pytest.mark.parametrize(
    ("damage", "code", "why"),
    [
        (missing, "unavailable", "it does not exist"),
        (no_blobs, "unavailable", "it does not exist"),
        (short, "truncated", "has 1 bytes"),
        (other_bytes, "corrupt", "does not have the digest"),
        (directory, "corrupt", "not a regular file"),
        (path_for_digest, "corrupt", '"sha256:../../etc/passwd"'),
        (no_digest, "corrupt", "not a descriptor"),
        (negative, "corrupt", "not a descriptor"),
        (foreign_type, "corrupt", '"text/plain" for its media type'),
        (odd_config, "corrupt", '"md5:00"'),
    ],
)
def test_a_child_that_cannot_be_read_is_listed_and_says_why(
    tmp_path: Path, damage: Callable[[Path, dict[str, Any]], None], code: str, why: str
) -> None:
    base, child, entry = family(tmp_path)
    damage(Layout(tmp_path).blob_path(entry["digest"]), entry)
    enter(tmp_path, entries(tmp_path)[0], entry)
    store = OciLayout(tmp_path)
    assert store.children(base) == [child]
    assert child not in store.children(None)
    assert child in store.ids()

    said = f'image "{child}"', "index.json", why
    fails(store.get([child], ALL, LIMIT)[0], code, *said)
    for name in (child, child.removeprefix("sha256:"), child[:20], "app:1"):
        fails(store.resolve([name], LIMIT)[0], code, *said)
    noted = Image(child, None, base, Provenance.BUILT_HERE)
    assert store.get([child], Facts.PARENT | Facts.BUILT, 0) == [noted]

    before = (tmp_path / "index.json").read_bytes()
    raises(lambda: store.set_parent(child, base), code, *said)
    raises(lambda: store.set_built_here(child, False), code, *said)
    raises(lambda: store.tag(child, "new"), code, *said)
    raises(lambda: store.create(child, BASE, None), code, *said)
    assert (tmp_path / "index.json").read_bytes() == before


def test_what_is_back_is_seen_and_what_is_made_again_is_whole(tmp_path: Path) -> None:
    base, child, entry = family(tmp_path)
    path = Layout(tmp_path).blob_path(entry["digest"])
    content = path.read_bytes()
    path.unlink()
    store = OciLayout(tmp_path)
    fails(store.get([child], ALL, LIMIT)[0], "unavailable")
    path.write_bytes(content)
    assert isinstance(store.get([child], ALL, LIMIT)[0], Image)

    shutil.rmtree(tmp_path / "blobs")
    store = OciLayout(tmp_path)
    assert store.create(None, CHILD, None) == child
    assert store.get([child], ALL, LIMIT) == [Image(child, CHILD, None, Provenance.ELSEWHERE)]
    assert store.children(base) == []


def test_notes_are_not_taken_from_a_damaged_copy(tmp_path: Path) -> None:
    """umoci copies annotations to the entry of an image it derives."""
    base, child, entry = family(tmp_path)
    copy = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    notes = {**entry["annotations"], "dev.layerwise.parent": "sha256:" + "1" * 64}
    copied = {**copy, "annotations": {**notes, "org.opencontainers.image.ref.name": "copy"}}
    enter(tmp_path, copied, *entries(tmp_path))
    store = OciLayout(tmp_path)
    assert store.get([child], Facts.PARENT, 0) == [Image(child, None, base)]
    assert store.ids() == sorted([base, child])
    fails(store.resolve(["copy"], LIMIT)[0], "not-found", "blobs/sha256")


def test_entries_without_notes_are_passed_over_and_said(tmp_path: Path) -> None:
    base, child, entry = family(tmp_path)
    Layout(tmp_path).blob_path(entry["digest"]).unlink()
    bare = {name: entry[name] for name in ("mediaType", "digest", "size")}
    parent = {"dev.layerwise.parent": base}
    named = {"org.opencontainers.image.ref.name": "named"}
    enter(
        tmp_path,
        entries(tmp_path)[0],
        bare,
        {**bare, "annotations": parent},
        {**bare, "annotations": {**parent, "dev.layerwise.image": "no id"}},
        {**bare, "digest": "md5:00", "annotations": named},
    )
    store = OciLayout(tmp_path)
    assert store.children(base) == []
    assert store.children(None) == [base]
    said = "of its entries cannot be read: ", "it does not exist"
    fails(store.get([child], ALL, LIMIT)[0], "not-found", *said)
    fails(store.resolve(["nosuch"], LIMIT)[0], "not-found", *said)
    fails(store.resolve(["named"], LIMIT)[0], "corrupt", '"md5:00"')
    layer = "sha256:" + "2" * 64
    document = json.dumps({"rootfs": {"diff_ids": [layer]}})
    raises(lambda: store.create(None, document, layer), "not-found", layer, *said)


@pytest.mark.parametrize("denied", ["blobs", "blobs/sha256"])
def test_blobs_that_may_not_be_looked_up_are_not_an_empty_store(
    tmp_path: Path, denied: str
) -> None:
    base, child, _ = family(tmp_path)
    store = OciLayout(tmp_path)
    # Something it has not read yet.
    later = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    enter(tmp_path, *entries(tmp_path), later)
    (tmp_path / denied).chmod(0)
    try:
        if os.access(tmp_path / denied, os.X_OK):
            pytest.skip("this user may read everywhere")
        all_fail(tmp_path, store, base, child, FailureCode.DENIED, "permission denied")
    finally:
        (tmp_path / denied).chmod(0o755)
    assert store.children(base) == [child]


def test_something_in_the_place_of_blobs_is_not_an_empty_store(tmp_path: Path) -> None:
    base, child, _ = family(tmp_path)
    store = OciLayout(tmp_path)
    later = {"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 1}
    enter(tmp_path, *entries(tmp_path), later)
    blobs = tmp_path / "blobs" / "sha256"
    blobs.rename(tmp_path / "moved")
    blobs.write_text("")
    all_fail(tmp_path, store, base, child, FailureCode.CORRUPT, "is not a directory")
    blobs.unlink()
    blobs.symlink_to(blobs)
    all_fail(
        tmp_path, store, base, child, FailureCode.CORRUPT, "it is a link, which is not followed"
    )
    blobs.unlink()
    (tmp_path / "moved").rename(blobs)
    assert store.children(base) == [child]


def all_fail(
    root: Path, store: OciLayout, base: str, child: str, code: FailureCode, why: str
) -> None:
    said = str(root / "blobs" / "sha256"), why
    raises(lambda: OciLayout(root), code, *said)
    raises(lambda: store.children(None), code, *said)
    raises(lambda: store.children(base), code, *said)
    raises(lambda: store.get([child], ALL, LIMIT), code, *said)
    raises(lambda: store.resolve(["base"], LIMIT), code, *said)
