"""Registries that want to know a secret, or to keep a build waiting."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from test_registry import MANIFEST_TEXT, QUICK, Answering, Server

from layerwise import Descriptor, Failure, FailureCode
from layerwise.registry import Retrieval, SourceRepository, Transfer
from layerwise.stores import Bearer, Identity, Keys, Password, Repositories
from layerwise.stores.documents import MANIFEST
from layerwise.stores.hashing import sha256
from layerwise.stores.hiding import hidden, proofs, shown, without_addresses
from layerwise.stores.pace import Pace
from layerwise.stores.web import follow

TAR = "application/vnd.oci.image.layer.v1.tar"
SIGNATURE = "X-Amz-Signature=0123456789abcdef"


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def errors(*words: str) -> bytes:
    return json.dumps({"errors": [{"code": "DENIED", "message": " ".join(words)}]}).encode()


def echoing(challenge: str) -> Answering:
    """A registry that repeats what it was asked with."""

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            return 200, {}, b'{"token":"a-token-of-it"}'
        if not secret:
            return 401, {"WWW-Authenticate": challenge}, b""
        plain = base64.b64decode(secret.partition(" ")[2] + "==").decode(errors="replace")
        return 403, {}, errors("no", secret, plain)

    return answer


def test_what_a_registry_repeats_is_not_told(server: Server) -> None:
    for challenge, credential in (
        ('Basic realm="r"', Password("user", "pass-word")),
        (f'Bearer realm="http://{server.host}/token"', Password("user", "pass-word")),
        ('Bearer realm="r"', Bearer("bearer-secret")),
    ):
        server.answer = echoing(challenge)
        keys = Keys({server.host: credential}, file=None)
        [refused] = Repositories(keys=keys, retry=QUICK).resolve([f"{server.host}/a:1"])
        assert isinstance(refused, Failure)
        assert refused.code is FailureCode.DENIED, refused
        text = str(refused)
        assert "***" in text
        for secret in ("pass-word", "bearer-secret", "a-token-of-it"):
            assert secret not in text
        assert base64.b64encode(b"user:pass-word").decode() not in text


def test_an_identity_token_is_not_told(server: Server) -> None:
    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            return 401, {}, errors("bad refresh-secret")
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token?s=t"'}, b""

    server.answer = answer
    keys = Keys({server.host: Identity("refresh-secret")}, file=None)
    [refused] = Repositories(keys=keys, retry=QUICK).resolve([f"{server.host}/a:1"])
    assert isinstance(refused, Failure)
    assert "refresh-secret" not in str(refused)
    assert "?s=t" not in str(refused)


def test_signed_addresses_are_not_told(server: Server) -> None:
    """Wherever a message could have one: a refusal, a lost connection, a loop, and an
    address that is none.
    """
    gone = socket.socket()
    gone.bind(("127.0.0.1", 0))
    closed = f"127.0.0.1:{gone.getsockname()[1]}"
    for location in (
        f"http://{server.host}/signed?{SIGNATURE}",
        f"http://{server.host}/again?{SIGNATURE}",
        f"http://user:pass-word@{closed}/x?{SIGNATURE}",
        f"ftp://user:pass-word@x/y?{SIGNATURE}",
        f"http://[::1/y?{SIGNATURE}",
        f"http://127.0.0.1:port/y?{SIGNATURE}",
    ):

        def answer(
            method: str, path: str, secret: str, to: str = location
        ) -> tuple[int, dict[str, str], bytes]:
            if path.startswith("/signed"):
                return 503, {}, errors("the signature", path, "0123456789abcdef is too old")
            return 307, {"Location": to}, b""

        server.answer = answer
        there = Repositories(keys=Keys(file=None), retry=QUICK)
        layer = Descriptor(TAR, sha256(b"x"), 1)
        upload = Transfer(layer, SourceRepository(f"{server.host}/b"))
        for failure in (
            there.resolve([f"{server.host}/a:1"])[0],
            there.retrieve(f"{server.host}/a", [Retrieval(layer)])[0],
            there.store(f"{server.host}/a", [upload])[0],
        ):
            assert isinstance(failure, Failure)
            assert "0123456789abcdef" not in str(failure), failure
            assert "pass-word" not in str(failure), failure
    gone.close()


def test_what_cannot_be_in_a_header_is_not_told(server: Server) -> None:
    server.answer = lambda method, path, secret: (
        401,
        {"WWW-Authenticate": 'Bearer realm="r"'},
        b"",
    )
    keys = Keys({server.host: Bearer("bearer\nsecret")}, file=None)
    [failure] = Repositories(keys=keys, retry=QUICK).resolve([f"{server.host}/a:1"])
    assert isinstance(failure, Failure)
    assert "secret" not in str(failure)


def test_from_https_nothing_leads_to_http() -> None:
    assert follow("https://a/b", "/c?d") == "https://a/c?d"
    assert follow("http://a/b", "http://c/d") == "http://c/d"
    for location in ("http://a/b?secret=1", "ftp://a/b?secret=1", "file:///etc/passwd"):
        with pytest.raises(Failure) as failure:
            follow("https://a/b?secret=1", location)
        assert "secret" not in str(failure.value)


def test_addresses_are_shown_without_what_proves_something() -> None:
    assert shown("https://user:pw@host:1/path?sig=x#y") == "https://host:1/path"
    text = without_addresses("at 'https://user:pw@h/p?sig=x': refused")
    assert text == "at 'https://h/p': refused"
    secret = base64.b64encode(b"user:pw").decode()
    assert proofs(f"Basic {secret}") == [secret, "pw"]
    assert hidden(f"{secret} pwpw", ["pw", secret]) == "*** ******"


class Drip:
    """A server that sends its answer in pieces, with pauses."""

    def __init__(self, *pieces: bytes, pause: float, times: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._pieces = (*pieces[:-1], *(pieces[-1:] * times))
        self._pause = pause
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(1 << 16)
                for piece in self._pieces:
                    connection.sendall(piece)
                    time.sleep(self._pause)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: " + MANIFEST.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("pieces", "options"),
    [
        # A byte now and then, however the end is told.
        ((HEAD + b"Content-Length: 100000\r\n\r\n", b"x"), {"transfer_time": 0.5}),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), {"transfer_time": 0.5}),
        # A chunk whose length never ends, and a head that never does.
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"), {"transfer_time": 0.5}),
        ((b"HTTP/1.1 200 OK\r\nX: ", b"x"), {"idle_timeout": 0.5}),
    ],
)
def test_a_transfer_without_end_ends(pieces: tuple[bytes, ...], options: dict[str, float]) -> None:
    drip = Drip(*pieces, pause=0.05, times=400)
    there = Repositories(
        keys=Keys(file=None),
        retry=type(QUICK)(attempts=1),
        **options,  # type: ignore[arg-type]
    )
    start = time.monotonic()
    [manifest] = there.resolve([f"{drip.host}/a:1"])
    [layer] = there.retrieve(f"{drip.host}/a", [Retrieval(Descriptor(TAR, sha256(b"x"), 100_000))])
    assert time.monotonic() - start < 10
    for failure in (manifest, layer):
        assert isinstance(failure, Failure)
        assert failure.code is FailureCode.UNAVAILABLE
    drip.close()


def test_the_lowest_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("layerwise.stores.pace.time.monotonic", lambda: clock[0])

    def lasts(size: int, seconds: float, longest: float = 3600.0) -> float:
        """Until when a transfer of `size` bytes every so many seconds goes on."""
        clock[0] = 0.0
        pace = Pace(longest, 1024)
        try:
            while clock[0] < 4000:
                clock[0] += seconds
                pace.moved("it", size)
        except Failure as failure:
            assert failure.code is FailureCode.UNAVAILABLE
        return clock[0]

    # One byte every two seconds, as was seen.
    assert 60 <= lasts(1, 2.0) <= 62
    assert lasts(2 * 1024, 1.0) > 3600
    # Much at once pays for a window, and not for longer.
    assert 60 <= lasts(60 * 1024 - 1, 60.0) <= 120
    assert lasts(1 << 20, 1.0, longest=10.0) == 11
    # A fast beginning does not pay for a slow rest.
    clock[0] = 0.0
    pace = Pace(3600.0, 1024)
    pace.moved("it", 1 << 30)
    with pytest.raises(Failure, match="limit transfer-rate"):
        for _ in range(200):
            clock[0] += 1
            pace.moved("it", 1)
    assert clock[0] <= 122


def test_manifests_have_a_limit(server: Server) -> None:
    declared = {"Content-Type": MANIFEST, "Content-Length": str(99 << 40)}
    server.answer = lambda method, path, secret: (200, declared, MANIFEST_TEXT)
    there = Repositories(keys=Keys(file=None), retry=QUICK)
    [large] = there.resolve([f"{server.host}/a:1"])
    assert isinstance(large, Failure)
    assert large.code is FailureCode.TOO_LARGE
    body = MANIFEST_TEXT + b" " * (4 << 20)
    server.answer = lambda method, path, secret: (200, {"Content-Type": MANIFEST}, body)
    [large] = there.resolve([f"{server.host}/a:1"])
    assert isinstance(large, Failure)
    assert large.code is FailureCode.TOO_LARGE


def test_a_blob_of_99_terabytes_is_refused_at_once(server: Server) -> None:
    there = Repositories(keys=Keys(file=None), retry=QUICK)
    huge = Descriptor(TAR, sha256(b"x"), 99 << 40)
    [answer] = there.retrieve(f"{server.host}/a", [Retrieval(huge)])
    assert isinstance(answer, Failure)
    assert answer.code is FailureCode.TOO_LARGE
    assert server.asked == []
