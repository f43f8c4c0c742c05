"""Whatever the host's objects do, the component gets a typed failure."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from memory import Files

from layerwise import (
    Annotation,
    Engine,
    Failure,
    FailureCode,
    Lent,
    Platform,
    Refused,
    Unsupported,
    buildkit,
    docker,
    stacker,
)
from layerwise.image_store import Facts, Image, Provenance
from layerwise.observer import Level
from layerwise.registry import Presence
from layerwise.stores import Memory

STEP = docker.Step(Platform("linux", "amd64"), config='{"Cmd":["a"]}')
DOCUMENT = json.dumps(
    {
        "created": "2024-01-01T00:00:00Z",
        "os": "linux",
        "architecture": "amd64",
        "container_config": {"Cmd": ["a"]},
        "rootfs": {"type": "layers"},
    }
)


class Faulty(Memory):
    """Does something else in one of its methods."""

    def __init__(self, method: str, instead: Callable[[], Any]) -> None:
        super().__init__()
        self.add(DOCUMENT, built=Provenance.BUILT_HERE)
        self.method = method
        self.instead = instead

    def get(self, ids: Sequence[str], want: Facts, limit: int) -> Sequence[Image | Failure]:
        if self.method == "get" and Facts.DOCUMENT in want:
            found: Sequence[Image | Failure] = self.instead()
            return found
        return super().get(ids, want, limit)

    def children(self, parent: str | None) -> Sequence[str]:
        return self.instead() if self.method == "children" else super().children(parent)


def raising(error: BaseException) -> Callable[[], Any]:
    def instead() -> Any:
        raise error

    return instead


def refusal(engine: Engine, images: Memory) -> Refused:
    with engine.docker(images=images) as session:
        with pytest.raises(Refused) as refused:
            session.lookup(STEP)
        # The session goes on, and says the same again.
        with pytest.raises(Refused) as again:
            session.lookup(STEP)
        assert again.value == refused.value
    return refused.value


@pytest.mark.parametrize("method", ["get", "children"])
@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (raising(Failure("unavailable", "not now")), "not now"),
        (raising(ZeroDivisionError("division by zero")), "ZeroDivisionError: division by zero"),
        (raising(OSError(2, "No such file", "/x")), "FileNotFoundError: [Errno 2] No such file"),
        (raising(ValueError()), "ValueError"),
        (raising(RecursionError("too deep")), "RecursionError: too deep"),
        (raising(ValueError("\udc80")), "ValueError: ?"),
        (raising(Failure("other", "\ud800")), "?"),
        (lambda: None, "does not fit: expected a list, not nothing"),
        (lambda: 7, "does not fit: expected a list, not int"),
        (lambda: "x", "does not fit"),
        (lambda: [object()], "does not fit"),
        (lambda: ["\ud800"], "does not fit"),
    ],
)
def test_what_goes_wrong_is_told(
    engine: Engine, method: str, instead: Callable[[], Any], words: str
) -> None:
    error = refusal(engine, Faulty(method, instead))
    assert words in str(error)


def test_a_batch_has_an_answer_for_each_item(engine: Engine) -> None:
    image = Image("sha256:" + "0" * 64)
    error = refusal(engine, Faulty("get", lambda: [image, image]))
    assert "2 items for 1 that were asked for" in str(error)
    error = refusal(engine, Faulty("get", list))
    assert "0 items for 1 that were asked for" in str(error)


@pytest.mark.parametrize("code", list(FailureCode))
def test_every_code_crosses(engine: Engine, code: FailureCode) -> None:
    error = refusal(engine, Faulty("children", raising(Failure(code, "words of the host"))))
    assert "words of the host" in str(error)


def test_a_failure_in_the_place_of_one_item(engine: Engine) -> None:
    images = Faulty("get", lambda: [Failure("corrupt", "broken here")])
    options = docker.Options(policy=docker.Policy.SKIP_UNREADABLE)
    with engine.docker(options, images=images) as session:
        assert session.lookup(STEP).outcome is docker.Outcome.MISS
        [finding] = session.explain(STEP).findings
        assert "broken here" in str(finding.differences)


def test_what_is_not_lent_is_refused(engine: Engine) -> None:
    with engine.instance() as instance:
        session = instance.docker.open(docker.Options())
        with pytest.raises(Unsupported, match="the opener lent no such thing"):
            session.lookup(STEP)
        options = docker.Options(cache_from=[docker.Source("x", trusted=True)])
        with instance.docker.open(options) as session:
            [skipped] = session.describe().skipped
            assert skipped.subject == "x"


class Watching:
    """Notes what it sees, and fails after that."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def log(self, level: Level, message: str, fields: Sequence[Annotation]) -> None:
        self.seen.append(f"{level} {message} {len(fields)}")
        raise RuntimeError("blind")

    def progress(self, operation: str, item: str, done: int, total: int) -> None:
        self.seen.append(f"{operation} {item} {done} {total}")
        raise RuntimeError("blind")


def test_an_observer_influences_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    images = Memory()
    images.add(DOCUMENT, built=Provenance.BUILT_HERE)
    watching = Watching()
    caplog.set_level(logging.WARNING, "layerwise")
    with engine.docker(images=images, observer=watching) as session:
        answers = session.replay([STEP, STEP])
    with engine.docker(images=images) as session:
        assert session.replay([STEP, STEP]) == answers
    if watching.seen:
        assert "the observer failed" in caplog.text


class NotEverything:
    """Has one of the methods only."""

    def has(self, repository: str, digests: Sequence[str]) -> Sequence[Presence]:
        return [Presence.PRESENT for _ in digests]


def test_a_missing_method_is_a_failure(engine: Engine) -> None:
    lent = Lent(registry=NotEverything())  # type: ignore[arg-type]
    descriptor = _descriptor()
    with engine.instance(lent) as instance, pytest.raises(Refused, match="no method read"):
        manifest = buildkit.InputManifest(buildkit.ManifestInput("oci:x", descriptor))
        instance.buildkit.inspect(manifest, read_layers=False)


class ReadOnly:
    """An image store that cannot be written to."""

    def __init__(self, images: Memory) -> None:
        self.get, self.resolve, self.children = images.get, images.resolve, images.children


def test_a_store_leaves_out_what_it_does_not_support(engine: Engine) -> None:
    """As far as types go, too: it is an `ImageStore` all the same."""
    images = Memory()
    base = images.add('{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}')
    step = docker.Step(Platform("linux", "amd64"), config="{}", parent=base)
    with engine.docker(images=images) as session:
        expected = session.lookup(step)
    with engine.docker(images=ReadOnly(images)) as session:
        assert session.lookup(step) == expected


def _descriptor() -> Any:
    from layerwise import Descriptor

    return Descriptor("application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64, 3)


def test_every_call_may_fail(engine: Engine) -> None:
    """A stacker session whose n-th import call fails: never a trap, and with no
    failure the same answer as without.
    """
    options = stacker.Options(
        stacker.Places("/p/stacker", "/p/roots", "/p/oci"),
        epoch=stacker.EpochUnset(),
        definitions=[stacker.Definition("app", '{"from":{"type":"scratch"}}')],
        policy=stacker.Policy.DRY_RUN,
    )
    outcomes = []
    for failing in range(20):
        files = Failing(Files("/p", "/p/stacker", "/p/roots", "/p/oci"), failing)
        with engine.instance(Lent(filesystem=files)) as instance:
            try:
                with instance.stacker.open(options) as session:
                    outcomes.append(str(session.lookup("app").outcome))
            except Refused as refused:
                assert refused.operation
                outcomes.append("refused")
            assert instance.usable
        if files.calls <= failing:
            break
    assert len(outcomes) > 2
    assert outcomes[-1] == "miss"


class Failing:
    """Fails in the n-th call."""

    def __init__(self, inner: Files, failing: int) -> None:
        self._inner = inner
        self._failing = failing
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def counted(*args: Any) -> Any:
            self.calls += 1
            if self.calls == self._failing + 1:
                raise OSError(5, "input/output error")
            return method(*args)

        return counted
