"""Image stores over OCI layouts, by themselves and with other tools."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path

import pytest
from conftest import need, run

from layerwise import Engine, Failure, FailureCode, Platform, docker
from layerwise.image_store import Facts, Image, Provenance
from layerwise.stores import OciLayout
from layerwise.stores.documents import is_name
from layerwise.stores.hashing import sha256
from layerwise.stores.layout import Layout
from layerwise.stores.names import parse

EMPTY = '{"rootfs":{"type":"layers"}}'
LIMIT = 1 << 20


def document(layers: list[str], **members: object) -> str:
    return json.dumps({**members, "rootfs": {"type": "layers", "diff_ids": layers}})


def image(answer: Image | Failure) -> Image:
    assert not isinstance(answer, Failure), answer
    return answer


def code(answer: object) -> FailureCode:
    assert isinstance(answer, Failure), answer
    return answer.code


def test_images_and_links_are_stored(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    base = store.create(None, EMPTY, None)
    child = store.create(base, document([], author="a"), None)
    assert base == sha256(EMPTY.encode())
    assert store.children(None) == [base]
    assert store.children(base) == [child]
    everything = Facts.DOCUMENT | Facts.PARENT | Facts.BUILT
    found = image(OciLayout(tmp_path).get([child], everything, LIMIT)[0])
    assert found == Image(child, document([], author="a"), base, Provenance.ELSEWHERE)
    store.set_built_here(child, True)
    assert image(store.get([child], Facts.BUILT, 0)[0]).built is Provenance.BUILT_HERE
    store.set_parent(base, child)
    assert store.children(None) == []
    before = (tmp_path / "index.json").read_bytes()
    assert store.create(base, document([], author="a"), None) == child
    assert (tmp_path / "index.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".layerwise.lock",
        "blobs",
        "index.json",
        "oci-layout",
    ]


def test_answers_fit_into_the_limit(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    ids = [store.create(None, document([], author="x" * size), None) for size in (10, 20, 400)]
    sizes = [len(document([], author="x" * size)) for size in (10, 20, 400)]
    answers = store.get(ids, Facts.DOCUMENT, sizes[0] + sizes[1])
    assert len(answers) == 3
    assert code(answers[2]) is FailureCode.TOO_LARGE
    assert len(store.get(ids, Facts.DOCUMENT, sizes[2])) == 2
    assert len(store.get(ids, Facts.PARENT, 0)) == 3
    assert code(store.get(["sha256:" + "0" * 64], Facts(0), 0)[0]) is FailureCode.NOT_FOUND
    assert code(store.get(["x"], Facts(0), 0)[0]) is FailureCode.INVALID


def test_names_and_beginnings_of_ids(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    one = store.create(None, EMPTY, None)
    other = store.create(None, document([], author="b"), None)
    store.tag(one, "app:1")
    store.tag(one, "docker.io/library/busybox:latest")
    names = ["app:1", one, one.removeprefix("sha256:"), one[7:20], "no", "", other[:15]]
    answers = store.resolve(names, LIMIT)
    ids = [None if isinstance(answer, Failure) else answer.id for answer in answers]
    assert ids == [one, one, one, one, None, None, other]
    store.tag(other, "app:1")
    assert image(store.resolve(["app:1"], LIMIT)[0]).id == other
    with pytest.raises(Failure):
        store.tag(one, "../x")
    for good in ("latest", "a/b:c@sha256+d", "a--b", "localhost:5000/a:1"):
        assert is_name(good)
    for bad in ("", "/", "a/", "-a", "a..b", "a---b", "a b", "a\n", "ä", "a" * 256):
        assert not is_name(bad)


def test_docker_names_are_completed() -> None:
    for text, full in {
        "busybox": "docker.io/library/busybox:latest",
        "a/b:1": "docker.io/a/b:1",
        "index.docker.io/a": "docker.io/library/a:latest",
        "ghcr.io/a/b": "ghcr.io/a/b:latest",
        "localhost/a": "localhost/a:latest",
        "[::1]:5000/a:t": "[::1]:5000/a:t",
    }.items():
        assert parse(text).full() == full
    for text in ("A", "a b", "a:", "a@sha256:1", "host/../a", "", "a//b", "http://h/a", "\x1b[2m"):
        with pytest.raises(ValueError):
            parse(text)


def test_layers_are_found_in_other_images(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    layer = layer_tar()
    diff_id = sha256(layer)
    with pytest.raises(Failure) as missing:
        store.create(None, document([diff_id]), None)
    assert missing.value.code is FailureCode.NOT_FOUND
    base = add_image(tmp_path, layer, "")
    assert store.ids() == [base]
    child = store.create(base, document([diff_id], author="x"), diff_id)
    manifests = json.loads((tmp_path / "index.json").read_text())["manifests"]
    manifest = json.loads(Layout(tmp_path).blob_path(manifests[-1]["digest"]).read_text())
    assert [entry["digest"] for entry in manifest["layers"]] == [diff_id]
    assert store.children(base) == [child]
    with pytest.raises(Failure, match="not the last one"):
        store.create(base, document([diff_id], author="y"), "sha256:" + "0" * 64)
    for wrong in ("[]", "x", '{"rootfs":{"diff_ids":["x"]}}', '{"rootfs":{"diff_ids":7}}'):
        with pytest.raises(Failure) as invalid:
            store.create(None, wrong, None)
        assert invalid.value.code is FailureCode.INVALID


def layer_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"hello"))
    return buffer.getvalue()


def add_image(root: Path, layer: bytes, name: str) -> str:
    """Adds an image as another tool would."""
    layout = Layout(root)
    layer_type = "application/vnd.oci.image.layer.v1.tar"
    config = document([sha256(layer)]).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": sha256(config),
                "size": len(config),
            },
            "layers": [{"mediaType": layer_type, "digest": sha256(layer), "size": len(layer)}],
        }
    ).encode()
    with layout.locked():
        for blob in (layer, config, manifest):
            layout.store(blob)
    index = json.loads((root / "index.json").read_text())
    entry: dict[str, object] = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": sha256(manifest),
        "size": len(manifest),
    }
    if name:
        entry["annotations"] = {"org.opencontainers.image.ref.name": name}
    index["manifests"].append(entry)
    index["theirs"] = {"kept": True}
    (root / "index.json").write_text(json.dumps(index))
    return sha256(config)


def test_what_others_wrote_is_kept_and_notes_do_not_pass_on(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    base = add_image(tmp_path, layer_tar(), "base")
    store.set_built_here(base, True)
    index = json.loads((tmp_path / "index.json").read_text())
    assert index["theirs"] == {"kept": True}
    # umoci copies the annotations of an entry to the image it derives from it.
    other = add_image(tmp_path, b"\0" * 1024, "")
    index = json.loads((tmp_path / "index.json").read_text())
    index["manifests"][1]["annotations"] = index["manifests"][0]["annotations"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    built = [image(answer).built for answer in store.get([base, other], Facts.BUILT, 0)]
    assert built == [Provenance.BUILT_HERE, Provenance.UNKNOWN]


def test_broken_blobs_are_told(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    layout = Layout(tmp_path)
    for text, wanted in ((b"", FailureCode.TRUNCATED), (EMPTY.encode()[:-1] + b"!", "corrupt")):
        one = store.create(None, EMPTY, None)
        layout.blob_path(one).write_bytes(text)
        [answer] = store.get([one], Facts.DOCUMENT, LIMIT)
        assert code(answer) == wanted
    layout.blob_path(one).unlink()
    [answer] = store.get([one], Facts.DOCUMENT, LIMIT)
    assert code(answer) is FailureCode.NOT_FOUND
    layout.blob_path(one).symlink_to("/dev/zero")
    [answer] = store.get([one], Facts.DOCUMENT, LIMIT)
    assert code(answer) is FailureCode.CORRUPT


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "truncated"),
        ('{"manifests":[', "truncated"),
        ("[]", "corrupt"),
        ('{"manifests":7}', "corrupt"),
        ('{"layers":[]}', "corrupt"),
        ('{"mediaType":"x"}', "corrupt"),
        ("[" * 100_000, "corrupt"),
        ("\x00", "corrupt"),
    ],
)
def test_a_broken_index_is_told(tmp_path: Path, text: str, wanted: str) -> None:
    OciLayout.create_at(tmp_path)
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(Failure) as failure:
        OciLayout(tmp_path)
    assert failure.value.code == wanted


def test_odd_entries_are_passed_over(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    kept = store.create(None, EMPTY, None)
    index = json.loads((tmp_path / "index.json").read_text())
    manifest = "application/vnd.oci.image.manifest.v1+json"
    index["manifests"] += [
        7,
        {"digest": 7},
        {"mediaType": manifest, "digest": "../../etc/passwd", "size": 1},
        {"mediaType": manifest, "digest": "sha256:" + "0" * 64, "size": 1},
        {"mediaType": manifest, "digest": kept, "size": len(EMPTY)},
    ]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert store.ids() == [kept]
    with pytest.raises(Failure, match="of its entries cannot be read"):
        store.set_parent(kept, "sha256:" + "1" * 64)
    store.set_built_here(kept, True)
    assert (
        json.loads((tmp_path / "index.json").read_text())["manifests"][1:]
        == (index["manifests"][1:])
    )


def test_what_is_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure) as missing:
        OciLayout(tmp_path)
    assert missing.value.code is FailureCode.NOT_FOUND
    (tmp_path / "other").write_text("x")
    with pytest.raises(Failure) as conflict:
        OciLayout.create_at(tmp_path)
    assert conflict.value.code is FailureCode.CONFLICT
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"9"}')
    with pytest.raises(Failure) as version:
        OciLayout(tmp_path)
    assert version.value.code is FailureCode.UNSUPPORTED


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "layout"
    store = OciLayout.create_at(root)
    (root / "blobs" / "sha256").rmdir()
    (root / "blobs" / "sha256").symlink_to(outside)
    with pytest.raises(Failure) as denied:
        store.create(None, EMPTY, None)
    assert denied.value.code is FailureCode.DENIED
    assert list(outside.iterdir()) == []


def test_writers_take_turns(tmp_path: Path) -> None:
    OciLayout.create_at(tmp_path)

    def add(number: int) -> None:
        store = OciLayout(tmp_path)
        for again in range(5):
            store.create(None, document([], author=f"{number} {again}"), None)

    threads = [threading.Thread(target=add, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(OciLayout(tmp_path).ids()) == 20


def test_another_writer_is_waited_for(tmp_path: Path) -> None:
    store = OciLayout.create_at(tmp_path)
    impatient = OciLayout(tmp_path, lock_wait=0.05)
    with Layout(tmp_path).locked(), pytest.raises(Failure) as busy:
        impatient.create(None, EMPTY, None)
    assert busy.value.code is FailureCode.UNAVAILABLE
    assert store.create(None, EMPTY, None)


def test_umoci_and_skopeo_read_what_is_written(engine: Engine, tmp_path: Path) -> None:
    need("umoci", "skopeo")
    root = tmp_path / "layout"
    run("umoci", "init", "--layout", root)
    run("umoci", "new", "--image", f"{root}:base")
    (tmp_path / "hello").write_text("hello")
    run("umoci", "insert", "--image", f"{root}:base", tmp_path / "hello", "/hello")
    store = OciLayout(root)
    base = image(store.resolve(["base"], LIMIT)[0])
    assert base.document is not None
    child = json.loads(base.document)
    child["author"] = "child"
    made = store.create(base.id, json.dumps(child), None)
    store.tag(made, "child")
    inspected = json.loads(run("skopeo", "inspect", f"oci:{root}:child", "--config"))
    assert inspected["author"] == "child"
    run("skopeo", "copy", f"oci:{root}:child", f"oci:{tmp_path / 'copy'}:child")
    run("umoci", "unpack", "--rootless", "--image", f"{root}:child", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "rootfs" / "hello").read_text() == "hello"
    # umoci collects what nobody refers to; the link is still there.
    run("umoci", "gc", "--layout", root)
    assert OciLayout(root).children(base.id) == [made]
    step = docker.Step(Platform("linux", "amd64"), parent=base.id, config="{}")
    with engine.docker(images=store) as session:
        assert session.explain(step).considered == 1
