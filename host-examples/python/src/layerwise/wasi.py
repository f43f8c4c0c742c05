"""The component with the stores over WASI inside.

`Engine(wasi=Wasi(...))` runs it: whatever is asked of images, registries and files is
answered by the stores of the native program, compiled into the same component, over
directories that the runtime opens for it. Nothing is lent from Python. What WASI cannot
do is `unsupported` by name: writing to directories, owners and modes of files, unpacking.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wasmtime import Store, WasiConfig

from .errors import EngineError


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

    def lend(self, store: Store) -> None:
        """Lends all that to an instance to be made."""
        config = WasiConfig()
        environment = dict(self.environment)
        if self.store is not None:
            environment["LAYERWISE_STORE"] = self.store
        config.env = list(environment.items())
        config.inherit_stderr()
        for guest, host in self.directories.items():
            path = Path(host)
            if not path.is_dir():
                raise EngineError(f"cannot lend {str(host)!r}: it is not a directory")
            config.preopen_dir(str(path), guest, False)
        store.set_wasi(config)
        if self.network:
            store.set_wasi_http()
