"""Values in both directions, and what is refused before the runtime sees it."""

from __future__ import annotations

import json

import pytest

from layerwise import (
    Engine,
    Failure,
    FailureCode,
    Lent,
    Limit,
    Mismatch,
    Platform,
    Semantics,
    docker,
    stacker,
)
from layerwise.buildkit import Alternative, Entry
from layerwise.rules import Severity


def test_records_enums_flags_and_options_come_back(engine: Engine) -> None:
    with engine.instance() as instance:
        platform = instance.docker.normalize_platform(Platform("Linux", "x86_64"), "")
        assert platform == Platform("linux", "amd64")
        document = '{"history":[{"created_by":"/bin/sh -c a"}],"rootfs":{"diff_ids":["sha256:1"]}}'
        recording = instance.docker.recorded_steps(document, 0, [None])
        assert recording.steps[0].approximate is not None
        rules = {rule.code: rule for rule in instance.rules.all()}
        assert rules["buildkit/dangling-link"].severity is Severity.ERROR
        assert rules["docker/hit-local"].severity is None


def test_a_variant_without_its_name_is_found_again(engine: Engine) -> None:
    """`result<option<finding>, error>` arrives as nothing, a record or a variant."""
    with engine.instance() as instance:
        image, base, other = (
            json.dumps(
                {
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{n * 64}"]},
                    "history": [{"created_by": "a", "empty_layer": True}] * steps,
                }
            )
            for n, steps in [("1", 1), ("1", 0), ("2", 0)]
        )
        assert instance.docker.compare_parent(image, base) is None
        finding = instance.docker.compare_parent(image, other)
        assert finding is not None
        assert finding.code.startswith("docker/")
        args = [image, base, {"reading": "guarded", "version": None}]
        assert instance.call_json("docker#compare-parent", args) == {"ok": None}
        args[0] = "["
        refused = instance.call_json("docker#compare-parent", args)
        assert list(refused["err"]) == ["invalid"]


def test_json_is_as_transcripts_have_it(engine: Engine) -> None:
    with engine.instance() as instance:
        asked = ["{}", "{}", {"reading": "compatible", "version": "29"}]
        assert instance.call_json("docker#compare-configs", asked) == {
            "ok": {"equal": True, "differences": [], "overlooked": []}
        }
        opened = instance.call_json("docker#open", [OPTIONS])
        assert opened == {"ok": {"resource": 0}}
        assert instance.call_json("docker#open", [OPTIONS]) == {"ok": {"resource": 1}}
        described = instance.call_json("docker#[method]session.describe", [{"resource": 0}])
        assert described == {"sources": [], "skipped": []}


OPTIONS = {
    "semantics": {"reading": "guarded", "version": None},
    "cache-from": [],
    "policy": ["dry-run", "same-platform"],
    "store": "containerd",
    "machine": {
        "os": "linux",
        "architecture": "amd64",
        "variant": "v4",
        "os-version": "",
        "os-features": [],
    },
    "host-os": "",
    "docker-version": "",
    "last": None,
    "limits": [{"name": "depth", "value": "18446744073709551615"}],
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"limits": [{"name": "depth", "value": 1}]}, "limits[0].value: expected a decimal"),
        ({"limits": [{"name": "depth", "value": "01"}]}, "limits[0].value: expected a decimal"),
        ({"limits": [{"name": "depth", "value": str(2**64)}]}, "is not between 0 and"),
        ({"policy": ["dryrun"]}, "policy: 'dryrun' is not one of"),
        ({"policy": "dry-run"}, "policy: expected a list, not str"),
        ({"semantics": {"reading": "strict", "version": None}}, "reading: 'strict' is not one of"),
        ({"semantics": {"reading": "guarded"}}, "semantics: members that are missing"),
        ({"host-os": 7}, "host-os: expected a string, not int"),
        ({"host-os": "\ud800"}, "host-os: the string is no unicode text at 0"),
        ({"more": 1}, "members that are missing or too many: more"),
    ],
)
def test_wrong_json_is_refused(engine: Engine, change: dict[str, object], why: str) -> None:
    with engine.instance() as instance:
        with pytest.raises(Mismatch) as refused:
            instance.call_json("docker#open", [{**OPTIONS, **change}])
        assert why in str(refused.value)
        assert str(refused.value).startswith("docker#open: options")
        # Nothing has happened to the instance.
        assert instance.call_json("docker#open", [OPTIONS]) == {"ok": {"resource": 0}}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (docker.Options(limits=[Limit("depth", -1)]), "limits[0].value: -1 is not between"),
        (docker.Options(limits=[Limit("depth", 2**64)]), "is not between"),
        (docker.Options(limits=[Limit("depth", True)]), "expected an integer, not bool"),
        (docker.Options(host_os="\udc80"), "no unicode text"),
        (docker.Options(policy=1), "policy: expected Policy, not int"),  # type: ignore[arg-type]
        (docker.Options(cache_from="app"), "expected a list, not str"),  # type: ignore[arg-type]
        (docker.Options(cache_from=["app"]), "expected Source, not str"),  # type: ignore[list-item]
        (docker.Options(semantics=Semantics("x")), "is not one of"),  # type: ignore[arg-type]
    ],
)
def test_wrong_values_are_refused(engine: Engine, options: docker.Options, why: str) -> None:
    with engine.instance() as instance:
        with pytest.raises(Mismatch) as refused:
            instance.docker.open(options)
        assert why in str(refused.value)
        assert instance.usable


def test_enums_may_be_given_by_their_text(engine: Engine) -> None:
    semantics = Semantics("compatible", version="20.10")  # type: ignore[arg-type]
    with engine.instance() as instance:
        assert instance.docker.compare_configs("{}", "{}", semantics).equal


def test_unions_need_one_of_their_classes(engine: Engine) -> None:
    places = stacker.Places("/s", "/r", "/o")
    with engine.instance() as instance, pytest.raises(Mismatch, match="epoch: expected one of"):
        instance.stacker.open(stacker.Options(places, epoch=7))  # type: ignore[arg-type]


def test_numbers_of_32_bits_do_not_wrap(engine: Engine) -> None:
    from layerwise import buildkit

    options = buildkit.Options(oci=True, image=True)
    with engine.instance() as instance, instance.buildkit.export_to(options) as exporter:
        entry = Entry("sha256:" + "a" * 64, inputs=[[Alternative("", record=2**32)]])
        with pytest.raises(Mismatch, match=r"inputs\[0\]\[0\].record: 4294967296 is not"):
            exporter.add(entry)


def test_failures_are_values() -> None:
    failure = Failure("not-found", "no x")
    assert failure == Failure(FailureCode.NOT_FOUND, "no x")
    assert failure != Failure(FailureCode.DENIED, "no x")
    assert len({failure, Failure("not-found", "no x")}) == 1
    with pytest.raises(ValueError, match="strange"):
        Failure("strange", "x")


def test_the_wrong_number_of_arguments_is_refused(engine: Engine) -> None:
    with engine.instance(Lent()) as instance, pytest.raises(Mismatch, match="takes 1 arguments"):
        instance.call_json("docker#open", [])
