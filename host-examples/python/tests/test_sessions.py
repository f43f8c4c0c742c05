"""Sessions of the four systems, and the component's errors as exceptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from memory import Files

import layerwise
from layerwise import (
    Closed,
    Engine,
    EngineError,
    Invalid,
    LayerwiseError,
    Limit,
    Mismatch,
    Platform,
    Unsupported,
    buildkit,
    buildpacks,
    docker,
    stacker,
)
from layerwise.errors import REFUSALS
from layerwise.image_store import Provenance
from layerwise.stores import Memory

PLATFORM = Platform("linux", "amd64")
MAKE = '{"Cmd":["/bin/sh","-c","make"]}'


def image(command: str, layers: int) -> str:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": f"2026-01-0{layers}T00:00:00Z",
            "container_config": json.loads(command),
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{number}" + "0" * 63 for number in range(layers)],
            },
        }
    )


def sample() -> tuple[Memory, str, str]:
    images = Memory()
    base = images.add(image("{}", 1), built=Provenance.ELSEWHERE, name="base")
    built = images.add(image(MAKE, 2), base, Provenance.BUILT_HERE, name="app")
    return images, base, built


def test_docker_hit_and_miss(engine: Engine) -> None:
    images, base, built = sample()
    with engine.docker(images=images) as session:
        answer = session.lookup(docker.Step(PLATFORM, parent=base, config=MAKE))
        assert answer == docker.Answer(docker.Outcome.HIT_LOCAL, image=built)
        other = docker.Step(PLATFORM, parent=base, config='{"Cmd":["x"]}')
        assert session.lookup(other).outcome is docker.Outcome.MISS
        explanation = session.explain(other)
        assert explanation.summary.code == "docker/miss-all-rejected"
        [finding] = explanation.findings
        assert (finding.code, finding.subject) == ("docker/config-mismatch", built)
        [answers] = [session.replay([docker.Step(PLATFORM, parent=base, config=MAKE)])]
        assert [answer.image for answer in answers] == [built]


def test_docker_effects_are_classes_of_their_case(engine: Engine) -> None:
    images, base, _ = sample()
    child = images.add(image('{"Cmd":["copy"]}', 3), built=Provenance.ELSEWHERE, name="other")
    options = docker.Options(cache_from=[docker.Source("other", trusted=True)])
    step = docker.Step(PLATFORM, parent=base, config='{"Cmd":["copy"]}')
    with engine.docker(options, images=images) as session:
        assert session.describe().sources == (child,)
        for effect in session.plan(step).effects:
            match effect:
                case docker.EffectSetParent(link):
                    assert link.parent == base
                case docker.EffectCreate(creation):
                    assert creation.parent == base


def test_buildkit_export_and_read(engine: Engine) -> None:
    digest = "sha256:" + "a" * 64
    layer = layerwise.Descriptor(
        "application/vnd.oci.image.layer.v1.tar+gzip", "sha256:" + "1" * 64, 9
    )
    result = buildkit.Outcome("2026-01-02T00:00:00Z", layers=[layer])
    options = buildkit.Options(oci=True, image=True)
    with engine.instance() as instance, instance.buildkit.export_to(options) as exporter:
        root = exporter.add(buildkit.Entry(digest))
        assert root == 0
        assert exporter.add(buildkit.Entry("random:1")) is None
        alternative = buildkit.Alternative("", record=root)
        entry = buildkit.Entry("sha256:" + "b" * 64, inputs=[[alternative]], results=[result])
        exporter.add(entry)
        [added] = exporter.add_all('[{"digest":"x"}]')
        assert added.error is None or isinstance(added.error, layerwise.Refused)
        plan = exporter.plan()
        assert not plan.empty
        assert isinstance(plan.effects[0], buildkit.EffectLayer)
        layers = json.dumps(json.loads(plan.manifest)["layers"])
        config = buildkit.InputConfig(buildkit.ConfigInput(plan.config, layers))
        with instance.buildkit.read(config) as cache:
            assert cache.contents().records == 3
            exporter.merge(cache)
        assert instance.buildkit.attributes([buildkit.Attribute("oci-mediatypes", "true")]).oci


def test_errors_in_answers_are_exceptions_too(engine: Engine) -> None:
    options = buildkit.Options(oci=True, image=True)
    with engine.instance() as instance, instance.buildkit.export_to(options) as exporter:
        [added] = exporter.add_all('[{"digest":"d","inputs":[[{"record":7,"selector":""}]]}]')
        assert added.record is None
        assert isinstance(added.error, layerwise.Refused)
        assert added.error.operation


def test_buildpacks_restores(engine: Engine) -> None:
    request = buildpacks.RestoreRequest(group=[buildpacks.GroupElement("a/b", "1", "0.10")])
    options = buildpacks.RestoreOptions("/layers", "0.14")
    with engine.restorer(options, filesystem=Files("/layers")) as restorer:
        assert restorer.plan(request).files == ()
        assert restorer.restore(request).shas == ()


def test_stacker_opens(engine: Engine) -> None:
    places = stacker.Places("/p/stacker", "/p/roots", "/p/oci")
    options = stacker.Options(places, epoch=stacker.EpochSeconds(0))
    files = Files("/p", "/p/stacker", "/p/roots", "/p/oci")
    with engine.stacker(options, filesystem=files) as session:
        assert session.describe().state is stacker.State.ABSENT
        answer = session.lookup("nothing")
        assert answer.outcome is stacker.Outcome.MISS
        assert answer.reason is not None
        assert answer.reason.code == "stacker/layer-not-defined"
        with pytest.raises(Invalid) as refused:
            session.put("nothing", "null", stacker.Host("noon", ""))
        assert (refused.value.code, refused.value.subject) == ("stacker/bad-time", "noon")


def test_errors_are_exceptions_of_their_case(engine: Engine) -> None:
    with engine.instance() as instance:
        with pytest.raises(Invalid) as invalid:
            instance.docker.open(docker.Options(limits=[Limit("noon\x1b[2J", 1)]))
        problem = invalid.value.value
        assert problem.code == invalid.value.code
        assert invalid.value.code == "limits/unknown"
        assert "\x1b" not in str(invalid.value)
        with pytest.raises(Unsupported):
            instance.docker.compare_configs(None, None, layerwise.Semantics(version="1"))
        assert instance.docker.compare_configs("{}", "{}").equal


def test_every_case_of_the_contract_has_a_class() -> None:
    text = (Path(__file__).parents[3] / "wit" / "types.wit").read_text()
    variant = text.partition("variant error {")[2].partition("\n  }")[0]
    cases = [line.partition("(")[0].strip() for line in variant.splitlines() if "(" in line]
    assert [cls.case for cls in REFUSALS] == cases
    assert all(issubclass(cls, LayerwiseError) for cls in REFUSALS)


def test_a_closed_session_is_not_usable(engine: Engine) -> None:
    images, base, _ = sample()
    session = engine.docker(images=images)
    session.close()
    session.close()
    with pytest.raises(Closed):
        session.describe()
    with engine.instance() as instance:
        first = instance.docker.open(docker.Options())
        second = instance.docker.open(docker.Options())
        first.close()
        with pytest.raises(Closed):
            first.describe()
        assert second.describe().sources == ()
    with pytest.raises(Closed):
        second.describe()
    assert base


def test_a_failed_open_leaves_nothing(engine: Engine) -> None:
    options = docker.Options(limits=[Limit("nonsense", 1)])
    with pytest.raises(Invalid):
        engine.docker(options, images=Memory())


def test_resources_stay_in_their_instance(engine: Engine) -> None:
    options = buildkit.Options(oci=True, image=True)
    with engine.instance() as one, engine.instance() as other:
        exporter = one.buildkit.export_to(options)
        cache = other.buildkit.read(
            buildkit.InputConfig(buildkit.ConfigInput('{"layers":[],"records":[]}', "[]"))
        )
        with pytest.raises(Mismatch, match="lives in another instance"):
            exporter.merge(cache)
        with pytest.raises(Mismatch, match="expected Cache, not Exporter"):
            exporter.merge(exporter)  # type: ignore[arg-type]


def test_what_is_no_component_is_refused() -> None:
    with pytest.raises(EngineError, match="cannot be compiled"):
        Engine(b"\0asm\x0d\0\x01\0garbage", code_cache=None)
    with pytest.raises(FileNotFoundError):
        Engine(Path("/nowhere/layerwise.wasm"))


def test_unknown_functions_are_refused(engine: Engine) -> None:
    with engine.instance() as instance:
        for name in ("docker#nothing", "nothing#open", "docker#session", ""):
            with pytest.raises(EngineError):
                instance.call_json(name, [])
        assert instance.usable


def test_a_session_needs_its_store(engine: Engine) -> None:
    with pytest.raises(TypeError, match="lend images"):
        engine.docker()
    with pytest.raises(TypeError, match="lend filesystem"):
        engine.restorer(buildpacks.RestoreOptions("/layers", "0.14"))
