"""How fast policies are served: Ray Serve as ``serve`` starts it, beside the same handler under uvicorn, in one run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rllib_citylearn.errors import UserError
from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.load import Load, drive, request
from serve.processes import processor_seconds

CONNECTIONS = (1, 8, 64)

_HOST = "127.0.0.1"
_READY_S = 90.0
_WARM_S = 1.0

_UVICORN = (
    "import sys, uvicorn\n"
    "from serve.asgi import PolicyApp\n"
    "from serve.settings import settings\n"
    "app = PolicyApp()\n"
    "app.use(*app.prepare(settings({'bundle': sys.argv[1], 'limits': {'concurrent': 1024}})))\n"
    "uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[2]), log_level='error', access_log=False)\n"
)


@dataclass(frozen=True)
class ServingSpeed:
    """One server at one number of connections.

    Attributes:
        connections: each sends its next request when the last is answered.
        requests_per_s: answered with 200, a second.
        p50_ms, p99_ms: how long an answer took, for half and for 99% of them.
        cpu_ms: processor time of all of the server's processes, a request.
        failed: requests that were not answered with 200.
    """

    connections: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failed: int


@dataclass(frozen=True)
class ServingBenchmark:
    """What ``bench serve`` measured.

    Attributes:
        bundle: the policy.
        buildings: number N.
        request_bytes, answer_bytes: sizes of the bodies, with the state of a policy that has one.
        serve: Ray Serve with one replica.
        uvicorn: the same handler without Ray.
        ratio_at_8: of the requests a second at eight connections.
    """

    bundle: str
    buildings: int
    request_bytes: int
    answer_bytes: int
    serve: list[ServingSpeed]
    uvicorn: list[ServingSpeed]
    ratio_at_8: float

    def to_dict(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


def measure(bundle: Path, seconds: float, port: int) -> ServingBenchmark:
    """Serve a bundle from this machine in both ways and measure each at 1, 8 and 64 connections.

    Both servers are up all the time, and take turns, so that what else the machine does is the same for both.

    Args:
        bundle: folder of the policy.
        seconds: for each figure.
        port: the first of two free TCP ports of the loopback address.

    Raises:
        UserError: a server did not start.
    """
    runtime = PolicyRuntime(read_bundle(bundle))
    rows, states = runtime.example(), None
    for _ in range(24):
        states = runtime.predict([rows], states).states or None
    asked = json.dumps({"observations": rows} | ({"state": states[0]} if states else {})).encode()
    answer = {"actions": runtime.actions(rows)} | ({"state": states[0]} if states else {})
    speeds: dict[str, list[ServingSpeed]] = {"serve": [], "uvicorn": []}
    cli = [sys.executable, "-m", "rllib_citylearn.cli.main", "serve", str(bundle), "--port", str(port)]
    plain = [sys.executable, "-c", _UVICORN, str(bundle), str(port + 1)]
    with _server(cli, port) as serve, _server(plain, port + 1) as uvicorn:
        for connections in CONNECTIONS:
            for name, server, at in (("serve", serve, port), ("uvicorn", uvicorn, port + 1)):
                speeds[name].append(_speed(server.pid, at, request(_HOST, "/predict", asked), connections, seconds))
    ratio = speeds["serve"][1].requests_per_s / speeds["uvicorn"][1].requests_per_s
    return ServingBenchmark(
        bundle=str(bundle),
        buildings=len(rows),
        request_bytes=len(asked),
        answer_bytes=len(json.dumps(answer, separators=(",", ":"))),
        serve=speeds["serve"],
        uvicorn=speeds["uvicorn"],
        ratio_at_8=ratio,
    )


def _speed(pid: int, port: int, sent: bytes, connections: int, seconds: float) -> ServingSpeed:
    asyncio.run(drive(_HOST, port, sent, connections, _WARM_S))
    before = processor_seconds(pid)
    load: Load = asyncio.run(drive(_HOST, port, sent, connections, seconds))
    used = processor_seconds(pid) - before
    answered = len(load.milliseconds)
    return ServingSpeed(
        connections=connections,
        requests_per_s=load.per_second,
        p50_ms=load.percentile(0.5),
        p99_ms=load.percentile(0.99),
        cpu_ms=1e3 * used / max(answered, 1),
        failed=sum(load.statuses.values()) - answered,
    )


@contextmanager
def _server(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    # Ray lets its workers give way to everything else, by default; a server is what this machine is there for.
    environment = os.environ | {"RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise UserError(f"The server to be measured ended: {process.stderr.read().decode(errors='replace')[-500:]}")
        try:
            with urllib.request.urlopen(f"http://{_HOST}:{port}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise UserError(f"The server to be measured was not ready after {_READY_S:g} s.")
