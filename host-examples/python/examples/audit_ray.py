"""Verifies many BuildKit caches on a Ray cluster: each actor loads the compiled component once.

    python audit_ray.py [--workers N] [--address ADDRESS] REFERENCE... > verdicts.jsonl

A reference is what `layerwise.stores.Repositories` takes: `host/name:tag` or `oci:DIR:NAME`. The verdicts come in the order of
the references, one JSON document a line; the exit code is 1 if one of them is not good.
"""

import argparse
import json
import os
import sys
from collections import Counter

import ray

from layerwise import Engine, Failure, Refused, buildkit
from layerwise.engine import Lent
from layerwise.stores import Repositories


@ray.remote(max_restarts=3, max_task_retries=3)
class Verifier:
    """Looks at caches, with one engine for as long as it lives. To look twice changes nothing."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.registry = Repositories()

    def verify(self, references: list[str]) -> list[dict[str, object]]:
        """The verdicts on some caches."""
        return [self.one(reference) for reference in references]

    def one(self, reference: str) -> dict[str, object]:
        """The verdict on one cache: numbers of records by what they are good for, and codes."""
        try:
            repository = self.registry.locate(reference)
            answer = self.registry.resolve([reference])[0]
            if isinstance(answer, Failure):
                raise answer
            (manifest,) = answer
            # An instance of its own: whatever a cache does to it ends with it.
            with self.engine.instance(Lent(registry=self.registry)) as instance:
                where = buildkit.InputManifest(buildkit.ManifestInput(repository, manifest))
                report = instance.buildkit.inspect(where, read_layers=False)
        except (Failure, Refused) as error:
            return {"cache": reference, "problem": str(error)}
        standings = Counter(verdict.standing.value for verdict in report.verdicts)
        codes = Counter(finding.code for finding in report.findings)
        return {
            "cache": reference,
            "records": dict(sorted(standings.items())),
            "codes": dict(sorted(codes.items())),
        }


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
