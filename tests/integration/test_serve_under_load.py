"""Ray Serve under load on the loopback address: rolls, a killed replica, replicas that come and go, more than it takes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from rllib_citylearn.client import PolicyClient
from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.load import Load, drive, exchange, request
from serve.processes import descendants
from tests.bundles import observations, write_small_bundle
from tests.servers import free_port, wait_until_ready

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc"),
]

PATH = "/v1/communities/district/actions"


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    settings: Path
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def roll(self, serving: str, bundle: str | None = None) -> None:
        content = yaml.safe_load(self.settings.read_text())
        content["communities"]["district"]["serving"] = serving
        if bundle is not None:
            content["communities"]["district"]["versions"][serving] = bundle
        self.settings.write_text(yaml.safe_dump(content))
        self.process.send_signal(signal.SIGHUP)

    def replicas(self) -> list[int]:
        return [pid for pid in descendants(self.process.pid) if b"ServeReplica" in _program(pid)]


def _program(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@contextmanager
def serving(folder: Path, *options: str, **limits: int) -> Iterator[Server]:
    versions = {}
    for label, bias in (("v1", 0.0), ("v2", 0.7)):
        write_small_bundle(folder / label, name=label, bias=bias, memory=True)
        versions[label] = str(folder / label)
    settings = folder / "settings.yaml"
    district = {"versions": versions, "serving": "v1"}
    settings.write_text(yaml.safe_dump({"communities": {"district": district}, "limits": limits}))
    port = free_port()
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", "serve", "--settings", str(settings), "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    try:
        wait_until_ready(process, port, 120.0)
        yield Server(process, port, settings, folder)
    finally:
        started = {pid: _program(pid) for pid in descendants(process.pid)}
        process.terminate()
        process.wait(60)
    # Nothing that it started outlives it.
    wait_for(lambda: not any(p and _program(pid) == p for pid, p in started.items()), 20.0, "an end of all of them")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("two"), "--replicas", "2") as made:
        yield made


def body(server: Server) -> bytes:
    return httpx.get(f"{server.url}/v1/communities/district/example").content


def load(server: Server, connections: int, seconds: float, meanwhile: Callable[[], None], pause: float = 0.0) -> Load:
    """What became of requests while something else happened, in another thread."""
    sent = request("127.0.0.1", PATH, body(server))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(meanwhile)
        result = asyncio.run(drive("127.0.0.1", server.port, sent, connections, seconds, pause))
        other.result()
    return result


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


def versions_that_answer(server: Server, times: int = 24) -> set[str]:
    """On new connections each, so that every replica has its turn."""
    sent = body(server)
    return {httpx.post(f"{server.url}{PATH}", content=sent).json()["model"]["version"] for _ in range(times)}


def test_rolling_forward_and_back_loses_no_request(server: Server) -> None:
    def roll() -> None:
        for version in ("v2", "v1"):
            time.sleep(3.0)
            server.roll(version)
            wait_for(lambda version=version: versions_that_answer(server) == {version}, 40.0, f"rolling to {version}")

    result = Load()
    while sum(result.statuses.values()) < 5_000:
        part = load(server, 8, 20.0, roll)
        result.statuses += part.statuses
        assert set(part.statuses) == {200}, part.statuses
    assert set(result.statuses) == {200}


def test_a_damaged_version_is_refused_and_the_old_one_goes_on(server: Server) -> None:
    damaged = server.folder / "damaged"
    write_small_bundle(damaged, memory=True)
    actor = damaged / "actor.onnx"
    actor.write_bytes(actor.read_bytes()[:-10])
    whole = server.settings.read_text()
    result = load(server, 4, 6.0, lambda: server.roll("v3", str(damaged)))
    assert set(result.statuses) == {200}, result.statuses
    assert versions_that_answer(server) == {"v1"}
    said = (server.folder / "output").read_text()
    assert "The new settings are refused, and the old ones stay: actor.onnx" in said
    server.settings.write_text(whole)
    server.process.send_signal(signal.SIGHUP)


def test_calls_through_the_client_survive_a_killed_replica(server: Server) -> None:
    """With its memory: every answer is that of a policy that never lost anything."""
    runtime = PolicyRuntime(read_bundle(server.folder / "v1"))
    killed = server.replicas()
    assert len(killed) == 2
    results: list[list[bool]] = [[], [], [], []]
    end = time.monotonic() + 25.0

    def loop(k: int) -> None:
        state = None
        with PolicyClient(server.url, community="district", timeout_s=20.0, attempts=10, fallback=None) as client:
            hour = 0
            while time.monotonic() < end:
                rows = observations(runtime.community, 1000 * k + hour)
                answer = runtime.predict([rows], [state])
                (state,) = answer.states
                given = client.act(rows).actions
                right = [pytest.approx(row, abs=1e-6) for row in answer.values[0]] == given
                results[k].append(right and client.state == state)
                hour += 1

    threads = [threading.Thread(target=loop, args=(k,)) for k in range(len(results))]
    for thread in threads:
        thread.start()
    time.sleep(3.0)
    os.kill(killed[0], signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert min(map(len, results)) > 100
    assert all(all(calls) for calls in results)
    wait_for(lambda: len(server.replicas()) == 2, 60.0, "a new replica")


def test_replicas_come_with_load_and_go_again_without_losing_a_request(tmp_path: Path) -> None:
    with serving(tmp_path, "--replicas", "1-3") as server:
        wait_for(lambda: len(server.replicas()) == 1, 10.0, "one replica")
        most = 1

        def watch() -> None:
            nonlocal most
            end = time.monotonic() + 40.0
            while time.monotonic() < end:
                most = max(most, len(server.replicas()))
                time.sleep(0.5)

        result = load(server, 24, 45.0, watch)
        assert set(result.statuses) == {200}, result.statuses
        assert most == 3
        gone = partial(wait_for, lambda: len(server.replicas()) == 1, 55.0, "one replica")
        result = load(server, 1, 60.0, gone, pause=0.1)
        assert set(result.statuses) == {200}, result.statuses


def test_without_requests_no_replica_stays_and_the_next_one_waits_for_another(server: Server, tmp_path: Path) -> None:
    """Beside another server on the machine, which must not answer in its place."""
    server.roll("v2")
    wait_for(lambda: versions_that_answer(server) == {"v2"}, 40.0, "the other server rolls to v2")
    with serving(tmp_path, "--replicas", "0-2") as alone:
        sent = body(alone)
        for _ in range(2):
            wait_for(lambda: not alone.replicas(), 60.0, "no replica")
            answers = [httpx.post(f"{alone.url}{PATH}", content=sent, timeout=60.0) for _ in range(3)]
            assert [(a.status_code, a.json()["model"]["version"]) for a in answers] == [(200, "v1")] * 3
            assert alone.replicas()
    server.roll("v1")
    wait_for(lambda: versions_that_answer(server) == {"v1"}, 40.0, "and back")


def test_settings_that_are_none_are_refused_and_the_server_goes_on(server: Server) -> None:
    whole = server.settings.read_text()
    try:
        for broken in ("serving: 2026-02-30", "[" * 3000, "a: !!bool b", f'{whole}\ntokens: "/tmp/a\\0b"'):
            server.settings.write_text(broken)
            result = load(server, 2, 2.0, lambda: server.process.send_signal(signal.SIGHUP))
            assert set(result.statuses) == {200}, (broken[:30], result.statuses)
    finally:
        server.settings.write_text(whole)
    assert (server.folder / "output").read_text().count("The new settings are refused, and the old ones stay") >= 4


def test_a_stopping_server_gives_the_answers_that_it_owes(tmp_path: Path) -> None:
    async def ask_on(port: int, sent: bytes, stopping: threading.Event) -> list[int]:
        """Statuses until the server takes no more connections; 0 is an answer that did not come."""
        statuses: list[int] = []
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert stopping.is_set(), "no connection before the end"
                return statuses
            head = b""
            while b"connection: close" not in head:
                try:
                    status, head = await exchange(reader, writer, sent)
                except (OSError, EOFError):
                    status, head = 0, b"connection: close"
                statuses.append(status)
            writer.close()

    with serving(tmp_path, "--replicas", "2") as alone:
        sent, stopping = request("127.0.0.1", PATH, body(alone)), threading.Event()

        def stop() -> None:
            stopping.set()
            alone.process.terminate()

        async def all_of_them() -> list[list[int]]:
            asyncio.get_running_loop().call_later(3.0, stop)
            return await asyncio.gather(*(ask_on(alone.port, sent, stopping) for _ in range(6)))

        started = {pid: _program(pid) for pid in descendants(alone.process.pid)}
        connections = asyncio.run(all_of_them())
        alone.process.wait(60)
        wait_for(lambda: not any(p and _program(pid) == p for pid, p in started.items()), 20.0, "an end of all of them")
    assert all(set(statuses) == {200} for statuses in connections), [statuses[-3:] for statuses in connections]


def test_failures_stand_in_the_log_at_once(server: Server) -> None:
    identity = "looked-for-in-the-log"
    url = f"{server.url}/v1/communities/nowhere"
    response = httpx.get(url, headers={"x-request-id": identity})
    assert (response.status_code, response.headers.get_list("x-request-id")) == (404, [identity])
    said = (server.folder / "output").read_text()
    pattern = said.split("Logs, a JSON object a line: ")[1].splitlines()[0]
    folder, _, names = pattern.rpartition("/")

    def logged() -> bool:
        lines = [line for file in Path(folder).glob(names) for line in file.read_text(errors="replace").splitlines()]
        return any(identity in line and json.loads(line)["status"] == 404 for line in lines)

    wait_for(logged, 5.0, "a line in the log")


def test_more_than_it_takes_is_refused_with_a_time_to_come_back_and_nothing_else(tmp_path: Path) -> None:
    with serving(tmp_path, concurrent=2) as server:
        result = load(server, 64, 8.0, lambda: None)
        assert set(result.statuses) <= {200, 503}, result.statuses
        assert result.statuses[503] > 0
        assert result.statuses[200] > 100
        assert result.without_retry_after == 0
        after = load(server, 1, 3.0, lambda: None)
        assert set(after.statuses) == {200}, after.statuses
        assert after.percentile(0.5) < result.percentile(0.99)
