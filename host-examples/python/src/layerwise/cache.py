"""Compiled code kept on disk: compiling takes seconds, loading milliseconds.

Compiled code is as powerful as this program itself. So it is read only from a
directory and a file that belong to this user and that nobody else can write to,
and a file begins with the digest of the rest. A directory that cannot be used
costs time, never an error. A file belongs to one component, one version of
wasmtime, one kind of machine and one setting; all are in its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import stat
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import wasmtime
from wasmtime import WasmtimeError
from wasmtime.component import Component

_LARGEST = 256 << 20


def user_directory() -> Path | None:
    """Where compiled code of this user is kept; `None` where that is not known."""
    chosen = os.environ.get("LAYERWISE_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base, "layerwise", "python")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local, "layerwise", "python") if local else None
    home = os.path.expanduser("~")
    return Path(home, ".cache", "layerwise", "python") if os.path.isabs(home) else None


def load_or_compile(
    runtime: wasmtime.Engine, code: bytes, directory: Path | None, settings: str
) -> Component:
    """Loads the compiled form of a component, or compiles it and keeps it."""
    if directory is None:
        return Component(runtime, code)
    name = _name(code, settings)
    component = _load(runtime, directory, name)
    if component is None:
        component = Component(runtime, code)
        with contextlib.suppress(OSError, WasmtimeError):
            _keep(component, directory, name)
    return component


def _name(code: bytes, settings: str) -> str:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    digest = hashlib.sha256(code).hexdigest()[:32]
    return f"{digest}-wasmtime-{version('wasmtime')}-{machine}-{settings}.cwasm"


def _load(runtime: wasmtime.Engine, directory: Path, name: str) -> Component | None:
    try:
        _check(os.lstat(directory), stat.S_ISDIR)
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(directory / name, flags), "rb") as file:
            found = os.fstat(file.fileno())
            _check(found, stat.S_ISREG)
            if found.st_size > _LARGEST:
                return None
            digest, compiled = file.read(32), file.read()
        if hashlib.sha256(compiled).digest() != digest:
            return None
        return Component.deserialize(runtime, compiled)
    except (OSError, WasmtimeError):
        return None


def _keep(component: Component, directory: Path, name: str) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(os.lstat(directory), stat.S_ISDIR)
    compiled = bytes(component.serialize())
    descriptor, partial = tempfile.mkstemp(prefix=".partial-", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(hashlib.sha256(compiled).digest())
            file.write(compiled)
        os.replace(partial, directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _check(found: os.stat_result, right_kind: object) -> None:
    """Refuses what is of another kind, or what others own or can write to."""
    assert callable(right_kind)
    mine = sys.platform == "win32" or (
        found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
    if not right_kind(found.st_mode) or not mine:
        raise PermissionError("compiled code is not this user's alone")
