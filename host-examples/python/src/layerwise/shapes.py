"""What values look like in Python: as JSON, and as the classes of this package."""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import types
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from wasmtime import component as wasm

from .errors import REFUSALS, Failure, Refused
from .resource import Resource
from .types import FailureCode
from .values import Codec, Mismatch, Parts, boolean, integer, kind, same, sequence, text

if TYPE_CHECKING:
    from .instance import Instance

_LARGEST_NUMBER = 2**32 - 1


class Json:
    """Values as transcripts have them."""

    def boolean(self) -> Codec:
        return Codec(boolean, same)

    def integer(self, low: int, high: int) -> Codec:
        if high <= _LARGEST_NUMBER:
            return Codec(functools.partial(integer, low, high), same)

        def lower(value: Any) -> int:
            if not isinstance(value, str) or str(_decimal(value)) != value:
                raise Mismatch(f"expected a decimal string, not {kind(value)}")
            return integer(low, high, int(value))

        return Codec(lower, str)

    def text(self) -> Codec:
        return Codec(text, same)

    def enum(self, names: Sequence[str]) -> Codec:
        def lower(value: Any) -> str:
            if value not in names:
                raise Mismatch(f"{value!r} is not one of {', '.join(names)}")
            return str(value)

        return Codec(lower, same)

    def flags(self, names: Sequence[str]) -> Codec:
        def lower(value: Any) -> set[str]:
            for name in sequence(value):
                if name not in names:
                    raise Mismatch(f"{name!r} is not one of {', '.join(names)}")
            return set(value)

        return Codec(lower, lambda value: [name for name in names if name in value])

    def option(self) -> Json:
        return self

    def sequence(self) -> Parts:
        return Parts([self], sequence, same)

    def record(self, names: Sequence[str]) -> Parts:
        def take(value: Any) -> list[Any]:
            if not isinstance(value, dict):
                raise Mismatch(f"expected an object, not {kind(value)}")
            if value.keys() != set(names):
                odd = sorted(value.keys() ^ set(names))
                raise Mismatch(f"members that are missing or too many: {', '.join(odd)}")
            return [value[name] for name in names]

        def make(values: Any) -> dict[str, Any]:
            return dict(zip(names, values, strict=True))

        return Parts([self] * len(names), take, make)

    def variant(self, names: Sequence[str]) -> Parts:
        def take(value: Any) -> tuple[int, Any]:
            if not isinstance(value, dict) or len(value) != 1:
                raise Mismatch(f"expected an object with the name of a case, not {kind(value)}")
            [(name, payload)] = value.items()
            if name not in names:
                raise Mismatch(f"{name!r} is not one of {', '.join(names)}")
            return names.index(name), payload

        def make(value: Any) -> dict[str, Any]:
            return {names[value[0]]: value[1]}

        return Parts([self] * len(names), take, make)

    def result(self) -> Parts:
        return self.variant(("ok", "err"))

    def resource(self, instance: Callable[[], Instance]) -> Codec:
        def lower(value: Any) -> wasm.ResourceAny:
            if not isinstance(value, dict) or value.keys() != {"resource"}:
                raise Mismatch(f"expected a resource, not {kind(value)}")
            return instance().handle(integer(0, _LARGEST_NUMBER, value["resource"]))

        return Codec(lower, lambda value: {"resource": instance().adopt(value)})


def _decimal(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


class Typed:
    """Values as instances of the classes that type hints name."""

    def __init__(self, hint: Any) -> None:
        self.hint = hint

    def boolean(self) -> Codec:
        return Codec(boolean, same)

    def integer(self, low: int, high: int) -> Codec:
        return Codec(functools.partial(integer, low, high), same)

    def text(self) -> Codec:
        return Codec(text, same)

    def enum(self, names: Sequence[str]) -> Codec:
        cls: type[enum.StrEnum] = self.hint
        members = {name: cls(name) for name in names}

        def lower(value: Any) -> str:
            try:
                return str(members[value])
            except (KeyError, TypeError):
                raise Mismatch(f"{value!r} is not one of {', '.join(names)}") from None

        return Codec(lower, members.__getitem__)

    def flags(self, names: Sequence[str]) -> Codec:
        cls: type[enum.Flag] = self.hint
        members = {name: cls[python_name(name).upper()] for name in names}

        def lower(value: Any) -> set[str]:
            if not isinstance(value, cls):
                raise Mismatch(f"expected {cls.__name__}, not {kind(value)}")
            return {name for name, member in members.items() if member in value}

        def lift(value: set[str]) -> enum.Flag:
            return functools.reduce(operator.or_, (members[name] for name in value), cls(0))

        return Codec(lower, lift)

    def option(self) -> Typed:
        return Typed(_without(self.hint, types.NoneType))

    def sequence(self) -> Parts:
        [element] = typing.get_args(self.hint)
        make = same if typing.get_origin(self.hint) is list else tuple
        return Parts([Typed(element)], sequence, make)

    def record(self, names: Sequence[str]) -> Parts:
        cls = self.hint
        hints = _members(cls)
        fields = [python_name(name) for name in names]
        if fields != list(hints):
            raise NotImplementedError(f"{cls.__name__} is not the record {', '.join(names)}")

        def take(value: Any) -> list[Any]:
            if not isinstance(value, cls):
                raise Mismatch(f"expected {cls.__name__}, not {kind(value)}")
            return [getattr(value, field) for field in fields]

        def make(values: Any) -> Any:
            return cls(**dict(zip(fields, values, strict=True)))

        return Parts([Typed(hints[field]) for field in fields], take, make)

    def variant(self, names: Sequence[str]) -> Parts:
        classes = REFUSALS if self.hint is Refused else (typing.get_args(self.hint) or [self.hint])
        by_case = {cls.case: cls for cls in classes}
        cases = [by_case[name] for name in names]
        numbers = {cls: at for at, cls in enumerate(cases)}
        # The classes of errors have it as the argument of their constructors.
        hints = [
            typing.get_type_hints(cls.__init__ if self.hint is Refused else cls).get("value")
            for cls in cases
        ]

        def take(value: Any) -> tuple[int, Any]:
            at = numbers.get(type(value))
            if at is None:
                known = ", ".join(cls.__name__ for cls in cases)
                raise Mismatch(f"expected one of {known}, not {kind(value)}")
            return at, getattr(value, "value", None)

        def make(value: Any) -> Any:
            at, payload = value
            return cases[at]() if hints[at] is None else cases[at](payload)

        return Parts([Typed(hint) for hint in hints], take, make)

    def result(self) -> Parts:
        """An error is a value: `Failure` of an import, `Refused` of an export."""
        hints = typing.get_args(self.hint)
        ok = _without(self.hint, Failure)
        error = Failure if Failure in hints else Refused

        def take(value: Any) -> tuple[int, Any]:
            return (1, value) if isinstance(value, Failure) else (0, value)

        return Parts([Typed(ok), Typed(error)], take, lambda value: value[1])

    def resource(self, instance: Callable[[], Instance]) -> Codec:
        cls: type[Resource] = self.hint

        def lower(value: Any) -> wasm.ResourceAny:
            if not isinstance(value, cls):
                raise Mismatch(f"expected {cls.__name__}, not {kind(value)}")
            if value.instance is not instance():
                raise Mismatch(f"the {cls.__name__} lives in another instance")
            return value.instance.handle(value._handle)

        return Codec(lower, lambda value: cls(instance(), instance().adopt(value)))


#: What values look like in Python.
Shape = Json | Typed


def _members(cls: Any) -> dict[str, Any]:
    """The members of a record and their types; `Failure` is one too."""
    if cls is Failure:
        return {"code": FailureCode, "message": str}
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _without(hint: Any, cls: type) -> Any:
    """A union without one of its members."""
    left = [arg for arg in typing.get_args(hint) if arg is not cls]
    if not left or (
        not isinstance(hint, types.UnionType) and typing.get_origin(hint) is not typing.Union
    ):
        return hint
    return functools.reduce(operator.or_, left)


def python_name(name: str) -> str:
    """The Python name of a member."""
    name = name.replace("-", "_")
    return name + "_" if name in ("from", "import") else name
