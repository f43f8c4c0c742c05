"""A registry on loopback that answers what a test wants, and what asks it over WASI."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from layouts import CONFIG, MANIFEST, entry

from layerwise import Descriptor, Engine, Limits, Refused, Wasi, buildpacks
from layerwise.stores import sha256

#: A status, headers and a body for a method, a path and what proves who asks.
Answering = Callable[[str, str, str], tuple[int, dict[str, str], bytes]]

CONFIG_TEXT = b'{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}'


def manifest(config: bytes = CONFIG_TEXT, layers: tuple[Descriptor, ...] = ()) -> bytes:
    """A manifest of an image."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": entry(Descriptor(CONFIG, sha256(config), len(config))),
        "layers": [entry(layer) for layer in layers],
    }
    return json.dumps(document).encode()


def image(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
    """An image under every name."""
    del method, secret
    return (200, {}, CONFIG_TEXT) if "/blobs/" in path else (200, TYPED, manifest())


TYPED = {"Content-Type": MANIFEST}


class Server:
    """A registry that answers what `answer` says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answer: Answering = image
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
                    try:
                        self.wfile.write(body)
                    except ConnectionError:
                        self.close_connection = True
                if "Content-Length" in headers:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def asking(docker_config: Path | None = None) -> Engine:
    """What asks registries, with the credentials of a directory or none."""
    if docker_config is None:
        return Engine(wasi=Wasi(None, {}, network=True))
    lent = {"/docker": docker_config}
    return Engine(wasi=Wasi(None, lent, {"DOCKER_CONFIG": "/docker"}, network=True))


def opened(engine: Engine, reference: str, limits: Limits = Limits()) -> buildpacks.CacheImage:
    """The image of a name, resolved and read."""
    policy = buildpacks.ImagePolicy.ACCEPT_UNSCOPED
    options = buildpacks.ImageOptions(reference, "me", policy=policy)
    return engine.cache_image(options, limits=limits)


def digest(engine: Engine, reference: str) -> str | None:
    """The digest of what a name stands for; nothing if there is no image, or none that
    may be seen.
    """
    with opened(engine, reference) as found:
        return found.describe().digest


def failure(engine: Engine, reference: str) -> Refused:
    """Why a name cannot be resolved."""
    try:
        found = digest(engine, reference)
    except Refused as refused:
        return refused
    raise AssertionError(f"it is {found}")
