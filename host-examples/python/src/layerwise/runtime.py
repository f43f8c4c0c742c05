"""What wasmtime-py 50 does slowly or not safely, and what helps.

* It reads what a type consists of anew for each value of it, which takes longer
  than everything else in a call. Types do not change, so `prepare` lets each
  remember; `Function` keeps the types of an exported function from call to call.
* Which case of a variant an unnamed value is, is worked out in one set that all
  threads share: two threads that lower values at the same time spoil each other's
  calls. `prepare` gives each thread a set of its own.

Other users of wasmtime-py in the same process see the same values as before.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from wasmtime import component as wasm
from wasmtime.component import _types

#: What a type consists of.
_PARTS: tuple[tuple[type[wasm.ValType], str], ...] = (
    (wasm.ListType, "element"),
    (wasm.OptionType, "payload"),
    (wasm.RecordType, "fields"),
    (wasm.ResultType, "err"),
    (wasm.ResultType, "ok"),
    (wasm.TupleType, "elements"),
    (wasm.VariantType, "cases"),
)

_lock = threading.Lock()


def prepare() -> None:
    """Makes wasmtime-py faster and safe for threads; once is enough."""
    with _lock:
        for cls, name in _PARTS:
            part = vars(cls)[name]
            if isinstance(part, property) and part.fget is not None:
                once: functools.cached_property[Any] = functools.cached_property(part.fget)
                once.__set_name__(cls, name)
                setattr(cls, name, once)
        tagged = getattr(_types.VariantLikeType, "_tagged", None)
        if tagged is not None and not hasattr(tagged, "__wrapped__"):
            setattr(_types.VariantLikeType, "_tagged", _once(tagged))  # noqa: B010
        if not isinstance(getattr(_types, "case_test_cache", None), _PerThread):
            _types.case_test_cache = _PerThread()


def _once(method: Any) -> Any:
    """A method without arguments whose answer each object remembers."""

    @functools.wraps(method)
    def remembered(self: Any) -> Any:
        known = vars(self)
        if "_remembered" not in known:
            known["_remembered"] = method(self)
        return known["_remembered"]

    return remembered


class Signature:
    """The types of a function, read once."""

    def __init__(self, of: wasm.FuncType) -> None:
        self.params = of.params
        self.result = of.result


class Function(wasm.Func):
    """A function that knows its types."""

    _signature: Signature

    @classmethod
    def of(cls, function: wasm.Func, signature: Signature) -> Function:
        """Tells a function its types."""
        function.__class__ = cls
        assert isinstance(function, cls)
        function._signature = signature
        return function

    def type(self, store: object) -> Any:
        return self._signature


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
