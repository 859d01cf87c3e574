"""The standalone overlay, which needs no operator, played by podman as docs/deploy.md has it applied."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
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
    """The overlay, the pod that bundles are copied through, and tokens, with the image that was built here."""
    folder = tmp_path_factory.mktemp("overlay")
    (folder / "tokens").write_text(f"me {_TOKEN}\n")
    volume = {"name": "tokens", "configMap": {"name": "policy-tokens"}}
    changes = [
        {"op": "replace", "path": "/spec/template/spec/volumes/4", "value": volume},
        {"op": "remove", "path": "/spec/template/spec/containers/0/volumeMounts/1"},
    ]
    (folder / "changes.yaml").write_text(yaml.safe_dump(changes))
    shutil.copy(K8S / "tools" / "bundles.yaml", folder)
    overlay = {
        "resources": [os.path.relpath(K8S / "overlays" / "standalone", folder), "bundles.yaml"],
        "namespace": "rllib-citylearn",
        "namePrefix": PREFIX,
        "images": [{"name": "rllib-citylearn-serve", "newName": serve_image, "newTag": "latest"}],
        # Podman 4.3 plays neither secrets as Kubernetes does, nor an emptyDir at /dev/shm that all may write to: the file of
        # tokens is a ConfigMap's here, and /dev/shm podman's own.
        "patches": [{"path": "changes.yaml", "target": {"kind": "Deployment"}}],
        "configMapGenerator": [{"name": "policy-tokens", "files": ["tokens"], "options": {"disableNameSuffixHash": True}}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return render(folder)


@contextmanager
def played(engine: Engine, documents: Documents, file: Path, of: str) -> Iterator[tuple[str, str]]:
    """Name and address of the one pod of a document while it runs; volumes stay."""
    file.write_text(yaml.safe_dump_all(documents))
    try:
        engine.podman("kube", "play", str(file))
        (pod,) = _pods(engine, of)
        infrastructure = engine.inspect(pod, "pod")["InfraContainerID"]
        networks = engine.inspect(infrastructure)["NetworkSettings"]["Networks"]
        yield pod, next(network["IPAddress"] for network in networks.values())
    finally:
        engine.podman("kube", "down", str(file), check=False)
        for pod in _pods(engine, of):
            engine.podman("pod", "rm", "--force", "--time", "0", pod, check=False)


def _pods(engine: Engine, of: str) -> list[str]:
    """Those of a Pod or Deployment: which letters are put behind its name depends on podman's version."""
    names = engine.podman("pod", "ps", "--format", "{{.Name}}").stdout.split()
    return [name for name in names if name == of or name.startswith(f"{of}-pod")]


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


def first_process(engine: Engine, container: str) -> str:
    """Its name."""
    return Path(f"/proc/{engine.inspect(container)['State']['Pid']}/comm").read_text().strip()


def stopped(engine: Engine, container: str) -> tuple[float, int]:
    """Seconds that it takes to end as Kubernetes asks for it, and its exit status; it is killed after 30 s."""
    started = time.monotonic()
    engine.podman("stop", "--time", "30", container)
    return time.monotonic() - started, int(engine.inspect(container)["State"]["ExitCode"])


def test_the_standalone_overlay_answers_and_ends_when_it_is_asked_to(
    engine: Engine, parts: Documents, bundle: Path, tmp_path: Path
) -> None:
    volume = named(parts, "PersistentVolumeClaim", f"{PREFIX}bundles")
    try:
        pod = named(parts, "Pod", f"{PREFIX}bundles")
        with played(engine, [volume, pod], tmp_path / "bundles.yaml", f"{PREFIX}bundles") as (name, _):
            shell = f"{name}-shell"
            engine.podman("cp", str(bundle), f"{shell}:/bundles/current")
            engine.podman("exec", shell, "rllib-citylearn", "bundle", "verify", "/bundles/current")
            assert first_process(engine, shell) == "tini"
            seconds, status = stopped(engine, shell)
            assert status == 128 + signal.SIGTERM
            assert seconds < 5
        names = [("ConfigMap", "standalone-settings"), ("ConfigMap", "policy-tokens"), ("Deployment", "policy-standalone")]
        server = [named(parts, kind, PREFIX + name) for kind, name in names]  # the volume is there; podman makes none twice
        with played(engine, server, tmp_path / "server.yaml", f"{PREFIX}policy-standalone") as (name, address):
            url = f"http://{address}:8000"
            print(f"\nready {ready(engine, url, name):.1f} s after it was played")
            runtime = PolicyRuntime(read_bundle(bundle))
            body = {"observations": observations(runtime.community, 2)}
            assert httpx.post(f"{url}/predict", json=body).status_code == 401
            given = httpx.post(f"{url}/predict", json=body, headers={"authorization": f"Bearer {_TOKEN}"}).raise_for_status()
            expected = runtime.predict([body["observations"]], [None]).values[0]
            assert given.json()["actions"] == [pytest.approx(row, abs=1e-6) for row in expected]
            container = f"{name}-policy"
            assert first_process(engine, container) == "tini"
            seconds, status = stopped(engine, container)
            print(f"ended {seconds:.1f} s after it was asked to")
            assert status == 0, f"killed after {seconds:.1f} s"
    finally:
        for one in ("bundles", "standalone-settings", "policy-tokens"):
            engine.podman("volume", "rm", "--force", f"{PREFIX}{one}", check=False)
