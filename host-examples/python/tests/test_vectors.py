"""Sessions whose functions no recorded calls go through, over vectors of real engines."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from typing import Any

from conftest import REPOSITORY

from layerwise import Engine, Platform, Reading, Semantics, builds, dockerfile, stores

VECTORS = REPOSITORY / "tests" / "vectors"
#: What a case has that is asked here; others need files, arguments or another client.
PLAIN = {"name", "kind", "dockerfile", "context", "steps", "images"}
#: Instructions that need files.
FILES = ("COPY", "ADD", "ONBUILD", "--FROM", "--MOUNT")


def load(name: str) -> dict[str, Any]:
    with gzip.open(VECTORS / name) as file:
        found: dict[str, Any] = json.load(file)
    return found


def test_dockerfiles_ask_what_the_engine_asked(engine: Engine) -> None:
    vectors = load("docker-29/dockerfile.json.gz")
    host = vectors["engine"]["host"]
    compared = 0
    for case in vectors["cases"]:
        text = case["dockerfile"]
        if set(case) != PLAIN or any(word in text.upper() for word in FILES):
            continue
        images = stores.Memory()
        for name, image in case["images"].items():
            familiar = name.removeprefix("docker.io/library/")
            assert images.add(vectors["docs"][image], name=familiar) == image
        options = dockerfile.Options(
            Platform(host["os"], host["architecture"], host["variant"]),
            dockerfile.Packer.CLIENT,
            semantics=Semantics(Reading.COMPATIBLE),
        )
        wanted = [step for step in case["steps"] if "config" in step]
        with engine.dockerfile(text, options, images=images) as session:
            found = list(steps(session, wanted))
        assert len(found) == len(wanted), case["name"]
        for step, expected in zip(found, wanted, strict=True):
            assert step.instruction.text == expected["text"], case["name"]
            if step.config is None:
                # A name that the engine made up.
                assert expected.get("random"), (case["name"], step.notes)
                continue
            config = json.loads(step.config)
            del config["Image"]
            assert config == expected["config"], (case["name"], step.instruction)
            assert step.created_by == expected["created_by"]
            compared += 1
    assert compared > 300


def steps(session: dockerfile.Session, wanted: list[dict[str, Any]]) -> Any:
    """The steps of a Dockerfile, each with the outcome that the engine had."""
    for number in range(10_000):
        match session.advance():
            case dockerfile.EventStep(step):
                yield step
                hit = wanted[0]["seen"] == "hit"
                wanted = wanted[1:]
                session.report(dockerfile.Outcome(hit, image=f"sha256:{number:064x}"))
            case dockerfile.EventDone():
                return
            case dockerfile.EventRefused() | dockerfile.EventWanted() as event:
                raise AssertionError(event)


def test_builds_have_the_steps_that_ran(engine: Engine) -> None:
    vectors = load("buildkit-builds/builds.json.gz")
    states = keys = 0
    with engine.instance() as instance:
        for scenario in vectors["scenarios"]:
            documents = record(instance.builds, scenario["record"])
            with instance.builds.read(documents) as build:
                found = {step.vertex: step for step in build.steps()}
            for expected in scenario["expected"]["steps"]:
                step = found.get(expected["vertex"])
                if step is None:
                    continue
                if expected["state"] in ("cached", "failed"):
                    assert step.state == expected["state"], (scenario["name"], expected)
                    states += 1
                if step.cache_map is not None and "cachemap" in expected:
                    assert step.cache_map == expected["cachemap"], (scenario["name"], expected)
                    keys += 1
    assert states > 300 and keys > 300, (states, keys)


def record(exports: builds.Builds, packed: str) -> list[builds.Document]:
    """The documents of the build in a `.dockerbuild` file."""
    blobs: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
        for member in archive:
            if file := archive.extractfile(member):
                blobs[member.name.removeprefix("./")] = file.read()
    documents = []
    waiting = ["index.json"]
    while waiting:
        text = blobs[waiting.pop()].decode()
        for part in exports.parts(builds.Document(builds.Form.TEXT, text)):
            name = "blobs/" + part.descriptor.digest.replace(":", "/")
            match part.role:
                case builds.Role.MANIFEST:
                    waiting.append(name)
                case builds.Role.LOG:
                    content = base64.b64encode(blobs[name]).decode()
                    documents.append(builds.Document(builds.Form.LOG, content))
                case _:
                    documents.append(builds.Document(builds.Form.TEXT, blobs[name].decode()))
    return documents
