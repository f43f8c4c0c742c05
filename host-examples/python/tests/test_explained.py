"""Explanations as text."""

from __future__ import annotations

from layerwise import Difference, Engine, Explanation, Finding, Platform, docker, stores
from layerwise.explained import Catalogue


def test_a_miss_is_explained_with_advice(engine: Engine) -> None:
    images = stores.Memory()
    base = images.add('{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64"}')
    images.add(
        '{"rootfs":{"type":"layers"},"os":"linux","architecture":"amd64",'
        '"container_config":{"Cmd":["a"]}}',
        base,
    )
    step = docker.Step(Platform("linux", "amd64"), config='{"Cmd": ["b"]}', parent=base)
    with engine.instance() as instance:
        catalogue = Catalogue(instance.rules.all())
    with engine.docker(images=images) as session:
        explanation = session.explain(step)
    text = catalogue.text(explanation)
    assert text.startswith("docker/")
    assert explanation.nearest is not None
    for one in explanation.nearest.differences:
        assert one.path in text
    # Every finding that the catalogue has advice for has advice.
    assert "advice: " in text


def test_every_code_has_a_meaning(engine: Engine) -> None:
    with engine.instance() as instance:
        rules = instance.rules.all()
    catalogue = Catalogue(rules)
    for rule in rules:
        finding = Finding(rule.code, "", cascade=False)
        assert catalogue.meaning(finding) == rule.meaning
        nothing = not rule.advice or rule.advice.startswith("nothing to do")
        assert catalogue.advice(finding) == (None if nothing else rule.advice)
    hinted = Finding(rules[0].code, "", hint="do this", cascade=False)
    assert catalogue.advice(hinted) == "do this"


def test_text_of_images_is_safe_for_a_terminal() -> None:
    one = Difference("Env[0]\x1b", have="\x1b[2J", want=None)
    finding = Finding("x/y", "a\nb", differences=[one], cascade=True)
    text = Catalogue([]).text(Explanation(finding, considered=0))
    assert "\x1b" not in text
    assert text.splitlines()[0] == "then x/y: x/y (a\\nb)"
    assert "want nothing" in text
