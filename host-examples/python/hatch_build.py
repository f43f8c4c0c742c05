"""Puts the component into the package, and the one with the stores over WASI inside.

They are the files that `LAYERWISE_COMPONENT` and `LAYERWISE_WASI_COMPONENT` name, or what
`layerwise-component` makes of the repository this is in. A source distribution holds them
already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PACKAGE = HERE / "src" / "layerwise"
# The name of each in the package, the variable that names it, and how it is built.
COMPONENTS: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("component.wasm", "LAYERWISE_COMPONENT", [], []),
    ("wasi.wasm", "LAYERWISE_WASI_COMPONENT", ["--features", "wasi"], ["--wasi"]),
)
# The first bytes of every component.
MAGIC = b"\0asm\x0d\0\x01\0"


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """The hook that hatchling runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copies the components to their places."""
        del version, build_data
        for name, variable, features, options in COMPONENTS:
            place = PACKAGE / name
            source = component(place, variable, features, options)
            if source != place:
                shutil.copyfile(source, place)
            with place.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise SystemExit(f"{source} is not a WebAssembly component")


def component(place: Path, variable: str, features: list[str], options: list[str]) -> Path:
    """Where a component is."""
    named = os.environ.get(variable)
    if named:
        return Path(named)
    if not (REPOSITORY / "wit" / "world.wit").is_file():
        if place.is_file():
            return place
        raise SystemExit(f"no component: set {variable} to the path of {place.name}")
    command = ["cargo", "run", "--package", "layerwise-component", *features, "--", *options]
    try:
        subprocess.run([*command, str(place)], cwd=REPOSITORY, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"{place.name} cannot be built ({error}): install Rust with the target wasm32-wasip2, "
            f"or set {variable} to its path"
        ) from error
    return place
