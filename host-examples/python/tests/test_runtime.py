"""What is done about wasmtime-py keeps doing it."""

from __future__ import annotations

import sys
import threading
from typing import Any

from wasmtime import component as wasm

from layerwise import Engine


def test_threads_lower_at_the_same_time(engine: Engine) -> None:
    """Optional values of two types, whose cases are told apart by their classes."""
    [(_, text), *_] = engine.export("docker#compare-configs").signature.params
    (_, alternative) = engine.export("buildkit#[method]exporter.link").signature.params[3]
    assert isinstance(alternative, wasm.RecordType)
    number = dict(alternative.fields)["record"]
    wrong: list[Exception] = []

    def lower(ty: Any, value: object) -> None:
        try:
            for _ in range(50_000):
                ty._lower(None, value)
        except Exception as error:
            wrong.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lower, args=args) for args in [(text, "x"), (number, 1)] * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


def test_types_are_read_once(engine: Engine) -> None:
    [(_, options)] = engine.export("docker#open").signature.params
    assert isinstance(options, wasm.RecordType)
    assert options.fields is options.fields
    [names] = [ty for name, ty in options.fields if name == "cache-from"]
    assert isinstance(names, wasm.ListType)
    assert names.element is names.element
    assert engine.export("docker#open") is engine.export("docker#open")
