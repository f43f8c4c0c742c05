"""What tests share: one engine, the machine's tools, and a real registry."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwise import Engine

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The component as it is shipped."""
    return Engine()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Where a key of marks can be, in a directory of its own."""
    return tmp_path.with_name(f"{tmp_path.name}.marks") / "marks.key"


def need(*programs: str) -> None:
    """Skips a test for which a program is missing, unless it has to run."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    why = f"not installed: {', '.join(missing)}"
    if os.environ.get("LAYERWISE_REQUIRE_LIVE") == "1":
        pytest.fail(f"LAYERWISE_REQUIRE_LIVE=1, but {why}")
    pytest.skip(why)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Runs a program to its end and returns what it prints."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class Registry:
    """A real registry on loopback."""

    def __init__(self, directory: Path, http: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        config = directory / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage:\n  filesystem: {{rootdirectory: {directory / 'storage'}}}\n"
            "  delete: {enabled: true}\n"
            f"http:\n  addr: {self.host}\n{http}"
        )
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(500):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        self.close()
        raise AssertionError("the registry does not start")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that everybody may write to."""
    need("docker-registry")
    started = Registry(tmp_path_factory.mktemp("registry"))
    yield started
    started.close()
