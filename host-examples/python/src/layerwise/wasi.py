"""The component with the stores over WASI inside.

`Engine(wasi=Wasi(...))` runs it: whatever is asked of images, registries and files is
answered by the stores of the native program, compiled into the same component, over
directories that the runtime opens for it. Nothing is lent from Python. What WASI cannot
do is `unsupported` by name: writing to directories, owners and modes of files, unpacking.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wasmtime import Store, WasiConfig

from .errors import EngineError
from .text import cut, escape

log = logging.getLogger("layerwise")

#: The longest line of the component that is told whole.
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Wasi:
    """What the runtime lends the component. A directory can be read, not written to."""

    #: The image store: `oci:DIR`, `docker:DIR`, `containerd:DIR#NAMESPACE` or `archive:FILE`.
    store: str | None = None
    #: Directories, by the path that the component has for each.
    directories: Mapping[str, str | os.PathLike[str]] = field(default_factory=lambda: {".": "."})
    #: More of the environment: `LAYERWISE_PLATFORM`, `LAYERWISE_MARKS_KEY`,
    #: `LAYERWISE_PLAIN_HTTP`, `DOCKER_CONFIG`.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Whether it may ask registries. A call that does without ends in a trap.
    network: bool = False

    def lend(self, store: Store) -> Stderr:
        """Lends all that to an instance to be made; returns where it writes what it says."""
        config, stderr = WasiConfig(), Stderr()
        environment = dict(self.environment)
        if self.store is not None:
            environment["LAYERWISE_STORE"] = self.store
        config.env = list(environment.items())
        config.stderr_custom = stderr
        for guest, host in self.directories.items():
            path = Path(host)
            if not path.is_dir():
                raise EngineError(f"cannot lend {str(host)!r}: it is not a directory")
            config.preopen_dir(str(path), guest, False)
        store.set_wasi(config)
        if self.network:
            store.set_wasi_http()
        return stderr


class Stderr:
    """The standard error of an instance: its lines go to the logger `layerwise`."""

    def __init__(self) -> None:
        #: What it said in this call that is no warning, as it does before it panics.
        self.words = ""
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = cut(escape(line.decode(errors="replace")), _LONGEST)
            if not text.startswith("warning: "):
                self.words = cut(f"{self.words} {text}".strip(), _LONGEST)
            log.warning("%s", text.removeprefix("warning: "))
        self._rest = self._rest[-_LONGEST:]
