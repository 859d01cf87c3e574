"""Load makes Serve ask for replicas, these make Ray's autoscaler ask for pods, and both come down again."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from serve.sizing import pods_for
from tests.cluster.network import why_not
from tests.cluster.scaled import LIMIT_S, Scaled, running
from tests.k8s.documents import Document, needs_kubectl

pytestmark = [pytest.mark.cluster, needs_kubectl]

SERVER = "policy/PolicyServer"
_ADVICE = "Add suitable node types to this cluster to resolve this issue."


@pytest.fixture(scope="module")
def scaled() -> Iterator[Scaled]:
    """The service with one replica on one worker; tests leave it so."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    for program, what in (("nft", "a Service's address needs nft (nftables)"), ("openssl", "HTTPS needs openssl")):
        if shutil.which(program) is None:
            pytest.skip(what)
    with running() as made:
        yield made


def packed(replicas: int, replica_cpus: float, pod_cpus: float) -> int:
    """Pods that replicas fill, put into them one by one."""
    rooms: list[float] = []
    for _ in range(replicas):
        room = next((place for place, left in enumerate(rooms) if left >= replica_cpus), None)
        if room is None:
            rooms.append(pod_cpus)
            room = len(rooms) - 1
        rooms[room] -= replica_cpus
        assert rooms[room] >= 0
    return len(rooms)


def target(state: Document) -> int:
    """Replicas that Serve wants."""
    return int(state["serve"][SERVER]["target"])


def serving(state: Document) -> int:
    """Replicas that answer."""
    return int(state["serve"].get(SERVER, {"states": {}})["states"].get("RUNNING", 0))


def settled(state: Document, replicas: int) -> bool:
    """So many are wanted, answer, and none else is there."""
    deployment = state["serve"].get(SERVER, {})
    return deployment.get("target") == replicas and deployment["states"] == {"RUNNING": replicas}


def cpus(state: Document) -> float:
    """CPUs of the nodes that live."""
    return sum(node["cpus"] for node in state["nodes"].values() if node["status"] != "DEAD")


def pending(state: Document) -> dict[float, int]:
    """Replicas that wait for room, by their CPUs."""
    found: dict[float, int] = {}
    for bundle, count in state["pending"]:
        assert set(bundle) == {"CPU"}, bundle
        found[bundle["CPU"]] = found.get(bundle["CPU"], 0) + count
    return found


def test_load_brings_replicas_and_pods_and_its_end_takes_them_away(scaled: Scaled) -> None:
    watch, operator, api = scaled.watch, scaled.operator, scaled.api
    (deployment,) = scaled.config["applications"][0]["deployments"]
    replica_cpus, most = deployment["ray_actor_options"]["num_cpus"], deployment["autoscaling_config"]["max_replicas"]
    group = api.group
    pod_cpus, idle_s = float(group["rayStartParams"]["num-cpus"]), group["idleTimeoutSeconds"]
    needed = packed(most, replica_cpus, pod_cpus)
    assert group["replicas"] == group["minReplicas"] == 1 < needed <= group["maxReplicas"]

    # One replica on one worker; the head has no CPUs.
    first = watch.wait("one replica", lambda state: settled(state, 1), 0.0)
    assert cpus(first) == pod_cpus
    assert first["serve"][SERVER]["nodes"] == [pod.node.address for pod in operator.present]
    wait_until("the pod is ready", lambda: all(pod.ready for pod in operator.present))
    assert api.patches == []

    probe = scaled.ask("probe", "0.5")
    watch.checks.append(probe.check)
    load = scaled.ask("load", "3", "0.005", "24")
    watch.checks.append(load.check)
    began = load.began()

    # Serve wants more, and what has no room is demand.
    more = watch.wait("a target above 1", lambda state: target(state) > 1, began)
    full = watch.wait("the highest target", lambda state: target(state) == most, began)
    waiting = watch.wait(
        "demand for what has no room",
        lambda state: target(state) == most and pending(state) == {replica_cpus: round(most * replica_cpus - cpus(state))},
        began,
    )
    assert waiting["infeasible"] == []

    # As many pods are asked for as that adds up to, and never more.
    wait_until("the replicas of the worker group are patched", lambda: api.group["replicas"] >= needed)
    asked = list(api.patches)
    targets = {target(state) for state in watch.states(began)}
    assert [patch.replicas for patch in asked] == sorted({patch.replicas for patch in asked})
    assert {patch.replicas for patch in asked} <= {packed(wanted, replica_cpus, pod_cpus) for wanted in targets}
    assert asked[-1].replicas == needed == pods_for(most, replica_cpus, pod_cpus)
    assert not any(patch.delete for patch in asked)

    # They come, replicas run on all of them, and every one answers.
    nodes = watch.wait("all nodes", lambda state: cpus(state) == needed * pod_cpus, began)
    running_all = watch.wait("all replicas", lambda state: settled(state, most), began)
    assert set(running_all["serve"][SERVER]["nodes"]) == {pod.node.address for pod in operator.present}
    assert running_all["pending"] == []
    wait_until("all replicas answer", lambda: scaled.answered() == most)
    all_answer = time.time()
    time.sleep(5.0)
    watch.checks.remove(load.check)
    of_load, ended = load.end(), time.time()
    assert len(api.patches) == len(asked)

    # Without load the replicas go first, then the pods that have been idle for long enough, by name.
    one = watch.wait("one replica", lambda state: settled(state, 1), ended)
    wait_until("pods are named to go", lambda: api.group["replicas"] == 1)
    wait_until("the pods go", lambda: len(operator.present) == 1)
    gone = time.time()
    down = api.patches[len(asked) :]
    named = {name for patch in down for name in patch.delete}
    (left,) = operator.present
    assert named == {pod.name for pod in operator.pods} - {left.name}
    assert api.group["replicas"] == api.group["minReplicas"] == 1
    assert watch.states()[-1]["serve"][SERVER]["nodes"] == [left.node.address]
    for name in named:
        assert max(state["nodes"].get(name, {"idle_s": 0})["idle_s"] for state in watch.states(ended)) > idle_s - 2.0
    after = watch.wait("the node has gone", lambda state: cpus(state) == pod_cpus, gone)
    assert settled(after, 1)

    # Nobody was left without an answer.
    watch.checks.remove(probe.check)
    of_probe = probe.end()
    assert of_probe["failures"] == []
    assert of_probe["answered"] > 50
    assert set(of_load["statuses"]) <= {"200", "503"}
    assert of_load["without_retry_after"] == 0
    assert len(operator.pods) == needed

    print(f"\nload: {of_load}\nprobe: {of_probe}")
    for what, at in (
        ("target above 1", more["at"]),
        (f"target {most}, {dict(pending(waiting))} pending", full["at"]),
        (f"{needed} pods asked for", asked[-1].at),
        ("their nodes are there", nodes["at"]),
        (f"{most} replicas run", running_all["at"]),
        ("all of them have answered", all_answer),
        ("load ends", ended),
        ("one replica", one["at"]),
        ("last pod named to go", down[-1].at),
        ("one pod", gone),
    ):
        print(f"{at - began:7.1f} s  {what}")


def test_demand_that_no_group_can_meet_stays_demand_and_is_said(scaled: Scaled) -> None:
    """First as the group is at its ``maxReplicas``, then as no pod of it has room for one replica."""
    api = scaled.api
    patches, pods = len(api.patches), len(scaled.operator.pods)
    most = api.group["maxReplicas"]
    api.set_max_replicas(1)
    try:
        for name, cpus_each, count, waiting in (("too-many", 1.0, 3, 2), ("too-large", 3.0, 1, 1)):
            scaled.deploy(with_another(scaled.config, name, cpus_each, count))
            stays_demand(scaled, name, {"CPU": cpus_each}, waiting)
        assert (len(api.patches), len(scaled.operator.pods)) == (patches, pods)
    finally:
        api.set_max_replicas(most)
        scaled.deploy(scaled.config)


def stays_demand(scaled: Scaled, application: str, bundle: dict[str, float], count: int) -> None:
    """So many bundles are pending and go on to be; the autoscaler, `ray status` and Serve say so."""

    def unmet(state: Document) -> bool:
        return state["pending"] == [[bundle, count]] and state["infeasible"] == [[bundle, 1]] * count

    scaled.watch.wait(f"{bundle} * {count} that can't be met", unmet, time.time())
    sentence = f"No available node types can fulfill resource requests {bundle}*{count}. {_ADVICE}"
    wait_until(sentence, lambda: sentence in scaled.said())
    assert f" {bundle}: {count}+ pending tasks/actors" in scaled.status().splitlines()
    needs = f"Resources required for each replica: {json.dumps(bundle)}, total resources available: "
    scaled.watch.wait(needs, lambda state: needs in state["serve"][f"{application}/PolicyServer"]["message"], time.time())
    looks = scaled.api.looks
    wait_until("more decisions", lambda: scaled.api.looks >= looks + 3)
    scaled.watch.wait("the same demand", unmet, time.time())


def with_another(config: Document, name: str, cpus_each: float, count: int) -> Document:
    """The config with one application more, of a fixed number of replicas."""
    changed = copy.deepcopy(config)
    other = copy.deepcopy(changed["applications"][0]) | {"name": name, "route_prefix": f"/{name}"}
    (deployment,) = other["deployments"]
    del deployment["autoscaling_config"]
    deployment |= {"num_replicas": count, "ray_actor_options": {"num_cpus": cpus_each}}
    changed["applications"].append(other)
    return changed


def wait_until(what: str, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait for something outside the cluster."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s"
        time.sleep(0.2)
