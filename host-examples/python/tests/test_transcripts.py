"""Replaying transcripts and running scenarios."""

from __future__ import annotations

import copy
import gzip
import json
import resource
import zlib
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

from layerwise import Engine
from layerwise.__main__ import main
from layerwise.scenario import Outcome, Scenario
from layerwise.transcript import first_difference, read, replay
from layerwise.tree import Unreadable

CALLS = REPOSITORY / "tests" / "calls"
SCENARIOS = sorted((REPOSITORY / "tests" / "scenarios").glob("*.json"))
OVER_WASI = sorted((REPOSITORY / "tests" / "scenarios-over-wasi").glob("*.json"))

LONG = "sha256:" + "1" * 64
IMAGES = {
    "call": "image-store#children",
    "args": [{"$": 0}],
    "result": {"err": {"code": "unavailable", "message": "not now"}},
}
STEP = {
    "parent": {"$": 0},
    "config": "{}",
    "platform": {
        "os": "linux",
        "architecture": "amd64",
        "variant": "",
        "os-version": "",
        "os-features": [],
    },
    "place": [],
}
OPTIONS: dict[str, Any] = {
    "semantics": {"reading": "guarded", "version": None},
    "cache-from": [],
    "policy": [],
    "store": "graph-driver",
    "machine": {
        "os": "",
        "architecture": "",
        "variant": "",
        "os-version": "",
        "os-features": [],
    },
    "host-os": "",
    "docker-version": "",
    "last": None,
    "limits": [],
}


def transcript() -> dict[str, Any]:
    problem = {
        "code": "docker/children-unreadable",
        "operation": "list children",
        "subject": {"$": 0},
        "message": "not now",
    }
    calls = [
        {"call": "docker#open", "args": [OPTIONS], "result": {"ok": {"resource": 0}}},
        {
            "call": "docker#[method]session.lookup",
            "args": [{"resource": 0}, STEP],
            "result": {"err": {"host": problem}},
            "imports": [IMAGES],
        },
        {
            "call": "docker#[method]session.describe",
            "args": [{"resource": 0}],
            "result": {"sources": [], "skipped": []},
        },
        {"drop": 0},
    ]
    return {
        "schema": "layerwise/transcript/1",
        "component": "layerwise:cache@0.1.0",
        "strings": [LONG],
        "instances": [{"name": "by hand", "calls": calls}],
    }


def outcome(engine: Engine, tmp_path: Path, document: object) -> str | None:
    path = tmp_path / "calls.json"
    path.write_text(json.dumps(document))
    [recording] = read(path)
    return list(replay(engine, recording))[-1].difference


def test_a_transcript_is_replayed(engine: Engine, tmp_path: Path) -> None:
    assert outcome(engine, tmp_path, transcript()) is None
    path = tmp_path / "calls.json.gz"
    path.write_bytes(gzip.compress(json.dumps(transcript()).encode()))
    assert [recording.name for recording in read(path)] == ["by hand"]


def changed(*path: Any) -> dict[str, Any]:
    """A transcript with something else at a place."""
    document = copy.deepcopy(transcript())
    at: Any = document["instances"][0]["calls"]
    *way, last, value = path
    for part in way:
        at = at[part]
    at[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (changed(2, "result", "sources", ["x"]), "the result at .sources"),
        (changed(1, "result", "err", "host", "message", "other"), "at .err.host.message"),
        (changed(1, "imports", 0, "args", [None]), 'expected null, came "sha256:1111'),
        (changed(1, "imports", 0, "call", "image-store#get"), "at .call expected"),
        (changed(1, "imports", []), "expected null, came"),
        (changed(1, "imports", [IMAGES, IMAGES]), "a call of an import at the top expected"),
        (changed(1, "imports", 0, "result", {"ok": 7}), "expected a list, not int"),
        (changed(1, "imports", 0, "result", {}), "expected an object with the name of a case"),
        (changed(2, "call", "docker#nothing"), "does not export"),
        (changed(2, "args", [{"resource": 1}]), "resource 1"),
        (changed(2, "args", []), "takes 1 arguments"),
        (changed(3, "drop", 5), "IndexError"),
    ],
)
def test_every_difference_is_found(
    engine: Engine, tmp_path: Path, document: object, words: str
) -> None:
    difference = outcome(engine, tmp_path, document)
    assert difference is not None
    assert words in difference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"schema":"layerwise/transcript/2"}',
        '{"schema":"layerwise/transcript/1","component":"layerwise:cache@0.2.0"}',
        '{"schema":"layerwise/transcript/1","component":"layerwise:cache@0.1.0"}',
        "\x1f\x8bno gzip",
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "calls.json"
    path.write_text(text)
    with pytest.raises(Unreadable):
        read(path)


def test_differences_name_the_place() -> None:
    words = first_difference({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})
    assert words == "at .a[1].b expected 2, came 3"
    assert first_difference([1], [1, 2]) == "at the top expected [1], came [1, 2]"


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(transcript()))
    document = changed(2, "result", "sources", ["x"])
    document["instances"][0]["name"] = "red\x1b[31m"
    bad.write_text(json.dumps(document))
    assert main(["replay", str(good)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
    assert main(["conformance", str(good), str(bad)]) == 1
    out = capsys.readouterr().out
    assert out.endswith("1 passed, 1 failed\n")
    assert "\x1b" not in out
    assert "bad.json red\\u{1b}[31m: call 2 (docker#[method]session.describe)" in out
    assert main(["replay", str(tmp_path / "no.json"), str(good)]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.out == "1 passed, 0 failed\n"
    for usage in ([], ["nothing"], ["replay"]):
        with pytest.raises(SystemExit) as left:
            main(usage)
        assert left.value.code == 2


def test_vectors_have_their_calls_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "x.json").write_text(json.dumps(transcript()))
    assert main(["conformance", str(tmp_path / "vectors" / "x.json")]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


@pytest.mark.skipif(not CALLS.is_dir(), reason="not in the repository")
def test_vectors_that_need_no_testing_build(capsys: pytest.CaptureFixture[str]) -> None:
    """One of the files here; `check` runs all."""
    assert main(["conformance", str(CALLS.parent / "vectors" / "docker-real.json.gz")]) == 0
    passed, _, failed = capsys.readouterr().out.splitlines()[-1].partition(" passed, ")
    assert int(passed) > 200
    assert failed == "0 failed"


def test_other_hosts_answered_the_same(engine: Engine) -> None:
    """The calls of every scenario over the stores of the native program, which can write:
    recorded by `layerwise record --out tests/scenarios.json.gz scenario FILE...`.
    """
    recordings = read(Path(__file__).with_name("scenarios.json.gz"))
    for path, recording in zip(SCENARIOS, recordings, strict=True):
        assert [outcome.difference for outcome in replay(engine, recording)][-1] is None, path.stem
        document = json.loads(path.read_text())
        steps = zip(document["calls"], document["results"], strict=True)
        expected = [result for step, result in steps if "call" in step]
        came = [call.get("result") for call in recording.calls if "call" in call]
        assert came == expected, path.stem


@pytest.mark.parametrize("path", OVER_WASI, ids=lambda path: path.stem)
def test_scenarios(path: Path) -> None:
    document = json.loads(path.read_text())
    if (SCENARIOS[0].parent / path.name).is_file():
        # The same but for what cannot be written.
        shared = json.loads((SCENARIOS[0].parent / path.name).read_text())
        for part in ("files", "lend", "calls"):
            assert document[part] == shared[part]
        assert document["results"] != shared["results"]
    scenario = Scenario(path)
    found = scenario.run()
    assert scenario.difference(found) is None
    expected = {"after": document["after"], "results": document["results"]}
    assert json.loads(found.line()) == expected
    assert found.line().startswith('{"after":{"')


def scenario() -> dict[str, Any]:
    return {
        "schema": "layerwise/scenario/1",
        "title": "by hand",
        "files": {
            "images/oci-layout": '{"imageLayoutVersion":"1.0.0"}',
            "images/index.json": '{"schemaVersion":2,"manifests":[]}',
            "images/blobs": {"directory": True},
            "run": {"text": "x", "mode": "0755"},
            "link": {"link": "run"},
            "bytes": {"base64": "AP8="},
            "gone": "x",
        },
        "lend": {"images": "oci:images"},
        "calls": [
            {"call": "docker#open", "args": [OPTIONS]},
            {"change": {"gone": None, "new": "y"}},
            {"drop": 0},
        ],
        "results": [{"ok": {"resource": 0}}, None, None],
        "after": {
            "images": {"directory": True},
            "images/oci-layout": (
                "sha256:18f0797eab35a4597c1e9624aa4f15fd91f6254e5538c1e0d193b2a95dd4acc6"
            ),
            "images/index.json": {"json": {"schemaVersion": 2, "manifests": []}},
            "images/blobs": {"directory": True},
            "run": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "link": {"link": "run"},
            "bytes": "sha256:" + "06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8",
            "new": "sha256:a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa",
        },
    }


def test_a_scenario_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(scenario()))
    assert main(["scenario", "--check", str(path)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
    assert main(["scenario", str(path)]) == 0
    line = capsys.readouterr().out
    assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) + "\n"
    other = scenario()
    other["after"]["run"] = "x"
    path.write_text(json.dumps(other))
    assert main(["scenario", "--check", str(path)]) == 1
    assert "after at .run" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("files", {"../x": "x"}),
        ("files", {"/x": "x"}),
        ("files", {"x": {"text": "x", "link": "y"}}),
        ("files", {"x": {"base64": "!"}}),
        ("files", {"x": 7}),
        ("lend", {"images": "docker:x"}),
        ("calls", [{"cal": "docker#open"}]),
        ("calls", [{"call": "docker#no", "args": []}]),
        ("more", 1),
    ],
)
def test_what_is_no_scenario_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], member: str, value: object
) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps({**scenario(), member: value}))
    assert main(["scenario", "--check", str(path)]) == 3
    assert "error: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def write_through(link: str) -> dict[str, Any]:
    """Scenarios that would write through a link to something outside."""
    files = {"x": {"link": link}}
    run = {"text": "#!/bin/sh\necho owned\n", "mode": "0755"}
    return {
        "change": {"files": files, "calls": [{"change": {"x": "OWNED"}}]},
        "plant": {"files": {**files, "x/planted": run}},
        "plant later": {"files": files, "calls": [{"change": {"x/planted": run}}]},
        "directory": {"files": {**files, "x/d": {"directory": True}}},
        "through two": {"files": {"y": {"link": "x"}, **files, "y/planted": run}},
        "through its own": {"files": {"d/e": "", "x": {"link": "d"}, "x/planted": run}},
        "remove": {"files": files, "calls": [{"change": {"x/file": None}}]},
        "lent": {"files": files, "lend": {"files": [{"name": "/l", "directory": "x"}]}},
        "images": {"files": files, "lend": {"images": "oci:x"}},
        "images below": {"files": files, "lend": {"images": "oci:x/l"}},
        "lent above": {"lend": {"files": [{"name": "/l", "directory": ".."}]}},
        "lent elsewhere": {"lend": {"files": [{"name": "/l", "directory": link}]}},
        "images above": {"lend": {"images": "oci:../x"}},
        "images elsewhere": {"lend": {"images": f"oci:{link}"}},
        "set-id": {"files": {"run": {"text": "", "mode": "4755"}}},
        "dots": {"files": {"d/../../x": ""}},
        "many": {"files": {f"{number}/f": "" for number in range(5001)}},
        "deep": {"files": {"/".join("d" * 65): ""}},
        "own name": {"files": {".": ""}},
    }


@pytest.mark.parametrize("name", sorted(write_through("")))
def test_a_strangers_scenario_stays_in_its_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    (outside / "l").mkdir()
    (outside / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (outside / "index.json").write_text('{"manifests":[]}')
    before = {str(path): path.stat().st_mtime_ns for path in [outside, *outside.rglob("*")]}
    empty: dict[str, Any] = {"files": {}, "lend": {}, "calls": []}
    target = str(outside / "file") if name == "change" else str(outside)
    hostile = {**empty, **write_through(target)[name]}
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps({"schema": "layerwise/scenario/1", "title": "x", **hostile}))
    assert main(["scenario", str(path)]) == 3
    assert capsys.readouterr().err.startswith("error: ")
    assert (outside / "file").read_text() == "mine"
    after = {str(path): path.stat().st_mtime_ns for path in [outside, *outside.rglob("*")]}
    assert after == before


def test_what_a_terminal_acts_upon_is_escaped(tmp_path: Path) -> None:
    outcome = Outcome({"a\x1b[2J\u202e\x9b": "é\n"}, ["\u2066\u061c"])
    line = outcome.line()
    assert line == ('{"after":{"a\\u001b[2J\\u202e\\u009b":"é\\n"},"results":["\\u2066\\u061c"]}')


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_strings_are_counted_before_they_are_put_in_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one of 548 KB, which took 5.7 GB."""
    path = tmp_path / "bomb.json"
    at_once = {"call": "docker#open", "args": [[{"$": 0}] * 6000]}
    many = {"call": "docker#open", "args": [[{"$": 0}] * 50]}
    for calls, words in (
        ([at_once], "the strings of a call come to more than 67108864 bytes"),
        ([{"drop": 0, "x": [{"$": 0}] * 6000}], "the strings of a call"),
        ([many] * 3, "the strings of its calls come to more than"),
    ):
        document = transcript()
        document["strings"] = ["a" * 500_000]
        document["instances"] = [{"name": "x", "calls": calls}]
        path.write_text(json.dumps(document))
        before = memory()
        assert main(["replay", str(path)]) == 3
        assert words in capsys.readouterr().err
        assert memory() - before < 64 << 20


def test_a_compressed_file_has_a_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bomb.json.gz"
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    spaces = b" " * (1 << 20)
    path.write_bytes(b"".join(packer.compress(spaces) for _ in range(600)) + packer.flush())
    assert path.stat().st_size < 1 << 20
    before = memory()
    assert main(["replay", str(path)]) == 3
    assert "it has more than" in capsys.readouterr().err
    assert memory() - before < 256 << 20


def test_nesting_without_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "deep.json"
    document = transcript()
    nested: Any = []
    for _ in range(900):
        nested = [nested]
    document["instances"][0]["calls"] = [{"call": "docker#open", "args": nested}]
    path.write_text(json.dumps(document))
    assert main(["replay", str(path)]) in (1, 3)
    capsys.readouterr()
