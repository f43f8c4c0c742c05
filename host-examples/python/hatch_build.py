"""Puts the component into the package.

It is the file that `LAYERWISE_COMPONENT` names, or what `layerwise-component` makes
of the repository this is in. A source distribution holds it already.
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
PLACE = HERE / "src" / "layerwise" / "component.wasm"
# The first bytes of every component.
MAGIC = b"\0asm\x0d\0\x01\0"


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """The hook that hatchling runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copies the component to its place."""
        del version, build_data
        source = component()
        if source != PLACE:
            shutil.copyfile(source, PLACE)
        with PLACE.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SystemExit(f"{source} is not a WebAssembly component")


def component() -> Path:
    """Where the component is."""
    named = os.environ.get("LAYERWISE_COMPONENT")
    if named:
        return Path(named)
    if not (REPOSITORY / "wit" / "world.wit").is_file():
        if PLACE.is_file():
            return PLACE
        raise SystemExit("no component: set LAYERWISE_COMPONENT to the path of layerwise.wasm")
    return build()


def build() -> Path:
    """Builds it as it is released."""
    command = ["cargo", "run", "--package", "layerwise-component", "--", str(PLACE)]
    try:
        subprocess.run(command, cwd=REPOSITORY, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"the component cannot be built ({error}): install Rust with the target wasm32-wasip2, "
            "or set LAYERWISE_COMPONENT to the path of layerwise.wasm"
        ) from error
    return PLACE
