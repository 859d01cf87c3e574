"""The serve image as KubeRay's Ray container: commands, probes and the Serve config file that an operator gives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations
from tests.container.engine import Container, Engine
from tests.container.serving import TEMPORARY, WITHOUT_RIGHTS, mounted

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.container

_START = (
    "ulimit -n 65536; ray start --head --block --num-cpus=1 --dashboard-host=0.0.0.0 --metrics-export-port=8080 "
    "--dashboard-agent-listen-port=52365 --object-store-memory=100000000"
)
"""As the operator writes it, but for the object store's size."""

_RAYLET = "wget --tries 1 -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success"
_GCS = "wget --tries 1 -T 10 -q -O- http://localhost:8265/api/gcs_healthz | grep success"
_SERVE = "wget --tries 1 -T 10 -q -O- http://localhost:8000/-/healthz | grep success"
"""The operator's own probes: of any node, of the head, of a worker of a RayService."""

TOKEN = "0123456789abcdef0123456789abcdef"


def succeeds(container: Container, command: str, timeout_s: float) -> float:
    """Seconds until a command succeeds."""
    began = time.monotonic()
    while (done := container.run("bash", "-c", command, check=False)).returncode:
        assert time.monotonic() < began + timeout_s, f"{command}: {done.stdout}{done.stderr}\n{container.logs()[-3000:]}"
        time.sleep(0.5)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def head(engine: Engine, serve_image: str, bundle: Path) -> Iterator[Container]:
    options = ["--env=RAY_AUTH_MODE=token", f"--env=RAY_AUTH_TOKEN={TOKEN}", "--entrypoint=/bin/bash"]
    with engine.running(
        serve_image, "-c", "--", _START, options=[*WITHOUT_RIGHTS, *TEMPORARY, mounted(bundle), *options]
    ) as made:
        succeeds(made, "ray health-check --address 127.0.0.1:6379", 60.0)
        yield made


def test_the_operators_probes_succeed(head: Container) -> None:
    succeeds(head, f"{_RAYLET} && {_GCS}", 60.0)


def test_what_serve_imports_is_found_from_the_working_directory(head: Container) -> None:
    code = (
        "import serve.app, serve.autoscaling; print(serve.app.build_app.__name__, serve.autoscaling.BusyReplicas.__name__)"
    )
    assert head.run("python", "-c", code).stdout.split()[-2:] == ["build_app", "BusyReplicas"]


def test_the_autoscalers_command_is_there(head: Container) -> None:
    assert "--cluster-namespace" in head.run("ray", "kuberay-autoscaler", "--help").stdout


def test_the_serve_config_file_is_deployed_and_answers(head: Container, bundle: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    config["http_options"]["host"] = "0.0.0.0"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    head.engine.podman("cp", str(tmp_path / "config.yaml"), f"{head.name}:/tmp/config.yaml")
    succeeds(head, f"{_RAYLET} && {_GCS}", 60.0)
    head.run("serve", "deploy", "/tmp/config.yaml")
    print(
        f"answers {succeeds(head, _SERVE + ' && wget -q -O- http://localhost:8000/ready', 90.0):.1f} s after the deployment"
    )
    runtime = PolicyRuntime(read_bundle(bundle))
    rows = observations(runtime.community, 1)
    answer = httpx.post(f"http://{head.address}:8000/predict", json={"observations": rows}).raise_for_status().json()
    expected = runtime.predict([rows], [None]).values[0]
    assert [pytest.approx(row, abs=1e-6) for row in expected] == answer["actions"]
