"""Asks a policy server until its own input ends; then says, as JSON, what became of the requests.

    python -m tests.cluster.asking load HOST PORT TOKEN CONNECTIONS PAUSE_S OBSERVATIONS
    python -m tests.cluster.asking probe HOST PORT TOKEN PAUSE_S

``load`` sends as much as fits on so many connections, which are made anew every two seconds; ``probe`` is one community that
asks for its actions now and then through the project's client, which tries again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from rllib_citylearn.client import DeadlineError, PolicyClient, PolicyRequestError
from serve.load import drive, request

_COMMUNITY = "default"


def client(host: str, port: str, token: str) -> PolicyClient:
    """One that fails rather than do without a policy."""
    return PolicyClient(
        f"http://{host}:{port}", community=_COMMUNITY, token=token, timeout_s=40.0, attempts=20, fallback=None
    )


def load(over: threading.Event, host: str, port: str, token: str, connections: str, pause: str, observations: str) -> Any:
    """Requests for the actions of so many hours each."""
    with client(host, port, token) as asking:
        example = asking.example()
    body = json.dumps({"observations": [example] * int(observations)}).encode()
    sent = request(host, f"/v1/communities/{_COMMUNITY}/actions", body, token)
    statuses: Counter[int] = Counter()
    without, longest, began = 0, 0.0, time.time()
    print(json.dumps({"began": began}), flush=True)
    while not over.is_set():
        part = asyncio.run(drive(host, int(port), sent, int(connections), 2.0, float(pause)))
        statuses += part.statuses
        without += part.without_retry_after
        longest = max([longest, *part.milliseconds])
    return {"statuses": statuses, "without_retry_after": without, "longest_ms": longest, "seconds": time.time() - began}


def probe(over: threading.Event, host: str, port: str, token: str, pause: str) -> Any:
    """One community's hours."""
    answered, failures, attempts, longest = 0, [], 0, 0.0
    with client(host, port, token) as asking:
        observations = asking.example()
        while not over.wait(float(pause)):
            began = time.monotonic()
            try:
                answer = asking.act(observations)
            except (DeadlineError, PolicyRequestError) as error:
                failures.append(str(error))
                continue
            answered, attempts = answered + 1, attempts + answer.attempts
            longest = max(longest, 1e3 * (time.monotonic() - began))
    return {"answered": answered, "failures": failures, "attempts": attempts, "longest_ms": longest}


def main() -> None:
    """Run one of them."""
    over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(over,), daemon=True).start()
    modes: dict[str, Callable[..., Any]] = {"load": load, "probe": probe}
    print(json.dumps(modes[sys.argv[1]](over, *sys.argv[2:])), flush=True)


def _wait_for_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main()
