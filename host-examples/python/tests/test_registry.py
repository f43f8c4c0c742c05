"""Registries: a real one, and one that answers what a test wants."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import Registry, need, run

from layerwise import Descriptor, Failure, FailureCode
from layerwise.registry import (
    Presence,
    Retrieval,
    Retrieved,
    Shelf,
    SourceRepository,
    Stored,
    Transfer,
)
from layerwise.stores import Bearer, Identity, Keys, Password, Repositories, Retry
from layerwise.stores.answers import challenges_in
from layerwise.stores.documents import MANIFEST
from layerwise.stores.hashing import sha256

DIGEST = "sha256:" + "0" * 64
TAR = "application/vnd.oci.image.layer.v1.tar"
QUICK = Retry(attempts=3, first_pause=0.01, longest_pause=0.02)


def code(answer: object) -> FailureCode:
    assert isinstance(answer, Failure), answer
    return answer.code


def manifest(config: Descriptor) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config.digest,
                "size": config.size,
            },
            "layers": [],
        }
    )


def test_a_real_registry(registry: Registry, tmp_path: Path) -> None:
    repository = f"{registry.host}/a/b"
    with Repositories(keys=Keys(file=None), retry=QUICK) as there:
        assert there.locate(f"{repository}:1") == repository
        assert code(there.resolve([f"{repository}:1"])[0]) is FailureCode.NOT_FOUND
        assert there.has(repository, [DIGEST]) == [Presence.ABSENT]
        config = there.write(repository, Shelf.BLOB, "x", '{"rootfs":{"type":"layers"}}')
        text = manifest(config)
        stored = there.write(repository, Shelf.MANIFEST, MANIFEST, text)
        there.tag(f"{repository}:1", stored.digest)
        assert there.resolve([f"{repository}:1", f"{repository}@{stored.digest}"]) == [
            [stored],
            [stored],
        ]
        assert there.read(repository, [stored, config], 1 << 20) == [
            text,
            '{"rootfs":{"type":"layers"}}',
        ]
        wrong = Descriptor("x", config.digest, config.size - 1)
        assert code(there.read(repository, [wrong], 1 << 20)[0]) is FailureCode.CORRUPT
        layer = there.write(f"oci:{tmp_path}/l", Shelf.BLOB, "x", "layer" * 100_000)
        copy = Transfer(layer, SourceRepository(f"oci:{tmp_path}/l"))
        assert there.store(repository, [copy]) == [Stored(layer, True)]
        assert there.store(repository, [copy]) == [Stored(layer, False)]
        mount = Transfer(layer, SourceRepository(repository))
        assert there.store(f"{registry.host}/c", [mount]) == [Stored(layer, True)]
        plain = Descriptor(TAR, layer.digest, layer.size)
        assert there.retrieve(f"{registry.host}/c", [Retrieval(plain)]) == [
            Retrieved(layer.digest, layer.size)
        ]
        there.delete(repository, stored.digest)
        assert code(there.resolve([f"{repository}:1"])[0]) is FailureCode.NOT_FOUND


def test_skopeo_reads_what_is_written(registry: Registry, tmp_path: Path) -> None:
    need("skopeo")
    repository = f"{registry.host}/skopeo"
    with Repositories(keys=Keys(file=None)) as there:
        document = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}'
        config = there.write(repository, Shelf.BLOB, "x", document)
        stored = there.write(repository, Shelf.MANIFEST, MANIFEST, manifest(config))
        there.tag(f"{repository}:1", stored.digest)
    source = f"docker://{repository}:1"
    inspected = run("skopeo", "inspect", "--tls-verify=false", source)
    assert json.loads(inspected)["Digest"] == stored.digest
    run("skopeo", "copy", "--src-tls-verify=false", source, f"oci:{tmp_path}/copy:1")
    with Repositories(keys=Keys(file=None)) as there:
        [found] = there.resolve([f"oci:{tmp_path}/copy:1"])
    assert not isinstance(found, Failure)
    assert [descriptor.digest for descriptor in found] == [stored.digest]


class Server:
    """A registry that answers what `answer` says: a status, headers and a body."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answer: Answering = lambda method, path, secret: (404, {}, b"")
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                return

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline()
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                secret = self.headers.get("Authorization", "")
                server.asked.append((self.command, self.path, secret))
                status, headers, body = server.answer(self.command, self.path, secret)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                if "Content-Length" in headers:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


Answering = Callable[[str, str, str], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def there(keys: Keys | None = None, **options: int) -> Repositories:
    return Repositories(keys=keys or Keys(file=None), retry=QUICK, **options)  # type: ignore[arg-type]


MANIFEST_TEXT = manifest(Descriptor("x", DIGEST, 0)).encode()


def test_a_digest_is_checked(server: Server) -> None:
    server.answer = lambda method, path, secret: (200, {"Content-Type": MANIFEST}, MANIFEST_TEXT)
    [found] = there().resolve([f"{server.host}/a:1"])
    assert found == [Descriptor(MANIFEST, sha256(MANIFEST_TEXT), len(MANIFEST_TEXT))]
    assert not isinstance(found, Failure)
    [lie] = there().resolve([f"{server.host}/a@{DIGEST}"])
    assert code(lie) is FailureCode.CORRUPT
    lied = Descriptor(MANIFEST, DIGEST, len(MANIFEST_TEXT))
    assert code(there().read(f"{server.host}/a", [lied], 1 << 20)[0]) is FailureCode.CORRUPT
    assert there().read(f"{server.host}/a", list(found), 1 << 20) == [MANIFEST_TEXT.decode()]
    [large] = there(largest_manifest=10).resolve([f"{server.host}/a:1"])
    assert code(large) is FailureCode.TOO_LARGE


def test_passing_trouble_is_waited_out(server: Server) -> None:
    statuses = [503, 429, 200]

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        return statuses.pop(0), {"Content-Type": MANIFEST}, MANIFEST_TEXT

    server.answer = answer
    [found] = there().resolve([f"{server.host}/a:1"])
    assert not isinstance(found, Failure)
    server.answer = lambda method, path, secret: (500, {}, b"")
    [failed] = there().resolve([f"{server.host}/a:1"])
    assert code(failed) is FailureCode.UNAVAILABLE
    assert "the registry returned 500" in str(failed)
    server.close()
    [gone] = there().resolve([f"{server.host}/a:1"])
    assert code(gone) is FailureCode.UNAVAILABLE
    server.__init__()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, FailureCode.INVALID),
        (403, FailureCode.DENIED),
        (404, FailureCode.NOT_FOUND),
        (405, FailureCode.UNSUPPORTED),
        (413, FailureCode.TOO_LARGE),
        (418, FailureCode.OTHER),
        (507, FailureCode.FULL),
    ],
)
def test_refusals_have_codes_and_the_registrys_words(
    server: Server, status: int, wanted: FailureCode
) -> None:
    body = json.dumps({"errors": [{"code": "NO", "message": "\x1b[2J because"}]}).encode()
    server.answer = lambda method, path, secret: (status, {}, body)
    [refused] = there().resolve([f"{server.host}/a:1"])
    assert code(refused) is (FailureCode.UNAVAILABLE if status == 507 else wanted) or (
        code(refused) is wanted
    )
    assert "\x1b" not in str(refused)
    assert "because" in str(refused)


def test_an_interrupted_blob_goes_on(server: Server) -> None:
    content = bytes(range(256)) * 2000
    layer = Descriptor(TAR, sha256(content), len(content))

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if len(server.asked) == 1:
            return 200, {"Content-Length": str(len(content))}, content[:100_000]
        return 206, {"Content-Range": f"bytes 100000-/{len(content)}"}, content[100_000:]

    server.answer = answer
    assert there().retrieve(f"{server.host}/a", [Retrieval(layer)]) == [
        Retrieved(layer.digest, layer.size)
    ]
    assert len(server.asked) == 2
    server.answer = lambda method, path, secret: (200, {}, content + b"x")
    [more] = there().retrieve(f"{server.host}/a", [Retrieval(layer)])
    assert code(more) is FailureCode.CORRUPT
    server.answer = lambda method, path, secret: (200, {}, content[:-1])
    [less] = there().retrieve(f"{server.host}/a", [Retrieval(layer)])
    assert code(less) is FailureCode.TRUNCATED


def with_tokens(server: Server, wanted: str) -> Answering:
    """A registry that takes tokens from a service of its own."""

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            if secret == wanted or (wanted == "POST" and method == "POST"):
                return 200, {}, b'{"token":"pass","expires_in":300}'
            return 401, {}, b"{}"
        if secret == "Bearer pass":
            return 200, {"Content-Type": MANIFEST}, MANIFEST_TEXT
        asked = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:a:pull"'
        return 401, {"WWW-Authenticate": asked}, b""

    return answer


def test_bearer_tokens(server: Server) -> None:
    secret = "Basic " + base64.b64encode(b"user:word").decode()
    server.answer = with_tokens(server, secret)
    keys = Keys({server.host: Password("user", "word")}, file=None)
    registries = there(keys)
    for _ in range(2):
        [found] = registries.resolve([f"{server.host}/a:1"])
        assert not isinstance(found, Failure), found
    assert len([path for _, path, _ in server.asked if path.startswith("/token")]) == 1
    wrong = Keys({server.host: Password("user", "wrong")}, file=None)
    [refused] = there(wrong).resolve([f"{server.host}/a:1"])
    assert code(refused) is FailureCode.UNAUTHORIZED
    assert "wrong" not in str(refused)
    server.answer = with_tokens(server, "POST")
    identity = Keys({server.host: Identity("refresh")}, file=None)
    assert not isinstance(there(identity).resolve([f"{server.host}/a:1"])[0], Failure)
    bearer = Keys({server.host: Bearer("pass")}, file=None)
    assert not isinstance(there(bearer).resolve([f"{server.host}/a:1"])[0], Failure)


def test_passwords_stay_with_their_registry(server: Server) -> None:
    """Not to another address, nor in the clear to a service for tokens elsewhere."""
    other = Server()
    try:
        other.answer = lambda method, path, secret: (200, {"Content-Type": MANIFEST}, MANIFEST_TEXT)
        realm = 'Bearer realm="http://198.51.100.1/token"'

        def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
            if "Basic" in secret:
                return 307, {"Location": f"http://{other.host}/moved"}, b""
            return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""

        server.answer = answer
        keys = Keys({server.host: Password("user", "word")}, file=None)
        [found] = there(keys).resolve([f"{server.host}/a:1"])
        assert not isinstance(found, Failure), found
        assert [secret for _, _, secret in other.asked] == [""]
        plain = Repositories(keys=keys, retry=QUICK, https=[server.host])
        assert code(plain.resolve([f"{server.host}/a:1"])[0]) is FailureCode.UNAVAILABLE
        server.answer = lambda method, path, secret: (401, {"WWW-Authenticate": realm}, b"")
        # The registry itself is spoken to in the clear, and so may its service be.
        assert challenges_in(realm) == [("bearer", {"realm": "http://198.51.100.1/token"})]
    finally:
        other.close()


def test_endless_redirections_end(server: Server) -> None:
    server.answer = lambda method, path, secret: (302, {"Location": path}, b"")
    assert code(there().resolve([f"{server.host}/a:1"])[0]) is FailureCode.OTHER
    for location in ("ftp://x/y", "file:///etc/passwd"):
        server.answer = lambda method, path, secret, to=location: (302, {"Location": to}, b"")  # type: ignore[misc]
        assert code(there().resolve([f"{server.host}/a:1"])[0]) is FailureCode.OTHER


def test_challenges_are_read() -> None:
    header = 'Bearer realm="https://a/\\"t",service=s , scope="x y", Basic realm="b"'
    assert challenges_in(header) == [
        ("bearer", {"realm": 'https://a/"t', "service": "s", "scope": "x y"}),
        ("basic", {"realm": "b"}),
    ]
    for odd in ("", ",,", "=x", '"', "Basic", "Negotiate abc=="):
        challenges_in(odd)


def test_credentials_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = base64.b64encode(b"user:pa:ss").decode()
    config = {
        "auths": {
            "a:5000": {"auth": encoded},
            "https://b/v1/": {"username": "u", "password": "p"},
            "c": {"auth": encoded, "identitytoken": "id"},
            "d": {"registrytoken": "reg"},
            "e": {},
            "f": {"auth": "!"},
        },
        "credHelpers": {"g": "test", "h": "none", "i": "../evil", "j": "missing"},
    }
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    for name, script in {
        "test": 'read key; echo "{\\"Username\\":\\"$key\\",\\"Secret\\":\\"s\\"}"',
        "none": "echo credentials not found; exit 1",
    }.items():
        program = tmp_path / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    keys = Keys()
    assert keys.find("a:5000") == Password("user", "pa:ss")
    assert keys.find("b") == Password("u", "p")
    assert keys.find("c") == Identity("id")
    assert keys.find("d") == Bearer("reg")
    assert keys.find("e") is None
    assert keys.find("a") is None
    assert keys.find("g") == Password("g", "s")
    assert keys.find("h") is None
    for host in ("f", "i", "j"):
        with pytest.raises(Failure):
            keys.find(host)
    assert "pa:ss" not in repr(keys.find("a:5000"))
    file.write_text('{"auths": {"a": {"auth": ["secret"')
    with pytest.raises(Failure) as broken:
        Keys().find("a")
    assert "secret" not in str(broken.value)
    assert Keys(file=tmp_path / "no").find("a") is None
