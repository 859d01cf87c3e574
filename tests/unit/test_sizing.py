"""How replicas, pods and nodes add up."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import ConfigError
from serve.autoscaling import replicas_for
from serve.sizing import Bounds, bounds_of, nodes_for, plan, pods_for, quantity

BOUNDS = Bounds(target=0.6, min_replicas=1, max_replicas=8, replica_cpus=1, min_pods=1, max_pods=4, pod_cpus=2, pod_cores=3)


@pytest.mark.parametrize(
    ("text", "value"), [("500m", 0.5), ("2", 2), (3, 3), ("1.5", 1.5), ("1Ki", 1024), ("2Gi", 2 * 1024**3), ("1G", 10**9)]
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "two", "1 Gi", "-1", "1Gb", "0x2"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ConfigError, match="is no quantity"):
        quantity(text)


def test_replicas_are_each_busy_for_the_target_at_most_and_not_one_more_than_needed() -> None:
    for tenths in range(1, 100):
        busy = tenths / 10
        count = replicas_for(busy, 0.6)
        assert busy / count <= 0.6 + 1e-9
        assert count == 1 or busy / (count - 1) > 0.6 - 1e-9


def test_pods_hold_all_replicas_and_none_is_split() -> None:
    assert [pods_for(replicas, 1, 2) for replicas in range(6)] == [0, 1, 1, 2, 2, 3]
    assert pods_for(3, 2, 3) == 3  # a pod of three CPUs has room for one replica of two
    assert pods_for(4, 0.5, 2) == 1
    assert pods_for(3, 0.1, 0.3) == 1  # three times 0.1 is more than 0.3 to a computer


def test_a_replica_that_no_pod_has_room_for_is_said() -> None:
    with pytest.raises(ConfigError, match="asks for 2 CPUs and a worker pod has 1"):
        pods_for(1, 2, 1)


def test_nodes_hold_whole_pods() -> None:
    assert [nodes_for(pods, 3, 8) for pods in range(6)] == [0, 1, 1, 2, 2, 3]
    with pytest.raises(ConfigError, match="requests 3 cores and a node has 2"):
        nodes_for(1, 3, 2)


@pytest.mark.parametrize(
    ("busy", "replicas", "pods", "nodes"), [(0.0, 1, 1, 1), (0.6, 1, 1, 1), (0.7, 2, 1, 1), (1.3, 3, 2, 1), (4.8, 8, 4, 2)]
)
def test_a_load_within_bounds(busy: float, replicas: int, pods: int, nodes: int) -> None:
    found = plan(busy, BOUNDS, node_cores=8)
    assert (found.replicas, found.pods, found.nodes, found.pending, found.bound) == (replicas, pods, nodes, 0, "")
    assert found.cpus == replicas


def test_most_replicas_are_a_bound() -> None:
    found = plan(9.0, BOUNDS, node_cores=8)
    assert (found.wanted, found.replicas, found.pods) == (15, 8, 4)
    assert found.bound.startswith("max_replicas is 8; 15 replicas")


def test_most_pods_are_a_bound_and_replicas_wait() -> None:
    found = plan(4.8, replace(BOUNDS, max_pods=3), node_cores=8)
    assert (found.replicas, found.pods, found.pending) == (8, 3, 2)
    assert "maxReplicas of the worker group is 3; 2 of 8" in found.bound


def test_the_head_adds_nothing() -> None:
    """It has no CPUs for Ray, so that no replica lands there: as many pods whatever the head is."""
    assert plan(1.0, BOUNDS, 8) == plan(1.0, BOUNDS, 8)
    assert plan(1.0, BOUNDS, 8).pods * BOUNDS.pod_cpus >= plan(1.0, BOUNDS, 8).cpus


def test_least_pods_stay() -> None:
    assert plan(0.0, replace(BOUNDS, min_pods=2, min_replicas=0), 8).pods == 2


def manifest() -> dict[str, object]:
    """A RayService of what is read of it."""
    scaling = {"min_replicas": 1, "max_replicas": 8, "policy": {"policy_kwargs": {"target": 0.6}}}
    deployment = {"name": "PolicyServer", "ray_actor_options": {"num_cpus": 1}, "autoscaling_config": scaling}
    container = {"resources": {"requests": {"cpu": "3"}}}
    group = {"minReplicas": 1, "maxReplicas": 4, "rayStartParams": {"num-cpus": "2"}}
    return {
        "kind": "RayService",
        "spec": {
            "serveConfigV2": yaml.safe_dump({"applications": [{"deployments": [deployment]}]}),
            "rayClusterConfig": {"workerGroupSpecs": [group | {"template": {"spec": {"containers": [container]}}}]},
        },
    }


def test_bounds_are_the_manifests() -> None:
    assert bounds_of(manifest()) == BOUNDS


@pytest.mark.parametrize("spoilt", [{}, {"spec": {}}, {"spec": {"serveConfigV2": "applications: ["}}, None])
def test_a_manifest_without_them_is_said(spoilt: object) -> None:
    with pytest.raises(ConfigError, match="no RayService that scales"):
        bounds_of(spoilt)


def test_the_command_says_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump_all([{"kind": "Service"}, manifest()])))
    target = tmp_path / "size.json"
    assert main(["size", "3000", "--manifest", "-", "--json", str(target)]) == 0
    assert "replicas 5 (of 1 to 8" in capsys.readouterr().out
    result = json.loads(target.read_text())
    assert result["busy"] == pytest.approx(3.0)
    assert result["plan"] == {
        "wanted": 5, "replicas": 5, "cpus": 5.0, "pods": 3, "pending": 0, "nodes": 2, "bound": "",
    }  # fmt: skip


def test_the_command_ends_with_1_where_a_bound_is_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "manifests.yaml"
    file.write_text(yaml.safe_dump(manifest()))
    assert main(["size", "9000", "--manifest", str(file)]) == 1
    assert "Too little: max_replicas is 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["0", "--manifest", "FILE"], "REQUESTS_PER_S is 0; give a number above 0"),
        (["nan", "--manifest", "FILE"], "REQUESTS_PER_S is nan"),
        (["10", "--manifest", "FILE", "--request-ms", "-1"], "--request-ms is -1"),
        (["10", "--manifest", "FILE", "--node-cores", "2"], "take larger nodes"),
        (["10", "--manifest", "missing.yaml"], "missing.yaml can't be read"),
        (["10", "--manifest", "EMPTY"], "has 0 manifests of a RayService"),
    ],
)
def test_what_the_command_refuses(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(manifest()))
    (tmp_path / "none.yaml").write_text("kind: Service")
    names = {"FILE": str(tmp_path / "one.yaml"), "EMPTY": str(tmp_path / "none.yaml")}
    assert main(["size", *(names.get(one, one) for one in arguments)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_target_that_nothing_meets_is_said(target: float) -> None:
    with pytest.raises(ConfigError, match=r"target is .*give a share within"):
        plan(1.0, replace(BOUNDS, target=target), 8.0)
