"""The compiled component and the settings it runs under."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
import typing
import weakref
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import wasmtime
from wasmtime import Config, WasmtimeError, component as wasm

from . import (
    buildkit,
    buildpacks,
    builds,
    cache,
    docker,
    dockerfile,
    rules,
    stacker,
    testing,
)
from .errors import EngineError, Refused
from .filesystem import Filesystem
from .image_store import ImageStore
from .imports import Backend, Import, Lent
from .instance import TICK, Instance, Limits, Net, current
from .observer import Observer
from .registry import Registry
from .resource import Resource
from .runtime import Signature, prepare
from .shapes import Json, Typed
from .values import Codec, Mismatch, codec
from .wasi import Wasi

R = TypeVar("R", bound=Resource)

#: The package of the contract, with its version.
PACKAGE = "layerwise:cache@0.1.0"

TABLE: dict[str, Callable[..., Any]] = {
    name: function
    for module in (docker, dockerfile, buildpacks, buildkit, builds, stacker, rules, testing)
    for name, function in module.FUNCTIONS.items()
}


class Engine:
    """The component, compiled once; sessions share nothing but its code.

    `component` is another component to run than the one in this package, as
    bytes or the path of a file. Compiled code is kept in the directory
    `code_cache`; `"user"` is one below the user's cache directory, `None` keeps
    none. `net` is what stops a session that runs for too long: a `deadline`, or
    `fuel`, which is exactly repeatable and up to a third slower. With `wasi` it is the
    component that has the stores inside, and nothing is lent to its sessions; without, a
    session needs the store that its method takes.
    """

    def __init__(
        self,
        component: bytes | os.PathLike[str] | None = None,
        *,
        net: Net = "deadline",
        code_cache: str | os.PathLike[str] | None = "user",
        wasi: Wasi | None = None,
    ) -> None:
        if net not in typing.get_args(Net):
            raise ValueError(f"{net!r} is neither a deadline nor fuel")
        prepare()
        self.net: Net = net
        self.wasi = wasi
        config = Config()
        if net == "deadline":
            config.epoch_interruption = True
        else:
            config.consume_fuel = True
        self.runtime = wasmtime.Engine(config)
        name = "component.wasm" if wasi is None else "wasi.wasm"
        code = component_bytes(name) if component is None else _bytes(component)
        directory = None if code_cache is None else Path(code_cache)
        if code_cache == "user":
            directory = cache.user_directory()
        try:
            self.component = cache.load_or_compile(self.runtime, code, directory, net)
        except WasmtimeError as error:
            raise EngineError(f"the component cannot be compiled: {error}") from error
        self.linker = wasm.Linker(self.runtime)
        self.clock = Clock(self.runtime, running=net == "deadline")
        self._exports: dict[str, Export] = {}
        try:
            self._link()
        except WasmtimeError as error:
            raise EngineError(f"the imports do not fit: {error}") from error

    def docker(
        self,
        options: docker.Options = docker.Options(),
        *,
        images: ImageStore | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> docker.Session:
        """Opens a session of the classic builder's image cache."""
        lent = Lent(images=images, observer=observer)
        return self._only("images", lent, limits, lambda instance: instance.docker.open(options))

    def cache_image(
        self,
        options: buildpacks.ImageOptions,
        *,
        registry: Registry | None = None,
        filesystem: Filesystem | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> buildpacks.CacheImage:
        """Opens a cache image of the lifecycle."""
        lent = Lent(registry=registry, filesystem=filesystem, observer=observer)
        return self._only(
            "registry", lent, limits, lambda instance: instance.buildpacks.open_image(options)
        )

    def restorer(
        self,
        options: buildpacks.RestoreOptions,
        *,
        filesystem: Filesystem | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> buildpacks.Restorer:
        """Opens a restorer of the lifecycle's layer metadata."""
        lent = Lent(filesystem=filesystem, observer=observer)
        return self._only(
            "filesystem", lent, limits, lambda instance: instance.buildpacks.open_restorer(options)
        )

    def exporter(
        self,
        options: buildkit.Options,
        *,
        registry: Registry | None = None,
        filesystem: Filesystem | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> buildkit.Exporter:
        """Opens an export of BuildKit's remote cache."""
        lent = Lent(registry=registry, filesystem=filesystem, observer=observer)
        return self._only(
            "registry", lent, limits, lambda instance: instance.buildkit.export_to(options)
        )

    def stacker(
        self,
        options: stacker.Options,
        *,
        filesystem: Filesystem | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> stacker.Session:
        """Opens stacker's build cache."""
        lent = Lent(filesystem=filesystem, observer=observer)
        return self._only(
            "filesystem", lent, limits, lambda instance: instance.stacker.open(options)
        )

    def dockerfile(
        self,
        text: str,
        options: dockerfile.Options,
        *,
        images: ImageStore | None = None,
        filesystem: Filesystem | None = None,
        observer: Observer | None = None,
        limits: Limits = Limits(),
    ) -> dockerfile.Session:
        """Opens a Dockerfile, to learn what the classic builder asks at each step."""
        lent = Lent(images=images, filesystem=filesystem, observer=observer)
        return self._only(
            "images", lent, limits, lambda instance: instance.dockerfile.open(text, options)
        )

    def instance(self, lent: Backend = Lent(), limits: Limits = Limits()) -> Instance:
        """A fresh instance, for the functions that are not of one session."""
        if self.wasi is not None and lent != Lent():
            raise EngineError("the stores are inside of this component: nothing else can be lent")
        return Instance(self, lent, limits)

    @property
    def interfaces(self) -> tuple[list[str], list[str]]:
        """The names of what the component imports and exports."""
        ty = self.component.type
        return list(ty.imports(self.runtime)), list(ty.exports(self.runtime))

    def export(self, name: str) -> Export:
        """An exported function by its name, such as `docker#open`."""
        found = self._exports.get(name)
        if found is None:
            interface, _, function = name.partition("#")
            full = _full(interface)
            instance = self.component.get_export_index(full)
            index = instance and self.component.get_export_index(function, instance)
            exported = self.component.type.exports(self.runtime)
            functions = exported[full].ty if full in exported else None
            if not index or not isinstance(functions, wasm.ComponentInstanceType):
                raise EngineError(f"the component does not export {name}")
            of = functions.exports(self.runtime)[function].ty
            if not isinstance(of, wasm.FuncType):
                raise EngineError(f"{name} is not a function of the component")
            found = self._exports[name] = Export(name, index, of)
        return found

    def _only(self, needed: str, lent: Lent, limits: Limits, opened: Callable[[Instance], R]) -> R:
        """Opens something in an instance of its own."""
        if self.wasi is None and getattr(lent, needed) is None:
            raise TypeError(f"lend {needed}, or make the engine with the stores over WASI")
        instance = self.instance(lent, limits)
        try:
            resource = opened(instance)
        except BaseException:
            instance.close()
            raise
        resource._only = True
        return resource

    def _link(self) -> None:
        if self.wasi is not None:
            self.linker.add_wasip2()
            if self.wasi.network:
                self.linker.add_wasi_http()
            else:
                self.linker.define_unknown_imports_as_traps(self.component)
            return
        with self.linker.root() as root:
            for full, extern in self.component.type.imports(self.runtime).items():
                interface = full.partition("/")[2].partition("@")[0]
                if full != _full(interface):
                    raise EngineError(
                        f"the component imports {full}, which this host does not have"
                    )
                of = extern.ty
                if not isinstance(of, wasm.ComponentInstanceType):
                    raise EngineError(f"the component imports {full}, which is no interface")
                with root.add_instance(full) as into:
                    for name, member in of.exports(self.runtime).items():
                        ty = member.ty
                        if isinstance(ty, wasm.FuncType):
                            into.add_func(name, _entry(Import(f"{interface}#{name}", ty)))


class Export:
    """One exported function, with its types."""

    def __init__(self, name: str, index: wasm.ExportIndex, of: wasm.FuncType) -> None:
        self.name = name
        self.index = index
        #: Its type, read once.
        self.signature = Signature(of)
        self._params = self.signature.params
        self._result = self.signature.result

    def call_typed(self, instance: Instance, args: Sequence[object]) -> Any:
        """Calls it; an error of the component is raised."""
        params, answer = self._typed
        value = instance.invoke(self, self._lower(params, args))
        found = None if answer is None else answer.lift(value)
        if isinstance(found, Refused):
            raise found
        return found

    def call_json(self, instance: Instance, args: Sequence[object]) -> Any:
        """Calls it with JSON."""
        params, answer = self._json
        value = instance.invoke(self, self._lower(params, args))
        return None if answer is None else answer.lift(value)

    @property
    def has_result(self) -> bool:
        """Whether it answers anything."""
        return self._result is not None

    def _lower(self, params: Sequence[Codec], args: Sequence[object]) -> list[Any]:
        if len(params) != len(args):
            raise Mismatch(f"{self.name} takes {len(params)} arguments, not {len(args)}")
        lowered = []
        for (name, _), param, arg in zip(self._params, params, args, strict=True):
            try:
                lowered.append(param.lower(arg))
            except Mismatch as error:
                raise error.inside(f"{self.name}: {name}") from None
        return lowered

    @functools.cached_property
    def _json(self) -> tuple[list[Codec], Codec | None]:
        params = [codec(ty, Json(), current) for _, ty in self._params]
        return params, None if self._result is None else codec(self._result, Json(), current)

    @functools.cached_property
    def _typed(self) -> tuple[list[Codec], Codec | None]:
        function = TABLE[self.name]
        hints = typing.get_type_hints(function)
        answer = hints.pop("return")
        given = list(hints.values())
        if "[method]" in self.name:
            # The receiver has no hint.
            module = sys.modules[function.__module__]
            given.insert(0, getattr(module, function.__qualname__.partition(".")[0]))
        params = [
            codec(ty, Typed(hint), current)
            for (_, ty), hint in zip(self._params, given, strict=True)
        ]
        if self._result is None:
            return params, None
        return params, codec(self._result, Typed(answer), current)


class Clock:
    """Moves the runtime's epoch on while calls are made, on a thread of its own."""

    def __init__(self, runtime: wasmtime.Engine, *, running: bool) -> None:
        self._running = running
        self._runtime = weakref.ref(runtime)
        self._lock = threading.Lock()
        self._calls = 0
        self._busy = threading.Event()
        self._process = 0
        # Wakes the thread so that it ends.
        weakref.finalize(runtime, self._busy.set).atexit = False

    def start(self) -> None:
        """A call begins."""
        if not self._running:
            return
        with self._lock:
            self._calls += 1
            self._busy.set()
            # Threads do not survive a fork.
            if self._process != os.getpid():
                self._process = os.getpid()
                name = "layerwise-clock"
                args = (self._runtime, self._busy)
                threading.Thread(target=_tick, args=args, name=name, daemon=True).start()

    def stop(self) -> None:
        """A call ends."""
        if not self._running:
            return
        with self._lock:
            self._calls -= 1
            if self._calls == 0:
                self._busy.clear()


def _tick(of: weakref.ref[wasmtime.Engine], busy: threading.Event) -> None:
    while True:
        busy.wait()
        runtime = of()
        if runtime is None:
            return
        runtime.increment_epoch()
        del runtime
        time.sleep(TICK)


def component_bytes(name: str = "component.wasm") -> bytes:
    """The component in this package."""
    try:
        return resources.files(__package__).joinpath(name).read_bytes()
    except FileNotFoundError:
        raise EngineError(
            "this copy of the package holds no component: build it as its README says"
        ) from None


def _bytes(component: bytes | os.PathLike[str]) -> bytes:
    return component if isinstance(component, bytes) else Path(component).read_bytes()


def _full(interface: str) -> str:
    package, _, version = PACKAGE.partition("@")
    return f"{package}/{interface}@{version}"


def _entry(function: Import) -> Callable[..., Any]:
    def called(_store: object, *args: Any) -> Any:
        return current().import_called(function, args)

    return called
