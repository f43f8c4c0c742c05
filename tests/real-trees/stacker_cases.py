"""Cases of stacker: a project, and what each build of it did."""

import base64
import json
import re
import shutil
import time
from pathlib import Path

import trees
from compared import Report, run as call
from registry import Registry
from trees import member

PROJECT = Path("/project")

# What stacker says when a layer misses, and the codes that say the same.
REASONS = (
    ("definition was changed", {"definition-changed"}),
    ("base layer was changed", {"base-changed", "base-not-cached"}),
    ("import content changed", {"import-file-changed", "import-missing", "import-new"}),
    ("import dir content changed", {"import-dir-changed"}),
    ("overlay dirs changed", {"overlay-changed", "overlay-new"}),
    ("SOURCE_DATE_EPOCH changed", {"source-date-epoch-changed"}),
)
# It says nothing about a layer that the cache has no entry for.
SILENT = {
    "no-entry",
    "manifest-missing",
    "build-only-rootfs-missing",
    "version-mismatch",
    "base-not-cached",
}


def run(
    report: Report,
    program: Path,
    folder: Path,
    case: dict,
    parts: tuple[str, ...],
    _registry: Registry,
    work: Path,
) -> None:
    PROJECT.mkdir()
    try:
        for step in case["steps"]:
            number = f"{step['step']:02d}"
            before = trees.load(folder / f"{number}-before.json")
            after = trees.load(folder / f"{number}-after.json")
            arguments = ["--source-date-epoch", step["source_date_epoch"]]
            for name, value in step["substitutes"].items():
                arguments += ["--substitute", f"{name}={value}"]
            wanted = [*arguments]
            for layer_type in step["layer_types"]:
                wanted += ["--layer-type", layer_type]
            if "lookup" in parts and not step["needs_network"]:
                lookup(report, program, step, "lookup", before, wanted)
            if "refreshed" in parts and not step["shared_copies"]:
                lookup(report, program, step, "refreshed", refreshed(before, after), wanted)
            built = step["expected"]["exit"] == 0
            if "put" in parts and built and not step["shared_copies"]:
                put(report, program, step, after, arguments, work)
    finally:
        shutil.rmtree(PROJECT)


def make(entries: list[dict]) -> None:
    """Makes the project anew."""
    shutil.rmtree(PROJECT)
    PROJECT.mkdir()
    trees.write(PROJECT, entries)


def lookup(
    report: Report, program: Path, step: dict, part: str, entries: list[dict], arguments: list[str]
) -> None:
    expected = step["expected"]
    crashed = expected["error"] and expected["error"][0].startswith("panic")
    if crashed:
        return
    make(entries)
    code, document, words = call(
        [str(program), "--json", "stacker", "lookup", "--compatible", *arguments], directory=PROJECT
    )
    place = f"step {step['step']}"
    if not expected["layers"]:
        report.note(part, place, code == 3, f"stacker fails, layerwise gives {code}")
        return
    answers = {layer["name"]: layer for layer in document.get("layers") or []}
    for layer in expected["layers"]:
        if layer["outcome"] == "unknown":
            continue
        what = f"{place} {layer['name']}"
        answer = answers.get(layer["name"])
        if answer is None:
            report.note(part, what, False, f"no answer, exit {code} {words}")
            continue
        reason = short((answer["reason"] or answer["error"] or {}).get("code"))
        right = same_outcome(layer["outcome"], answer, reason, step["layer_types"])
        report.note(part, what, right, f"stacker {layer}, layerwise {answer}")
        if right and layer["outcome"] == "miss" and part == "refreshed":
            log = "\n".join(layer["log"])
            said = [codes for text, codes in REASONS if text in log]
            right = reason in (said[0] if said else SILENT)
            report.note("reason", what, right, f"stacker {layer['log']}, layerwise {reason}")


def same_outcome(want: str, answer: dict, reason: str, types: list[str]) -> bool:
    waits = answer["outcome"] == "error" and reason == "base-not-cached"
    have = "miss" if waits else answer["outcome"]
    if want == "partial":
        known = {layer_type.split("+")[0] for layer_type in answer["types"]}
        return have == "hit" and not set(types) <= known and answer["rebuilt"]
    if want == "rebuilt-for-binds":
        return have == "miss" or answer["rebuilt"]
    return have == want and not answer["rebuilt"]


def short(code: str | None) -> str:
    return (code or "").removeprefix("stacker/")


def refreshed(before: list[dict], after: list[dict]) -> list[dict]:
    """What stacker sees when it decides: sources and copies as the build has
    refreshed them, cache and results as they were."""

    def is_old(path: bytes) -> bool:
        top = path.split(b"/")[0]
        return path == b".stacker/build.cache" or top in (b"oci", b"roots")

    def is_overlay(path: bytes) -> bool:
        return path.startswith(b"roots/") and path.split(b"/")[2:3] == [b"overlay_dirs"]

    merged = {}
    for entries, old in ((before, True), (after, False)):
        for entry in entries:
            path = member(entry, "path")
            if (is_old(path) and not is_overlay(path)) == old:
                merged[path] = entry
    if b"oci" not in merged:
        owner = {"uid": 0, "gid": 0}
        directory = {"type": "dir", "mode": "0755", **owner}
        file = {"type": "file", "mode": "0644", **owner}
        for path, entry in (
            ("oci", directory),
            ("oci/blobs/sha256", directory),
            ("oci/index.json", file | {"content": '{"schemaVersion":2,"manifests":[]}'}),
            ("oci/oci-layout", file | {"content": '{"imageLayoutVersion":"1.0.0"}'}),
        ):
            merged[path.encode()] = entry | {"path": path}
    return [merged[path] for path in sorted(merged)]


def put(
    report: Report, program: Path, step: dict, after: list[dict], arguments: list[str], work: Path
) -> None:
    cache = [entry for entry in after if entry.get("path") == ".stacker/build.cache"]
    if not cache:
        return
    real = json.loads(cache[0]["content"])["cache"]
    make([entry for entry in after if entry.get("path") != ".stacker/build.cache"])
    for layer in step["expected"]["layers"]:
        name = layer["name"]
        if name not in real:
            continue
        manifests = work / "manifests.json"
        manifests.write_text(json.dumps(real[name]["Manifests"]))
        code, _, words = call(
            [
                *(str(program), "--json", "stacker", "put", "--compatible", *arguments),
                *("--layer", name, "--now", recorded_time(real[name])),
                *("--user", "root", "--machine", "builder", "--manifests", str(manifests)),
            ],
            directory=PROJECT,
        )
        file = PROJECT / ".stacker/build.cache"
        ours = json.loads(file.read_bytes())["cache"].get(name) if file.exists() else None
        right = code == 0 and ours is not None and plain(ours) == plain(real[name])
        report.note("put", f"step {step['step']} {name}", right, f"exit {code} {words} {ours}")


def hashes(entry: dict) -> list[dict]:
    return [*(entry.get("Imports") or {}).values(), *(entry.get("OverlayDirs") or {}).values()]


def text_of(record: dict) -> str | None:
    """A recorded tree as text; `None` for the hash of a file."""
    try:
        return base64.b64decode(record["Hash"], validate=True).decode("utf8", "surrogateescape")
    except ValueError:
        return None


def recorded_time(entry: dict) -> str:
    for record in hashes(entry):
        found = re.search(r"date: (.*)", text_of(record) or "")
        if found:
            moment = time.strptime(found[1].strip(), "%a %b %d %H:%M:%S %Y")
            return time.strftime("%Y-%m-%dT%H:%M:%S", moment)
    return "2026-11-30T00:00:00"


def plain(entry: dict) -> dict:
    """An entry without what depends on user, machine and time."""
    entry = json.loads(json.dumps(entry))
    for record in hashes(entry):
        text = text_of(record)
        if text is not None:
            lines = text.split("\n")
            named = re.compile(r"# +(user|machine|date): ")
            record["Hash"] = "\n".join(line for line in lines if not named.match(line))
    return entry
