"""Cases of the Buildpacks lifecycle: a restore and a commit of one generation."""

import gzip
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import trees
from compared import Report, run as call
from registry import REF_NAME, Registry

LABEL = "io.buildpacks.lifecycle.cache.metadata"
INPUTS = (b"analyzed.toml", b"group.toml", b"plan.toml")
# The guarded reading where a cache is damaged: its exit code, and the layer that is lost.
DAMAGED = {
    "volume-damage-03": (1, "m2"),
    "volume-damage-06": (1, "m2"),
    "volume-damage-09": (1, "m2"),
    "volume-damage-24": (3, "m2"),
    "volume-uid-02": (0, None),
    "image-damage-07": (1, "m2"),
    "image-damage-10": (1, "m2"),
}


def run(
    report: Report,
    program: Path,
    folder: Path,
    case: dict,
    parts: tuple[str, ...],
    registry: Registry,
    work: Path,
) -> None:
    if "restore" in parts:
        restore(report, program, folder, case, registry, work / "restore")
    if "guarded" in parts:
        guarded(report, program, folder, case, registry, work / "guarded")
    exported = case["expected"].get("export")
    if "commit" in parts and exported and exported["exit"] == 0:
        commit(report, program, folder, case, exported, work / "commit")


def command(program: Path, root: Path, case: dict, *verb: str) -> list[str]:
    layers = root / "layers"
    return [
        *(str(program), "--json", "buildpacks", *verb),
        *("--layers", str(layers), "--root", str(root), "--group", str(layers / "group.toml")),
        *("--platform-api", case["platform_api"]),
    ]


def user(case: dict) -> tuple[tuple[int, int], dict[str, str]]:
    ids = (case["uid"], case["gid"])
    return ids, {"CNB_USER_ID": str(ids[0]), "CNB_GROUP_ID": str(ids[1])}


def own(path: Path, case: dict) -> None:
    """Gives all of a directory to the user of the build."""
    for directory, names, files in os.walk(path):
        os.chown(directory, case["uid"], case["gid"])
        for name in names + files:
            place = os.path.join(directory, name)
            os.chown(place, case["uid"], case["gid"], follow_symlinks=False)


def restore(
    report: Report, program: Path, folder: Path, case: dict, registry: Registry, root: Path
) -> None:
    code, _, words = restored(program, folder, case, registry, root, ["--compatible"])
    want = case["expected"]["restore"]["exit"]
    right = code in (0, 1) if want == 0 else code == 3
    report.note("restore", "exit", right, f"the lifecycle gives {want}, layerwise {code} {words}")
    if want == 0:
        wanted = trees.load(folder / "restored.json")
        wanted = [entry for entry in wanted if entry.get("path") != "."]
        have = trees.read(root / "layers", INPUTS)
        del have[b"."]
        report.trees("restore", wanted, have)


def guarded(
    report: Report, program: Path, folder: Path, case: dict, registry: Registry, root: Path
) -> None:
    """A layer has metadata and content or neither, and the exit code tells of a lost one."""
    scope = [] if case["cache"] == "volume" else ["--scope", "app", "--accept-unscoped"]
    code, document, words = restored(program, folder, case, registry, root, scope)
    lost = set()
    for decision in document.get("data", []):
        layer, why = decision["layer"], decision["finding"]["code"]
        if not layer or why == "buildpacks/data-not-cached":
            continue
        place = root / "layers" / decision["buildpack"].replace("/", "_") / layer
        there = [place.with_name(f"{layer}.toml").exists(), place.exists()]
        kept = why == "buildpacks/data-restored"
        report.note("guarded", f"layer {layer}", there == [kept, kept], f"{why}, but {there}")
        if not kept:
            lost.add(layer)
    report.note("guarded", "exit", code != 0 or not lost, f"0 without {lost}")
    if case["id"] in DAMAGED:
        want, layer = DAMAGED[case["id"]]
        report.note("guarded", "exit", code == want, f"{want} is wanted, not {code} {words}")
        report.note("guarded", "lost", not layer or layer in lost, f"{layer} is not in {lost}")


def restored(
    program: Path, folder: Path, case: dict, registry: Registry, root: Path, reading: list[str]
) -> tuple[int, dict, str]:
    """Runs the restore of a case in a directory of its own."""
    root.mkdir()
    layers = root / "layers"
    trees.write(layers, trees.load(folder / "before.json"))
    analyzed = (folder / "analyzed.toml").read_text()
    for name, text in (
        ("analyzed.toml", analyzed),
        ("group.toml", (folder / "group.toml").read_text()),
    ):
        file = layers / name
        file.write_text(text.replace("registry.example", registry.address))
        os.chown(file, case["uid"], case["gid"])
    registry.layouts.clear()
    application = re.search(r'reference = "registry\.example/([^"@:]+)', analyzed)
    if application and (folder / "app").is_dir():
        registry.layouts[application[1]] = folder / "app"
    arguments = command(program, root, case, "restore", *reading)
    arguments += ["--analyzed", str(layers / "analyzed.toml")]
    if case["cache"] == "volume":
        copy_volume(folder, root / "cache", case)
        arguments += ["--cache-dir", str(root / "cache")]
    elif case["kind"].endswith("damage"):
        registry.layouts["cache-of-case"] = folder / "cache"
        arguments += ["--cache-image", f"{registry.address}/cache-of-case:cache"]
    elif case["cache_before"]:
        shutil.copytree(folder / "cache", root / "image")
        own(root / "image", case)
        arguments += ["--cache-image", f"oci:{root}/image:cache"]
    else:
        arguments += ["--cache-image", f"{registry.address}/no-such-image:cache"]
    arguments.append("--skip-layers" if case["skip_layers"] else "--data")
    os.chown(root, case["uid"], case["gid"])
    ids, variables = user(case)
    return call(arguments, ids, variables)


def copy_volume(folder: Path, place: Path, case: dict) -> None:
    place.mkdir()
    if (folder / "cache").is_dir():
        shutil.copytree(folder / "cache", place, dirs_exist_ok=True)
    for packed in list(place.rglob("*.tar.gz")):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    extra = case.get("cache_extra", {})
    for name in extra.get("empty_dirs", []):
        (place / name).mkdir(parents=True, exist_ok=True)
    own(place, case)
    for name, mode in extra.get("modes", {}).items():
        (place / name).chmod(int(mode, 8))


def commit(
    report: Report, program: Path, folder: Path, case: dict, want: dict, root: Path
) -> None:
    root.mkdir()
    trees.write(root / "layers", trees.load(folder / "built.json"))
    arguments = command(program, root, case, "cache", "commit", "--compatible")
    cache = root / "cache"
    if case["cache"] == "volume":
        copy_volume(folder, cache, case)
        arguments += ["--cache-dir", str(cache)]
    else:
        if case["cache_before"]:
            shutil.copytree(folder / "cache", cache)
        else:
            cache.mkdir()
        own(cache, case)
        arguments.insert(arguments.index("--compatible"), f"oci:{cache}:cache")
    os.chown(root, case["uid"], case["gid"])
    ids, variables = user(case)
    code, _, words = call(arguments, ids, variables)
    report.note("commit", "exit", code == 0, f"layerwise gives {code} {words}")
    if case["cache"] == "volume":
        compare_volume(report, want, cache / "committed", code)
    else:
        compare_image(report, want, cache, code)


def compare_volume(report: Report, want: dict, committed: Path, code: int) -> None:
    have = {}
    if code == 0 and committed.is_dir():
        for file in committed.iterdir():
            have[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    for name, file in want["files"].items():
        report.note("commit", name, have.get(name) == file["sha256"], "differs or is not there")
    for name in sorted(have.keys() - want["files"].keys()):
        report.note("commit", name, False, "is there, and must not be")


def compare_image(report: Report, want: dict, layout: Path, code: int) -> None:
    ids, label = image(layout) if code == 0 else ([], None)
    for digest in dict.fromkeys(want["diff_ids"]):
        report.note("commit", f"layer {digest}", digest in ids, "is not in the image")
    for digest in sorted(set(ids) - set(want["diff_ids"])):
        report.note("commit", f"layer {digest}", False, "is in the image, and must not be")
    report.note("commit", "order", ids == want["diff_ids"], "the list of diff ids differs")
    report.note("commit", "label", label == want["metadata"], "the bytes of the label differ")


def image(layout: Path) -> tuple[list[str], str | None]:
    """Diff ids and metadata label of the image tagged `cache`."""
    index = json.loads((layout / "index.json").read_bytes())
    tagged = [
        manifest
        for manifest in index["manifests"]
        if (manifest.get("annotations") or {}).get(REF_NAME) == "cache"
    ]
    if len(tagged) != 1:
        return [], None

    def blob(digest: str) -> dict:
        return json.loads((layout / "blobs/sha256" / digest[7:]).read_bytes())

    config = blob(blob(tagged[0]["digest"])["config"]["digest"])
    return config["rootfs"]["diff_ids"], (config["config"].get("Labels") or {}).get(LABEL)
