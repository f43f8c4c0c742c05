"""A registry on loopback that serves OCI layouts as they are, damage included."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REF_NAME = "org.opencontainers.image.ref.name"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """Serves each layout of `layouts` as the repository of its name."""

    def __enter__(self) -> "Registry":
        self.layouts: dict[str, Path] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def find(self, path: str) -> tuple[bytes, str, str] | None:
        """Body, media type and digest of what a path of the protocol names."""
        asked = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/?]+)", path)
        layout = self.layouts.get(asked[1]) if asked else None
        if layout is None:
            return None
        digest, kind = asked[3], "application/octet-stream"
        if asked[2] == "manifests":
            for manifest in json.loads((layout / "index.json").read_bytes())["manifests"]:
                name = (manifest.get("annotations") or {}).get(REF_NAME)
                if digest in (manifest["digest"], name):
                    digest, kind = manifest["digest"], manifest["mediaType"]
        blob = layout / "blobs/sha256" / digest.removeprefix("sha256:")
        if not digest.startswith("sha256:") or not blob.exists():
            return None
        body = blob.read_bytes()
        if asked[2] == "manifests" and kind == "application/octet-stream":
            kind = json.loads(body).get("mediaType", MANIFEST)
        return body, kind, digest


def handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, code: int, body: bytes, kind: str, digest: str | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if digest:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def error(self, code: int, name: str) -> None:
            errors = {"errors": [{"code": name, "message": "not here"}]}
            self.answer(code, json.dumps(errors).encode(), "application/json")

        def do_GET(self) -> None:
            if self.path.rstrip("/") == "/v2":
                return self.answer(200, b"{}", "application/json")
            found = registry.find(self.path)
            if found is None:
                name = "BLOB_UNKNOWN" if "/blobs/" in self.path else "MANIFEST_UNKNOWN"
                return self.error(404, name)
            return self.answer(200, *found)

        do_HEAD = do_GET

        def do_POST(self) -> None:
            self.error(401, "DENIED")

        do_PUT = do_POST

    return Handler
