"""Files below opened directories: what they tell, and that nothing leads out."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwise import Failure, FailureCode
from layerwise.filesystem import (
    Change,
    Facts,
    Hashing,
    Kind,
    PreconditionAbsent,
    PreconditionUnchanged,
)
from layerwise.stores import Files, Root
from layerwise.stores.causes import Cause
from layerwise.stores.paths import decode, encode, lossy


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A directory, beside one with a secret."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    directory = tmp_path / "inside"
    directory.mkdir()
    return directory


@pytest.fixture
def files(inside: Path) -> Iterator[Files]:
    with Files(Root(inside, name="/w", writable=True), lock_wait=1.0) as files:
        yield files


def code(answer: object) -> FailureCode:
    assert isinstance(answer, Failure), answer
    return answer.code


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"", ""),
        (b"a/b", "a/b"),
        (b"100%", "100%25"),
        (b"%41", "%2541"),
        (b"\xff\x80%", "%FF%80%25"),
        ("é\n\u202e".encode(), "é\n\u202e"),
        (b"\xe2\x82", "%E2%82"),
        (b"\xc0\xaf", "%C0%AF"),
        (b"\xed\xa0\x80", "%ED%A0%80"),
    ],
)
def test_names_are_written_and_read_back(name: bytes, text: str) -> None:
    assert encode(name) == text
    assert decode(text) == name


@pytest.mark.parametrize(
    "text", ["%", "a%", "%2", "%zz", "%+1", "%ff", "%2f", "%2F", "%2E%2E", "%00", "%C3%A9", "%é"]
)
def test_no_other_text_is_a_name(text: str) -> None:
    with pytest.raises(Cause):
        decode(text)


def test_each_byte_that_is_no_text_is_one_replacement() -> None:
    assert lossy(b"a\xe2\x82b\xff") == ("a\ufffd\ufffdb\ufffd", True)
    assert lossy("\ufffd".encode()) == ("\ufffd", False)


def test_what_is_there_is_told(inside: Path, files: Files) -> None:
    (inside / "file").write_bytes(b"abc")
    (inside / "file").chmod(0o640)
    (inside / "link").symlink_to("file")
    (inside / "directory").mkdir()
    os.mkfifo(inside / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inside / "socket"))
        paths = [f"/w/{name}" for name in ("file", "link", "directory", "pipe", "socket", "no")]
        everything = Facts.TARGET | Facts.ATTRIBUTES | Facts.CONTENT
        file, link, directory, pipe, bound, missing = files.stat(paths, False, everything)
    assert not isinstance(file, Failure)
    assert (file.kind, file.mode, file.size) == (Kind.FILE, 0o640, 3)
    assert file.content == sha256(b"abc")
    assert not isinstance(link, Failure)
    assert (link.kind, link.target, link.content) == (Kind.LINK, "file", None)
    kinds = [entry.kind for entry in (directory, pipe, bound) if not isinstance(entry, Failure)]
    assert kinds == [Kind.DIRECTORY, Kind.FIFO, Kind.SOCKET]
    assert code(missing) is FailureCode.NOT_FOUND
    assert str(missing) == 'cannot look at "/w/no": it does not exist'
    [followed] = files.stat(["/w/link"], True, Facts.CONTENT)
    assert not isinstance(followed, Failure)
    assert (followed.path, followed.content) == ("/w/link", sha256(b"abc"))


def test_files_are_read_within_a_limit(inside: Path, files: Files) -> None:
    (inside / "a").write_bytes(b"a\xff")
    os.mkfifo(inside / "pipe")
    a, large, directory, pipe = (
        *files.read(["/w/a"], 2),
        *files.read(["/w/a"], 1),
        *files.read(["/w/", "/w/pipe"], 9),
    )
    assert not isinstance(a, Failure)
    assert (a.text, a.lossy, a.digest) == ("a\ufffd", True, sha256(b"a\xff"))
    assert code(large) is FailureCode.TOO_LARGE
    assert code(directory) is FailureCode.OTHER
    assert code(pipe) is FailureCode.UNSUPPORTED


def test_hashes_are_of_the_bytes_between_prefix_and_suffix(inside: Path, files: Files) -> None:
    for number in range(40):
        (inside / str(number)).write_bytes(b"x" * number)
    asked = [Hashing(f"/w/{number}", prefix="%25", suffix="-rw") for number in range(40)]
    assert files.hash(asked) == [sha256(b"%" + b"x" * number + b"-rw") for number in range(40)]


def test_names_of_one_file_have_one_identity(inside: Path, files: Files) -> None:
    (inside / "a").write_text("x")
    (inside / "b").hardlink_to(inside / "a")
    (inside / "c").write_text("x")
    found = {entry.path: entry.identity for entry in files.walk("/w", Facts.IDENTITY, 100)}
    assert found["a"] is not None
    assert found["a"] == found["b"]
    assert found["c"] is None
    assert found["."] is None
    assert files.walk("/w", Facts(0), 100)[1].identity is None


def test_a_walk_is_in_the_order_of_bytes(inside: Path, files: Files) -> None:
    for name in ("b/c", "b.txt", "a/x/y", "é"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_text(name)
    (inside / "out").symlink_to("../outside")
    os.mkdir(os.fsencode(inside) + b"/\xff")
    walked = files.walk("/w", Facts.CONTENT | Facts.TARGET, 100)
    paths = [entry.path for entry in walked]
    assert paths == [".", "a", "a/x", "a/x/y", "b", "b/c", "b.txt", "out", "é", "%FF"]
    assert {entry.path: entry.target for entry in walked}["out"] == "../outside"
    assert {entry.path: entry.content for entry in walked}["b/c"] == sha256(b"b/c")
    assert len(files.walk("/w", Facts(0), 10)) == 10
    with pytest.raises(Failure) as few:
        files.walk("/w", Facts(0), 9)
    assert few.value.code is FailureCode.TOO_LARGE
    with pytest.raises(Failure):
        files.walk("/w/b.txt", Facts(0), 9)
    assert files.list_names("/w") == ["a", "b", "b.txt", "out", "é", "%FF"]


def test_a_deep_walk_needs_few_open_files(inside: Path, files: Files) -> None:
    deepest = inside
    for _ in range(200):
        deepest = deepest / "d"
    deepest.mkdir(parents=True)
    (deepest / "end").write_text("end")
    for number in range(3):
        (inside / "d" / f"beside{number}").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    walked = files.walk("/w", Facts.CONTENT, 1000)
    assert len(walked) == 1 + 200 + 1 + 3
    assert walked[-1].path == "d/d" + "/d" * 198 + "/end" or walked[-4].path.endswith("/end")
    assert len(os.listdir("/proc/self/fd")) == before


ESCAPES = {
    "up": "../outside/secret",
    "deep": "a/../../outside/secret",
    "absolute": None,
    "directory": "..",
}


@pytest.mark.parametrize("name", sorted(ESCAPES))
def test_no_link_leads_out(inside: Path, files: Files, name: str) -> None:
    secret = inside.parent / "outside" / "secret"
    (inside / "a").mkdir()
    (inside / name).symlink_to(ESCAPES[name] or str(secret))
    path = f"/w/{name}" if name != "directory" else "/w/directory/outside/secret"
    change = Change(path, "broken", 0o644)
    answers = [
        *files.read([path], 100),
        *files.stat([path], True, Facts.CONTENT),
        *files.hash([Hashing(path)]),
        *files.write([change]),
    ]
    assert {code(answer) for answer in answers} == {FailureCode.DENIED}
    if name == "directory":
        assert code(files.remove([path])[0]) is FailureCode.DENIED
        with pytest.raises(Failure):
            files.rename(path, "/w/new")
        with pytest.raises(Failure):
            files.list_names("/w/directory/outside")
    assert secret.read_text() == "secret"


@pytest.mark.parametrize("path", ["/w/../outside/secret", "..", "/w/..", "/w/a/../../x"])
def test_no_dots_lead_out(files: Files, path: str) -> None:
    assert code(files.read([path], 100)[0]) is FailureCode.DENIED


@pytest.mark.parametrize("path", ["/etc/passwd", "/", "w", "/wx", "relative"])
def test_other_paths_are_not_opened(files: Files, path: str) -> None:
    assert code(files.stat([path], True, Facts(0))[0]) is FailureCode.DENIED


def test_links_inside_are_followed(inside: Path, files: Files) -> None:
    (inside / "a").mkdir()
    (inside / "a" / "file").write_text("x")
    (inside / "b").symlink_to("a/../a/./file")
    (inside / "c").symlink_to("/w/b")
    (inside / "loop").symlink_to("loop")
    b, c, loop = files.read(["/w/b", "/w/c", "/w/loop"], 9)
    assert not isinstance(b, Failure)
    assert b == c
    assert code(loop) is FailureCode.OTHER


def test_a_link_that_is_exchanged_meanwhile_does_not_lead_out(inside: Path, files: Files) -> None:
    """A directory that becomes a link to the outside, again and again."""
    (inside / "d").mkdir()
    (inside / "d" / "secret").write_text("inside")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            (inside / "d").rename(inside / "kept")
            (inside / "d").symlink_to("../outside")
            (inside / "d").unlink()
            (inside / "kept").rename(inside / "d")

    other = threading.Thread(target=exchange)
    other.start()
    try:
        for _ in range(2000):
            [found] = files.read(["/w/d/secret"], 100)
            assert isinstance(found, Failure) or found.text == "inside"
    finally:
        stop.set()
        other.join()


def test_writing_is_atomic_and_keeps_to_its_precondition(inside: Path, files: Files) -> None:
    [done] = files.write([Change("/w/new/file", "one", 0o640, parents=True)])
    assert done is None
    file = inside / "new" / "file"
    assert file.stat().st_mode & 0o777 == 0o640 & ~_umask()
    file.chmod(0o600)
    unchanged = PreconditionUnchanged(sha256(b"one"))
    path = "/w/new/file"
    assert files.write([Change(path, "two", 0o644, precondition=unchanged)]) == [None]
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("two", 0o600)
    answers = files.write(
        [Change(path, "three", 0o644, precondition=unchanged), Change("/w/x", "never", 0o644)]
    )
    assert [code(answer) for answer in answers] == [FailureCode.CONFLICT]
    absent = PreconditionAbsent()
    assert code(files.write([Change(path, "x", 0o644, precondition=absent)])[0]) is (
        FailureCode.CONFLICT
    )
    assert files.write([Change("/w/x", "x", 0o644, precondition=absent)]) == [None]
    assert sorted(path.name for path in inside.iterdir()) == ["new", "x"]
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (Change("/w/d", "x", 0o644), FailureCode.OTHER),
        (Change("/w", "x", 0o644), FailureCode.OTHER),
        (Change("/w/no/x", "x", 0o644), FailureCode.NOT_FOUND),
        (Change("/w/x", "x", 0o10000), FailureCode.INVALID),
        (Change("/w/.layerwise-write.tmp", "x", 0o644), FailureCode.INVALID),
        (
            Change("/w/x", "x", 0o644, precondition=PreconditionUnchanged("md5:x")),
            FailureCode.INVALID,
        ),
        (
            Change("/w/x", "x", 0o644, precondition=PreconditionUnchanged(sha256(b""))),
            FailureCode.CONFLICT,
        ),
    ],
)
def test_other_writes_are_refused(
    inside: Path, files: Files, change: Change, wanted: FailureCode
) -> None:
    (inside / "d").mkdir()
    assert code(files.write([change])[0]) is wanted
    assert [path.name for path in inside.iterdir()] == ["d"]


def test_writers_take_turns(inside: Path, files: Files) -> None:
    """Of many writers that each add to what they read, nobody's part is lost."""
    (inside / "count").write_text("0")

    def add() -> None:
        for _ in range(10):
            while True:
                [found] = files.read(["/w/count"], 100)
                assert not isinstance(found, Failure)
                text = str(int(found.text) + 1)
                unchanged = PreconditionUnchanged(found.digest)
                if files.write([Change("/w/count", text, 0o644, precondition=unchanged)]) == [None]:
                    break

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside / "count").read_text() == "40"


def test_what_a_killed_writer_left_is_removed(inside: Path, files: Files) -> None:
    (inside / ".layerwise-write.tmp").write_text("half")
    assert files.write([Change("/w/a", "whole", 0o644)]) == [None]
    assert [path.name for path in inside.iterdir()] == ["a"]


def test_renaming_replaces_nothing(inside: Path, files: Files) -> None:
    for name in ("a", "b"):
        (inside / name).write_text(name)
    (inside / "d").mkdir()
    for new in ("/w/b", "/w/d"):
        with pytest.raises(Failure) as conflict:
            files.rename("/w/a", new)
        assert conflict.value.code is FailureCode.CONFLICT
    files.rename("/w/a", "/w/d/c")
    assert (inside / "d" / "c").read_text() == "a"
    with pytest.raises(Failure) as missing:
        files.rename("/w/a", "/w/e")
    assert str(missing.value) == 'cannot rename "/w/a": it does not exist'


def test_removing(inside: Path, files: Files) -> None:
    (inside / "d").mkdir()
    (inside / "d" / "x").write_text("x")
    (inside / "link").symlink_to("../outside/secret")
    answers = files.remove(["/w/d", "/w/d/x", "/w/d", "/w/link", "/w/no", "/w"])
    assert answers[1:4] == [None, None, None]
    assert [code(answer) for answer in (answers[0], answers[4], answers[5])] == [
        FailureCode.OTHER,
        FailureCode.NOT_FOUND,
        FailureCode.DENIED,
    ]
    assert list(inside.iterdir()) == []
    assert (inside.parent / "outside" / "secret").exists()


def test_a_root_for_reading_stays_as_it_is(inside: Path) -> None:
    (inside / "a").write_text("a")
    (inside / "rw").mkdir()
    with Files(Root(inside, name="/r"), Root(inside / "rw", name="/r/rw", writable=True)) as files:
        for answer in (
            *files.write([Change("/r/a", "x", 0o644)]),
            *files.write([Change("/r/new/a", "x", 0o644, parents=True)]),
            *files.remove(["/r/a"]),
        ):
            assert code(answer) is FailureCode.DENIED
        assert files.write([Change("/r/rw/a", "x", 0o644)]) == [None]
        (inside / "rw" / "up").symlink_to("/r")
        assert code(files.write([Change("/r/rw/up/a", "x", 0o644)])[0]) is FailureCode.DENIED
    assert (inside / "a").read_text() == "a"


def test_roots_are_opened_once_and_stay(inside: Path) -> None:
    (inside / "a").write_text("a")
    with pytest.raises(Failure, match="another directory is open"):
        Files(Root(inside, name="/x"), Root(inside, name="/x/."))
    with pytest.raises(Failure) as missing:
        Files(Root(inside / "no"))
    assert missing.value.code is FailureCode.NOT_FOUND
    with Files(Root(inside)) as files:
        path = f"{inside}/a"
        inside.rename(inside.parent / "moved")
        [found] = files.read([path], 9)
        assert not isinstance(found, Failure)
        assert found.text == "a"


def test_a_walk_goes_only_so_deep(inside: Path, files: Files) -> None:
    """As one of 50,000 levels, which took 3.3 GB: each entry has all of its path."""
    at = os.open(inside, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    with pytest.raises(Failure, match="limit walk-depth") as deep:
        files.walk("/w", Facts(0), 1 << 40)
    assert deep.value.code is FailureCode.TOO_LARGE
    with Files(Root(inside, name="/w"), walk_depth=300) as more:
        assert len(more.walk("/w", Facts(0), 1 << 40)) > 300
    with (
        Files(Root(inside, name="/w"), walk_entries=50) as fewer,
        pytest.raises(Failure, match="more entries than the limit of 50"),
    ):
        fewer.walk("/w", Facts(0), 1 << 40)


def test_paths_of_a_walk_have_a_limit(inside: Path) -> None:
    for number in range(20):
        (inside / f"{number:0100}").write_text("")
    with (
        Files(Root(inside, name="/w"), walk_path_bytes=1999) as files,
        pytest.raises(Failure, match="limit walk-path-bytes of 1999"),
    ):
        files.walk("/w", Facts(0), 1 << 40)
    with Files(Root(inside, name="/w"), walk_path_bytes=2000) as files:
        assert len(files.walk("/w", Facts(0), 1 << 40)) == 21
