"""Trees: reading their files, making them on disk, and reading them back."""

import base64
import gzip
import hashlib
import json
import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}
MODES = {kind: mode for mode, kind in KINDS.items()}


def load(path: Path):
    """A JSON file, compressed or not; `None` if there is none."""
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        return json.loads(gzip.decompress(packed.read_bytes()))
    return json.loads(path.read_bytes()) if path.exists() else None


def member(entry: dict, name: str) -> bytes | None:
    """A member of bytes."""
    if f"{name}_b64" in entry:
        return base64.b64decode(entry[f"{name}_b64"])
    return os.fsencode(entry[name]) if name in entry else None


def write(root: Path, entries: list[dict]) -> None:
    """Makes what a tree lists below `root`; owners and modes come last."""
    top = os.fsencode(root)
    made = []
    for entry in entries:
        relative = member(entry, "path")
        path = top if relative == b"." else os.path.join(top, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        kind = entry["type"]
        if "hard_link_to" in entry:
            os.link(os.path.join(top, os.fsencode(entry["hard_link_to"])), path)
            continue
        if kind == "dir":
            os.makedirs(path, exist_ok=True)
        elif kind == "link":
            os.symlink(member(entry, "target"), path)
        elif kind == "file":
            with open(path, "wb") as file:
                file.seek(entry.get("zeros", 0))
                file.write(member(entry, "content"))
                file.truncate()
        else:
            device = os.makedev(*entry.get("device", [1, 3])) if kind in ("char", "block") else 0
            os.mknod(path, MODES[kind] | 0o600, device)
        made.append((path, entry))
    for path, entry in reversed(made):
        os.chown(path, entry["uid"], entry["gid"], follow_symlinks=False)
        if entry["type"] != "link":
            os.chmod(path, int(entry["mode"], 8))
        # A change of the owner takes some of them away.
        for name, value in entry.get("xattrs", []):
            os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)


def read(root: Path, without: tuple[bytes, ...] = ()) -> dict[bytes, dict]:
    """The facts of everything below `root`, by path."""
    found: dict[bytes, dict] = {}
    inodes: dict[int, str] = {}

    def visit(path: bytes, relative: bytes) -> None:
        facts = os.lstat(path)
        kind = KINDS[stat.S_IFMT(facts.st_mode)]
        entry = {"type": kind, "uid": facts.st_uid, "gid": facts.st_gid}
        if kind == "link":
            entry["target"] = os.readlink(path)
        else:
            entry["mode"] = f"{facts.st_mode & 0o7777:04o}"
        if kind == "file":
            first = inodes.setdefault(facts.st_ino, os.fsdecode(relative))
            if facts.st_nlink > 1 and first != os.fsdecode(relative):
                entry["hard_link_to"] = first
            else:
                with open(path, "rb") as file:
                    entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        names = sorted(os.listxattr(path, follow_symlinks=False))
        if names:
            value = lambda name: os.getxattr(path, name, follow_symlinks=False)  # noqa: E731
            entry["xattrs"] = [[name, base64.b64encode(value(name)).decode()] for name in names]
        found[relative] = entry
        if kind == "dir":
            for name in sorted(os.listdir(path)):
                below = name if relative == b"." else relative + b"/" + name
                if below not in without:
                    visit(path + b"/" + name, below)

    visit(os.fsencode(root), b".")
    return found
