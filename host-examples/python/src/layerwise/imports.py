"""What a host lends the component, and how calls reach it.

A `Backend` answers the calls of one instance. `Lent` holds the objects of a
host; `transcript.Replay` answers out of a recording.
"""

from __future__ import annotations

import functools
import logging
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from wasmtime import component as wasm

from . import filesystem, image_store, observer, registry
from .errors import Failure
from .filesystem import Filesystem
from .image_store import ImageStore
from .observer import Level, Observer
from .registry import Registry
from .shapes import Json, Typed, python_name
from .types import FailureCode
from .values import Codec, Mismatch, codec

if TYPE_CHECKING:
    from .instance import Instance

log = logging.getLogger("layerwise")

#: The last part of the name of each imported interface with its functions.
TABLE: dict[str, Callable[..., Any]] = {
    name: function
    for module in (image_store, registry, filesystem, observer)
    for name, function in module.FUNCTIONS.items()
}


class Import:
    """One imported function, with its types."""

    def __init__(self, name: str, of: wasm.FuncType) -> None:
        #: Such as `image-store#children`.
        self.name = name
        self._params = [ty for _, ty in of.params]
        self._result = of.result

    @functools.cached_property
    def json(self) -> tuple[list[Codec], Codec | None]:
        """Codecs of the parameters and of the answer as JSON."""
        params = [codec(ty, Json(), _no_resource) for ty in self._params]
        answer = None if self._result is None else codec(self._result, Json(), _no_resource)
        return params, answer

    @functools.cached_property
    def typed(self) -> TypedImport:
        """The same as the protocols of this package have them."""
        hints = typing.get_type_hints(TABLE[self.name])
        answer_hint = hints.pop("return")
        params = [
            codec(ty, Typed(hint), _no_resource)
            for ty, hint in zip(self._params, hints.values(), strict=True)
        ]
        interface, _, function = self.name.partition("#")
        match self._result:
            case None:
                kind, answer = "nothing", None
            case wasm.ResultType():
                kind = "result"
                answer = codec(self._result, Typed(answer_hint | Failure), _no_resource)
            case _:
                kind = "list"
                answer = codec(self._result, Typed(answer_hint), _no_resource)
        # `write` stops at the first failure.
        single = self.name == "filesystem#write"
        return TypedImport(interface, python_name(function), kind, params, answer, single)


class TypedImport(NamedTuple):
    """How to call an object of the host."""

    interface: str
    method: str
    #: `nothing`, a `result`, or a `list` with a result for each item asked for.
    kind: str
    params: list[Codec]
    answer: Codec | None
    single: bool


class Backend(Protocol):
    """Answers the calls an instance makes."""

    def answer(self, function: Import, args: Sequence[Any]) -> Any:
        """The answer as wasmtime-py wants it."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What a host lends; every call to what is absent is refused."""

    images: ImageStore | None = None
    registry: Registry | None = None
    filesystem: Filesystem | None = None
    observer: Observer | None = None

    def answer(self, function: Import, args: Sequence[Any]) -> Any:
        """Calls the object; what it raises becomes a typed failure."""
        how = function.typed
        lent = self._object(how.interface)
        if how.kind == "nothing":
            self._tell(function, lent, args)
            return None
        assert how.answer is not None
        given = [param.lift(arg) for param, arg in zip(how.params, args, strict=True)]
        try:
            if lent is None:
                raise Failure(FailureCode.UNSUPPORTED, "the opener lent no such thing")
            method = getattr(lent, how.method, None)
            if method is None:
                words = f"what was lent has no method {how.method}"
                raise Failure(FailureCode.UNSUPPORTED, words)
            answer = method(*given)
            if how.kind == "list" and not how.single:
                _check_length(function, given, answer)
            return how.answer.lower(answer)
        except Exception as error:
            failure = as_failure(error, function.name)
            return how.answer.lower(_refusal(how, given, failure))

    def _object(self, interface: str) -> object:
        match interface:
            case "image-store":
                return self.images
            case "registry":
                return self.registry
            case "filesystem":
                return self.filesystem
        return self.observer

    def _tell(self, function: Import, lent: object, args: Sequence[Any]) -> None:
        """Tells an observer, which cannot fail."""
        if lent is None:
            return
        how = function.typed
        given = [param.lift(arg) for param, arg in zip(how.params, args, strict=True)]
        try:
            getattr(lent, how.method)(*given)
        except Exception:
            log.warning("the observer failed in %s", how.method, exc_info=True)


def as_failure(error: Exception, name: str) -> Failure:
    """What an exception of a host's object means to the component."""
    if isinstance(error, Failure) and _is_text(error.message):
        return error
    if isinstance(error, Mismatch):
        words = f"the host's answer to {name} does not fit: {error}"
    else:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Failure(FailureCode.OTHER, words.encode(errors="replace").decode())


def _refusal(how: TypedImport, given: Sequence[Any], failure: Failure) -> Any:
    if how.kind == "result":
        return failure
    batch = next(arg for arg in given if isinstance(arg, tuple))
    return [failure] * (min(1, len(batch)) if how.single else len(batch))


def _check_length(function: Import, given: Sequence[Any], answer: Any) -> None:
    """A batch is answered item by item; only `get` may answer fewer."""
    asked = len(next(arg for arg in given if isinstance(arg, tuple)))
    try:
        got = len(answer)
    except TypeError:
        return
    fewer = function.name == "image-store#get" and 0 < got <= asked
    if got != asked and not fewer:
        raise Mismatch(f"{got} items for {asked} that were asked for")


def _is_text(text: object) -> bool:
    try:
        return isinstance(text, str) and text.encode() is not None
    except UnicodeEncodeError:
        return False


def _no_resource() -> Instance:
    raise NotImplementedError("resources in imports")


def panic_words(function: Import, args: Sequence[Any]) -> str | None:
    """What the component says at level error, as it does before it panics."""
    if function.name == "observer#log" and args[0] == Level.ERROR.value:
        return str(args[1])
    return None
