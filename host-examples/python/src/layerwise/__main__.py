"""The command line: `python -m layerwise COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import __version__
from .engine import Engine
from .errors import LayerwiseError
from .scenario import Scenario
from .text import escape
from .transcript import read, replay
from .tree import Unreadable
from .values import Mismatch

DONE, DIFFERS, USAGE, ERROR = 0, 1, 2, 3

_CODES = "Exit codes: 0 done, 1 something differs, 2 usage, 3 error."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m layerwise",
        description="Decides what a container build may reuse, and says why.",
        epilog=_CODES,
    )
    parser.add_argument("--version", action="version", version=f"layerwise {__version__}")
    parser.add_argument(
        "--component", type=Path, metavar="FILE", help="run this component instead of our own"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo", help="a hit, a miss and why, on sample data in memory")
    files = {
        "conformance": "vector files, or transcripts, through the component",
        "replay": "the calls of transcripts, made again",
        "scenario": "calls over the stores of WASI in a fresh directory",
    }
    for name, words in files.items():
        command = commands.add_parser(name, help=words, description=f"{words}. {_CODES}")
        command.add_argument("files", nargs="+", type=Path, metavar="FILE")
        if name == "scenario":
            command.add_argument(
                "--check",
                action="store_true",
                help="compare with what the file says instead of printing the outcome",
            )
    bench = commands.add_parser("bench", help="what calls, instances and memory cost")
    bench.add_argument("--seconds", type=float, default=0.5, help="for each row (default 0.5)")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except BrokenPipeError:
        return ERROR
    except (LayerwiseError, Mismatch, OSError) as error:
        print(f"error: {escape(str(error))}", file=sys.stderr)
        return ERROR


def _run(given: argparse.Namespace) -> int:
    if given.command == "scenario":
        return _scenarios(given.component, given.files, given.check)
    engine = Engine(given.component)
    match given.command:
        case "demo":
            from . import demo

            demo.run(engine)
            return DONE
        case "bench":
            from . import bench

            bench.run(engine, given.seconds)
            return DONE
        case "conformance":
            return _replays(engine, [_transcript_of(path) for path in given.files])
    return _replays(engine, given.files)


def _transcript_of(path: Path) -> Path:
    """The transcript of a vector file is in the folder `calls` beside `vectors`."""
    if path.parent.name == "vectors":
        return path.parent.parent / "calls" / path.name
    return path


def _replays(engine: Engine, files: Iterable[Path]) -> int:
    """Replays files and says where they go another way than the recording."""
    passed = failed = 0
    code = DONE
    for path in files:
        try:
            for recording in read(path):
                difference = None
                for call, outcome in enumerate(replay(engine, recording)):
                    if outcome.difference:
                        difference = f"call {call} ({outcome.call}): {outcome.difference}"
                if difference is None:
                    passed += 1
                else:
                    failed += 1
                    print(escape(f"{path.name} {recording.name}: {difference}"))
        except (Unreadable, OSError) as error:
            code = ERROR
            print(f"error: {escape(f'{path}: {error}')}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return code or (DIFFERS if failed else DONE)


def _scenarios(component: Path | None, files: Iterable[Path], check: bool) -> int:
    passed = failed = 0
    code = DONE
    for path in files:
        try:
            scenario = Scenario(path)
            outcome = scenario.run(component)
        except (LayerwiseError, Mismatch, OSError) as error:
            code = ERROR
            print(f"error: {escape(f'{path}: {error}')}", file=sys.stderr)
            continue
        if not check:
            sys.stdout.buffer.write(outcome.line().encode() + b"\n")
            sys.stdout.flush()
            continue
        difference = scenario.difference(outcome)
        if difference is None:
            passed += 1
        else:
            failed += 1
            print(escape(f"{path.name}: {difference}"))
    if check:
        print(f"{passed} passed, {failed} failed")
    return code or (DIFFERS if failed else DONE)


if __name__ == "__main__":
    sys.exit(main())
