"""What wasmtime-py 50 does slowly or not safely, and what helps.

* Every call reads the types of its values anew, member by member, which takes
  longer than the call: `read_once` keeps the types of an exported function. It
  overrides public names only.
* Which case an absent or unnamed variant is, is looked up in one set that all
  threads share: two threads that lower values at the same time spoil each other's
  calls. `separate_threads` gives each thread a set of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from wasmtime import component as wasm
from wasmtime.component import _types


def _kept_classes(self: Any, s: set[type]) -> None:
    s.update(self._classes)


# A class that had two bases could not take the place of the original one.


class _Record(wasm.RecordType):
    add_classes = _kept_classes

    @property
    def fields(self) -> list[tuple[str, wasm.ValType]]:
        return self._kept  # type: ignore[attr-defined,no-any-return]


class _Variant(wasm.VariantType):
    add_classes = _kept_classes

    @property
    def cases(self) -> list[tuple[str, wasm.ValType | None]]:
        return self._kept  # type: ignore[attr-defined,no-any-return]


class _Option(wasm.OptionType):
    add_classes = _kept_classes

    @property
    def payload(self) -> wasm.ValType:
        return self._kept  # type: ignore[attr-defined,no-any-return]


class _Result(wasm.ResultType):
    add_classes = _kept_classes

    @property
    def ok(self) -> wasm.ValType | None:
        return self._kept[0]  # type: ignore[attr-defined,no-any-return]

    @property
    def err(self) -> wasm.ValType | None:
        return self._kept[1]  # type: ignore[attr-defined,no-any-return]


class _List(wasm.ListType):
    add_classes = _kept_classes

    @property
    def element(self) -> wasm.ValType:
        return self._kept  # type: ignore[attr-defined,no-any-return]


class Signature(wasm.FuncType):
    """The type of a function, read once."""

    _params: list[tuple[str, wasm.ValType]]
    _answer: wasm.ValType | None

    @classmethod
    def of(cls, of: wasm.FuncType) -> Signature:
        """Reads it."""
        params, answer = of.params, of.result
        of.__class__ = cls
        assert isinstance(of, cls)
        of._params = [(name, _read(ty)) for name, ty in params]
        of._answer = None if answer is None else _read(answer)
        return of

    @property
    def params(self) -> list[tuple[str, wasm.ValType]]:
        return self._params

    @property
    def result(self) -> wasm.ValType | None:
        return self._answer


class Function(wasm.Func):
    """A function that knows its type."""

    _signature: Signature

    @classmethod
    def of(cls, function: wasm.Func, signature: Signature) -> Function:
        """Gives a function its type."""
        function.__class__ = cls
        assert isinstance(function, cls)
        function._signature = signature
        return function

    def type(self, store: object) -> wasm.FuncType:
        return self._signature


def _read(of: wasm.ValType) -> wasm.ValType:
    """The same type, with all it consists of."""
    classes: set[type] = set()
    of.add_classes(classes)
    kept: Any
    kind: type[wasm.ValType]
    match of:
        case wasm.RecordType():
            kind, kept = _Record, [(name, _read(ty)) for name, ty in of.fields]
        case wasm.VariantType():
            kind, kept = _Variant, [(name, _maybe(ty)) for name, ty in of.cases]
        case wasm.OptionType():
            kind, kept = _Option, _read(of.payload)
        case wasm.ResultType():
            kind, kept = _Result, (_maybe(of.ok), _maybe(of.err))
        case wasm.ListType():
            kind, kept = _List, _read(of.element)
        case _:
            return of
    of.__class__ = kind
    vars(of).update(_kept=kept, _classes=frozenset(classes))
    return of


def _maybe(of: wasm.ValType | None) -> wasm.ValType | None:
    return None if of is None else _read(of)


class _PerThread(set[type]):
    """A set of which each thread sees its own."""

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()

    @property
    def _own(self) -> set[type]:
        try:
            own: set[type] = self._local.own
        except AttributeError:
            own = self._local.own = set()
        return own

    def clear(self) -> None:
        self._own.clear()

    def add(self, item: type) -> None:
        self._own.add(item)

    def update(self, *others: Iterable[type]) -> None:
        self._own.update(*others)

    def __iter__(self) -> Iterator[type]:
        return iter(self._own)


def separate_threads() -> None:
    """Lets threads lower values at the same time."""
    if not isinstance(getattr(_types, "case_test_cache", None), _PerThread):
        _types.case_test_cache = _PerThread()
