"""Registries that want to know a secret, or to keep a build waiting."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from layouts import LAYER, MANIFEST
from server import TYPED, Answering, Server, asking, digest, failure, manifest, opened
from test_registry import DIGEST, basic, cached, logins, verified

from layerwise import Closed, Deadline, Denied, Limits, Refused
from layerwise.stores import sha256

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


def test_what_a_registry_repeats_is_not_told(server: Server, tmp_path: Path) -> None:
    password = logins(tmp_path / "a", server.host, auth=basic("user:pass-word"))
    bearer = logins(tmp_path / "b", server.host, registrytoken="bearer-secret")
    for challenge, keys in (
        ('Basic realm="r"', password),
        (f'Bearer realm="http://{server.host}/token"', password),
        ('Bearer realm="r"', bearer),
    ):
        server.answer = echoing(challenge)
        refused = failure(asking(keys), f"{server.host}/a:1")
        assert isinstance(refused, Denied)
        assert "***" in str(refused)
        for secret in ("pass-word", "bearer-secret", "a-token-of-it", basic("user:pass-word")):
            assert secret not in str(refused)


def test_an_identity_token_is_not_told(server: Server, tmp_path: Path) -> None:
    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            return 403, {}, errors("bad refresh-secret")
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token?s=t"'}, b""

    server.answer = answer
    keys = logins(tmp_path / "a", server.host, identitytoken="refresh-secret")
    text = str(failure(asking(keys), f"{server.host}/a:1"))
    assert "refresh-secret" not in text
    assert "?s=t" not in text


def test_signed_addresses_are_not_told(server: Server) -> None:
    """Wherever a message could have one: a refusal, a lost connection, a loop, and an
    address that is none.
    """
    gone = Server()
    gone.close()
    for location in (
        f"http://{server.host}/signed?{SIGNATURE}",
        f"http://{server.host}/again?{SIGNATURE}",
        f"http://user:pass-word@{gone.host}/x?{SIGNATURE}",
        f"ftp://user:pass-word@x/y?{SIGNATURE}",
        f"http://[::1/y?{SIGNATURE}",
        f"http://127.0.0.1:port/y?{SIGNATURE}",
    ):

        def answer(
            method: str, path: str, secret: str, to: str = location
        ) -> tuple[int, dict[str, str], bytes]:
            if path.startswith("/signed"):
                return 403, {}, errors("the signature is too old")
            return 307, {"Location": to}, b""

        server.answer = answer
        text = str(failure(asking(), f"{server.host}/a:1"))
        assert "0123456789abcdef" not in text, text
        assert "pass-word" not in text, text


def test_what_cannot_be_in_a_header_is_not_told(server: Server, tmp_path: Path) -> None:
    server.answer = lambda method, path, secret: (401, {"WWW-Authenticate": "Bearer"}, b"")
    keys = logins(tmp_path / "a", server.host, registrytoken="bearer\nsecret")
    try:
        assert digest(asking(keys), f"{server.host}/a:1") is None
    except Refused as refused:
        assert "secret" not in str(refused)


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
    "pieces",
    [
        # A byte now and then, however the end is told.
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_a_transfer_without_end_ends(pieces: tuple[bytes, ...]) -> None:
    """At the deadline of the session, which counts what it waits for."""
    drip = Drip(*pieces, pause=0.05, times=400)
    start = time.monotonic()
    engine = asking()
    with pytest.raises((Deadline, Closed)):
        opened(engine, f"{drip.host}/a:1", Limits(deadline=0.5))
    assert time.monotonic() - start < 10
    drip.close()


def test_manifests_have_a_limit(server: Server) -> None:
    declared = {**TYPED, "Content-Length": str(99 << 40)}
    body = manifest() + b" " * (4 << 20)
    for headers, content in ((declared, manifest()), (TYPED, body)):
        server.answer = lambda method, path, secret, answer=(200, headers, content): answer  # type: ignore[misc]
        text = str(failure(asking(), f"{server.host}/a:1"))
        assert "limit manifest-bytes of 4194304" in text


def test_a_blob_of_99_terabytes_is_refused_at_once(server: Server) -> None:
    server.answer = cached(b"x", DIGEST, LAYER, size=99 << 40)
    answer = verified(server, DIGEST)
    assert "layer-bytes" in str(answer)
    assert not [path for _, path, _ in server.asked if path.endswith(sha256(b"x"))]


def test_a_layer_that_unpacks_to_far_more_is_refused(server: Server) -> None:
    """After the first 256 MiB: 10 KB of zstd that come to 320 MiB."""
    runs = 2560
    repeated = (128 << 10) << 3 | 1 << 1
    blocks = repeated.to_bytes(3, "little") + b"\0"
    last = (repeated | 1).to_bytes(3, "little") + b"\0"
    packed = b"\x28\xb5\x2f\xfd\x00\x58" + blocks * (runs - 1) + last
    assert len(packed) < 11_000
    server.answer = cached(packed, DIGEST, f"{LAYER}+zstd")
    assert "layer-ratio" in str(verified(server, DIGEST))
