"""Registries over `wasi:http`: a real one, and one that answers what a test wants."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Registry, need, run
from layouts import LAYER, Layout
from server import (
    CONFIG_TEXT,
    TYPED,
    Answering,
    Server,
    asking,
    digest,
    failure,
    image,
    manifest,
    opened,
)

from layerwise import (
    Annotation,
    Corrupt,
    Denied,
    Descriptor,
    Engine,
    HostError,
    Invalid,
    Limits,
    Refused,
    Unsupported,
    Wasi,
    buildkit,
    buildpacks,
)
from layerwise.registry import SourceRepository
from layerwise.stores import sha256

DIGEST = "sha256:" + "0" * 64
HERE = sha256(manifest())
CACHE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def test_a_cache_is_exported_to_a_registry_and_read(registry: Registry, tmp_path: Path) -> None:
    """Layers are copied out of a layout, once; skopeo reads what was written."""
    repository = f"{registry.host}/a/cache"
    blob = Layout(tmp_path / "built").blob(b"layer" * 100_000)
    told = Annotation("containerd.io/uncompressed", blob.digest)
    layer = Descriptor(LAYER, blob.digest, blob.size, [told])
    engine = Engine(wasi=Wasi(None, {"/w": tmp_path}, network=True))
    options = buildkit.Options(oci=True, image=True, source=SourceRepository("oci:/w/built"))
    step = buildkit.Outcome("2026-01-02T00:00:00Z", [layer])
    manifests = []
    for _ in range(2):
        with engine.exporter(options) as exporter:
            root = exporter.add(buildkit.Entry(sha256(b"root@0")))
            link = buildkit.Alternative("", record=root)
            exporter.add(buildkit.Entry(sha256(b"step"), inputs=[[link]], results=[step]))
            pushed = exporter.finalize(repository, f"{repository}:t")
        manifests.append(json.loads(pushed.descriptor))
    assert manifests[0] == manifests[1]
    found = manifests[0]
    manifest = Descriptor(found["mediaType"], found["digest"], found["size"])
    with engine.instance() as instance:
        where = buildkit.InputManifest(buildkit.ManifestInput(repository, manifest))
        with instance.buildkit.read(where) as cache:
            assert cache.contents().records == 2
        report = instance.buildkit.inspect(where, read_layers=True)
        assert {verdict.standing.value for verdict in report.verdicts} <= {"hit", "key"}
        lie = Descriptor(manifest.media_type, DIGEST, manifest.size)
        absent = buildkit.InputManifest(buildkit.ManifestInput(repository, lie))
        with pytest.raises(Refused, match=DIGEST):
            instance.buildkit.read(absent)
    need("skopeo")
    run(
        "skopeo",
        "copy",
        "--src-tls-verify=false",
        f"docker://{repository}:t",
        f"oci:{tmp_path}/c:1",
    )
    assert (tmp_path / "c" / "blobs" / "sha256" / blob.digest[7:]).stat().st_size == blob.size


def test_a_digest_is_checked(server: Server) -> None:
    assert digest(asking(), f"{server.host}/a:1") == HERE
    assert digest(asking(), f"{server.host}/a@{HERE}") == HERE
    assert DIGEST in str(failure(asking(), f"{server.host}/a@{DIGEST}"))
    with asking().instance() as instance:
        for wrong in (
            Descriptor(CACHE, DIGEST, len(manifest())),
            Descriptor(CACHE, HERE, len(manifest()) - 1),
            Descriptor(CACHE, HERE, len(manifest()) + 1),
        ):
            asked = buildkit.ManifestInput(f"{server.host}/a", wrong)
            with pytest.raises(Corrupt):
                instance.buildkit.read(buildkit.InputManifest(asked))


def test_passing_trouble_is_waited_out(server: Server) -> None:
    statuses = [503, 429, 200, 200]

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        status = statuses.pop(0) if statuses else 200
        return (status, *image(method, path, secret)[1:])

    server.answer = answer
    assert digest(asking(), f"{server.host}/a:1") == HERE
    assert not statuses


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (403, Denied),
        (405, Unsupported),
        (413, HostError),
        (418, HostError),
        (507, HostError),
    ],
)
def test_refusals_have_codes_and_the_registrys_words(
    server: Server, status: int, kind: type[Refused]
) -> None:
    body = json.dumps({"errors": [{"code": "NO", "message": "\x1b[2J because"}]}).encode()
    server.answer = lambda method, path, secret: (status, {}, body)
    refused = failure(asking(), f"{server.host}/a:1")
    assert type(refused) is kind
    assert f"the registry returned {status}" in str(refused)
    assert "because" in str(refused)
    assert "\x1b" not in str(refused)


@pytest.mark.parametrize("status", [401, 404])
def test_what_is_not_there_or_not_shown_is_no_image(server: Server, status: int) -> None:
    server.answer = lambda method, path, secret: (status, {}, b"")
    assert digest(asking(), f"{server.host}/a:1") is None


def test_a_registry_that_is_gone_is_an_error() -> None:
    gone = Server()
    gone.close()
    assert gone.host in str(failure(asking(), f"{gone.host}/a:1"))


def test_endless_redirections_end(server: Server) -> None:
    for location in (None, "ftp://x/y", "file:///etc/passwd"):
        server.answer = lambda method, path, secret, to=location: (  # type: ignore[misc]
            302,
            {"Location": to or path},
            b"",
        )
        assert isinstance(failure(asking(), f"{server.host}/a:1"), HostError)
    assert len(server.asked) < 20


def logins(directory: Path, *hosts: str, **login: str) -> Path:
    """A directory with credentials as Docker keeps them."""
    directory.mkdir(exist_ok=True)
    config = {"auths": dict.fromkeys(hosts, login)}
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def basic(login: str) -> str:
    return base64.b64encode(login.encode()).decode()


def test_credentials_of_docker(server: Server, tmp_path: Path) -> None:
    """In each of the ways in which Docker keeps them, for this registry only."""

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if secret == f"Basic {basic('user:pa:ss')}":
            return image(method, path, secret)
        return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""

    server.answer = answer
    there = f"{server.host}/a:1"
    for good in (
        logins(tmp_path / "a", server.host, auth=basic("user:pa:ss")),
        logins(tmp_path / "b", server.host, username="user", password="pa:ss"),
        logins(tmp_path / "c", f"http://{server.host}/v1/", auth=basic("user:pa:ss")),
    ):
        assert digest(asking(good), there) == HERE
    for bad in (
        logins(tmp_path / "d", server.host, auth=basic("user:other")),
        logins(tmp_path / "e", "127.0.0.1", auth=basic("user:pa:ss")),
        logins(tmp_path / "f", server.host),
        None,
    ):
        assert digest(asking(bad), there) is None
    # A file that is none is an error that repeats nothing of it.
    (tmp_path / "f" / "config.json").write_text('{"auths": {"a": {"auth": ["secret"')
    assert "secret" not in str(failure(asking(tmp_path / "f"), there))
    # No program is run: whoever keeps credentials with one has none here.
    helper = tmp_path / "f" / "docker-credential-x"
    helper.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    helper.chmod(0o755)
    (tmp_path / "f" / "config.json").write_text('{"credsStore": "x"}')
    opened_or_not(tmp_path / "f", there)
    assert not (tmp_path / "ran").exists()


def opened_or_not(docker_config: Path, reference: str) -> None:
    try:
        assert digest(asking(docker_config), reference) is None
    except Refused as refused:
        assert "credential" in str(refused)


def with_tokens(server: Server, wanted: str) -> Answering:
    """A registry that takes tokens from a service of its own."""

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            if secret == wanted or (wanted == "POST" and method == "POST"):
                return 200, {}, b'{"token":"pass","expires_in":300}'
            return 401, {}, b"{}"
        if secret == "Bearer pass":
            return image(method, path, secret)
        asked = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:a:pull"'
        return 401, {"WWW-Authenticate": asked}, b""

    return answer


def test_bearer_tokens(server: Server, tmp_path: Path) -> None:
    there = f"{server.host}/a:1"
    server.answer = with_tokens(server, f"Basic {basic('user:word')}")
    good = logins(tmp_path / "a", server.host, auth=basic("user:word"))
    with opened(asking(good), there) as found:
        assert found.describe().digest == HERE
    assert len([path for _, path, _ in server.asked if path.startswith("/token")]) == 1
    wrong = logins(tmp_path / "b", server.host, auth=basic("user:wrong"))
    assert digest(asking(wrong), there) is None
    server.answer = with_tokens(server, "POST")
    identity = logins(tmp_path / "c", server.host, identitytoken="refresh")
    assert digest(asking(identity), there) == HERE
    given = logins(tmp_path / "d", server.host, registrytoken="pass")
    assert digest(asking(given), there) == HERE


def test_passwords_stay_with_their_registry(server: Server, tmp_path: Path) -> None:
    """A redirection to another address is followed without them."""
    other = Server()
    try:

        def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
            if "Basic" in secret:
                return 307, {"Location": f"http://{other.host}{path}"}, b""
            return 401, {"WWW-Authenticate": 'Basic realm="r"'}, b""

        server.answer = answer
        keys = logins(tmp_path / "a", server.host, auth=basic("user:word"))
        assert digest(asking(keys), f"{server.host}/a:1") == HERE
        assert other.asked
        assert {secret for _, _, secret in other.asked} == {""}
    finally:
        other.close()


def cached(layer: bytes, diff: str, media_type: str, size: int | None = None) -> Answering:
    """A registry with a cache image of one layer."""
    blob = Descriptor(media_type, sha256(layer), len(layer) if size is None else size)
    layers = {"x": {"sha": diff, "cache": True, "build": False, "launch": False}}
    label = json.dumps({"buildpacks": [{"key": "a/b", "version": "1", "layers": layers}]})
    document: dict[str, Any] = json.loads(CONFIG_TEXT)
    document["rootfs"]["diff_ids"] = [diff]
    document["config"] = {"Labels": {"io.buildpacks.lifecycle.cache.metadata": label}}
    config = json.dumps(document).encode()

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        del method, secret
        if path.endswith(blob.digest):
            return 200, {}, layer
        return (200, {}, config) if "/blobs/" in path else (200, TYPED, manifest(config, (blob,)))

    return answer


def verified(server: Server, diff: str, limits: Limits = Limits()) -> buildpacks.LayerAnswer:
    """What checking the layer of a cache image comes to."""
    with opened(asking(), f"{server.host}/a:1", limits) as found:
        [moved] = found.verify([diff])
    return moved


def test_layers_are_checked(server: Server) -> None:
    tar = b"\0" * 1024
    packed = gzip.compress(tar)
    for layer, kind in ((tar, LAYER), (packed, f"{LAYER}+gzip")):
        server.answer = cached(layer, sha256(tar), kind)
        assert verified(server, sha256(tar)).finding.code == "buildpacks/layer-verified"
        server.answer = cached(layer, DIGEST, kind)
        assert verified(server, DIGEST).finding.code != "buildpacks/layer-verified"
    # Bytes that are others than the manifest says, more of them, or fewer.
    good = cached(packed, sha256(tar), f"{LAYER}+gzip")
    for wrong in (packed + b"x", packed[:-1], b"x" * len(packed)):

        def answer(
            method: str, path: str, secret: str, body: bytes = wrong
        ) -> tuple[int, dict[str, str], bytes]:
            found = good(method, path, secret)
            return (200, {}, body) if found[2] == packed else found

        server.answer = answer
        assert verified(server, sha256(tar)).finding.code != "buildpacks/layer-verified"


def test_an_interrupted_blob_goes_on(server: Server) -> None:
    content = bytes(range(256)) * 2000
    whole = cached(content, sha256(content), LAYER)
    asked = []

    def answer(method: str, path: str, secret: str) -> tuple[int, dict[str, str], bytes]:
        found = whole(method, path, secret)
        if found[2] != content:
            return found
        asked.append(path)
        if len(asked) == 1:
            return 200, {"Content-Length": str(len(content))}, content[:100_000]
        return 206, {"Content-Range": f"bytes 100000-/{len(content)}"}, content[100_000:]

    server.answer = answer
    assert verified(server, sha256(content)).finding.code == "buildpacks/layer-verified"
    assert len(asked) == 2
