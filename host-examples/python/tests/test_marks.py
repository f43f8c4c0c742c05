"""Who built an image: keyed marks, which no layout brings along."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from layouts import BUILT, PARENT, Layout, lent, mark
from test_layouts import KEY, STEP, family, keyed

from layerwise import Engine, Refused, Wasi, docker

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
HIT, MISS = docker.Outcome.HIT_LOCAL, docker.Outcome.MISS


def looked_up(wasi: Wasi) -> docker.Outcome:
    """What a step comes to that hits the child if that was built here."""
    with Engine(wasi=wasi).docker() as session:
        return session.lookup(STEP).outcome


def note(layout: Layout, **notes: str) -> None:
    """Notes something else of the child."""
    first, child = layout.entries()
    child["annotations"] |= {{"built": BUILT, "parent": PARENT}[key]: notes[key] for key in notes}
    layout.write([first, child])


def test_marks_are_those_of_all_hosts() -> None:
    for parent, digits in (
        (B, "5bb1fda9141c0c2d7298ce01aa568987f652ec2b614c188a5cd1d29c29b45713"),
        (None, "c57f22111bfa480145ff9256cee303304ebc7f9502b82d705b5883212ad6aa0f"),
    ):
        assert mark(KEY, A, parent) == f"hmac-sha256:{digits}"


def test_a_mark_does_not_travel(
    tmp_path: Path, key: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same bytes on another machine, which has a key of its own or none."""
    layout, _, _ = family(tmp_path / "x")
    wasi = keyed(layout.root, key)
    assert looked_up(wasi) is HIT
    assert not caplog.records
    key.write_text("11" * 32 + "\n")
    assert looked_up(wasi) is MISS
    assert looked_up(lent(layout.root)) is MISS
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("was built here does not hold" in text for text in said)
    # Nor does what is beside the layout.
    (layout.root / "marks.key").write_text(KEY.hex() + "\n")
    assert looked_up(lent(layout.root, LAYERWISE_MARKS_KEY="/nothing")) is MISS


def test_marks_of_earlier_versions_mean_nothing(tmp_path: Path, key: Path) -> None:
    layout, _, _ = family(tmp_path / "x")
    [_, child] = layout.entries()
    good = child["annotations"][BUILT]
    for text in ("true", "false", "", "hmac-sha256:", good.upper(), good[:-1], good):
        note(layout, built=text)
        assert looked_up(keyed(layout.root, key)) is (HIT if text == good else MISS)


def test_a_mark_is_one_of_an_image_on_its_parent(tmp_path: Path, key: Path) -> None:
    """Who can write to the layout puts the image on another parent."""
    layout, base, child = family(tmp_path / "x")
    for parent, expected in ((A, MISS), (None, MISS), (base, HIT)):
        note(layout, built=mark(KEY, child, parent))
        assert looked_up(keyed(layout.root, key)) is expected
    note(layout, built=mark(KEY, base, base))
    assert looked_up(keyed(layout.root, key)) is MISS


def test_a_new_key_before_the_old_one(tmp_path: Path, key: Path) -> None:
    layout, _, _ = family(tmp_path / "x")
    wasi = keyed(layout.root, key)
    key.write_text(f"{'22' * 32}\n{KEY.hex()}\n")
    assert looked_up(wasi) is HIT


def test_a_key_that_is_none_is_an_error(tmp_path: Path, key: Path) -> None:
    layout, _, _ = family(tmp_path / "x")
    wasi = keyed(layout.root, key)
    good = KEY.hex()
    for text in ("x\n", f"{good}\n" * 17, good, f"{good.upper()}\n"):
        key.write_text(text)
        said = asked(wasi)
        assert "/key/marks.key" in said
        assert good not in said
    # Over WASI nothing tells who owns it; a link is not followed all the same.
    key.write_text(good + "\n")
    key.rename(key.with_name("old"))
    key.symlink_to("old")
    assert "/key/marks.key" in asked(wasi)
    # What needs no mark needs no key.
    bare = dataclasses.replace(wasi, store="memory:")
    assert looked_up(bare) is MISS


def asked(wasi: Wasi) -> str:
    """What the component says of a child whose mark it cannot check."""
    with Engine(wasi=wasi).docker() as session:
        try:
            return str(session.lookup(STEP)) + str(session.explain(STEP))
        except Refused as refused:
            return str(refused)
