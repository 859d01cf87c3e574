"""The serve image: what is in it, what it may, what it answers, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.load import exchange, request
from tests.bundles import observations, write_small_bundle
from tests.container.base import base_of, stand_in_of
from tests.container.engine import Engine
from tests.container.serving import (
    PORT,
    TEMPORARY,
    WITHOUT_RIGHTS,
    Served,
    memory_bytes,
    mounted,
    processes,
    proportional_bytes,
    served,
    status,
)

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def server(engine: Engine, serve_image: str, bundle: Path) -> Iterator[Served]:
    with served(engine, serve_image, mounted(bundle)) as made:
        yield made


@pytest.fixture(scope="module")
def image(engine: Engine, serve_image: str) -> dict[str, Any]:
    return engine.inspect(serve_image, "image")


def test_it_is_small(image: dict[str, Any]) -> None:
    print(f"serve image: {image['Size'] / 1e6:.0f} MB")
    assert image["Size"] <= 1.5e9


def test_it_says_what_it_is(image: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image["Labels"].items()}
    assert labels["version"] == project["version"]
    assert labels["licenses"] == project["license"]
    assert labels["revision"] == "0123abc"
    assert labels["source"] == "https://git.example.org/citylearn"
    base = base_of(ROOT / "docker" / "serve.Dockerfile")
    assert labels["base.name"] in (base, stand_in_of(base))
    assert labels["title"]
    assert labels["description"]


def test_ready_and_idle_within_what_was_promised(server: Served) -> None:
    time.sleep(5.0)
    held, proportional = memory_bytes(server.container), proportional_bytes(server.container)
    print(f"ready after {server.ready_s:.1f} s; idle {held / 1e6:.0f} MB, processes {proportional / 1e6:.0f} MB")
    assert server.ready_s <= 20.0
    assert proportional / 2 < held, "the control group counts something else"
    assert held <= 1.2e9


def test_it_answers_as_the_bundles_own_runtime_does(server: Served, bundle: Path) -> None:
    """Memory included: states go out and come back."""
    runtime = PolicyRuntime(read_bundle(bundle))
    state = sent = None
    for hour in range(30):
        rows = observations(runtime.community, hour)
        answer = runtime.predict([rows], [state])
        (state,) = answer.states
        given = httpx.post(f"{server.url}/predict", json={"observations": rows, "state": sent}).raise_for_status().json()
        sent = given["state"]
        assert [pytest.approx(row, abs=1e-6) for row in answer.values[0]] == given["actions"]
        assert sent == state


def test_no_process_of_it_may_anything(server: Served) -> None:
    pids = processes(server.container)
    assert len(pids) >= 4, "Ray's processes"
    for pid in pids:
        found = status(pid)
        assert found["Uid"].split() == ["1001"] * 4
        assert found["Gid"].split() == ["1001"] * 4
        assert {int(found[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert found["NoNewPrivs"] == "1"
        assert found["Seccomp"] == "2"


def test_no_process_listens_for_the_network_but_the_ingress_and_ray(server: Served) -> None:
    """Ray's own ports are behind its token; statistics and administration of the proxy are not reachable."""
    listening = {}
    for line in Path(f"/proc/{server.container.pid}/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A":
            address, _, port = local.partition(":")
            listening[int(port, 16)] = address
    assert PORT in listening
    for name in ("STATS", "METRICS"):
        variable = f"RAY_SERVE_HAPROXY_{name}_PORT="
        ports = {
            int(entry.removeprefix(variable))
            for pid in processes(server.container)
            for entry in Path(f"/proc/{pid}/environ").read_text().split("\0")
            if entry.startswith(variable)
        }
        assert ports
        assert {listening.get(port, "0100007F") for port in ports} == {"0100007F"}


def superfluous(engine: Engine, image: str) -> list[str]:
    """Modules and programs that serving does not need, of both of the image's Pythons."""
    code = (
        "import importlib.util as u, json, shutil; "
        "names = 'torch citylearn pip setuptools ensurepip virtualenv gymnasium pandas pytest numba'.split(); "
        "print(json.dumps([n for n in names if u.find_spec(n)] "
        "+ [p for p in 'pip pip3 gcc cc make git curl sudo'.split() if shutil.which(p)]))"
    )
    pythons = ("python", "/usr/local/bin/python3")
    done = [engine.once(image, "-c", code, options=["--entrypoint", python]) for python in pythons]
    return [name for one in done for name in json.loads(one.stdout)]


def with_rights(engine: Engine, image: str) -> list[str]:
    """Files that run with another user's rights."""
    search = ["/", "-xdev", "-type", "f", "-perm", "/6000"]
    done = engine.once(image, *search, options=["--user=0", "--entrypoint=find"])
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def writable(engine: Engine, image: str) -> list[str]:
    """What its user may write to outside /tmp."""
    done = engine.once(image, "/", "-xdev", "-writable", "-not", "-type", "l", options=["--entrypoint=find"])
    found = done.stdout.splitlines()
    assert "/tmp" in found, done.stderr
    return [path for path in found if path != "/tmp" and not path.startswith("/tmp/")]


def uncompiled(engine: Engine, image: str) -> list[str]:
    """Files that a server imports and that have to be compiled first."""
    code = (
        "import sys; sys.dont_write_bytecode = True; "
        "import json, os, importlib.util as u; "
        "import ray, ray.serve, serve.app, onnxruntime, rllib_citylearn.export, rllib_citylearn.cli.main; "
        "files = [getattr(m, '__file__', None) or '' for m in list(sys.modules.values())]; "
        "print(json.dumps([f for f in files if f.endswith('.py') and not os.path.exists(u.cache_from_source(f))]))"
    )
    done = engine.once(image, "-c", code, options=["--entrypoint=python"])
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


CHECKS = (superfluous, with_rights, writable, uncompiled)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds_nothing_that_it_should_not(
    engine: Engine, serve_image: str, check: Callable[[Engine, str], list[str]]
) -> None:
    assert check(engine, serve_image) == []


def test_what_is_planted_in_it_is_found(engine: Engine, serve_image: str, tmp_path: Path) -> None:
    packages = "/opt/venv/lib/python3.11/site-packages"
    lines = [
        f"FROM {serve_image}",
        "USER root",
        f"RUN mkdir -m 0777 /open {packages}/torch && touch {packages}/torch/__init__.py && chmod u+s /usr/bin/wget \\",
        f"    && rm {packages}/serve/__pycache__/app.*.pyc && chmod 0755 {packages}/torch",
        "USER 1001:1001",
    ]
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    tag = "localhost/citylearn-test-planted"
    try:
        engine.build(tag, tmp_path, tmp_path / "Dockerfile")
        found = [check(engine, tag) for check in CHECKS]
    finally:
        engine.podman("image", "rm", "--force", tag, check=False)
    assert found == [["torch"], ["/usr/bin/wget"], ["/open"], [f"{packages}/serve/app.py"]]


def test_its_health_check_tells_a_server_from_none(engine: Engine, serve_image: str, server: Served) -> None:
    assert engine.podman("healthcheck", "run", server.container.name, check=False).returncode == 0
    with engine.running(serve_image, "300", options=["--entrypoint=sleep"]) as idle:
        assert engine.podman("healthcheck", "run", idle.name, check=False).returncode != 0


def test_a_login_shell_finds_the_programs(engine: Engine, serve_image: str) -> None:
    done = engine.once(serve_image, "-lc", "command -v ray serve rllib-citylearn", options=["--entrypoint=bash"])
    assert done.stdout.split() == [f"/opt/venv/bin/{name}" for name in ("ray", "serve", "rllib-citylearn")], done.stderr


def ended(engine: Engine, image: str, *options: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return engine.once(image, *arguments, options=[*WITHOUT_RIGHTS, *options])


def test_without_a_bundle_it_ends_with_a_sentence(engine: Engine, serve_image: str) -> None:
    done = ended(engine, serve_image, *TEMPORARY)
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no bundle at /bundles/current" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_bundle_is_named(engine: Engine, serve_image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    damaged = tmp_path / "damaged"
    write_small_bundle(damaged)
    actor = damaged / "actor.onnx"
    actor.write_bytes(actor.read_bytes()[:-10])
    damaged.chmod(0o755)
    done = ended(engine, serve_image, *TEMPORARY, mounted(damaged))
    assert done.returncode == 2
    assert "actor.onnx in /bundles/current does not match its checksum" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_that_its_user_may_not_read_is_named(engine: Engine, serve_image: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    write_small_bundle(secret)
    secret.chmod(0o700)
    done = ended(engine, serve_image, *TEMPORARY, mounted(secret))
    assert done.returncode == 2, done.stderr
    assert "/bundles/current" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_place_for_temporary_files_it_ends_with_a_sentence(engine: Engine, serve_image: str, bundle: Path) -> None:
    done = ended(engine, serve_image, mounted(bundle))
    assert done.returncode == 2, done.stderr
    assert "mount an empty one at /tmp" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_little_memory_is_said_before_anything_is_started(engine: Engine, serve_image: str, bundle: Path) -> None:
    done = ended(engine, serve_image, *TEMPORARY, mounted(bundle), "--memory=512m", "--memory-swap=512m")
    assert done.returncode == 2, done.stderr
    assert "The memory limit is 512 MiB" in done.stderr
    assert "Starting" not in done.stdout


def test_too_few_processes_are_said_before_anything_is_started(engine: Engine, serve_image: str, bundle: Path) -> None:
    done = ended(engine, serve_image, *TEMPORARY, mounted(bundle), "--pids-limit=128")
    assert done.returncode == 2, done.stderr
    assert "No more than 128 processes and threads are allowed" in done.stderr
    assert "Starting" not in done.stdout


def test_a_command_that_it_has_no_packages_for_is_said(engine: Engine, serve_image: str) -> None:
    done = ended(engine, serve_image, *TEMPORARY, arguments=("train", "tune_configs/quick.yaml"))
    assert done.returncode == 2, done.stderr
    assert "is not installed here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["raylet", "gcs_server"])
def test_it_ends_with_a_sentence_when_the_core_of_ray_is_killed(
    engine: Engine, serve_image: str, bundle: Path, program: str
) -> None:
    with served(engine, serve_image, mounted(bundle)) as server:
        names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] for pid in processes(server.container)}
        (core,) = (pid for pid, name in names.items() if name.endswith(f"/{program}".encode()))
        os.kill(core, signal.SIGKILL)
        assert server.container.wait(30.0) != 0
        assert f"Ray's {program} ended" in server.container.logs()


def test_a_stop_under_load_loses_no_request(engine: Engine, serve_image: str, bundle: Path) -> None:
    runtime = PolicyRuntime(read_bundle(bundle))
    body = json.dumps({"observations": observations(runtime.community, 3)}).encode()
    with served(engine, serve_image, mounted(bundle)) as server:
        host = server.url.removeprefix("http://").partition(":")[0]
        sent, stopping = request(host, "/predict", body), threading.Event()
        stopped: list[float] = []

        def stop() -> None:
            stopping.set()
            began = time.monotonic()
            engine.podman("stop", "--time", "30", server.container.name)
            stopped.append(time.monotonic() - began)

        async def load() -> list[list[int]]:
            asyncio.get_running_loop().call_later(3.0, threading.Thread(target=stop).start)
            return await asyncio.gather(*(ask_until_it_is_gone(host, sent, stopping) for _ in range(8)))

        connections = asyncio.run(load())
        assert server.container.wait(40.0) == 0
        while not stopped:
            time.sleep(0.1)
    answers = [status for statuses in connections for status in statuses]
    print(f"{len(answers)} requests around a stop of {stopped[0]:.1f} s, {sum(s != 200 for s in answers)} failed")
    assert len(answers) > 300
    assert set(answers) == {200}
    assert stopped[0] < 25.0, "it was killed"


def test_a_stop_while_it_starts_is_heard(engine: Engine, serve_image: str, bundle: Path) -> None:
    """The first process of a container ignores what it has no handler for."""
    options = [*WITHOUT_RIGHTS, *TEMPORARY, mounted(bundle)]
    for passed in (0.2, 3.0):
        with engine.running(serve_image, options=options) as container:
            time.sleep(passed)
            began = time.monotonic()
            engine.podman("stop", "--time", "150", container.name)
            print(f"stopped {passed:g} s after its start within {time.monotonic() - began:.1f} s")
            assert container.wait(5.0) != 137, "it was killed"


async def ask_until_it_is_gone(host: str, sent: bytes, stopping: threading.Event) -> list[int]:
    """Statuses of one request after the other until no connection is taken any more; 0 is an answer that did not come."""
    statuses: list[int] = []
    while True:
        try:
            async with asyncio.timeout(3.0):
                reader, writer = await asyncio.open_connection(host, PORT)
        except (OSError, TimeoutError):
            assert stopping.is_set(), "no connection before the end"
            return statuses
        head = b""
        while b"connection: close" not in head:
            try:
                async with asyncio.timeout(20.0):
                    answered, head = await exchange(reader, writer, sent)
            except (OSError, EOFError, TimeoutError):
                answered, head = 0, b"connection: close"
            statuses.append(answered)
        writer.close()


def test_new_settings_leave_no_dead_processes(engine: Engine, serve_image: str, tmp_path: Path) -> None:
    """HAProxy is started anew when replicas come or go; the first process has to bury what nobody else does."""
    tmp_path.chmod(0o755)
    for version in ("one", "two"):
        write_small_bundle(tmp_path / version, name=version, bias=0.5 if version == "two" else 0.0)
        (tmp_path / version).chmod(0o755)
    settings = tmp_path / "settings.json"

    def write(serving: str) -> None:
        versions = {version: f"/bundles/{version}" for version in ("one", "two")}
        settings.write_text(json.dumps({"communities": {"default": {"versions": versions, "serving": serving}}}))
        settings.chmod(0o644)

    write("one")
    arguments = ("serve", "--settings", "/bundles/settings.json", "--host", "0.0.0.0", "--replicas", "0-2")
    with served(engine, serve_image, f"--volume={tmp_path}:/bundles:ro", *arguments) as server:
        body = httpx.get(f"{server.url}/v1/communities/default/example", timeout=30.0).json()
        dead: list[int] = []
        for version in ("two", "one", "two"):
            write(version)
            engine.podman("kill", "--signal", "HUP", server.container.name)
            deadline = time.monotonic() + 60.0
            while True:
                answer = httpx.post(f"{server.url}/v1/communities/default/actions", json=body, timeout=30.0)
                if answer.status_code == 200 and answer.json()["model"]["version"] == version:
                    break
                assert time.monotonic() < deadline, server.container.logs()[-2000:]
                time.sleep(0.3)
            time.sleep(15.0)  # without requests no replica stays
            dead.append(sum(status(pid)["State"].startswith("Z") for pid in processes(server.container)))
        print(f"dead processes after each roll: {dead}")
        assert dead[-1] <= 2, dead
