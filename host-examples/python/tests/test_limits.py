"""What stops a session, and what is left of it and of the process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import wasmtime

from layerwise import (
    Closed,
    Deadline,
    Engine,
    EngineError,
    Fuel,
    LayerwiseError,
    Limit,
    LimitExceeded,
    Limits,
    Memory,
    Platform,
    Stopped,
    Trap,
    buildkit,
    docker,
)
from layerwise.image_store import Provenance
from layerwise.stores import Memory as Images

PLATFORM = Platform("linux", "amd64")
STEP = docker.Step(PLATFORM, config='{"Cmd":["a"]}')

#: A component with one function, whose body is what a test wants.
TINY = """
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
    (func $vis (export "vis") (param i32 i32) (result i32) {body}))
  (core instance $i (instantiate $m))
  (func $vis (param "name" string) (result string)
    (canon lift (core func $i "vis") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc"))))
  (instance $s (export "vis" (func $vis)))
  (export "layerwise:cache/testing@0.1.0" (instance $s)))
"""
FOREVER = "(loop (br 0)) (i32.const 0)"
DIVIDE = "(i32.div_s (i32.const 1) (i32.const 0))"
DEEPER = "(call $vis (local.get 0) (local.get 1))"


def tiny(body: str, **options: str) -> Engine:
    code = bytes(wasmtime.wat2wasm(TINY.format(body=body)))
    return Engine(code, code_cache=None, **options)  # type: ignore[arg-type]


def store(images: int, padding: int) -> Images:
    store = Images()
    for index in range(images):
        author = "x" * (padding + index)
        store.add(
            f'{{"author":"{author}","created":"2024-01-01T00:00:00Z","os":"linux",'
            '"architecture":"amd64","container_config":{"Cmd":["a"]},"rootfs":{"type":"layers"}}',
            built=Provenance.BUILT_HERE,
        )
    return store


def opened(engine: Engine, limits: Limits, images: Images) -> docker.Session:
    """A session; with twice the time until there is enough to open it, on a busy machine."""
    try:
        return engine.docker(images=images, limits=limits)
    except Deadline:
        return opened(engine, replace(limits, deadline=2 * limits.deadline), images)


def stopped(engine: Engine, limits: Limits, kind: type[Stopped], images: Images) -> None:
    session = opened(engine, limits, images)
    with pytest.raises(kind):
        session.lookup(STEP)
    for _ in range(2):
        with pytest.raises(Closed, match="stopped by an earlier call"):
            session.lookup(STEP)
        with pytest.raises(Closed):
            session.describe()
    session.close()
    # Others of the same engine go on.
    with engine.docker(images=store(1, 1)) as other:
        assert other.lookup(STEP).outcome is docker.Outcome.HIT_LOCAL


def test_fuel() -> None:
    stopped(Engine(net="fuel"), Limits(fuel=200_000), Fuel, store(50, 10_000))


def test_fuel_is_for_each_call() -> None:
    engine = Engine(net="fuel")
    with engine.instance(limits=Limits(fuel=1_000_000)) as instance:
        for _ in range(200):
            assert instance.docker.normalize_platform(PLATFORM, "") == PLATFORM


def test_deadline(engine: Engine) -> None:
    stopped(engine, Limits(deadline=0.01), Deadline, store(100, 500_000))


def test_limits_hold_while_an_instance_starts() -> None:
    with pytest.raises(Fuel):
        Engine(net="fuel").instance(limits=Limits(fuel=1))


def test_memory(engine: Engine) -> None:
    stopped(engine, Limits(memory=4 << 20), Memory, store(40, 500_000))


def test_too_little_memory_to_start(engine: Engine) -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        engine.instance(limits=Limits(memory=1 << 10))


@pytest.mark.parametrize(("net", "kind"), [("deadline", Deadline), ("fuel", Fuel)])
def test_an_endless_loop_is_stopped(net: str, kind: type[Stopped]) -> None:
    limits = Limits(deadline=0.05, fuel=1_000_000)
    with tiny(FOREVER, net=net).instance(limits=limits) as instance:
        with pytest.raises(kind):
            instance.testing.vis("a")
        assert not instance.usable


@pytest.mark.parametrize("body", [DIVIDE, DEEPER])
def test_a_trap_ends_only_its_instance(body: str) -> None:
    engine = tiny(body)
    with engine.instance() as instance:
        with pytest.raises(Trap) as trap:
            instance.testing.vis("a")
        assert isinstance(trap.value, LayerwiseError)
        with pytest.raises(Closed):
            instance.testing.vis("a")
    with engine.instance() as another, pytest.raises(Trap):
        another.testing.vis("a")


class Slow(Images):
    """A store that takes longer than the component may."""

    PAUSE = 0.3

    def children(self, parent: str | None) -> Sequence[str]:
        time.sleep(self.PAUSE)
        return super().children(parent)


def test_waiting_for_what_is_lent_is_not_the_components_time(engine: Engine) -> None:
    limits = Limits(deadline=Slow.PAUSE / 2)
    with engine.docker(images=Slow(), limits=limits) as session:
        assert session.lookup(STEP).outcome is docker.Outcome.MISS


def test_the_clock_survives_threads_of_other_engines(engine: Engine) -> None:
    """Each engine has a clock of its own, which stops with it."""
    other = tiny(FOREVER)
    with other.instance(limits=Limits(deadline=0.02)) as instance, pytest.raises(Deadline):
        instance.testing.vis("a")
    del instance, other
    with engine.instance() as again:
        assert again.docker.normalize_platform(PLATFORM, "") == PLATFORM


def test_limits_are_positive() -> None:
    for wrong in ({"deadline": 0.0}, {"fuel": -1}, {"memory": -1}, {"deadline": float("nan")}):
        with pytest.raises(ValueError, match="limits are positive"):
            Limits(**wrong)
    with pytest.raises(ValueError, match="neither a deadline nor fuel"):
        Engine(net="patience")  # type: ignore[arg-type]


def test_caps_are_refusals_and_the_session_goes_on(engine: Engine) -> None:
    options = docker.Options(limits=[Limit("children", 2)])
    with engine.docker(options, images=store(3, 10)) as session:
        for _ in range(2):
            with pytest.raises(LimitExceeded) as exceeded:
                session.lookup(STEP)
            assert (exceeded.value.limit, exceeded.value.value.value) == ("children", 2)


class Interrupting(Images):
    """As when somebody presses Ctrl-C while a store works."""

    def children(self, parent: str | None) -> Sequence[str]:
        raise KeyboardInterrupt


def test_an_interruption_reaches_the_caller(engine: Engine) -> None:
    session = engine.docker(images=Interrupting())
    with pytest.raises(KeyboardInterrupt):
        session.lookup(STEP)
    with pytest.raises(Closed, match="KeyboardInterrupt"):
        session.lookup(STEP)


class Nested(Images):
    """A store that uses the session it answers, and one of its own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.session: docker.Session | None = None
        self.words: list[str] = []

    def children(self, parent: str | None) -> Sequence[str]:
        assert self.session is not None
        for use in (self.session.describe, self.session.close):
            try:
                use()
            except LayerwiseError as error:
                self.words.append(str(error))
        with self.engine.docker(images=store(1, 1)) as other:
            other.lookup(STEP)
        return super().children(parent)


def test_a_session_is_not_entered_twice(engine: Engine) -> None:
    images = Nested(engine)
    with engine.docker(images=images) as session:
        images.session = session
        assert session.lookup(STEP).outcome is docker.Outcome.MISS
        assert images.words == ["an import may not use the session it answers"] * 2
        assert session.lookup(STEP).outcome is docker.Outcome.MISS


def test_threads_do_not_disturb_each_other(engine: Engine) -> None:
    """wasmtime-py works out the cases of variants in a set of all threads."""
    wrong: list[BaseException] = []
    config = '{"Env":[' + ",".join('"A"' for _ in range(2000)) + "]}"
    inputs = [[buildkit.Alternative("", record=0)] * 2000]
    options = buildkit.Options(oci=True, image=True)

    def texts() -> None:
        with engine.instance() as instance:
            for _ in range(20):
                assert instance.docker.compare_configs(config, None).differences

    def numbers() -> None:
        with engine.instance() as instance, instance.buildkit.export_to(options) as exporter:
            exporter.add(buildkit.Entry("sha256:" + "a" * 64))
            for _ in range(10):
                exporter.add(buildkit.Entry("sha256:" + "b" * 64, inputs=inputs))

    def lookups() -> None:
        for _ in range(10):
            with engine.docker(images=store(5, 1)) as session:
                assert session.lookup(STEP).outcome is docker.Outcome.HIT_LOCAL

    def noted(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=noted, args=[work])
            for work in (texts, numbers, lookups, texts, numbers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def test_threads_may_take_turns_in_a_session(engine: Engine) -> None:
    images = store(2, 1)
    found: list[docker.Outcome] = []
    with engine.docker(images=images) as session:
        threads = [
            threading.Thread(target=lambda: found.append(session.lookup(STEP).outcome))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [docker.Outcome.HIT_LOCAL] * 8
