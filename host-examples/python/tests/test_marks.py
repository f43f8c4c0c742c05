"""Who built an image: keyed marks, which no layout brings along."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from layerwise import Engine, Failure, FailureCode, Platform, docker
from layerwise.image_store import Facts, Provenance
from layerwise.stores import Marks, OciLayout
from layerwise.stores.marks import user_key_file

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
KEY = bytes(range(32)).hex()
EMPTY = '{"rootfs":{"type":"layers"}}'
MAKE = {"Cmd": ["/bin/sh", "-c", "make"]}


def kept(path: Path, content: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def built(store: OciLayout, image: str) -> Provenance:
    [found] = store.get([image], Facts.BUILT, 0)
    assert not isinstance(found, Failure), found
    return found.built


def notes(root: Path) -> list[dict[str, str]]:
    entries = json.loads((root / "index.json").read_text())["manifests"]
    return [entry.get("annotations", {}) for entry in entries]


def pair(root: Path) -> tuple[OciLayout, str, str]:
    """A base, and an image that was built on it here."""
    store = OciLayout.create_at(root)
    base = store.create(None, EMPTY, None)
    step = {"container_config": MAKE, "created": "2026-01-01T00:00:00Z"}
    image = store.create(base, json.dumps({**json.loads(EMPTY), **step}), None)
    store.set_built_here(image, True)
    return store, base, image


def test_marks_are_those_of_all_hosts(key: Path) -> None:
    marks = Marks(kept(key, f"{KEY}\n"))
    for parent, digits in (
        (B, "5bb1fda9141c0c2d7298ce01aa568987f652ec2b614c188a5cd1d29c29b45713"),
        (None, "c57f22111bfa480145ff9256cee303304ebc7f9502b82d705b5883212ad6aa0f"),
    ):
        assert marks.make(A, parent) == f"hmac-sha256:{digits}"
        assert marks.holds(A, parent, f"hmac-sha256:{digits}")
        assert not marks.holds(A, A, f"hmac-sha256:{digits}")
        assert not marks.holds(A, parent, f"hmac-sha256:{digits.upper()}")
    for text in ("true", "", "hmac-sha256:", "built-here"):
        assert not marks.holds(A, B, text)
    assert marks.holds(A, B, "false")


def test_a_mark_does_not_travel(
    engine: Engine, tmp_path: Path, key: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "images"
    store, base, image = pair(root)
    config = json.dumps(MAKE)
    step = docker.Step(Platform("linux", "amd64"), parent=base, config=config)
    assert built(store, image) is Provenance.BUILT_HERE
    assert store.ignored_marks() == 0
    # The same bytes on another machine, which has a key of its own or none.
    for other in (None, "11" * 32 + "\n"):
        key.unlink()
        if other:
            kept(key, other)
        elsewhere = OciLayout(root)
        caplog.clear()
        with caplog.at_level(logging.WARNING), engine.docker(images=elsewhere) as session:
            assert session.lookup(step).outcome == "miss"
        assert built(elsewhere, image) is Provenance.UNKNOWN
        assert elsewhere.ignored_marks() == 1
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1
        assert "layerwise docker adopt" in said[0]
        kept(key, f"{KEY}\n")


def test_marks_of_earlier_versions_mean_nothing(tmp_path: Path) -> None:
    _, _, image = pair(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    for text, wanted in (("true", Provenance.UNKNOWN), ("false", Provenance.ELSEWHERE)):
        index["manifests"][1]["annotations"]["dev.layerwise.built-here"] = text
        (tmp_path / "index.json").write_text(json.dumps(index))
        assert built(OciLayout(tmp_path), image) is wanted
    assert OciLayout(tmp_path).ignored_marks() == 0


def test_a_mark_is_one_of_an_image_on_its_parent(tmp_path: Path) -> None:
    store, base, image = pair(tmp_path)
    mark = notes(tmp_path)[1]["dev.layerwise.built-here"]
    # Who can write to the layout puts the image on another parent.
    index = json.loads((tmp_path / "index.json").read_text())
    index["manifests"][1]["annotations"]["dev.layerwise.parent"] = A
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert built(OciLayout(tmp_path), image) is Provenance.UNKNOWN
    # A mark that does not hold is not made anew either.
    store.set_parent(image, base)
    assert built(store, image) is Provenance.BUILT_HERE
    index["manifests"][1]["annotations"]["dev.layerwise.parent"] = A
    (tmp_path / "index.json").write_text(json.dumps(index))
    other = store.create(None, '{"author":"o","rootfs":{"type":"layers"}}', None)
    store.set_parent(image, other)
    assert built(store, image) is Provenance.UNKNOWN
    store.set_built_here(image, True)
    store.set_parent(image, base)
    assert built(store, image) is Provenance.BUILT_HERE
    assert notes(tmp_path)[1]["dev.layerwise.built-here"] == mark


def test_the_key_is_made_once_and_for_this_user_only(tmp_path: Path, key: Path) -> None:
    assert not key.exists()
    _, _, image = pair(tmp_path)
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in key.parent.iterdir()] == ["marks.key"]
    before = key.read_text()
    assert len(before) == 65
    OciLayout(tmp_path).set_built_here(image, True)
    assert key.read_text() == before


def test_a_key_of_others_is_an_error(tmp_path: Path, key: Path) -> None:
    store, base, image = pair(tmp_path)
    good = key.read_text()
    for damage, wanted in (
        (lambda: key.chmod(0o640), FailureCode.DENIED),
        (lambda: kept(key, "x\n"), FailureCode.CORRUPT),
        (lambda: kept(key, good * 17), FailureCode.CORRUPT),
        (lambda: kept(key, good.strip()), FailureCode.CORRUPT),
        (lambda: linked(key), FailureCode.DENIED),
    ):
        damage()
        [answer] = OciLayout(tmp_path).get([image], Facts.BUILT, 0)
        assert isinstance(answer, Failure)
        assert answer.code == wanted
        assert good.strip() not in str(answer)
        # What needs no mark needs no key.
        [fine] = store.get([base], Facts.BUILT | Facts.DOCUMENT, 1 << 20)
        assert not isinstance(fine, Failure)
        if not key.is_symlink():
            kept(key, good)


def linked(key: Path) -> None:
    old = key.with_name("old")
    key.rename(old)
    key.symlink_to(old)


def test_a_new_key_before_the_old_one(tmp_path: Path, key: Path) -> None:
    store, _, image = pair(tmp_path)
    kept(key, f"{KEY}\n{key.read_text()}")
    assert built(store, image) is Provenance.BUILT_HERE
    mark = notes(tmp_path)[1]["dev.layerwise.built-here"]
    store.set_built_here(image, True)
    assert notes(tmp_path)[1]["dev.layerwise.built-here"] != mark
    kept(key, f"{KEY}\n")
    assert built(store, image) is Provenance.BUILT_HERE


def test_where_the_key_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(user_key_file()).endswith(".marks/marks.key")
    monkeypatch.delenv("LAYERWISE_MARKS_KEY")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert user_key_file() == Path("/state/layerwise/marks.key")
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert user_key_file() == Path("/home/me/.local/state/layerwise/marks.key")
    monkeypatch.setenv("HOME", "me")
    assert user_key_file() is None
    with pytest.raises(Failure, match="LAYERWISE_MARKS_KEY"):
        Marks(None).make(A, None)
