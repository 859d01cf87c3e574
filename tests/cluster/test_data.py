"""Data sets that the nodes of a cluster get from the run that needs them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.datasets import folder_sha256
from tests.cluster.network import REPOSITORY, Cluster
from tests.datasets_toy import write_current

pytestmark = pytest.mark.cluster

_RESOLVE = '''
"""Every node resolves every data set in several processes at once; a line of JSON says what came of it.

Arguments: the cluster's address, data set folders; then a line on standard input for every further round.
"""
import json, sys
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rllib_citylearn.cluster.connection import cluster_session
from rllib_citylearn.cluster.data import sent, shipped
from rllib_citylearn.local_ray import prepare_environment

prepare_environment(cluster=True)


@ray.remote(num_cpus=0, max_retries=0)
def resolved(text):
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.errors import DatasetError

    try:
        source = resolve(text)
    except DatasetError as error:
        return {"error": str(error)}
    return {"folder": str(source.folder), "is_there": (source.folder / "schema.json").is_file(), **source.describe()}


def asked(texts):
    alive = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]}
    waiting = {
        address: [resolved.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(text)
                  for text in texts for _ in range(2)]
        for node, address in alive.items()
    }
    return {address: ray.get(refs, timeout=60) for address, refs in waiting.items()}


with cluster_session(sys.argv[1]):
    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
    with shipped([Path(folder) for folder in sys.argv[2:]]) as texts:
        print(json.dumps({"texts": texts, "nodes": asked(texts), "sent": sent()}), flush=True)
        for line in sys.stdin if sys.stdin else ():
            print(json.dumps({"nodes": asked(texts), "sent": sent()}), flush=True)
    print(json.dumps({"nodes": asked(texts)}), flush=True)
'''


@pytest.fixture
def data(tmp_path: Path) -> list[Path]:
    """Two data sets that no node has seen before."""
    folders = [write_current(tmp_path / "north"), write_current(tmp_path / "my town", seed=5)]
    for folder in folders:
        (folder / "mark.csv").write_text(str(tmp_path))
    return folders


def _run(cluster: Cluster, folders: list[Path], env: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    done = cluster.python(_RESOLVE, cluster.address, *map(str, folders), env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _check_round(cluster: Cluster, said: dict[str, Any], folders: list[Path]) -> None:
    """Every process found the data: on the head the folders themselves, on a worker copies in that worker's cache."""
    for node in cluster.nodes:
        found = said["nodes"][node.address]
        for folder, answers in zip(folders, (found[:2], found[2:]), strict=True):
            sha256 = folder_sha256(folder)
            place = folder if node is cluster.head else node.cache / "shipped" / sha256 / folder.name
            for answer in answers:
                assert answer == {
                    "folder": str(place),
                    "is_there": True,
                    "name": folder.name,
                    "origin": "cluster",
                    "version": "shipped",
                    "sha256": sha256,
                }


def test_every_worker_fetches_once_and_the_head_never(cluster: Cluster, data: list[Path]) -> None:
    first, after = _run(cluster, data)
    assert first["texts"] == [f"cluster:{folder.name}:{folder_sha256(folder)}" for folder in data]
    _check_round(cluster, first, data)
    assert {sha256: len(set(nodes)) for sha256, nodes in first["sent"].items()} == {folder_sha256(d): 2 for d in data}
    assert all(len(nodes) == 2 for nodes in first["sent"].values())
    # The run is over: workers still have their copies, on the head there is none.
    for worker in cluster.workers:
        assert not any("error" in answer for answer in after["nodes"][worker.address])
    assert all("Start the run again" in answer["error"] for answer in after["nodes"][cluster.head.address])


def test_the_next_run_finds_what_is_there(cluster: Cluster, data: list[Path]) -> None:
    _run(cluster, data)
    again = _run(cluster, data)[0]
    _check_round(cluster, again, data)
    assert again["sent"] == {}


def test_a_node_that_comes_back_empty_fetches_again(cluster: Cluster, data: list[Path]) -> None:
    worker = cluster.workers[0]
    script = cluster.folder / "scripts" / "rounds.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(_RESOLVE)
    process = cluster.run([sys.executable, str(script), cluster.address, *map(str, data)], interactive=True)
    assert process.stdin is not None
    try:
        first = _line(process.stdout)
        worker.kill()
        shutil.rmtree(worker.cache)
        cluster.wait_for_nodes(2)
        worker.start()
        cluster.wait_for_nodes(3)
        process.stdin.write("again\n")
        process.stdin.flush()
        second = _line(process.stdout)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
    _check_round(cluster, second, data)
    for sha256, nodes in second["sent"].items():
        assert nodes[:2] == first["sent"][sha256]
        assert len(set(nodes)) == len(nodes) == 3


def _line(pipe: Any) -> dict[str, Any]:
    """The next line of JSON."""
    for line in pipe:
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    pytest.fail("the driver has ended")


def test_where_the_process_that_holds_them_is_gone_it_is_said(cluster: Cluster, data: list[Path]) -> None:
    lost = _RESOLVE.replace(
        "as texts:\n", "as texts:\n        ray.kill(ray.get_actor('data', namespace=keeper_namespace()))\n", 1
    ).replace(', "sent": sent()', "")
    assert lost.count("ray.kill") == 1
    importing = "from rllib_citylearn.cluster.data import _namespace as keeper_namespace\n"
    done = cluster.python(importing + lost, cluster.address, str(data[0]))
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout.splitlines()[0])
    for node in cluster.nodes:
        assert all(
            "the process that held it for the cluster is gone" in answer["error"] for answer in first["nodes"][node.address]
        )


def test_a_submitted_job_brings_the_package_along(cluster: Cluster, data: list[Path], tmp_path: Path) -> None:
    """The nodes import what was sent, and find the data."""
    project = tmp_path / "project"
    shutil.copytree(
        REPOSITORY / "rllib_citylearn", project / "rllib_citylearn", ignore=shutil.ignore_patterns("__pycache__")
    )
    (project / "job.py").write_text(_RESOLVE)
    shutil.copytree(data[0], project / data[0].name)
    process = cluster.submit(["python", "job.py", "auto", data[0].name], working_dir=project)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    said = next(json.loads(line) for line in output.splitlines() if line.startswith("{"))
    for node in cluster.nodes:
        assert all(
            answer["is_there"] and answer["sha256"] == folder_sha256(data[0]) for answer in said["nodes"][node.address]
        )


def test_a_node_that_can_not_see_the_folder_gets_the_data(cluster: Cluster, data: list[Path]) -> None:
    with cluster.joined(setup=f"mount -t tmpfs tmpfs '{data[0].parent}'") as node:
        answer = _run(cluster, data[:1])[0]["nodes"][node.address][0]
    assert answer["is_there"]
    assert answer["sha256"] == folder_sha256(data[0])


def test_a_node_whose_cache_is_read_only_keeps_them_with_the_session(cluster: Cluster, data: list[Path]) -> None:
    with cluster.joined({"RLLIB_CITYLEARN_CACHE": "/sys/rllib_citylearn"}) as node:
        answer = _run(cluster, data[:1])[0]["nodes"][node.address][0]
        assert answer["is_there"]
        assert Path(answer["folder"]).is_relative_to(node.folder / "r")


def test_a_node_with_no_room_says_so(cluster: Cluster, data: list[Path], tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    disk = f"mount -t tmpfs -o size=4k tmpfs '{small}'"
    with cluster.joined({"RLLIB_CITYLEARN_CACHE": str(small)}, setup=disk) as node:
        error = _run(cluster, data[:1])[0]["nodes"][node.address][0]["error"]
        assert "No space left on device" in error
        assert "set RLLIB_CITYLEARN_CACHE on all nodes" in error
