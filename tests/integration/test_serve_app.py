"""The whole way: the command line starts Ray Serve, HTTP requests get the policy's actions, a signal ends it all."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from rllib_citylearn.cli.serve import SHIPPED, newest_bundle, shipped_bundle
from rllib_citylearn.errors import UserError
from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.autoscaling import BusyReplicas
from serve.processes import descendants
from serve.settings import settings
from tests.bundles import observations, write_small_bundle
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-m", "rllib_citylearn.cli.main", "serve"]
START_TIMEOUT_S = 90.0

linux_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    output: Path
    home: Path
    bundle: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    write_small_bundle(folder / "bundle")
    port = free_port()
    home = folder / "home"
    home.mkdir()
    output = folder / "output"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {"HOME": str(home)}
    command = [*CLI, str(folder / "bundle"), "--port", str(port)]
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while "Stop with Ctrl-C" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, f"not up after {START_TIMEOUT_S:g} s: {output.read_text()}"
            time.sleep(0.2)
        yield Server(process, f"http://127.0.0.1:{port}", output, home, folder / "bundle")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(45)


def test_answers_are_the_runtimes(server: Server) -> None:
    runtime = PolicyRuntime(read_bundle(server.bundle))
    with httpx.Client(base_url=server.url) as client:
        for seed in range(10):
            observed = observations(runtime.community, seed)
            response = client.post("/predict", json={"observations": observed})
            assert response.json() == {"actions": runtime.actions(observed)}
        batch = [observations(runtime.community, seed) for seed in range(3)]
        response = client.post("/predict", json={"observations": batch})
        assert response.json() == {"actions": runtime.batch_actions(batch)}
        (model,) = client.get("/v1/models").json()["models"]
        assert model["sha256"] == runtime.sha256


def test_bad_requests_are_refused_through_the_proxy_too(server: Server) -> None:
    with httpx.Client(base_url=server.url, headers={"content-type": "application/json"}) as client:
        answers = {
            "not JSON": client.post("/predict", content=b"{"),
            "not a number": client.post("/predict", content=b'{"observations": [[NaN]]}'),
            "too large": client.post("/predict", content=b" " * ((1 << 20) + 1)),
            "no such path": client.get("/nothing"),
            "wrong method": client.get("/predict"),
        }
    assert [answer.status_code for answer in answers.values()] == [400, 422, 413, 404, 405]
    assert {answer.headers["content-type"] for answer in answers.values()} == {"application/problem+json"}
    assert answers["wrong method"].headers["allow"] == "POST"


def test_the_printed_example_works(server: Server) -> None:
    if subprocess.run(["sh", "-c", "command -v curl"], capture_output=True).returncode != 0:
        pytest.skip("curl is not installed")
    text = server.output.read_text()
    (example,) = [line for line in text.splitlines() if line.strip().startswith("curl")]
    result = subprocess.run(["sh", "-c", example], capture_output=True, text=True, timeout=30, check=True)
    actions = json.loads(result.stdout)["actions"]
    assert {name: len(row) for name, row in actions.items()} == {"Building_1": 1, "Building_2": 2, "Building_10": 1}


def test_a_port_in_use_is_said_in_a_sentence(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    command = [*CLI, str(server.bundle), "--port", port]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert f"Port {port} of 127.0.0.1 is in use" in result.stderr
    assert "Traceback" not in result.stderr


@linux_only
def test_requests_come_in_through_haproxy_which_listens_on_the_loopback_address_alone(server: Server) -> None:
    started = descendants(server.process.pid)
    programs = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].rpartition(b"/")[2] for pid in started}
    proxies = [pid for pid, program in programs.items() if program == b"haproxy"]
    assert proxies, set(programs.values())
    doors = [address for pid in proxies for address in listening(pid)]
    assert f"127.0.0.1:{server.url.rpartition(':')[2]}" in doors
    assert {address.rpartition(":")[0] for address in doors} == {"127.0.0.1"}
    # Ports that are chosen lie below those that the system gives out, at which Ray's own services are.
    chosen = {address for pid in started for address in listening(pid) if 20_000 <= int(address.rpartition(":")[2]) < 32_000}
    replicas = chosen - set(doors)
    assert replicas
    assert {address.rpartition(":")[0] for address in replicas} == {"127.0.0.1"}


@linux_only
def test_ray_obeys_nobody_without_its_token(server: Server) -> None:
    """Its own services listen on all interfaces, whatever they are told."""
    replica = next(pid for pid in descendants(server.process.pid) if b"raylet" in Path(f"/proc/{pid}/cmdline").read_bytes())
    environment = dict(
        entry.split("=", 1) for entry in Path(f"/proc/{replica}/environ").read_text().split("\0") if "=" in entry
    )
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(environment["RAY_AUTH_TOKEN"]) == 64
    arguments = Path(f"/proc/{replica}/cmdline").read_bytes()
    assert environment["RAY_AUTH_TOKEN"].encode() not in arguments, "everybody on the machine can read those"


def listening(pid: int) -> list[str]:
    """Addresses at which a process waits for TCP connections, as ``127.0.0.1:8000``."""
    inodes = set()
    for door in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = str(Path(door).readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for table, size in (("tcp", 8), ("tcp6", 32)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                raw = bytes.fromhex(address)
                words = b"".join(raw[i : i + 4][::-1] for i in range(0, size // 2, 4))
                found.append(f"{ipaddress.ip_address(words)}:{int(port, 16)}")
    return found


@linux_only
def test_replicas_import_neither_torch_nor_citylearn(server: Server) -> None:
    replicas = [pid for pid in descendants(server.process.pid) if b"Replica" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert replicas
    for pid in replicas:
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "onnxruntime" in maps
        assert "libtorch" not in maps


@linux_only
def test_sigterm_ends_it_without_leftovers(server: Server) -> None:
    """Stays the last test of this module: it ends the server."""
    started = descendants(server.process.pid)
    assert started
    server.process.terminate()
    assert server.process.wait(45) == 0, server.output.read_text()
    assert "Traceback" not in server.output.read_text()
    deadline = time.monotonic() + 10.0
    while (left := [pid for pid in started if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health")
    assert list(server.home.iterdir()) == [], "something was written to the home folder"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_config_file_is_one_that_serve_accepts() -> None:
    from ray.serve.config import AutoscalingConfig
    from ray.serve.schema import ServeDeploySchema

    content = yaml.safe_load((ROOT / "serve" / "config.yaml").read_text())
    schema = ServeDeploySchema.model_validate(content)
    (application,) = schema.applications
    assert application.import_path == "serve.app:build_app"
    assert application.args == {}, "a change of args replaces replicas, a change of user_config doesn't"
    assert settings(application.deployments[0].user_config).served
    (deployment,) = application.deployments
    assert deployment.name == "PolicyServer"
    limits = settings(deployment.user_config).limits
    assert limits.concurrent < deployment.max_ongoing_requests, "or else Serve refuses first, without Retry-After"
    policy = AutoscalingConfig(**deployment.autoscaling_config).policy
    assert policy.policy_function == "serve.autoscaling:BusyReplicas"
    BusyReplicas(**policy.policy_kwargs)


def test_the_application_is_built_without_torch_or_citylearn(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle")
    code = (
        "import sys; from serve.app import build_app\n"
        "app = build_app({'bundle': sys.argv[1]})\n"
        "print(sorted({'torch', 'citylearn', 'numba'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "bundle")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_newest_bundle_is_that_of_the_run_that_finished_last(tmp_path: Path) -> None:
    for name in ("first", "second", "unfinished"):
        (tmp_path / name / "bundle").mkdir(parents=True)
    for age, name in ((10, "second"), (1000, "first")):
        report = tmp_path / name / "report.json"
        report.write_text("{}")
        os.utime(report, (time.time() - age,) * 2)
    assert newest_bundle(tmp_path) == tmp_path / "second" / "bundle"


def test_without_a_run_the_shipped_policy_is_served_and_without_that_the_way_to_one_is_said(tmp_path: Path) -> None:
    assert newest_bundle(tmp_path) is None
    assert shipped_bundle(ROOT / SHIPPED, tmp_path) == ROOT / SHIPPED
    assert read_bundle(ROOT / SHIPPED).manifest.training["name"] == "full"
    with pytest.raises(UserError, match="make train"):
        shipped_bundle(tmp_path / "bundles", tmp_path)


@linux_only
def test_a_port_that_somebody_took_meanwhile_is_said_in_a_sentence(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle")
    code = (
        "import sys; from serve import launch; from rllib_citylearn.cli.main import main\n"
        "launch._take_ports = lambda held: int(sys.argv[1])\n"
        "sys.exit(main(['serve', sys.argv[2], '--port', sys.argv[3]]))"
    )
    with socket.create_server(("127.0.0.1", free_port())) as stranger:
        taken = stranger.getsockname()[1]
        command = [sys.executable, "-c", code, str(taken), str(tmp_path / "bundle"), str(free_port())]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2, result.stderr
    assert "The proxy did not start" in result.stderr
    assert f"cannot bind socket (Address already in use) for [127.0.0.1:{taken}]" in result.stderr
    assert "Traceback" not in result.stderr
