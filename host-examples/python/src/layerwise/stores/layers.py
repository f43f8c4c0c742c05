"""Which blob is the layer with a diff id: what the images of a layout say.

The n-th diff id of a config and the n-th layer of its manifest are the same
layer. An image whose counts disagree says nothing, and neither does a layer that
is not compressed and yet has another digest than its diff id.
"""

from __future__ import annotations

from typing import Any

from ..errors import Failure, quote
from ..image_store import Provenance
from ..types import FailureCode
from .catalog import Catalog, Known
from .documents import Entry, load
from .hashing import is_digest
from .layout import Layout

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_LONGEST_DOCUMENT = 64 << 20

#: Docker's layer media types and what OCI calls them.
_OCI_NAMES = {
    "application/vnd.docker.image.rootfs.diff.tar": _LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_LAYER}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": f"{_LAYER}+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}


def diff_ids(document: bytes) -> list[str]:
    """The diff ids of a config document; `invalid` if it is not one."""
    try:
        config = load(document)
        listed = config["rootfs"].get("diff_ids")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the document is not an image config: {error}"
        raise Failure(FailureCode.INVALID, message) from None
    texts = listed if listed is not None else []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        message = "the document is not an image config: its diff ids are not strings"
        raise Failure(FailureCode.INVALID, message)
    for text in texts:
        if not is_digest(text):
            message = f"the document has {quote(text)} for a diff id"
            raise Failure(FailureCode.INVALID, message)
    return texts


class Layers:
    """What was learnt so far; every image is read once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._read: set[str] = set()
        #: Diff id, digest of the blob, and the images that say so.
        self._blobs: dict[str, dict[str, tuple[Entry, set[str]]]] = {}

    def find(
        self, catalog: Catalog, parent: Known | None, wanted: list[str]
    ) -> list[dict[str, Any]]:
        """Finds the blob of each diff id: in the parent at the same place, else in
        any image, those built here first.

        `not-found` naming the first diff id that no image of the layout has as a
        blob that is there.
        """
        inherited = (self._pairs(parent) or []) if parent else []
        found = []
        for at, diff_id in enumerate(wanted):
            known = inherited[at] if at < len(inherited) else None
            if known and known[0] == diff_id and self._is_there(known[1]):
                found.append(_as_oci(known[1]))
            else:
                found.append(_as_oci(self._any(catalog, diff_id)))
        return found

    def _any(self, catalog: Catalog, diff_id: str) -> Entry:
        self._learn(catalog)
        fitting = []
        for digest, (entry, images) in sorted(self._blobs.get(diff_id, {}).items()):
            there = [catalog.images[image] for image in images if image in catalog.images]
            if there and self._is_there(entry):
                built_here = any(
                    catalog.built(known.id, known.notes) is Provenance.BUILT_HERE for known in there
                )
                fitting.append((not built_here, digest, entry))
        if not fitting:
            message = (
                f"no image of the layout has a layer with the diff id {diff_id}{catalog.unread()}"
            )
            raise Failure(FailureCode.NOT_FOUND, message)
        return min(fitting, key=lambda item: item[:2])[2]

    def _learn(self, catalog: Catalog) -> None:
        for image in sorted(catalog.images):
            if image in self._read:
                continue
            pairs = self._pairs(catalog.images[image])
            if pairs is None:
                continue
            self._read.add(image)
            for diff_id, entry in pairs:
                if is_digest(entry.digest):
                    known = self._blobs.setdefault(diff_id, {})
                    known.setdefault(entry.digest, (entry, set()))[1].add(image)

    def _pairs(self, known: Known) -> list[tuple[str, Entry]] | None:
        """The diff ids of an image with their blobs, of each of its manifests;
        nothing when it cannot be read.
        """
        try:
            document = self._layout.read_blob(known.id, known.size, _LONGEST_DOCUMENT)
            wanted = diff_ids(document)
        except Failure:
            return None
        return [
            (diff_id, layer)
            for _, manifest in known.manifests
            if len(manifest.layers) == len(wanted)
            for diff_id, layer in zip(wanted, manifest.layers, strict=True)
            if _oci_name(layer) != _LAYER or layer.digest == diff_id
        ]

    def _is_there(self, entry: Entry) -> bool:
        return is_digest(entry.digest) and self._layout.present(entry.digest, entry.size)


def _oci_name(entry: Entry) -> str:
    return _OCI_NAMES.get(entry.media_type, entry.media_type)


def _as_oci(entry: Entry) -> dict[str, Any]:
    """The same layer as an OCI manifest lists it."""
    layer: dict[str, Any] = {
        "mediaType": _oci_name(entry),
        "digest": entry.digest,
        "size": entry.size,
    }
    if entry.raw.get("urls") is not None:
        layer["urls"] = entry.raw["urls"]
    if entry.raw.get("annotations") is not None:
        layer["annotations"] = dict(sorted(entry.annotations.items()))
    return layer
