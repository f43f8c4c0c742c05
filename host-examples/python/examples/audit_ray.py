"""Verifies many BuildKit caches on a Ray cluster: each actor loads the compiled component once.

    python audit_ray.py [--workers N] [--address ADDRESS] REFERENCE... > verdicts.jsonl

A reference is `oci:DIR:NAME`, or `host/name:tag` in a registry that anybody may read. The verdicts come in the order of the
references, one JSON document a line; the exit code is 1 if one of them is not good.
"""

import argparse
import json
import os
import sys
import urllib.request
from collections import Counter
from pathlib import Path

import ray

from layerwise import Descriptor, Engine, Refused, Wasi, buildkit
from layerwise.stores import sha256

KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)


@ray.remote(max_restarts=3, max_task_retries=3)
class Verifier:
    """Looks at caches, with its engines for as long as it lives. To look twice changes nothing."""

    def __init__(self) -> None:
        self.engines: dict[str, Engine] = {}

    def verify(self, references: list[str]) -> list[dict[str, object]]:
        """The verdicts on some caches."""
        return [self.one(reference) for reference in references]

    def one(self, reference: str) -> dict[str, object]:
        """The verdict on one cache: numbers of records by what they are good for, and codes."""
        try:
            if reference.startswith("oci:"):
                directory, _, name = reference.removeprefix("oci:").rpartition(":")
                wasi, where = Wasi(None, {"/w": directory}), in_layout(directory, name)
            else:
                directory, (name, _, tag) = "", reference.rpartition(":")
                wasi, where = Wasi(None, {}, network=True), in_registry(name, tag)
            if directory not in self.engines:
                self.engines[directory] = Engine(wasi=wasi)
            # An instance of its own: whatever a cache does to it ends with it.
            with self.engines[directory].instance() as instance:
                report = instance.buildkit.inspect(buildkit.InputManifest(where), read_layers=False)
        except (Refused, LookupError, OSError) as error:
            return {"cache": reference, "problem": str(error)}
        standings = Counter(verdict.standing.value for verdict in report.verdicts)
        codes = Counter(finding.code for finding in report.findings)
        return {
            "cache": reference,
            "records": dict(sorted(standings.items())),
            "codes": dict(sorted(codes.items())),
        }


def in_layout(directory: str, name: str) -> buildkit.ManifestInput:
    """The manifest that has a name in a layout."""
    for entry in json.loads(Path(directory, "index.json").read_bytes())["manifests"]:
        if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == name:
            found = Descriptor(entry["mediaType"], entry["digest"], entry["size"])
            return buildkit.ManifestInput("oci:/w", found)
    raise LookupError(f"no {name!r} in {directory!r}")


def in_registry(repository: str, tag: str) -> buildkit.ManifestInput:
    """The manifest that has a tag in a repository."""
    host, _, name = repository.partition("/")
    scheme = "http" if host.startswith(("localhost:", "127.0.0.1:")) else "https"
    address = f"{scheme}://{host}/v2/{name}/manifests/{tag}"
    asked = urllib.request.Request(address, headers={"Accept": KINDS})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        content = answer.read(4 << 20)
        found = Descriptor(answer.headers.get_content_type(), sha256(content), len(content))
    return buildkit.ManifestInput(repository, found)


def verify(references: list[str], workers: int, batch: int = 32) -> list[dict[str, object]]:
    """The verdicts on all caches, in their order."""
    pool = ray.util.ActorPool([Verifier.remote() for _ in range(workers)])
    parts = [references[at : at + batch] for at in range(0, len(references), batch)]
    return [
        one
        for part in pool.map(lambda actor, part: actor.verify.remote(part), parts)
        for one in part
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("references", nargs="+")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--address", help="a running cluster; otherwise one on this machine")
    options = parser.parse_args()
    ray.init(
        address=options.address,
        num_cpus=None if options.address else options.workers,
        log_to_driver=False,
    )
    bad = False
    for verdict in verify(options.references, options.workers):
        bad |= "problem" in verdict or "broken" in verdict["records"]
        print(json.dumps(verdict))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
