"""The clusters of these tests get along with each other, and nothing of them stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.network import REPOSITORY, Cluster, running_cluster, why_not

pytestmark = pytest.mark.cluster

_HOLD = """
import time

from tests.cluster.network import running_cluster

with running_cluster(workers=0, started=False) as cluster:
    cluster.head.popen(["sleep", "600"])
    print(cluster.folder, cluster.head.namespace, flush=True)
    time.sleep(600)
"""


def _namespaces(run: str) -> set[str]:
    """Those of one cluster, by the beginning of their names; other test runs may have theirs."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line.startswith(f"{run}-")}


def _run(namespace: str) -> str:
    return namespace.partition("-")[0]


def test_two_clusters_do_not_see_each_other(cluster: Cluster) -> None:
    with running_cluster(workers=0, started=False) as other:
        run = _run(other.head.namespace)
        ping = "import socket, sys; socket.create_connection((sys.argv[1], 6379), timeout=2)"
        assert cluster.python(ping, cluster.head.address).returncode == 0
        assert other.python(ping, cluster.head.address).returncode != 0
        assert len(_namespaces(run)) == 3
    assert _namespaces(run) == set()
    assert not other.folder.exists()
    assert cluster.python(ping, cluster.head.address).returncode == 0


def test_nothing_stays_of_a_cluster_whose_test_was_killed() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    killed = subprocess.Popen([sys.executable, "-c", _HOLD], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    folder, namespace = killed.stdout.readline().split()
    run = _run(namespace)
    assert len(_namespaces(run)) == 3
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    deadline = time.monotonic() + 30.0
    while _namespaces(run) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
