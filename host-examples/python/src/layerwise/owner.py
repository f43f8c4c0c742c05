"""What resources and converters of values need of the instance they belong to."""

from __future__ import annotations

from typing import Any, Protocol

from wasmtime import component as wasm


class Owner(Protocol):
    """An instance of the component, as its resources see it."""

    def call(self, name: str, *args: object) -> Any:
        """Calls a function of the component."""
        ...

    def drop(self, handle: int) -> None:
        """Drops a resource."""
        ...

    def close(self) -> None:
        """Ends the instance."""
        ...

    def adopt(self, resource: wasm.ResourceAny) -> int:
        """Keeps a resource and returns its handle."""
        ...

    def handle(self, number: int) -> wasm.ResourceAny:
        """Returns the resource with a handle."""
        ...
