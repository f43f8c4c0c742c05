"""The package as a whole: its version, its contract, its README, its cache."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import wasmtime
from conftest import REPOSITORY

import layerwise
from layerwise import Engine, cache
from layerwise.__main__ import main
from layerwise.engine import PACKAGE, TABLE
from layerwise.imports import TABLE as IMPORTS
from layerwise.text import cut, escape, short_ids

HERE = Path(__file__).parents[1]


def test_the_version_is_that_of_the_component() -> None:
    cargo = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())
    project = tomllib.loads((HERE / "pyproject.toml").read_text())
    wanted = cargo["workspace"]["package"]["version"]
    assert project["project"]["version"] == layerwise.__version__ == wanted
    assert version("layerwise") == wanted
    assert f"layerwise:cache@{wanted}" == PACKAGE


def test_the_component_has_no_other_imports(engine: Engine) -> None:
    imports, exports = engine.interfaces

    def names(*interfaces: str) -> list[str]:
        return sorted(f"layerwise:cache/{name}@0.1.0" for name in interfaces)

    assert sorted(imports) == names("types", "image-store", "registry", "filesystem", "observer")
    assert sorted(exports) == names(
        "docker", "dockerfile", "buildpacks", "buildkit", "builds", "stacker", "rules"
    )


def test_every_function_has_its_python(engine: Engine) -> None:
    """Each function of the component, and each type in it, fits a class here."""
    ty = engine.component.type
    found = set()
    for full, extern in ty.exports(engine.runtime).items():
        interface = full.partition("/")[2].partition("@")[0]
        for name, member in extern.ty.exports(engine.runtime).items():  # type: ignore[union-attr]
            if type(member.ty).__name__ == "FuncType":
                found.add(f"{interface}#{name}")
                assert engine.export(f"{interface}#{name}")._typed
    # Only the build for tests exports the functions of `testing`.
    assert found == {name for name in TABLE if not name.startswith("testing#")}
    functions = set()
    for full, extern in ty.imports(engine.runtime).items():
        interface = full.partition("/")[2].partition("@")[0]
        for name, member in extern.ty.exports(engine.runtime).items():  # type: ignore[union-attr]
            if type(member.ty).__name__ == "FuncType":
                functions.add(f"{interface}#{name}")
    assert functions == set(IMPORTS)


def test_the_modules_are_those_of_the_contract() -> None:
    done = subprocess.run(
        [sys.executable, HERE / "tools" / "bind.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_code_by_hand_is_small() -> None:
    """All Python of this package, its build, tools and examples: every line, without tests and
    the modules that `tools/bind.py` writes.
    """
    parts = [
        HERE.glob("*.py"),
        *((HERE / part).rglob("*.py") for part in ("src", "tools", "examples")),
    ]
    texts = [path.read_text() for part in parts for path in part]
    by_hand = [text for text in texts if "\nWritten by `tools/bind.py` from" not in text]
    assert len(texts) - len(by_hand) == 13
    assert sum(text.count("\n") for text in by_hand) <= 4_000


@pytest.mark.parametrize("page", ["README.md", "../../src/manual/python.md"])
def test_the_example_of_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (HERE / page).read_text()
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [printed] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    exec(compile(example, page, "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert 'Env[1]: have "MODE=fast", want "MODE=safe"' in out
    assert out.count("\n  hit") == 2
    assert out.count("\n  miss") == 2
    assert "\x1b" not in out


def test_the_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--seconds", "0.001"]) == 0
    assert capsys.readouterr().out.startswith("| what | cost |\n|---|---|\n")


def test_text_is_escaped() -> None:
    assert escape("a\x1b[2J\u202eb\n\x9b\ud800é日") == (
        "a\\u{1b}[2J\\u{202e}b\\n\\u{9b}\\u{d800}é日"
    )
    assert short_ids(f"x sha256:{'0123456789ab' + 'c' * 52} y") == "x 0123456789ab y"
    assert cut("abcdef", 4) == "abc…"


def test_compiled_code_is_kept_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "cache"
    compiled = []
    real = wasmtime.component.Component

    class Counting(real):  # type: ignore[misc,valid-type]
        def __init__(self, runtime: object, code: object) -> None:
            compiled.append(1)
            super().__init__(runtime, code)

    monkeypatch.setattr(cache, "Component", Counting)
    code = bytes(wasmtime.wat2wasm("(component)"))

    def load() -> int:
        compiled.clear()
        assert cache.load_or_compile(wasmtime.Engine(), code, directory, "deadline")
        return len(compiled)

    assert (load(), load()) == (1, 0)
    [file] = directory.iterdir()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    for spoil in (
        lambda: file.write_bytes(file.read_bytes()[:-1]),
        lambda: file.write_bytes(b""),
        lambda: file.write_bytes(file.read_bytes()[:40] + b"\0" * 40),
        lambda: file.chmod(0o666),
        lambda: directory.chmod(0o777),
    ):
        spoil()
        assert load() == 1
        directory.chmod(0o700)
        assert (load(), load()) in ((0, 0), (1, 0))
    file.rename(tmp_path / "code")
    file.symlink_to(tmp_path / "code")
    assert load() == 1
    (tmp_path / "link").symlink_to(directory)
    compiled.clear()
    cache.load_or_compile(wasmtime.Engine(), code, tmp_path / "link", "deadline")
    cache.load_or_compile(wasmtime.Engine(), code, None, "deadline")
    cache.load_or_compile(wasmtime.Engine(), code, Path("/dev/null/x"), "deadline")
    assert len(compiled) == 3


def test_where_compiled_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERWISE_CACHE_DIR", "/somewhere")
    assert cache.user_directory() == Path("/somewhere")
    monkeypatch.setenv("LAYERWISE_CACHE_DIR", "")
    assert cache.user_directory() is None
    monkeypatch.delenv("LAYERWISE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache.user_directory() == Path("/cache/layerwise/python")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache.user_directory() == Path("/home/somebody/.cache/layerwise/python")
