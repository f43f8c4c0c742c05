#!/usr/bin/env python3
"""Writes the archives of this folder and cases.json anew; FORMAT.md says what they are.

Needs Python 3.11 and the program `zstd`. The same run gives the same tar bytes.
"""
import base64
import gzip
import hashlib
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
PREFIX = "p/q"
MIB = 1 << 20
CASES = []


def number(value, width):
    return b"%0*o\0" % (width - 1, value)


def header(kind, name, size=0, mode=0o644, link=b"", uid=0, gid=0, mtime=1_000_000_000, raw_size=None):
    name, link = os_bytes(name), os_bytes(link)
    field, prefix = name, b""
    if len(name) > 100 and b"/" in name[:155]:
        at = name.rindex(b"/", 0, 155)
        prefix, field = name[:at], name[at + 1 :]
    assert len(field) <= 100 and len(link) <= 100, name
    block = bytearray(512)
    for at, text in (
        (0, field), (100, number(mode, 8)), (108, number(uid, 8)), (116, number(gid, 8)),
        (124, raw_size or number(size, 12)), (136, number(mtime, 12)), (148, b" " * 8),
        (156, kind.encode()), (157, link), (257, b"ustar\x0000"), (345, prefix),
    ):
        block[at : at + len(text)] = text
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def os_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def padded(data):
    return data + bytes(-len(data) % 512)


def entry(kind, name, data=b"", **more):
    data = os_bytes(data)
    return header(kind, name, len(data), **more) + padded(data)


def file(name, data=b"", **more):
    return entry("0", name, data, **more)


def folder(name, mode=0o755):
    return entry("5", name, mode=mode)


def symlink(name, target):
    return entry("2", name, link=target, mode=0o777)


def hardlink(name, target):
    return entry("1", name, link=target)


def record(key, value):
    rest = b" " + os_bytes(key) + b"=" + os_bytes(value) + b"\n"
    size = next(n for n in range(len(rest), len(rest) + 12) if n == len(rest) + len(str(n)))
    return str(size).encode() + rest


def pax(*records, kind="x"):
    return entry(kind, "pax", b"".join(record(key, value) for key, value in records))


END = bytes(1024)


def case(name, what, blocks, *, refused=None, unpacked=None, pack="gzip", end=END, **more):
    """`refused` is (codes, limit); `unpacked` the tree below the prefix."""
    tar = b"".join(blocks) + end
    endings = {"gzip": ".tar.gz", "zstd": ".tar.zst", None: ".tar"}
    path = HERE / (name + endings[pack])
    if pack == "gzip":
        tar = gzip.compress(tar, 9, mtime=0)
    elif pack == "zstd":
        tar = subprocess.run(["zstd", "-q", "-19", "-c"], input=tar, capture_output=True, check=True).stdout
    tar = more.pop("damage", lambda blob: blob)(tar)
    path.write_bytes(tar)
    one = {"name": name, "what": what, "file": path.name, **more}
    if refused:
        codes, limit = refused
        one["refused"] = {"codes": codes.split(), **({"limit": limit} if limit else {})}
    else:
        one["unpacked"] = [{"path": ".", "type": "dir"}, *unpacked] if unpacked is not None else []
    CASES.append(one)


def f(path, data=b"", mode="0644"):
    data = os_bytes(data)
    return {"path": path, "type": "file", "mode": mode, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def d(path, mode=None):
    return {"path": path, "type": "dir", **({"mode": mode} if mode else {})}


def l(path, target):
    return {"path": path, "type": "link", "target": target}


def h(path, target):
    return {"path": path, "type": "file", "hard_link_to": target}


# --- too much of something --------------------------------------------------------------------------------------

case("directories", "few bytes that name a file below 200 directories each, which no entry names",
     [file(f"p/q/{n}/" + "a/" * 120 + "f") for n in range(400)], refused=("too-large", "layer-directories"))
case("depth", "a name of 300 directories",
     [pax(("path", "p/q/" + "a/" * 300 + "f")), file("p/q/f")], refused=("too-large", "path-depth"))
case("global-headers", "40 global headers of 1 MiB",
     [pax(("comment", "c" * MIB), kind="g") for _ in range(40)] + [file("p/q/f")], refused=("too-large", "header-bytes"))
case("global-headers-many", "40,000 global headers of nothing",
     [header("g", "pax")] * 40_000 + [file("p/q/f")], refused=("too-large", "header-bytes"))
case("extended-headers", "20 files with extended headers of 1 MiB",
     [pax(("comment", "c" * MIB)) + file(f"p/q/{n}") for n in range(20)], refused=("too-large", "header-bytes"))
case("extended-headers-in-a-row", "extended headers of 1 MiB before one file",
     [pax(("comment", "c" * MIB)) for _ in range(20)] + [file("p/q/f")], refused=("too-large", "header-bytes"))
for kind, word in (("x", "extended"), ("g", "global"), ("L", "name"), ("K", "link")):
    case(f"header-claims-gigabytes-{word}", "a header before an entry that says it has 7 GiB",
         [header(kind, "x", 0o70_000_000_000), b"a" * 4096], refused=("too-large", "header-bytes"))
case("attributes-of-an-entry", "one attribute of more than 1 MiB",
     [pax(("SCHILY.xattr.user.a", "v" * (MIB + 1))), file("p/q/f")], refused=("too-large", "entry-attribute-bytes"))
case("attributes-of-a-layer", "attributes of 40 files, more than is allowed here",
     [pax(("SCHILY.xattr.user.a", "v" * 100)) + file(f"p/q/{n}") for n in range(40)],
     limits={"layer-attribute-bytes": 2000}, refused=("too-large", "layer-attribute-bytes"))
case("entries", "more entries than are allowed here", [file(f"p/q/{n}") for n in range(11)],
     limits={"layer-entries": 10}, refused=("too-large", "layer-entries"))
case("entries-for-nothing", "60,000 times the same file, in a few bytes",
     [file("p/q/f")] * 60_000, refused=("too-large", "entry-input-bytes"))
case("attributes-for-nothing", "60,000 attributes, in a few bytes",
     [pax(*[("SCHILY.xattr.user.%02d" % n, "v") for n in range(15)]) + file("p/q/f")] * 4000,
     refused=("too-large", "entry-input-bytes"))
case("ratio", "600 MiB of zeros in a few bytes",
     [header("0", "p/q/zeros", 600 * MIB), bytes(600 * MIB)], pack="zstd", refused=("too-large", "layer-ratio"))
case("layer-bytes", "more bytes than are allowed here", [file("p/q/f", b"0" * 20_000)],
     limits={"layer-bytes": 10_000}, refused=("too-large", "layer-bytes"))
case("session-bytes", "more bytes than a session may have here", [file("p/q/f", b"0" * 20_000)],
     limits={"session-layer-bytes": 10_000}, refused=("too-large", "session-layer-bytes"))
case("size-claims-exabytes", "a file that says it has 8 EiB",
     [header("0", "p/q/f", raw_size=b"\x80\0\0\0\x7f" + b"\xff" * 7), b"a" * 512], refused=("too-large", "layer-bytes"))
case("size-claims-gigabytes", "a file that says it has 7 GiB, and ends", [header("0", "p/q/f", 7 << 30), b"a" * 512],
     refused=("corrupt", None), end=b"")

# --- out of the prefix ------------------------------------------------------------------------------------------

good = file("p/q/good", "x")
outside = {
    "dot-dot": file("../x"), "dot-dot-inside": file("p/q/../../../x"), "dot-dot-last": file("p/q/.."),
    "dot-dot-below": file("p/q/a/../b"), "absolute": file("/etc/x"), "beside": file("p/other"),
    "same-beginning": file("p/qq"), "file-above": file("p"), "file-at-the-root": file("."),
    "directory-beside": folder("p/other"), "directory-dot-dot": folder(".."),
    "link-beside": symlink("p/other", "q"), "link-above": symlink("p", "q"),
    "hard-link-out": hardlink("p/q/h", "../outside/secret"), "hard-link-absolute": hardlink("p/q/h", "/etc/passwd"),
    "hard-link-to-nothing": hardlink("p/q/h", "p/q/missing"), "hard-link-beside": hardlink("p/other", "p/q/good"),
    "hard-link-to-a-directory": folder("p/q/d") + hardlink("p/q/h", "p/q/d"),
    "extended-path": pax(("path", "../x")) + file("p/q/x"),
    "extended-link": pax(("linkpath", "/etc/passwd")) + hardlink("p/q/x", "p/q/good"),
    "long-name": entry("L", "././@LongLink", "p/q/../../../x\0") + file("p/q/x"),
}
for name, blocks in outside.items():
    case(f"outside-{name}", "an entry that leads out of the prefix", [good, blocks, good], refused=("denied", None))

# --- links ------------------------------------------------------------------------------------------------------

through = {
    "out": symlink("p/q/l", "../../outside") + file("p/q/l/x"),
    "absolute": symlink("p/q/l", "/tmp") + file("p/q/l/x"),
    "inside": folder("p/q/d") + symlink("p/q/l", "d") + file("p/q/l/x"),
    "to-itself": symlink("p/q/l", "l") + file("p/q/l/x"),
    "two": symlink("p/q/a", "b") + symlink("p/q/b", "..") + file("p/q/a/x"),
    "directory": symlink("p/q/l", "..") + folder("p/q/l/d"),
    "deep": symlink("p/q/l", "..") + file("p/q/l/a/b/c"),
    "link": symlink("p/q/l", "..") + symlink("p/q/l/m", "x"),
    "hard-link-from": symlink("p/q/l", "..") + good + hardlink("p/q/l/h", "p/q/good"),
    "hard-link-to": symlink("p/q/l", "..") + hardlink("p/q/h", "p/q/l/x"),
    "after-a-directory": folder("p/q/d") + symlink("p/q/d", "..") + file("p/q/d/x"),
    "prefix": symlink("p/q", "../outside") + file("p/q/x"),
}
for name, blocks in through.items():
    case(f"through-{name}", "an entry behind a symbolic link", [blocks], refused=("denied", None))
case("links-are-content", "links to anywhere are unpacked as links",
     [symlink("p/q/abs", "/usr/bin/python3"), symlink("p/q/out", "../../../etc"), symlink("p/q/none", "nothing"),
      symlink("p/q/loop", "loop"), symlink("p/q/odd", "a/../../.."), file("p/q/f", "x")],
     unpacked=[l("abs", "/usr/bin/python3"), l("out", "../../../etc"), l("none", "nothing"), l("loop", "loop"),
               l("odd", "a/../../.."), f("f", "x")])
case("link-replaced", "a file in the place of a link is not written to what the link leads to",
     [file("p/q/a", "1"), symlink("p/q/b", "a"), file("p/q/b", "2")], unpacked=[f("a", "1"), f("b", "2")])
case("link-replaced-by-a-directory", "a directory in the place of a link",
     [folder("p/q/d"), symlink("p/q/l", "d"), folder("p/q/l"), file("p/q/l/x", "1")],
     unpacked=[d("d", "0755"), d("l", "0755"), f("l/x", "1")])
case("hard-links", "hard links to files and to links of the layer",
     [file("p/q/a", "1"), hardlink("p/q/b", "/p/q/a"), symlink("p/q/l", "a"), hardlink("p/q/m", "p/q/l"), hardlink("p/q/a", "p/q/a")],
     unpacked=[f("a", "1"), h("b", "a"), l("l", "a"), l("m", "a")])

# --- kinds ------------------------------------------------------------------------------------------------------

for kind, word in (("3", "character-device"), ("4", "block-device"), ("6", "pipe")):
    case(f"kind-{word}", "a device or pipe", [good, entry(kind, "p/q/x"), good], refused=("denied", None))
case("kind-unknown", "an entry of a kind that nobody knows", [good, entry("Z", "p/q/x"), good], refused=("unsupported", None))
case("sparse-gnu", "a sparse file of GNU tar, 1 GiB in 512 bytes",
     [good, header("S", "p/q/x", 0), good], refused=("unsupported corrupt", None))
for word, records in (
    ("0-0", [("GNU.sparse.size", "1073741824"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.offset", "1073741823"), ("GNU.sparse.numbytes", "1")]),
    ("0-1", [("GNU.sparse.size", "1073741824"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.map", "1073741823,1")]),
    ("1-0", [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "p/q/x"), ("GNU.sparse.realsize", "1073741824")]),
):
    data = b"1\n1073741823\n1\n".ljust(512, b"\0") + b"x" if word == "1-0" else b"x"
    case(f"sparse-{word}", "a sparse file, 1 GiB in 512 bytes", [good, pax(*records), file("p/q/x", data), good],
         refused=("unsupported", None))

# --- what is there twice ----------------------------------------------------------------------------------------

case("twice", "the last of two files of one name is unpacked", [file("p/q/a", "1"), file("p/q/a", "2")], unpacked=[f("a", "2")])
case("directory-twice", "the last of two entries of a directory says how it looks",
     [folder("p/q/d", 0o700), file("p/q/d/x", "1"), folder("p/q/d", 0o711)], unpacked=[d("d", "0711"), f("d/x", "1")])
case("file-in-place-of-a-directory", "a file where a directory is", [folder("p/q/d"), file("p/q/d")], refused=("denied", None))
case("below-a-file", "an entry below a file", [file("p/q/a"), file("p/q/a/b")], refused=("denied", None))

# --- rights -----------------------------------------------------------------------------------------------------

bits = [file("p/q/both", "x", mode=0o6755), file("p/q/user", "x", mode=0o4711), file("p/q/group", "x", mode=0o2644),
        file("p/q/sticky", "x", mode=0o1644), file("p/q/empty", "", mode=0o6755), folder("p/q/dir", 0o2775), folder("p/q/tmp", 0o1777)]


def bits_tree(*modes):
    names = ("both", "user", "group", "sticky", "empty", "dir", "tmp")
    return [d(name, mode) if name in ("dir", "tmp") else f(name, "" if name == "empty" else "x", mode) for name, mode in zip(names, modes)]


case("set-id-dropped", "set-user-id and set-group-id bits are dropped", bits,
     unpacked=bits_tree("0755", "0711", "0644", "1644", "0755", "0775", "1777"))
case("set-id-as-written", "the bits that are left when an ordinary user writes the file", bits, set_id="as-written",
     unpacked=bits_tree("0755", "0711", "2644", "1644", "6755", "2775", "1777"))
case("set-id-kept", "the bits are kept when that is asked for", bits, set_id="kept",
     unpacked=bits_tree("6755", "4711", "2644", "1644", "6755", "2775", "1777"))
case("attributes-of-the-system", "attributes that only the system may set are passed over",
     [pax(("SCHILY.xattr.trusted.overlay.opaque", "y"), ("SCHILY.xattr.security.capability", b"\1\0\0\2" + bytes(16)),
          ("SCHILY.xattr.security.selinux", "x")) + file("p/q/f", "x"),
      pax(("SCHILY.xattr.trusted.overlay.opaque", "y")) + folder("p/q/d")], unpacked=[f("f", "x"), d("d", "0755")])
case("closed-directories", "directories that their owner may not write to, filled before and after",
     [folder("p/q/d", 0o500), file("p/q/d/x", "1"), folder("p/q/e", 0o555), folder("p/q/e/f", 0o500), file("p/q/e/f/y", "2")],
     unpacked=[d("d", "0500"), f("d/x", "1"), d("e", "0555"), d("e/f", "0500"), f("e/f/y", "2")])

# --- names ------------------------------------------------------------------------------------------------------

case("name-zero-byte", "a zero byte in a name", [pax(("path", b"p/q/a\0b")), file("p/q/f")], refused=("denied corrupt", None))
case("name-part-too-long", "a name with a part of 256 bytes", [pax(("path", "p/q/" + "a" * 256)), file("p/q/f")], refused=("denied", None))
case("name-too-long", "a name of more than 4,096 bytes", [pax(("path", "p/q/" + ("a" * 250 + "/") * 17 + "f")), file("p/q/f")], refused=("denied", None))
case("name-empty", "an entry without a name", [good, entry("0", "")], refused=("denied", None))
case("names-that-are-not-text", "names are bytes", [file(b"p/q/\xff\xfe", "x")],
     unpacked=[{**f("", "x"), "path_b64": base64.b64encode(b"\xff\xfe").decode(), "path": None}])
case("names-as-tools-write-them", "names with slashes and dots, the directories above as entries",
     [folder("./"), folder("/p", 0o700), folder("/p/q/", 0o750), file("/p//q/./a", "1"), file("./p/q/b/c", "2")],
     unpacked=[f("a", "1"), d("b"), f("b/c", "2")])
CASES[-1]["unpacked"][0]["mode"] = "0750"
long = "d" * 200 + "/" + "f" * 200
case("long-names", "extended headers and GNU's headers for long names and links",
     [pax(("path", "p/q/" + long)), file("p/q/f", "1"),
      entry("L", "././@LongLink", "p/q/" + "g" * 150 + "\0"), file("p/q/f", "2"),
      entry("K", "././@LongLink", "t" * 150 + "\0"), symlink("p/q/l", "short")],
     unpacked=[d("d" * 200), f(long, "1"), f("g" * 150, "2"), l("l", "t" * 150)])
case("global-header-is-not-applied", "what a global header says of names and sizes is passed over",
     [pax(("path", "../../outside"), ("size", "9"), ("comment", "abc"), kind="g"), file("p/q/f", "x")], unpacked=[f("f", "x")])
smuggled = file("../outside", "y")
case("size-in-an-extended-header", "the size of an extended header rules: what looks like an entry is content",
     [pax(("size", str(len(smuggled)))), header("0", "p/q/f"), smuggled], unpacked=[f("f", smuggled)])

# --- damage -----------------------------------------------------------------------------------------------------

whole = [file("p/q/f", "some text"), file("p/q/g", "more")]
plain = b"".join(whole)
for size in (1, 511, 513, 520, 1025):
    case(f"cut-at-{size}", "the archive ends early", [plain[:size]], pack=None, end=b"", refused=("corrupt", None))
case("checksum", "a header with a wrong checksum", [b"x" + plain[1:]], refused=("corrupt", None))
case("no-archive", "bytes that are no archive", [b"some text that is no archive ".ljust(600, b".")], end=b"", refused=("corrupt", None))
case("gzip-cut", "the compressed bytes end early", whole, damage=lambda blob: blob[:-6], refused=("corrupt truncated", None))
case("gzip-checksum", "the compressed bytes have another checksum", whole,
     damage=lambda blob: blob[:-8] + bytes(4) + blob[-4:], refused=("corrupt", None))
for word, records in (("size", [("size", "many")]), ("time", [("mtime", "never")]), ("owner", [("uid", "me")])):
    case(f"extended-{word}-is-no-number", "an extended header that cannot be read", [pax(*records), file("p/q/f", "x")], refused=("corrupt", None))
case("extended-header-is-none", "an extended header without records", [entry("x", "pax", "some text"), file("p/q/f", "x")], refused=("corrupt", None))
case("no-end", "without the zeros at the end it is an archive all the same", whole, end=b"", unpacked=[f("f", "some text"), f("g", "more")])
case("after-the-end", "what follows the end is not looked at", whole, end=END + b"some text".ljust(2048, b"."),
     unpacked=[f("f", "some text"), f("g", "more")])
case("empty", "an archive without entries", [], unpacked=None)

# --- what is large and right -----------------------------------------------------------------------------------

case("zeros", "20 MiB of zeros are no bomb", [header("0", "p/q/zeros", 20 * MIB), bytes(20 * MIB)], unpacked=[f("zeros", bytes(20 * MIB))])
case("many", "5,000 files with their directories", [folder("p/q")] + [
     block for n in range(50) for block in [folder(f"p/q/{n}")] + [file(f"p/q/{n}/{m}", str(m)) for m in range(100)]],
     unpacked=[one for n in range(50) for one in [d(str(n), "0755")] + [f(f"{n}/{m}", str(m)) for m in range(100)]])

for one in CASES:
    for node in one.get("unpacked", []):
        if node.get("path", "") is None:
            del node["path"]

text = ",\n".join("  " + json.dumps(one) for one in CASES)
document = f'{{"format": "hostile-archives/1", "prefix": "{PREFIX}", "cases": [\n{text}\n]}}\n'
(HERE / "cases.json.gz").write_bytes(gzip.compress(document.encode(), 9, mtime=0))
print(len(CASES), "cases")
