"""The Serve config of an overlay's RayService, deployed on a Ray of this machine as KubeRay deploys it on the head's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations, write_small_bundle
from tests.k8s.documents import ROOT, overlay, serve_config
from tests.servers import free_port

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here to render k8s/")

TOKEN = "a-token-of-at-least-16-characters"
TIMEOUT_S = 180.0

DRIVER = """
import json, os, signal, sys, tempfile, threading
from contextlib import ExitStack
from pathlib import Path
from serve.launch import _close_ray, _signal_haproxy, _stop, _take_ports, haproxy_environment

folder, config = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
with ExitStack() as held:
    _close_ray()
    proxy = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="citylearn-")))  # sockets' paths are short
    os.environ.update(haproxy_environment(proxy, _take_ports(held)))
    import ray
    from ray.serve._private.api import serve_start
    from ray.serve.schema import ServeDeploySchema

    options = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 100 << 20, "log_to_driver": False}
    for attempt in (1, 2, 3):
        try:
            ray.init(address="local", **options)
            break
        except Exception as error:
            if "timed out during startup" not in str(error) or attempt == 3:
                raise  # on a busy machine Ray's own half minute may be too short
            ray.shutdown()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    schema = ServeDeploySchema.model_validate(config)  # as the dashboard does with what the operator sends
    http = schema.http_options
    client = serve_start(http_options={"host": http.host, "port": http.port, "location": "HeadOnly"})
    client.deploy_apps(schema)
    while not ended.wait(0.5):
        (application,) = client.get_serve_details()["applications"].values()
        (deployment,) = application["deployments"].values() or [{}]
        said = {"status": str(application["status"]), "message": deployment.get("message", "")}
        said["first_port"] = int(os.environ["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"])
        (folder / "said.json.new").write_text(json.dumps(said))
        (folder / "said.json.new").rename(folder / "said.json")
    _signal_haproxy(proxy, "SIGUSR1", 2.0)
    _stop()
    _signal_haproxy(proxy, "SIGTERM")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_small_bundle(tmp_path / "bundle")
    (tmp_path / "tokens").write_text(f"somebody {TOKEN}\n")
    return tmp_path


@pytest.fixture
def server(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of what the overlay `local` deploys, with paths and port of this machine in place of the pods'."""
    config = serve_config(overlay("local"))
    assert config is not None
    text = yaml.safe_dump(config)
    assert "/bundles/current" in text
    assert "/secrets/tokens" in text
    bundle = folder / getattr(request, "param", "bundle")
    text = text.replace("/bundles/current", str(bundle)).replace("/secrets/tokens", str(folder / "tokens"))
    ours = yaml.safe_load(text)
    port = free_port()
    ours["http_options"] |= {"host": "127.0.0.1", "port": port}
    (folder / "config.json").write_text(json.dumps(ours))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), "RAY_worker_niceness": "0"}
    # A busy machine is not what is tried here.
    environment |= {f"RAY_SERVE_PROXY_{check}_CHECK_TIMEOUT_S": "30" for check in ("READY", "HEALTH")}
    command = [sys.executable, "-c", DRIVER, str(folder), str(folder / "config.json")]
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def wait_for(url: str, folder: Path, *paths: str) -> None:
    """Until all of them are answered with 200, or the server has ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            if all(httpx.get(url + path, timeout=5.0).status_code == 200 for path in paths):
                return
        except httpx.TransportError:
            pass  # not up yet
        output = (folder / "output").read_text()
        assert time.monotonic() < deadline, output[-3000:]
        assert "Traceback" not in output, output[-3000:]
        time.sleep(0.5)


def first_request(server: str) -> str:
    """What the first request of docs/deploy.md is answered, sent as it is written there."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^TOKEN=.*\ncurl .*/ready\n((?:.*\n)+?)```", page, flags=re.M)
    assert "http://127.0.0.1:8000" in commands
    ours = commands.replace("http://127.0.0.1:8000", server)
    done = subprocess.run(
        ["bash", "-c", ours], env={**os.environ, "TOKEN": TOKEN}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_answers_those_who_have_a_token(server: str, folder: Path) -> None:
    wait_for(server, folder, "/-/healthz", "/ready")  # what pods' readiness goes by
    runtime = PolicyRuntime(read_bundle(folder / "bundle"))
    observed = observations(runtime.community, 1)
    answers = [
        httpx.post(f"{server}/predict", json={"observations": observed}, headers=headers, timeout=30.0)
        for headers in ({"authorization": f"Bearer {TOKEN}"}, {})
    ]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0].json() == {"actions": runtime.actions(observed)}
    assert len(json.loads(first_request(server))["actions"]) == len(runtime.building_names)
    # Prometheus asks the replica itself, at the first of its ports.
    port = json.loads((folder / "said.json").read_text())["first_port"]
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30.0).text
    assert 'citylearn_policy_model_info{community="default"' in metrics
    assert "replica=" in metrics


@pytest.mark.parametrize("server", ["no-bundle"], indirect=True)
def test_without_a_bundle_nobody_is_answered_and_serve_says_why(server: str, folder: Path) -> None:
    deadline, said = time.monotonic() + TIMEOUT_S, {"message": ""}
    while "There is no bundle at" not in said["message"]:
        output = (folder / "output").read_text()
        assert time.monotonic() < deadline, (said, output[-3000:])
        assert "Traceback" not in output.replace(said["message"], ""), output[-3000:]
        time.sleep(0.5)
        if (folder / "said.json").is_file():
            said = json.loads((folder / "said.json").read_text())
    assert said["status"] != "RUNNING"
    with pytest.raises((httpx.TransportError, httpx.HTTPStatusError)):
        httpx.get(f"{server}/ready", timeout=5.0).raise_for_status()
