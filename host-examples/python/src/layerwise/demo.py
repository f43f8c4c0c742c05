"""Decisions on sample data, with nothing but memory: a hit, a miss, and why."""

from __future__ import annotations

import json
import textwrap

from . import buildkit, docker
from .engine import Engine
from .explained import Catalogue
from .image_store import Provenance
from .stores import Memory, sha256
from .text import cut, escape, short_ids
from .types import Descriptor, Explanation, Platform

_LONGEST = 72
_PLATFORM = Platform("linux", "amd64")
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def run(engine: Engine) -> None:
    """Prints all of them."""
    with engine.instance() as instance:
        catalogue = Catalogue(instance.rules.all())
    _docker(engine, catalogue)
    _buildkit(engine, catalogue)


def _docker(engine: Engine, catalogue: Catalogue) -> None:
    base_layer, built_layer = ("sha256:" + digit * 64 for digit in "12")
    base = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "ADD rootfs.tar /"}],
        "rootfs": {"type": "layers", "diff_ids": [base_layer]},
    }
    make = {"Env": ["PATH=/bin", "MODE=fast"], "Cmd": ["/bin/sh", "-c", "make"]}
    built = {
        **base,
        "container_config": make,
        "created": "2026-01-02T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [base_layer, built_layer]},
    }
    images = Memory()
    parent = images.add(json.dumps(base), built=Provenance.ELSEWHERE, name="base:1")
    images.add(json.dumps(built), parent, Provenance.BUILT_HERE)

    with engine.docker(images=images) as session:
        same = docker.Step(_PLATFORM, parent=parent, config=json.dumps(make))
        _title("docker: a step that was built here before")
        _show("config", same.config)
        answer = session.lookup(same)
        _show(answer.outcome, answer.image)

        changed = {**make, "Env": ["PATH=/bin", "MODE=safe"]}
        step = docker.Step(_PLATFORM, parent=parent, config=json.dumps(changed))
        _title("docker: the same step in another environment, and why it has to run")
        _show("config", step.config)
        _show(session.lookup(step).outcome, "")
        _explain(catalogue, session.explain(step))


def _buildkit(engine: Engine, catalogue: Catalogue) -> None:
    source, compiled = ("sha256:" + digit * 64 for digit in "ab")
    layer = Descriptor(_LAYER, "sha256:" + "3" * 64, 1024)
    with engine.instance() as instance:
        with instance.buildkit.export_to(buildkit.Options(oci=True, image=True)) as exporter:
            root = exporter.add(buildkit.Entry(_key(source)))
            result = buildkit.Outcome("2026-01-02T00:00:00Z", layers=[layer])
            link = buildkit.Alternative("", record=root)
            exporter.add(buildkit.Entry(_key(compiled), inputs=[[link]], results=[result]))
            plan = exporter.plan()
        listed = json.dumps(json.loads(plan.manifest)["layers"])
        config = buildkit.InputConfig(buildkit.ConfigInput(plan.config, listed))
        with instance.buildkit.read(config) as cache:
            _title("buildkit: a vertex whose inputs are those of the cache")
            query = buildkit.Query(compiled, 0, 0, "", record=_key(source))
            _show("digest", query.digest)
            _results(cache.lookup(query))

            _title("buildkit: the same vertex over another input, and why it has to run")
            other = buildkit.Query("sha256:" + "c" * 64, 0, 0, "", record=_key(source))
            _show("digest", other.digest)
            _results(cache.lookup(other))
            _explain(catalogue, cache.explain(other))
    print("\nThe README of this package says how to ask the same of real stores.")


def _key(digest: str) -> str:
    """The digest of a record: that of a vertex, and which output of it."""
    return sha256(f"{digest}@0".encode())


def _results(names: list[str]) -> None:
    _show("hit" if names else "miss", ", ".join(names))


def _title(text: str) -> None:
    print(f"\n{text}")


def _show(name: str, value: str | None) -> None:
    text = cut(escape(short_ids(value or "")), _LONGEST)
    print(f"  {escape(name):<12}{text}".rstrip())


def _explain(catalogue: Catalogue, explanation: Explanation) -> None:
    print(textwrap.indent(short_ids(catalogue.text(explanation)), "  "), end="")
