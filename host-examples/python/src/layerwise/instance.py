"""One instance of the component with its limits, and what became of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from wasmtime import Store, WasmtimeError, component as wasm

from . import errors
from .buildkit import Buildkit
from .buildpacks import Buildpacks
from .builds import Builds
from .docker import Docker
from .dockerfile import Dockerfile
from .imports import Backend, Import, panic_words
from .rules import Rules
from .runtime import Function
from .stacker import Stacker
from .testing import Testing

if TYPE_CHECKING:
    from .engine import Engine, Export

#: What stops a session that runs for too long.
Net = Literal["deadline", "fuel"]

#: How often deadlines are looked at, in seconds.
TICK = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use. Which of time and fuel counts is the engine's choice."""

    #: Bytes of memory; over WASI, of the decisions and of the stores each.
    memory: int = 512 << 20
    #: Seconds one call may compute, without the time that imports take.
    deadline: float = 60.0
    #: Fuel for one call, about one an instruction.
    fuel: int = 50_000_000_000

    def __post_init__(self) -> None:
        if self.memory < 0 or self.fuel < 0 or not self.deadline > 0:
            raise ValueError("limits are positive")


class Instance:
    """An instance of the component and the store it lives in.

    One thread at a time may call it. Closing it frees everything in it.
    """

    def __init__(self, engine: Engine, backend: Backend, limits: Limits) -> None:
        self._engine = engine
        self._backend = backend
        self._limits = limits
        self._store: Store | None = None
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._handles: list[wasm.ResourceAny | None] = []
        self._functions: dict[str, Function] = {}
        self._why_dead = ""
        self._words: str | None = None
        self._interruption: BaseException | None = None
        self._left = 0.0
        self._resumed = 0.0

        store = Store(engine.runtime)
        store.set_limits(memory_size=limits.memory)
        self._stderr = None if engine.wasi is None else engine.wasi.lend(store)
        self._store = store
        try:
            with self._entered():
                self._instance = engine.linker.instantiate(store, engine.component)
        except WasmtimeError as error:
            self.close()
            meaning = self._died(error)
            if isinstance(meaning, errors.Deadline | errors.Fuel):
                raise meaning from error
            raise errors.EngineError(f"the component cannot be started: {error}") from error

    @property
    def docker(self) -> Docker:
        """The functions of the classic builder's image cache."""
        return Docker(self)

    @property
    def buildpacks(self) -> Buildpacks:
        """The functions of the lifecycle's caches."""
        return Buildpacks(self)

    @property
    def buildkit(self) -> Buildkit:
        """The functions of BuildKit's remote cache."""
        return Buildkit(self)

    @property
    def builds(self) -> Builds:
        """The functions of BuildKit's builds."""
        return Builds(self)

    @property
    def dockerfile(self) -> Dockerfile:
        """The functions of the classic builder's Dockerfiles."""
        return Dockerfile(self)

    @property
    def stacker(self) -> Stacker:
        """The functions of stacker's build cache."""
        return Stacker(self)

    @property
    def rules(self) -> Rules:
        """The catalogue of codes."""
        return Rules(self)

    @property
    def testing(self) -> Testing:
        """The functions that only tests call, of the build that has them."""
        return Testing(self)

    @property
    def usable(self) -> bool:
        """Whether it was neither closed nor stopped."""
        return self._store is not None and not self._why_dead

    def call(self, name: str, *args: object) -> Any:
        """Calls an export by its name, such as `docker#open`, with typed values."""
        with self._entered():
            return self._engine.export(name).call_typed(self, args)

    def call_json(self, name: str, args: Sequence[object]) -> Any:
        """The same with values as transcripts have them; errors are values too."""
        with self._entered():
            return self._engine.export(name).call_json(self, args)

    def drop(self, handle: int) -> None:
        """Drops a resource; once is enough."""
        if not self.usable or self._handles[handle] is None:
            return
        with self._entered() as store:
            resource = self._handles[handle]
            self._handles[handle] = None
            if resource is not None:
                with self._stopping():
                    resource.drop(store)

    def close(self) -> None:
        """Frees the instance with everything in it."""
        self._refuse_reentry()
        with self._lock:
            store, self._store = self._store, None
            self._functions.clear()
            self._handles.clear()
            if store is not None:
                store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What codecs and exports of this package use.

    def adopt(self, resource: wasm.ResourceAny) -> int:
        """Keeps a resource and numbers it, from 0 up."""
        self._handles.append(resource)
        return len(self._handles) - 1

    def handle(self, number: int) -> wasm.ResourceAny:
        """A resource by its number."""
        resource = self._handles[number] if number < len(self._handles) else None
        if resource is None:
            raise errors.Closed(f"resource {number} was closed")
        return resource

    def invoke(self, export: Export, args: Sequence[Any]) -> Any:
        """Calls an export with values of wasmtime-py."""
        store = self._open_store()
        function = self._functions.get(export.name)
        if function is None:
            found = self._instance.get_func(store, export.index)
            if found is None:
                raise errors.EngineError(f"the component does not export {export.name}")
            function = self._functions[export.name] = Function.of(found, export.signature)
        with self._stopping():
            return function(store, *args)

    def import_called(self, function: Import, args: Sequence[Any]) -> Any:
        """Answers a call the component makes in the middle of one of its own."""
        self._pause()
        try:
            self._words = panic_words(function, args) or self._words
            return self._backend.answer(function, args)
        except BaseException as error:
            # An interruption, or a mistake of this package: it must not be lost
            # between here and the caller, and the instance cannot go on.
            self._interruption = error
            raise WasmtimeError("interrupted") from None
        finally:
            self._resume()

    def _open_store(self) -> Store:
        if self._store is None:
            raise errors.Closed("the session is closed")
        if self._why_dead:
            raise errors.Closed(
                f"the session was stopped by an earlier call ({self._why_dead}); open a new one"
            )
        return self._store

    def _refuse_reentry(self) -> None:
        if self._owner == threading.get_ident():
            raise errors.LayerwiseError("an import may not use the session it answers")

    def _entered(self) -> _Entered:
        return _Entered(self)

    def _stopping(self) -> _Stopping:
        return _Stopping(self)

    def _arm(self, store: Store) -> None:
        """Gives the next call its share of time or fuel."""
        if self._engine.net == "fuel":
            store.set_fuel(self._limits.fuel)
            return
        self._left = self._limits.deadline
        self._resume()

    def _pause(self) -> None:
        self._left -= time.monotonic() - self._resumed

    def _resume(self) -> None:
        self._resumed = time.monotonic()
        if self._engine.net == "deadline" and self._store is not None:
            ticks = max(1, math.ceil(min(self._left, 1e9) / TICK))
            self._store.set_epoch_deadline(ticks)

    def _died(self, error: BaseException) -> BaseException:
        """What a call that did not answer means; the instance is over."""
        interruption, self._interruption = self._interruption, None
        words, self._words = self._words or (self._stderr and self._stderr.words), None
        text = str(error)
        if interruption is not None:
            self._why_dead = type(interruption).__name__
            return interruption
        if not isinstance(error, WasmtimeError):
            # A value that wasmtime-py could not turn around.
            self._why_dead = type(error).__name__
            return error
        trap = text.rpartition("wasm trap: ")[2].splitlines()[0] if "wasm trap: " in text else ""
        if trap == "interrupt":
            stopped: errors.Stopped = errors.Deadline("the component was stopped: deadline met")
        elif "all fuel consumed" in text:
            stopped = errors.Fuel("the component was stopped: fuel used up")
        elif "unreachable" in trap and (not words or "allocation" in words):
            # An allocation that the limit refuses ends in `unreachable`, with no
            # words or those of the allocation error.
            said = words or trap
            stopped = errors.Memory(f"the component was stopped: memory limit met: {said}")
        else:
            stopped = errors.Trap(f"the component was stopped: trap: {words or trap or text}")
        self._why_dead = type(stopped).__name__.lower()
        return stopped


_current = threading.local()


def current() -> Instance:
    """The instance whose call this thread is in."""
    instance: Instance = _current.instance
    return instance


class _Entered:
    """One thread is in an instance, and its limits run."""

    __slots__ = ("_instance", "_outer")

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __enter__(self) -> Store:
        instance = self._instance
        instance._refuse_reentry()
        instance._lock.acquire()
        try:
            store = instance._open_store()
            instance._owner = threading.get_ident()
            self._outer = getattr(_current, "instance", None)
            _current.instance = instance
            instance._words = None
            if instance._stderr is not None:
                instance._stderr.words = ""
            instance._engine.clock.start()
            instance._arm(store)
        except BaseException:
            instance._owner = None
            instance._lock.release()
            raise
        return store

    def __exit__(self, *_: object) -> None:
        instance = self._instance
        instance._engine.clock.stop()
        _current.instance = self._outer
        instance._owner = None
        instance._lock.release()


class _Stopping:
    """A call that does not answer ends its instance."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        meaning = self._instance._died(error)
        if meaning is not error:
            raise meaning from (error if isinstance(meaning, errors.Stopped) else None)
