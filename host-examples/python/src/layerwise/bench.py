"""What the boundary costs: `python -m layerwise bench`.

Times are processor time of the calling thread, medians of batches; memory is what 100 idle sessions add to the
process, divided by 100.
"""

from __future__ import annotations

import functools
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import docker
from .engine import Engine
from .errors import Failure
from .image_store import Image, Provenance
from .imports import Lent
from .stores import Memory
from .types import FailureCode, Platform

_PLATFORM = Platform("linux", "amd64")
_CHILDREN = 1000
_SESSIONS = 100
_BATCHES = 9


class _Still(Memory):
    """Has no image by any name, so that only the way to it is measured."""

    def resolve(self, references: Sequence[str], limit: int) -> Sequence[Image | Failure]:
        return [Failure(FailureCode.NOT_FOUND, "") for _ in references]


def run(engine: Engine, seconds: float) -> None:
    """Measures everything and prints a table."""
    print("| what | cost |\n|---|---|")
    _start(engine)
    _sessions(engine, seconds)
    _calls(engine, seconds)
    _lookups(engine, seconds)
    _memory(engine)


def _start(engine: Engine) -> None:
    start = time.process_time()
    Engine(code_cache=None)
    _row("compile the component (all processors)", time.process_time() - start)
    start = time.thread_time()
    Engine()
    _row("load its compiled form from the cache", time.thread_time() - start)


def _sessions(engine: Engine, seconds: float) -> None:
    def instance() -> None:
        engine.instance().close()

    images = Memory()

    def session() -> None:
        engine.docker(images=images).close()

    _row("make an instance and close it", _median(instance, seconds))
    _row("open a session in one and close it", _median(session, seconds))


def _calls(engine: Engine, seconds: float) -> None:
    options = docker.Options(cache_from=[docker.Source("x", trusted=True)])
    text = json.dumps(
        {
            "config": {"Env": [f"NAME_{n}=value of the variable {n}" for n in range(250)]},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
    )
    with engine.instance(Lent(images=_Still())) as instance:
        plain = _median(lambda: instance.docker.normalize_platform(_PLATFORM, ""), seconds)
        _row("a call with a small record in and out", plain)
        # The same but for one import call.
        without = _median(lambda: instance.docker.open(docker.Options()).close(), seconds)
        resolved = _median(lambda: instance.docker.open(options).close(), seconds)
        _row("one import call, answered at once", max(0.0, resolved - without))
        order = docker.MemberOrder.DECLARED
        encode = _median(lambda: instance.docker.encode_image(text, order), seconds)
        _row(f"a document of {len(text) >> 10} KiB read and written again", encode)
        rules = instance.rules.all()
        cost = _median(instance.rules.all, seconds)
        _row("a record of six members in a result", cost / len(rules))


def _lookups(engine: Engine, seconds: float) -> None:
    for children in (1, _CHILDREN):
        images, step = _sample(children)
        with engine.docker(images=images) as session:
            assert session.lookup(step).outcome is docker.Outcome.HIT_LOCAL
            again = _median(functools.partial(session.lookup, step), seconds)
        _row(f"a lookup among {children} children, seen before", again)

        def fresh(images: Memory = images, step: docker.Step = step) -> None:
            with engine.docker(images=images) as session:
                session.lookup(step)

        _row(f"a session for one lookup among {children} children", _median(fresh, seconds))


def _sample(children: int) -> tuple[Memory, docker.Step]:
    """A parent with children, the last of which is the result of the step."""
    images = Memory()
    base = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
        "history": [{"created_by": "ADD rootfs.tar /"}],
    }
    parent = images.add(json.dumps(base), built=Provenance.ELSEWHERE)
    config = ""
    for number in range(children):
        config = json.dumps({"Cmd": ["/bin/sh", "-c", f"make {number}"], "Env": ["PATH=/bin"]})
        child = {
            **base,
            "created": "2026-01-02T00:00:00Z",
            "container_config": json.loads(config),
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + d * 64 for d in "12"]},
        }
        images.add(json.dumps(child), parent, Provenance.BUILT_HERE)
    return images, docker.Step(_PLATFORM, parent=parent, config=config)


def _memory(engine: Engine) -> None:
    statistics_file = Path("/proc/self/statm")
    if not statistics_file.exists():
        print("| memory of an idle session | not known on this system |")
        return
    images = Memory()
    engine.docker(images=images).close()
    gc.collect()
    before = _resident(statistics_file)
    sessions = [engine.docker(images=images) for _ in range(_SESSIONS)]
    after = _resident(statistics_file)
    for session in sessions:
        session.close()
    print(f"| memory of an idle session | {(after - before) / _SESSIONS / 1024:.0f} KiB |")
    print(f"| memory of the whole process | {before / (1 << 20):.0f} MiB |")


def _resident(file: Path) -> int:
    return int(file.read_text().split()[1]) * 4096


def _median(work: Callable[[], object], seconds: float) -> float:
    """The seconds of one call."""
    start = time.thread_time()
    work()
    once = max(time.thread_time() - start, 1e-7)
    calls = max(1, int(seconds / _BATCHES / once))
    batches = []
    for _ in range(_BATCHES):
        start = time.thread_time()
        for _ in range(calls):
            work()
        batches.append((time.thread_time() - start) / calls)
    return statistics.median(batches)


def _row(what: str, seconds: float) -> None:
    if seconds >= 0.1:
        text = f"{seconds:.1f} s"
    elif seconds >= 0.001:
        text = f"{seconds * 1e3:.1f} ms"
    else:
        text = f"{seconds * 1e6:.0f} µs"
    print(f"| {what} | {text} |", flush=True)
