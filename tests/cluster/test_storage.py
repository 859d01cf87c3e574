"""Runs go where every node can write and read; anything else is said before a run starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster.network import Cluster

pytestmark = pytest.mark.cluster

_CHECK = """
import sys
from rllib_citylearn.cluster.connection import cluster_session
from rllib_citylearn.cluster.storage import check_storage
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import prepare_environment

prepare_environment(cluster=True)
with cluster_session(sys.argv[1]):
    try:
        check_storage(sys.argv[2])
        print("fine")
    except ConfigError as error:
        print(error)
"""


def _said(cluster: Cluster, place: str | Path) -> str:
    begun = time.monotonic()
    done = cluster.python(_CHECK, cluster.address, str(place))
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 40.0  # the check has 30 s; importing Ray and joining the cluster are not its own
    return done.stdout.strip()


def _left(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def test_a_folder_that_all_nodes_share_is_fine_and_stays_as_it_was(cluster: Cluster, tmp_path: Path) -> None:
    assert _said(cluster, tmp_path / "runs" / "here") == "fine"
    assert _said(cluster, f"file://{tmp_path}") == "fine"
    assert _left(tmp_path) == []


def test_a_node_that_sees_another_folder_is_named(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.joined(setup=f"mount -t tmpfs tmpfs '{tmp_path}'") as node:
        said = _said(cluster, tmp_path)
    assert f"on {node.address}: what the command wrote there is not to be seen" in said
    assert "(NFS, say)" in said
    assert _left(tmp_path) == []


def test_nodes_that_can_not_write_are_named(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.joined(setup=f"mount --bind -o ro '{tmp_path}' '{tmp_path}'") as node:
        said = _said(cluster, tmp_path)
    assert f"on {node.address}: " in said
    assert "Read-only file system" in said
    assert not any(f"{other.address}:" in said for other in cluster.nodes)
    assert _left(tmp_path) == []


def test_a_full_disk_is_said(cluster: Cluster, tmp_path: Path) -> None:
    # The disk is one that the command itself sees: it runs beside the node, in a view of its own.
    code = _CHECK.replace("import sys\n", f"import subprocess, sys\n{_SMALL_DISK.format(tmp_path)}\n", 1)
    done = cluster.python(code, cluster.address, str(tmp_path))
    assert "there is no room left. Give a folder" in done.stdout, done.stderr
    assert done.stdout.rstrip().endswith("nothing left")


_SMALL_DISK = """
import atexit, os
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "{0}"], check=True)
atexit.register(lambda: print("nothing left" if not os.listdir("{0}") else os.listdir("{0}")))
"""
