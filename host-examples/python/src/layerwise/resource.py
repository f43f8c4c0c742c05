"""What the classes of exported interfaces and resources have in common."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .instance import Instance


class Exports:
    """The functions of one exported interface, called in one instance."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @property
    def instance(self) -> Instance:
        """The instance whose functions these are."""
        return self._instance

    def _call(self, name: str, *args: object) -> Any:
        return self._instance.call(name, *args)


class Resource:
    """Something that lives in an instance until it is closed.

    One that was opened through `Engine` has an instance of its own, which is
    closed with it.
    """

    __slots__ = ("_handle", "_instance", "_only")

    def __init__(self, instance: Instance, handle: int) -> None:
        self._instance = instance
        self._handle = handle
        self._only = False

    @property
    def instance(self) -> Instance:
        """The instance it lives in."""
        return self._instance

    def close(self) -> None:
        """Drops it. Closing again, or after the instance was stopped, does nothing."""
        if self._only:
            self._instance.close()
        else:
            self._instance.drop(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, name: str, *args: object) -> Any:
        return self._instance.call(name, *args)
