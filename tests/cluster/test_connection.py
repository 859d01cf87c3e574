"""Joining a cluster, and being told soon and in a sentence why that can't be done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import pytest

from tests.cluster.network import Cluster

pytestmark = pytest.mark.cluster

_JOIN = """
import sys
from rllib_citylearn.cluster.connection import cluster_session
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import prepare_environment, quiet_core

prepare_environment(cluster=True)
quiet_core()
try:
    with cluster_session(sys.argv[1]):
        import ray
        print(len(ray.nodes()), "nodes")
    assert not ray.is_initialized()
except ConfigError as error:
    print(error)
"""
_CLAIM = """
import json, sys
from ray._raylet import GcsClient

client = GcsClient(address=sys.argv[1])
claimed = json.loads(client.internal_kv_get(b"CLUSTER_METADATA", b"cluster"))
claimed["ray_version"] = sys.argv[2]
client.internal_kv_put(b"CLUSTER_METADATA", json.dumps(claimed).encode(), True, b"cluster")
"""
_LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listening", flush=True)
held = []
while True:
    held.append(server.accept())
"""


def _said(cluster: Cluster, address: str, env: Mapping[str, str] | None = None, *, prefix: Sequence[str] = ()) -> str:
    """What is said on joining; within the time that it may take, and without anything of Ray's own."""
    begun = time.monotonic()
    done = cluster.python(_JOIN, address, env=env, prefix=prefix)
    errors = [line for line in done.stderr.splitlines() if "Set ray log level" not in line]
    assert (done.returncode, errors) == (0, [])
    assert time.monotonic() - begun < 20.0
    return done.stdout.strip()


@contextmanager
def _listening(cluster: Cluster, port: int, *command: str) -> Iterator[str]:
    """Something that is no cluster at a port of the head's; yields its address."""
    process = cluster.run([*command, cluster.head.address, str(port)])
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield f"{cluster.head.address}:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_cluster_is_joined_and_left(cluster: Cluster) -> None:
    assert _said(cluster, cluster.address) == "3 nodes"


def test_nobody_listens(cluster: Cluster) -> None:
    said = _said(cluster, f"{cluster.head.address}:6378")
    assert said.startswith(f"No Ray cluster answers at {cluster.head.address}:6378 (Connection refused)")


def test_a_machine_that_does_not_exist(cluster: Cluster) -> None:
    assert "No Ray cluster answers at" in _said(cluster, cluster.head.address.rpartition(".")[0] + ".99:6379")


@pytest.mark.parametrize("kind", ["silent", "http", "dashboard"])
def test_something_else_listens(cluster: Cluster, kind: str) -> None:
    if kind == "dashboard":
        said = _said(cluster, cluster.jobs_address.removeprefix("http://"))
    elif kind == "http":
        with _listening(cluster, 7778, "python", "-u", "-m", "http.server", "--bind") as address:
            said = _said(cluster, address)
    else:
        with _listening(cluster, 7777, "python", "-c", _LISTEN) as address:
            said = _said(cluster, address)
    assert "does not answer as a Ray cluster does" in said


@pytest.mark.parametrize(
    ("env", "what"),
    [
        ({"RAY_AUTH_TOKEN": "0" * 64}, "refuses this token"),
        ({"RAY_AUTH_MODE": "disabled"}, "asks for a token, and none was sent"),
        ({"RAY_AUTH_TOKEN": ""}, "no token for the Ray cluster"),
    ],
)
def test_tokens(cluster: Cluster, env: Mapping[str, str], what: str) -> None:
    said = _said(cluster, cluster.address, env)
    assert what in said
    assert "RAY_AUTH_TOKEN_PATH" in said


def test_a_machine_that_is_no_node_of_it(cluster: Cluster) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("a machine without the cluster's processes is made by unshare (util-linux)")
    said = _said(cluster, cluster.address, prefix=["unshare", "--pid", "--fork", "--mount-proc"])
    assert said.startswith(f"This machine is not a node of the Ray cluster at {cluster.address}. Run the command on a node")


@pytest.fixture
def of_another_ray(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, which says for a while that it was started by another Ray."""
    assert cluster.python(_CLAIM, cluster.address, "2.59.0").returncode == 0
    yield cluster
    assert cluster.python(_CLAIM, cluster.address, version("ray")).returncode == 0


def test_a_cluster_of_another_ray(of_another_ray: Cluster) -> None:
    said = _said(of_another_ray, of_another_ray.address)
    assert said.startswith(f"The Ray cluster at {of_another_ray.address} runs Ray 2.59.0, and this command {version('ray')}")
