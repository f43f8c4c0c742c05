"""Values of the component model and of Python, in both directions.

One walk over a type of the component makes a `Codec`. What the values look like
on the Python side is said by a `Shape`: `Json` for transcripts, `Typed` for the
classes of this package. Everything is checked here, before the runtime sees it:
wasmtime-py wraps numbers that are too large, and a value it cannot lower may
cost the instance, or memory it did not allocate.

wasmtime-py leaves out the name of a variant's case when the Python classes of
all cases differ. Which classes a type has is asked of the type itself, so that
a case is found again whether it is named or not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wasmtime import component as wasm

if TYPE_CHECKING:
    from .instance import Instance
    from .shapes import Shape


class Mismatch(TypeError):
    """A value is not one of the type; says where."""

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.where = where

    def inside(self, part: str) -> Mismatch:
        """The same, seen from outside of `part`."""
        return Mismatch(self.why, part + self.where)

    def __str__(self) -> str:
        return f"{self.where.lstrip('.')}: {self.why}" if self.where else self.why


class Codec(NamedTuple):
    """Turns values of one type around."""

    #: From Python to wasmtime-py; raises `Mismatch`.
    lower: Callable[[Any], Any]
    #: From wasmtime-py to Python.
    lift: Callable[[Any], Any]


class Parts(NamedTuple):
    """How a compound value is taken apart and put together: a list into its elements, a
    record into its members, in order, and a variant into the number of its case and the
    payload.
    """

    shapes: Sequence[Shape]
    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


_INTEGERS: dict[type[wasm.ValType], tuple[int, int]] = {
    wasm.U8: (0, 2**8 - 1),
    wasm.U16: (0, 2**16 - 1),
    wasm.U32: (0, 2**32 - 1),
    wasm.U64: (0, 2**64 - 1),
    wasm.S8: (-(2**7), 2**7 - 1),
    wasm.S16: (-(2**15), 2**15 - 1),
    wasm.S32: (-(2**31), 2**31 - 1),
    wasm.S64: (-(2**63), 2**63 - 1),
}


def codec(of: wasm.ValType, shape: Shape, instance: Callable[[], Instance]) -> Codec:
    """The codec of a type; `instance` is asked for where resources live."""
    again = functools.partial(codec, instance=instance)
    if type(of) in _INTEGERS:
        return shape.integer(*_INTEGERS[type(of)])
    match of:
        case wasm.Bool():
            return shape.boolean()
        case wasm.String():
            return shape.text()
        case wasm.EnumType():
            return shape.enum(of.names)
        case wasm.FlagsType():
            return shape.flags(of.names)
        case wasm.OptionType():
            return _option(again(of.payload, shape.option()))
        case wasm.ListType():
            parts = shape.sequence()
            return _list(again(of.element, parts.shapes[0]), parts)
        case wasm.RecordType():
            names = [name for name, _ in of.fields]
            parts = shape.record(names)
            members = [again(ty, s) for (_, ty), s in zip(of.fields, parts.shapes, strict=True)]
            return _record(names, members, parts)
        case wasm.VariantType():
            return _variant(of.cases, shape.variant([name for name, _ in of.cases]), again)
        case wasm.ResultType():
            return _variant([("ok", of.ok), ("err", of.err)], shape.result(), again)
        case wasm.OwnType() | wasm.BorrowType():
            return shape.resource(instance)
    raise NotImplementedError(f"values of the type {type(of).__name__}")


def _option(inner: Codec) -> Codec:
    def lower(value: Any) -> Any:
        return None if value is None else inner.lower(value)

    def lift(value: Any) -> Any:
        return None if value is None else inner.lift(value)

    return Codec(lower, lift)


def _list(element: Codec, parts: Parts) -> Codec:
    def lower(value: Any) -> list[Any]:
        lowered = []
        for at, item in enumerate(parts.take(value)):
            try:
                lowered.append(element.lower(item))
            except Mismatch as error:
                raise error.inside(f"[{at}]") from None
        return lowered

    def lift(value: list[Any]) -> Any:
        return parts.make([element.lift(item) for item in value])

    return Codec(lower, lift)


def _record(names: Sequence[str], members: Sequence[Codec], parts: Parts) -> Codec:
    named = list(zip(names, members, strict=True))

    def lower(value: Any) -> wasm.Record:
        record = wasm.Record()
        into = record.__dict__
        for (name, member), item in zip(named, parts.take(value), strict=True):
            try:
                into[name] = member.lower(item)
            except Mismatch as error:
                raise error.inside("." + name) from None
        return record

    def lift(value: wasm.Record) -> Any:
        found = value.__dict__
        return parts.make([member.lift(found[name]) for name, member in named])

    return Codec(lower, lift)


def _variant(
    cases: Sequence[tuple[str, wasm.ValType | None]],
    parts: Parts,
    again: Callable[[wasm.ValType, Shape], Codec],
) -> Codec:
    names = [name for name, _ in cases]
    result = names == ["ok", "err"]
    inner = [
        None if ty is None else again(ty, shape)
        for (_, ty), shape in zip(cases, parts.shapes, strict=True)
    ]
    by_class: dict[type, int] = {}
    tagged = False
    for at, (_, ty) in enumerate(cases):
        for cls in _classes(ty):
            tagged = tagged or by_class.setdefault(cls, at) != at
    numbers = {name: at for at, name in enumerate(names)}
    # Without names wasmtime-py takes the first case whose classes fit, and takes
    # every value for an absent one.
    greedy = [at for at, (_, ty) in enumerate(cases) if ty is not None and object in _classes(ty)]

    def lower(value: Any) -> Any:
        at, payload = parts.take(value)
        member = inner[at]
        if member is not None:
            try:
                payload = member.lower(payload)
            except Mismatch as error:
                raise error.inside("" if result else "." + names[at]) from None
        elif payload is not None:
            raise Mismatch(f"the case {names[at]} holds nothing")
        if tagged:
            return wasm.Variant(names[at], payload)
        if not tagged and any(other < at for other in greedy):
            raise NotImplementedError(f"lowering the case {names[at]} without its name")
        return payload

    def lift(value: Any) -> Any:
        if tagged:
            at, payload = numbers[value.tag], value.payload
        else:
            at, payload = by_class[object if value is None else type(value)], value
        member = inner[at]
        return parts.make((at, None if member is None else member.lift(payload)))

    return Codec(lower, lift)


def _classes(of: wasm.ValType | None) -> set[type]:
    """The Python classes of a type in wasmtime-py; `object` stands for `None`."""
    if of is None:
        return {object}
    classes: set[type] = set()
    of.add_classes(classes)
    return classes


def same(value: Any) -> Any:
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Mismatch(f"expected a boolean, not {kind(value)}")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise Mismatch(f"expected a string, not {kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Mismatch(f"the string is no unicode text at {error.start}") from None
    return value


def integer(low: int, high: int, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Mismatch(f"expected an integer, not {kind(value)}")
    if not low <= value <= high:
        raise Mismatch(f"{value} is not between {low} and {high}")
    return value


def sequence(value: Any) -> Sequence[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise Mismatch(f"expected a list, not {kind(value)}")
    return value


def kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
