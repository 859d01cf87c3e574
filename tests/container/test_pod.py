"""The plain parts of the local overlay, those that need no operator, played by podman as docs/deploy.md has them applied."""

from __future__ import annotations

import base64
import copy
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations
from tests.container.engine import Engine
from tests.k8s.documents import K8S, Documents, named, needs_kubectl, render

PREFIX = f"citylearn-test-{secrets.token_hex(3)}-"
"""Before every name: volumes and pods of others, another run of these tests among them, stay what they are."""

_TOKEN = secrets.token_hex(16)

pytestmark = [
    pytest.mark.container,
    needs_kubectl,
    pytest.mark.skipif(shutil.which("catatonit") is None, reason="catatonit is not here, with which podman starts pods"),
]


@pytest.fixture(scope="module")
def parts(serve_image: str, tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """The overlay, the pod that bundles are copied through, and a secret, with the image that was built here."""
    folder = tmp_path_factory.mktemp("overlay")
    (folder / "tokens").write_text(f"me {_TOKEN}\n")
    shutil.copy(K8S / "tools" / "bundles.yaml", folder)
    overlay = {
        "resources": [os.path.relpath(K8S / "overlays" / "local", folder), "bundles.yaml"],
        "namespace": "rllib-citylearn",
        "namePrefix": PREFIX,
        "images": [{"name": "rllib-citylearn-serve", "newName": serve_image, "newTag": "latest"}],
        "secretGenerator": [{"name": "policy-tokens", "files": ["tokens"], "options": {"disableNameSuffixHash": True}}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return render(folder)


def as_podman_reads_it(document: dict[str, Any], memory: Path) -> dict[str, Any]:
    """The same for podman 4.3.

    It writes secrets down undecoded and crashes where one's ``optional`` is left to its default. Its folders for a while
    (``emptyDir``) are volumes of their plain names, on a disk and without ``fsGroup``; ports it opens on the machine.

    Args:
        document: a manifest.
        memory: a folder in memory that everybody may write to, for those that are to be in memory.
    """
    result = copy.deepcopy(document)
    if result["kind"] == "Secret":
        result["data"] = {key: base64.b64decode(text).decode() for key, text in result["data"].items()}
    pod = result["spec"]["template"]["spec"] if result["kind"] == "Deployment" else result.get("spec", {})
    for container in pod.get("containers", []):
        container.pop("ports", None)
        for mount in container["volumeMounts"]:
            mount["name"] = PREFIX + mount["name"]
    for volume in pod.get("volumes", []):
        volume["name"] = PREFIX + volume["name"]
        if "secret" in volume:
            volume["secret"]["optional"] = False
        if volume.get("emptyDir", {}).get("medium") == "Memory":
            del volume["emptyDir"]
            volume["hostPath"] = {"path": str(memory)}
    return result


def names(engine: Engine, kind: str) -> list[str]:
    """Pods or volumes of these tests."""
    found = engine.podman(kind, "ls", "--format", "{{.Name}}").stdout.split()
    return [name for name in found if name.startswith(PREFIX)]


@contextmanager
def played(engine: Engine, documents: Documents, file: Path) -> Iterator[str]:
    """The one pod's address while it runs; volumes stay."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir="/dev/shm") as memory:
        Path(memory).chmod(0o1777)
        read = [as_podman_reads_it(document, Path(memory)) for document in documents]
        file.write_text(yaml.safe_dump_all(one for one in read if one["kind"] != "Secret"))
        yield from _played(engine, file, [one for one in read if one["kind"] == "Secret"])


def _played(engine: Engine, file: Path, kept: Documents) -> Iterator[str]:
    secrets_file = file.with_name("secret.yaml")
    try:
        for secret in kept:
            secrets_file.write_text(yaml.safe_dump(secret))
            engine.podman("secret", "create", secret["metadata"]["name"], str(secrets_file))
        engine.podman("kube", "play", str(file))
        (pod,) = names(engine, "pod")
        infrastructure = engine.inspect(pod, "pod")["InfraContainerID"]
        networks = engine.inspect(infrastructure)["NetworkSettings"]["Networks"]
        yield next(network["IPAddress"] for network in networks.values())
    finally:
        for pod in names(engine, "pod"):
            engine.podman("pod", "rm", "--force", "--time", "0", pod, check=False)
        for secret in kept:
            engine.podman("secret", "rm", secret["metadata"]["name"], check=False)


def ready(engine: Engine, url: str, timeout_s: float = 120.0) -> float:
    """Seconds until it says that it is."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < timeout_s:
        try:
            if httpx.get(f"{url}/ready", timeout=5.0).status_code == 200:
                return passed
        except httpx.TransportError:
            pass  # not listening yet: the deadline ends this
        time.sleep(0.3)
    said = [engine.podman("pod", "logs", pod, check=False) for pod in names(engine, "pod")]
    pytest.fail(f"not ready after {passed:.0f} s:\n{said}")


def test_the_local_overlay_without_the_operator_answers(
    engine: Engine, parts: Documents, bundle: Path, tmp_path: Path
) -> None:
    volume = named(parts, "PersistentVolumeClaim", f"{PREFIX}bundles")
    try:
        pod = named(parts, "Pod", f"{PREFIX}bundles")
        with played(engine, [volume, pod], tmp_path / "bundles.yaml"):
            shell = f"{PREFIX}bundles-shell"
            engine.podman("cp", str(bundle), f"{shell}:/bundles/current")
            engine.podman("exec", shell, "rllib-citylearn", "bundle", "verify", "/bundles/current")
        wanted = [("ConfigMap", "standalone-settings"), ("Secret", "policy-tokens"), ("Deployment", "policy-standalone")]
        # The volume is there by now; podman refuses to make it a second time.
        server = [named(parts, kind, PREFIX + name) for kind, name in wanted]
        with played(engine, server, tmp_path / "server.yaml") as address:
            url = f"http://{address}:8000"
            print(f"\nready {ready(engine, url):.1f} s after it was played")
            runtime = PolicyRuntime(read_bundle(bundle))
            body = {"observations": observations(runtime.community, 2)}
            assert httpx.post(f"{url}/predict", json=body).status_code == 401
            given = httpx.post(f"{url}/predict", json=body, headers={"authorization": f"Bearer {_TOKEN}"}).raise_for_status()
            expected = runtime.predict([body["observations"]], [None]).values[0]
            assert given.json()["actions"] == [pytest.approx(row, abs=1e-6) for row in expected]
    finally:
        for name in names(engine, "volume"):
            engine.podman("volume", "rm", "--force", name, check=False)
