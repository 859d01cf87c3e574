"""The serve image in a pod: what a Deployment asks for, played by podman."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations
from tests.container.engine import Engine
from tests.servers import free_port

_NAME = "citylearn-test-pod"

pytestmark = pytest.mark.container


def deployment(image: str, bundle: Path, port: int) -> dict[str, Any]:
    """A Deployment of one pod that keeps to Kubernetes' restricted profile."""
    probe = {"httpGet": {"path": "/health", "port": 8000}, "initialDelaySeconds": 5, "periodSeconds": 5, "timeoutSeconds": 5}
    container = {
        "name": "policy",
        "image": f"{image}:latest",
        "imagePullPolicy": "Never",
        "ports": [{"containerPort": 8000, "hostPort": port, "hostIP": "127.0.0.1"}],
        "securityContext": {
            "runAsUser": 1001,
            "runAsGroup": 1001,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"limits": {"memory": "2Gi"}},
        "livenessProbe": probe,
        "volumeMounts": [
            {"name": "bundle", "mountPath": "/bundles/current", "readOnly": True},
            {"name": "temporary", "mountPath": "/tmp"},
        ],
    }
    volumes = [
        {"name": "bundle", "hostPath": {"path": str(bundle), "type": "Directory"}},
        {"name": "temporary", "emptyDir": {}},
    ]
    labels = {"app": _NAME}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _NAME, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }


def test_a_deployment_of_it_answers(engine: Engine, serve_image: str, bundle: Path, tmp_path: Path) -> None:
    if shutil.which("catatonit") is None:
        pytest.skip("catatonit is not installed, with which podman starts pods")
    port = free_port()
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text(yaml.safe_dump(deployment(serve_image, bundle, port)))
    try:
        engine.podman("kube", "play", str(manifest))
        deadline, url = time.monotonic() + 240.0, f"http://127.0.0.1:{port}"
        while True:
            try:
                if httpx.get(f"{url}/ready", timeout=5.0).status_code == 200:
                    break
            except httpx.TransportError:
                pass  # not listening yet: the deadline ends this
            assert time.monotonic() < deadline, engine.podman("pod", "logs", f"{_NAME}-pod", check=False)
            time.sleep(0.3)
        runtime = PolicyRuntime(read_bundle(bundle))
        rows = observations(runtime.community, 2)
        given = httpx.post(f"{url}/predict", json={"observations": rows}).raise_for_status().json()
        assert [pytest.approx(row, abs=1e-6) for row in runtime.predict([rows], [None]).values[0]] == given["actions"]
    finally:
        engine.podman("kube", "down", str(manifest), check=False)
        engine.podman("pod", "rm", "--force", "--time", "0", f"{_NAME}-pod", check=False)
