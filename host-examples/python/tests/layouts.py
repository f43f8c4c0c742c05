"""Image layouts as tests want them, right and wrong: what other programs write."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from layerwise import Descriptor, Wasi
from layerwise.stores import sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "org.opencontainers.image.ref.name"
IMAGE, PARENT, BUILT = (f"dev.layerwise.{name}" for name in ("image", "parent", "built-here"))


class Layout:
    """An OCI image layout, of which every step is on the disk at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.write([])

    def blob(self, content: bytes, media_type: str = LAYER) -> Descriptor:
        """Stores a blob."""
        found = Descriptor(media_type, sha256(content), len(content))
        self.path(found.digest).write_bytes(content)
        return found

    def path(self, digest: str) -> Path:
        """Where a blob is."""
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def image(
        self,
        document: str,
        *,
        parent: str | None = None,
        name: str | None = None,
        mark: str | None = None,
        layers: list[Descriptor] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> str:
        """Enters an image, with what is noted of it, and returns its id."""
        config = self.blob(document.encode(), CONFIG)
        notes = {IMAGE: config.digest, PARENT: parent, BUILT: mark, NAME: name}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": entry(config),
            "layers": [entry(layer) for layer in layers or []],
            **({"annotations": annotations} if annotations else {}),
        }
        blob = self.blob(json.dumps(manifest).encode(), MANIFEST)
        noted = {key: value for key, value in notes.items() if value is not None}
        self.write([*self.entries(), {**entry(blob), "annotations": noted}])
        return config.digest

    def entries(self) -> list[Any]:
        """What `index.json` lists."""
        found: list[Any] = json.loads((self.root / "index.json").read_text())["manifests"]
        return found

    def write(self, entries: list[Any]) -> None:
        """Makes `index.json` list something."""
        index = {"schemaVersion": 2, "manifests": entries}
        (self.root / "index.json").write_text(json.dumps(index))


def entry(descriptor: Descriptor) -> dict[str, Any]:
    """A descriptor as documents have it."""
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }


def lent(root: Path, **environment: str) -> Wasi:
    """The images of a layout, lent as `/w`."""
    return Wasi("oci:/w", {"/w": root}, environment)


def mark(key: bytes, image: str, parent: str | None) -> str:
    """A mark that an image was built here."""
    text = f"layerwise built-here 1\n{image}\n{parent or ''}\n"
    return "hmac-sha256:" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
