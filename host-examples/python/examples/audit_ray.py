"""Verifies BuildKit caches on a Ray cluster: each actor loads the compiled component once.

    python audit_ray.py [--workers N] [--address ADDRESS] HOST/NAME:TAG... > verdicts.jsonl

The registries are those that anybody may read. The verdicts come in the order of the references,
one JSON document a line; the exit code is 1 if one of them is not good.
"""

import argparse
import json
import sys
import urllib.request
from collections import Counter

import ray

from layerwise import Descriptor, Engine, Refused, Wasi, buildkit
from layerwise.stores import sha256

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker.distribution.manifest"
KINDS = f"{OCI}.manifest.v1+json, {OCI}.index.v1+json, {DOCKER}.v2+json, {DOCKER}.list.v2+json"


@ray.remote(max_restarts=3, max_task_retries=3)
class Verifier:
    """Looks at caches, with its engine for as long as it lives. To look twice changes nothing."""

    def __init__(self) -> None:
        self.engine = Engine(wasi=Wasi(None, {}, network=True))

    def verify(self, references: list[str]) -> list[dict[str, object]]:
        return [self.one(reference) for reference in references]

    def one(self, reference: str) -> dict[str, object]:
        """The verdict on one cache: numbers of records by what they are good for, and codes."""
        try:
            where = manifest(reference)
            # An instance of its own: whatever a cache does to it ends with it.
            with self.engine.instance() as instance:
                report = instance.buildkit.inspect(buildkit.InputManifest(where), read_layers=False)
        except (Refused, OSError) as error:
            return {"cache": reference, "problem": str(error)}
        records = Counter(verdict.standing.value for verdict in report.verdicts)
        codes = Counter(finding.code for finding in report.findings)
        return {"cache": reference, "records": dict(records), "codes": dict(codes)}


def manifest(reference: str) -> buildkit.ManifestInput:
    """What a tag stands for now."""
    repository, _, tag = reference.rpartition(":")
    host, _, name = repository.partition("/")
    scheme = "http" if host.startswith(("localhost:", "127.0.0.1:")) else "https"
    address = f"{scheme}://{host}/v2/{name}/manifests/{tag}"
    asked = urllib.request.Request(address, headers={"Accept": KINDS})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        content, kind = answer.read(4 << 20), answer.headers.get_content_type()
    descriptor = Descriptor(kind, sha256(content), len(content))
    return buildkit.ManifestInput(repository, descriptor)


def main() -> int:
    parser = argparse.ArgumentParser(description="Verifies BuildKit caches on a Ray cluster.")
    parser.add_argument("references", nargs="+", metavar="HOST/NAME:TAG")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--address", help="a running cluster; otherwise one on this machine")
    given = parser.parse_args()
    alone = None if given.address else given.workers
    ray.init(address=given.address, num_cpus=alone, log_to_driver=False)
    pool = ray.util.ActorPool([Verifier.remote() for _ in range(given.workers)])
    parts = [given.references[at : at + 32] for at in range(0, len(given.references), 32)]
    bad = False
    for part in pool.map(lambda actor, part: actor.verify.remote(part), parts):
        for verdict in part:
            bad |= "problem" in verdict or "broken" in verdict["records"]
            print(json.dumps(verdict))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
