"""Writes the Python modules of the contract from `wit/`. Needs Rust, whose `layerwise-wit` reads it.

    python tools/bind.py          writes src/layerwise/*.py
    python tools/bind.py --check  exits with 1 when they are not up to date

One module an interface: records become frozen dataclasses, enums `StrEnum`s,
flags `Flag`s, variants unions of one class a case, and doc comments docstrings.
An imported interface becomes a `Protocol`, an exported one a class with its
functions and one for each resource. The variant `error` and the record
`failure` are exceptions, written by hand in `errors.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
TO = HERE / "src" / "layerwise"

IMPORTS = ("image-store", "registry", "filesystem", "observer")
EXPORTS = (
    "docker",
    "dockerfile",
    "buildpacks",
    "buildkit",
    "builds",
    "stacker",
    "rules",
    "testing",
)
# Imported functions that only some objects have, as a protocol of their own.
APART: dict[str, dict[str, tuple[str, ...]]] = {
    "image-store": {
        "WritableImageStore": ("set-parent", "create"),
        "ContentStore": ("records", "documents", "labelled", "put"),
    },
    "registry": {
        "WritableRegistry": ("write", "tag", "delete"),
        "LayerRegistry": ("store", "retrieve"),
    },
    "filesystem": {
        "WritableFilesystem": ("write", "rename", "remove"),
    },
}
BY_HAND = {"error": "Refused", "failure": "Failure"}

NUMBERS = {"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64"}
PLAIN = {"string": "str", "bool": "bool", **dict.fromkeys(NUMBERS, "int")}

# Members that have a natural value beyond absent options, empty lists and no
# flags: interface.record.member or interface.record.
DEFAULTS = {
    "types.semantics.reading": "Reading.GUARDED",
    "types.platform.variant": '""',
    "types.platform.os-version": '""',
    "docker.options.store": "StoreKind.GRAPH_DRIVER",
    "docker.options.machine": 'Platform("", "")',
    "docker.options.host-os": '""',
    "docker.options.docker-version": '""',
    "docker.source.trusted": "False",
    "buildpacks.image-options.os": '""',
    "buildpacks.addition.diff": '""',
    "buildpacks.restore-options.shas": "ShaStore.MEMORY",
    "buildpacks.restore-request.retrieval": '""',
    "buildpacks.export-request.platform-api": '""',
    "buildpacks.local-layer.tried": "TriedNothing()",
    "buildpacks.sbom-layer.tried": "TriedNothing()",
    "buildkit.read-options.any-size": "False",
    "builds.evidence.every-step": "False",
    "stacker.options.epoch": "EpochUnstated()",
    "filesystem.change.precondition": "PreconditionAny()",
    "filesystem.change.parents": "False",
    "filesystem.hashing.prefix": '""',
    "filesystem.hashing.suffix": '""',
    "image-store.image.built": "Provenance.UNKNOWN",
}


@dataclass
class Type:
    name: str
    args: list[Type] = field(default_factory=list)


NOTHING = Type("_")


@dataclass
class Item:
    kind: str
    name: str
    docs: str
    members: list[tuple[str, Type | None, str]] = field(default_factory=list)
    params: list[tuple[str, Type]] = field(default_factory=list)
    result: Type | None = None
    functions: list[Item] = field(default_factory=list)


@dataclass
class Interface:
    name: str
    docs: str
    uses: list[tuple[str, list[str]]]
    items: list[Item]


def read() -> dict[str, Interface]:
    """The contract as `layerwise-wit` writes it, by the names of its interfaces."""
    command = ["cargo", "run", "--quiet", "--package", "layerwise-wit", "wit"]
    text = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return {one["name"]: interface(one) for one in json.loads(text)["interfaces"]}


def interface(one: dict[str, Any]) -> Interface:
    uses: dict[str, list[str]] = {}
    for name, source in one["uses"].items():
        uses.setdefault(source, []).append(name)
    items = [definition(item) for item in one["types"]] + [function(f) for f in one["functions"]]
    return Interface(one["name"], one["docs"], list(uses.items()), items)


def definition(one: dict[str, Any]) -> Item:
    members = [(m["name"], type_of(m["type"]), m["docs"]) for m in one.get("members", ())]
    functions = [function(f) for f in one.get("functions", ())]
    kind = "alias" if one["kind"] == "type" else one["kind"]
    of = type_of(one.get("of"))
    return Item(kind, one["name"], one["docs"], members, result=of, functions=functions)


def function(one: dict[str, Any]) -> Item:
    params = [(param["name"], type_of(param["type"]) or NOTHING) for param in one["params"]]
    return Item("func", one["name"], one["docs"], params=params, result=type_of(one["result"]))


def type_of(of: Any) -> Type | None:
    """A type; those of the contract by their names alone, which `uses` leads on."""
    if isinstance(of, list):
        return Type(of[0], [type_of(inner) or NOTHING for inner in of[1:]])
    return None if of is None else Type(of.rpartition("/")[2])


def snake(name: str) -> str:
    name = name.replace("-", "_")
    return name + "_" if name in ("from", "import") else name


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def doc(text: str, indent: str) -> str:
    if not text:
        return ""
    text = text.replace("\\", "\\\\")
    if "\n" not in text:
        return f'{indent}"""{text}"""\n'
    return f'{indent}"""{textwrap.indent(text, indent).strip()}\n{indent}"""\n'


def remark(text: str, indent: str) -> str:
    return "".join(f"{indent}#: {line}".rstrip() + "\n" for line in text.splitlines())


class Writer:
    """One module."""

    def __init__(self, interface: Interface, all: dict[str, Interface]) -> None:
        self.interface = interface
        self.all = all
        self.names: dict[str, Item] = {}
        for source, names in interface.uses:
            items = {item.name: item for item in all[source].items}
            self.names |= {name: items[name] for name in names}
        self.names |= {item.name: item for item in interface.items if item.kind != "func"}
        self.imported = interface.name in IMPORTS
        self.needs: set[str] = set()

    def hint(self, of: Type | None, *, result: bool = False) -> str:
        match of:
            case None | Type("_"):
                return "None"
            case Type("list", [inner]):
                name = "list" if result and not self.imported else "Sequence"
                if name == "Sequence":
                    self.needs.add(name)
                return f"{name}[{self.hint(inner, result=result)}]"
            case Type("option", [inner]):
                return f"{self.hint(inner)} | None"
            case Type("result", [ok, error]):
                return f"{self.hint(ok, result=result)} | {self.hint(error)}"
            case Type("borrow" | "own", [inner]):
                return self.hint(inner)
            case Type(name) if name in PLAIN:
                return PLAIN[name]
            case Type(name):
                item = self.names[name]
                if item.kind == "alias":
                    return self.hint(item.result, result=result)
                if name in BY_HAND:
                    self.needs.add(BY_HAND[name])
                    return BY_HAND[name]
                return pascal(name)
        raise AssertionError(of)

    def default(self, where: str, of: Type) -> str | None:
        if where in DEFAULTS:
            return DEFAULTS[where]
        match of:
            case Type("option"):
                return "None"
            case Type("list"):
                return "()"
            case Type("semantics" | "read-options" as name):
                return f"{pascal(name)}()"
            case Type(name) if name in self.names and self.names[name].kind == "flags":
                return f"{pascal(name)}(0)"
        return None

    def record(self, item: Item) -> str:
        lines = [f"@dataclass(frozen=True, slots=True)\nclass {pascal(item.name)}:\n"]
        lines.append(doc(item.docs, "    ") or "")
        lines.append("\n")
        self.needs.add("dataclass")
        last = self.last_required(item)
        for at, (name, of, docs) in enumerate(item.members):
            assert of is not None
            default = self.default(f"{self.interface.name}.{item.name}.{name}", of)
            lines.append(remark(docs, "    "))
            lines.append(f"    {snake(name)}: {self.hint(of)}")
            if default is not None and at < last:
                self.needs.add("field")
                lines.append(f" = field(default={default}, kw_only=True)")
            elif default is not None:
                lines.append(f" = {default}")
            lines.append("\n")
        return "".join(lines)

    def last_required(self, item: Item) -> int:
        """Members with a default before this one are given by name only."""
        required = [
            at
            for at, (name, of, _) in enumerate(item.members)
            if of and self.default(f"{self.interface.name}.{item.name}.{name}", of) is None
        ]
        return max(required, default=-1)

    def enum(self, item: Item) -> str:
        self.needs.add("StrEnum")
        lines = [f"class {pascal(item.name)}(StrEnum):\n", doc(item.docs, "    "), "\n"]
        for name, _, docs in item.members:
            lines.append(remark(docs, "    "))
            lines.append(f'    {snake(name).upper()} = "{name}"\n')
        return "".join(lines)

    def flags(self, item: Item) -> str:
        self.needs |= {"Flag", "auto"}
        lines = [f"class {pascal(item.name)}(Flag):\n", doc(item.docs, "    "), "\n"]
        for name, _, docs in item.members:
            lines.append(remark(docs, "    "))
            lines.append(f"    {snake(name).upper()} = auto()\n")
        return "".join(lines)

    def variant(self, item: Item) -> str:
        self.needs |= {"dataclass", "ClassVar"}
        parts = []
        names = []
        for name, of, docs in item.members:
            cls = pascal(item.name) + pascal(name)
            names.append(cls)
            text = f"@dataclass(frozen=True, slots=True)\nclass {cls}:\n"
            text += doc(docs or f"The case `{name}` of {pascal(item.name)}.", "    ") + "\n"
            text += f'    case: ClassVar[str] = "{name}"\n'
            if of is not None:
                text += f"    value: {self.hint(of)}\n"
            parts.append(text)
        union = remark(item.docs, "") + f"{pascal(item.name)} = {' | '.join(names)}\n"
        parts.append(union)
        return "\n\n".join(parts)

    def signature(self, item: Item) -> tuple[str, str]:
        """The parameters and the answer as Python has them."""
        ready: list[str] = []
        trailing = True
        for name, of in reversed(item.params):
            default = self.default("", of) if trailing and not self.imported else None
            trailing = trailing and default is not None
            text = f"{snake(name)}: {self.hint(of)}"
            ready.append(text if default is None else f"{text} = {default}")
        answer = item.result
        if answer is not None and answer.name == "result":
            self.hint(answer)
            answer = answer.args[0]
        return ", ".join(["self", *reversed(ready)]), self.hint(answer, result=True)

    def protocol(self) -> str:
        self.needs.add("Protocol")
        name = pascal(self.interface.name)
        further = APART.get(self.interface.name, {})
        apart = {name for names in further.values() for name in names}
        functions = [item for item in self.interface.items if item.kind == "func"]
        main = [item for item in functions if item.name not in apart]
        lines = [f"class {name}(Protocol):\n", doc(self.interface.docs, "    ")]
        lines += self.stubs(main)
        for other, names in further.items():
            lines.append(f"\n\nclass {other}({name}, Protocol):\n")
            words = f"A `{name}` with functions that others leave out; they are `unsupported` then."
            lines.append(doc(words, "    "))
            lines += self.stubs([item for item in functions if item.name in names])
        return "".join(lines)

    def stubs(self, functions: list[Item]) -> list[str]:
        lines = []
        for item in functions:
            params, answer = self.signature(item)
            lines.append(f"\n    def {snake(item.name)}({params}) -> {answer}:\n")
            lines.append(doc(item.docs, "        ") + "        ...\n")
        return lines

    def methods(self, functions: list[Item], owner: str | None) -> str:
        lines = []
        for item in functions:
            params, answer = self.signature(item)
            lines.append(f"\n    def {snake(item.name)}({params}) -> {answer}:\n")
            lines.append(doc(item.docs, "        "))
            name = f"[method]{owner}.{item.name}" if owner else item.name
            given = ["self"] if owner else []
            given += [snake(name) for name, _ in item.params]
            call = ", ".join([f'"{self.interface.name}#{name}"', *given])
            if item.result is None or answer == "None":
                lines.append(f"        self._call({call})\n")
            else:
                lines.append(
                    f"        result: {answer} = self._call({call})\n        return result\n"
                )
        return "".join(lines)

    def resource(self, item: Item) -> str:
        self.needs.add("Resource")
        lines = [f"class {pascal(item.name)}(Resource):\n", doc(item.docs, "    ")]
        lines.append("\n    __slots__ = ()\n")
        lines.append(self.methods(item.functions, item.name))
        return "".join(lines)

    def exports(self) -> str:
        self.needs.add("Exports")
        lines = [f"class {pascal(self.interface.name)}(Exports):\n"]
        lines.append(doc(f"The functions of the interface `{self.interface.name}`.", "    "))
        functions = [item for item in self.interface.items if item.kind == "func"]
        lines.append("\n    __slots__ = ()\n")
        lines.append(self.methods(functions, None))
        return "".join(lines)

    def table(self) -> str:
        """Which function is which, for those who convert values."""
        self.needs.add("Callable")
        self.needs.add("Any")
        rows = []
        for item in self.interface.items:
            if item.kind == "func":
                further = APART.get(self.interface.name, {}).items()
                found = [name for name, names in further if item.name in names]
                cls = found[0] if found else pascal(self.interface.name)
                rows.append(f'    "{self.interface.name}#{item.name}": {cls}.{snake(item.name)},\n')
            for inner in item.functions:
                name = f"{self.interface.name}#[method]{item.name}.{inner.name}"
                rows.append(f'    "{name}": {pascal(item.name)}.{snake(inner.name)},\n')
        return f"FUNCTIONS: dict[str, Callable[..., Any]] = {{\n{''.join(rows)}}}\n"

    def text(self) -> str:
        write = {
            "record": self.record,
            "enum": self.enum,
            "flags": self.flags,
            "variant": self.variant,
        }
        # Resources come last, and types before what names them as a default.
        order = {"enum": 0, "flags": 0, "variant": 1, "record": 2}
        types = [
            item for item in self.interface.items if item.kind in order and item.name not in BY_HAND
        ]
        parts = [
            write[item.kind](item) for item in sorted(types, key=lambda item: order[item.kind])
        ]
        parts += [self.resource(item) for item in self.interface.items if item.kind == "resource"]
        if self.imported:
            parts.append(self.protocol())
        elif self.interface.name in EXPORTS:
            parts.append(self.exports())
        if self.interface.name != "types":
            parts.append(self.table())
        return self.head() + "\n\n".join(parts)

    def head(self) -> str:
        lines = [
            f'"""{self.interface.docs}\n\nWritten by `tools/bind.py` from `wit/{self.interface.name}.wit`.\n"""\n'
        ]
        lines.append("from __future__ import annotations\n")

        def of(module: str, names: tuple[str, ...]) -> None:
            wanted = [name for name in names if name in self.needs]
            if wanted:
                lines.append(f"from {module} import {', '.join(wanted)}")

        of("collections.abc", ("Callable", "Sequence"))
        of("dataclasses", ("dataclass", "field"))
        of("enum", ("Flag", "StrEnum", "auto"))
        of("typing", ("Any", "ClassVar", "Protocol"))
        lines.append("")
        of(".errors", ("Failure", "Refused"))
        of(".resource", ("Exports", "Resource"))
        for source, names in sorted(self.interface.uses):
            wanted = [
                pascal(n) for n in names if n not in BY_HAND and self.names[n].kind != "alias"
            ]
            if wanted:
                lines.append(f"from .{snake(source)} import {', '.join(sorted(wanted))}")
        return "\n".join(lines).rstrip() + "\n\n\n"


def modules() -> dict[Path, str]:
    all = read()
    names = ("types", *IMPORTS, *EXPORTS)
    return {TO / f"{snake(name)}.py": Writer(all[name], all).text() for name in names}


def main() -> int:
    stale = []
    for path, text in modules().items():
        if not path.is_file() or path.read_text() != text:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(text)
    if "--check" in sys.argv and stale:
        print("not up to date:", *(path.name for path in stale))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
