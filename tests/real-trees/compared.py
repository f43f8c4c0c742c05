"""What was compared, and how a program is run."""

import json
import os
import subprocess
from pathlib import Path

from trees import member

FACTS = ("type", "uid", "gid", "sha256", "hard_link_to", "xattrs")


class Report:
    """Counts checks, and prints those that fail."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.case = ""

    def note(self, part: str, what: str, passed: bool, detail: str = "") -> None:
        if passed:
            self.passed += 1
            return
        self.failed += 1
        print(f"{self.case} {part} {what}: {detail}".replace("\n", "\\n")[:400], flush=True)

    def trees(self, part: str, want: list[dict], have: dict[bytes, dict]) -> None:
        """One check for each path that is wanted, and a failure for each other."""
        names = set()
        for entry in want:
            path = member(entry, "path")
            names.add(path)
            found = have.get(path)
            if found is None:
                self.note(part, shown(path), entry.get("optional", False), "is not there")
                continue
            wrong = [
                f"{fact}: {entry.get(fact)} is wanted, {found.get(fact)} is there"
                for fact in FACTS
                if entry.get(fact) != found.get(fact)
            ]
            if found.get("mode") not in (entry.get("mode"), entry.get("mode_or", entry.get("mode"))):
                wrong.append(f"mode: {entry.get('mode')} is wanted, {found.get('mode')} is there")
            if member(entry, "target") != found.get("target"):
                wrong.append(f"target: {found.get('target')!r} is there")
            self.note(part, shown(path), not wrong, "; ".join(wrong))
        for path in sorted(have.keys() - names):
            self.note(part, shown(path), False, "is there, and must not be")


def shown(path: bytes) -> str:
    return path.decode("utf8", "backslashreplace")


def run(
    arguments: list[str],
    user: tuple[int, int] | None = None,
    variables: dict[str, str] | None = None,
    directory: Path | None = None,
) -> tuple[int, dict, str]:
    """Exit code, JSON document and last words of a program."""
    who = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/tmp"}
    ended = subprocess.run(
        arguments,
        capture_output=True,
        env=environment | (variables or {}),
        cwd=directory,
        timeout=300,
        check=False,
        **who,
    )
    try:
        document = json.loads(ended.stdout or ended.stderr)
    except ValueError:
        document = {}
    words = (ended.stderr or ended.stdout).decode("utf8", "replace").strip()
    return ended.returncode, document, words[-200:]
