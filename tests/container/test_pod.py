"""The plain parts of the local overlay, those that need no operator, played by podman as docs/deploy.md has them applied."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations
from tests.container.engine import Engine
from tests.k8s.documents import K8S, Documents, named, needs_kubectl, render

PREFIX = "citylearn-test-"
"""Before every name: volumes and pods of others stay what they are."""

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


@contextmanager
def played(engine: Engine, documents: Documents, file: Path, pod: str) -> Iterator[str]:
    """Its address while the pod runs; volumes stay."""
    file.write_text(yaml.safe_dump_all(documents))
    try:
        engine.podman("kube", "play", str(file))
        infrastructure = engine.inspect(pod, "pod")["InfraContainerID"]
        networks = engine.inspect(infrastructure)["NetworkSettings"]["Networks"]
        yield next(network["IPAddress"] for network in networks.values())
    finally:
        engine.podman("kube", "down", str(file), check=False)
        engine.podman("pod", "rm", "--force", "--time", "0", pod, check=False)


def ready(engine: Engine, url: str, pod: str, timeout_s: float = 120.0) -> float:
    """Seconds until it says that it is."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < timeout_s:
        try:
            if httpx.get(f"{url}/ready", timeout=5.0).status_code == 200:
                return passed
        except httpx.TransportError:
            pass  # not listening yet: the deadline ends this
        time.sleep(0.3)
    pytest.fail(f"not ready after {passed:.0f} s:\n{engine.podman('pod', 'logs', pod, check=False)}")


def test_the_local_overlay_without_the_operator_answers(
    engine: Engine, parts: Documents, bundle: Path, tmp_path: Path
) -> None:
    volume = named(parts, "PersistentVolumeClaim", f"{PREFIX}bundles")
    try:
        pod = named(parts, "Pod", f"{PREFIX}bundles")
        with played(engine, [volume, pod], tmp_path / "bundles.yaml", f"{PREFIX}bundles"):
            shell = f"{PREFIX}bundles-shell"
            engine.podman("cp", str(bundle), f"{shell}:/bundles/current")
            engine.podman("exec", shell, "rllib-citylearn", "bundle", "verify", "/bundles/current")
        names = [("ConfigMap", "standalone-settings"), ("Secret", "policy-tokens"), ("Deployment", "policy-standalone")]
        server = [volume, *(named(parts, kind, PREFIX + name) for kind, name in names)]
        with played(engine, server, tmp_path / "server.yaml", f"{PREFIX}policy-standalone-pod") as address:
            url = f"http://{address}:8000"
            print(f"\nready {ready(engine, url, f'{PREFIX}policy-standalone-pod'):.1f} s after it was played")
            runtime = PolicyRuntime(read_bundle(bundle))
            body = {"observations": observations(runtime.community, 2)}
            assert httpx.post(f"{url}/predict", json=body).status_code == 401
            given = httpx.post(f"{url}/predict", json=body, headers={"authorization": f"Bearer {_TOKEN}"}).raise_for_status()
            expected = runtime.predict([body["observations"]], [None]).values[0]
            assert given.json()["actions"] == [pytest.approx(row, abs=1e-6) for row in expected]
    finally:
        engine.podman("volume", "rm", "--force", f"{PREFIX}bundles", check=False)
        engine.podman("secret", "rm", f"{PREFIX}policy-tokens", check=False)
