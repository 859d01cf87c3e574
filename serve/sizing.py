"""How many replicas, pods and nodes some load takes: how Serve's replicas and KubeRay's workers add up.

Serve asks for replicas; those that no worker has CPUs for are pending, and Ray's autoscaler asks KubeRay for as many pods as
their CPUs add up to; pods that no node has cores for are pending, and whatever scales the nodes adds some. Each step is
bounded on its own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from rllib_citylearn.errors import ConfigError
from serve.autoscaling import replicas_for
from serve.policy import DEPLOYMENT

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_SCALES = {"m": Decimal("0.001"), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12)} | {
    f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGT", start=1)
}
_ROUNDING = 1e-6
"""What a quotient may be above a whole number by rounding alone."""


def quantity(text: str | float) -> float:
    """What Kubernetes writes as ``500m``, ``2`` or ``1Gi``.

    Raises:
        ConfigError: it is none.
    """
    found = _QUANTITY.fullmatch(str(text))
    if not found:
        raise ConfigError(f"{text!r} is no quantity; give one as Kubernetes writes them, such as 500m, 2 or 1Gi.")
    return float(Decimal(found[1]) * _SCALES.get(found[2], Decimal(1)))


def pods_for(replicas: int, replica_cpus: float, pod_cpus: float) -> int:
    """As many worker pods as have the CPUs for ``replicas``; none is split between two.

    Args:
        replicas: how many.
        replica_cpus: ``num_cpus`` of each.
        pod_cpus: ``num-cpus`` that a pod tells Ray it has.

    Raises:
        ConfigError: a pod has not enough for one.
    """
    each = math.floor(pod_cpus / replica_cpus + _ROUNDING) if replica_cpus > 0 else replicas
    if replicas and not each:
        raise ConfigError(
            f"A replica asks for {replica_cpus:g} CPUs and a worker pod has {pod_cpus:g}, so that none would ever start; "
            "give the worker group more, or the replica less."
        )
    return math.ceil(replicas / each) if replicas else 0


def nodes_for(pods: int, pod_cores: float, node_cores: float) -> int:
    """As many nodes as have the cores that ``pods`` request, if they have nothing else to do.

    Args:
        pods: how many.
        pod_cores: that each requests, of all its containers.
        node_cores: that a node can give to pods (``allocatable``).

    Raises:
        ConfigError: a node has not enough for one.
    """
    each = math.floor(node_cores / pod_cores + _ROUNDING)
    if pods and not each:
        raise ConfigError(
            f"A worker pod requests {pod_cores:g} cores and a node has {node_cores:g} for pods, so that it would wait for "
            "ever; take larger nodes, or make the worker group's pods smaller."
        )
    return math.ceil(pods / each) if pods else 0


@dataclass(frozen=True)
class Bounds:
    """Within what a deployment scales.

    Attributes:
        target: share of the time that each replica should be busy.
        min_replicas, max_replicas: of ``autoscaling_config``.
        replica_cpus: ``num_cpus`` of a replica.
        min_pods, max_pods: ``minReplicas`` and ``maxReplicas`` of the worker group.
        pod_cpus: ``num-cpus`` of its pods. The head has none.
        pod_cores: that a pod requests of Kubernetes.
    """

    target: float
    min_replicas: int
    max_replicas: int
    replica_cpus: float
    min_pods: int
    max_pods: int
    pod_cpus: float
    pod_cores: float


@dataclass(frozen=True)
class Plan:
    """What some load takes.

    Attributes:
        wanted: replicas that the load asks for, whatever the bounds.
        replicas: that Serve asks for, within its bounds.
        cpus: that these ask Ray for.
        pods: workers that KubeRay runs, within their bounds.
        pending: replicas that wait, since the group has no more pods.
        nodes: that the workers fill.
        bound: what keeps the load from being served as wanted, in a sentence; empty if nothing does.
    """

    wanted: int
    replicas: int
    cpus: float
    pods: int
    pending: int
    nodes: int
    bound: str


def plan(busy: float, bounds: Bounds, node_cores: float) -> Plan:
    """What keeps ``busy`` replicas busy all the time (requests a second times seconds each) takes in the end.

    Raises:
        ConfigError: a replica has no room in a pod, or a pod in a node; or no replica may ever be busy.
    """
    if not 0.0 < bounds.target < 1.0:
        raise ConfigError(f"The autoscaling policy's target is {bounds.target:g}; give a share within (0, 1).")
    wanted = replicas_for(busy, bounds.target)
    replicas = min(max(wanted, bounds.min_replicas), bounds.max_replicas)
    needed = pods_for(replicas, bounds.replica_cpus, bounds.pod_cpus)
    pods = min(max(needed, bounds.min_pods), bounds.max_pods)
    room = math.floor(bounds.pod_cpus / bounds.replica_cpus + _ROUNDING) * pods if bounds.replica_cpus else replicas
    pending = max(replicas - room, 0)
    bound = ""
    if wanted > replicas:
        bound = (
            f"max_replicas is {bounds.max_replicas}; {wanted} replicas would be busy for {bounds.target:.0%} of the time."
        )
    if pending:
        bound = f"maxReplicas of the worker group is {bounds.max_pods}; {pending} of {replicas} replicas wait for room."
    return Plan(
        wanted=wanted,
        replicas=replicas,
        cpus=replicas * bounds.replica_cpus,
        pods=pods,
        pending=pending,
        nodes=nodes_for(pods, bounds.pod_cores, node_cores),
        bound=bound,
    )


def bounds_of(manifest: Any) -> Bounds:
    """What a RayService says about it.

    Args:
        manifest: as ``kubectl get rayservice -o yaml`` gives it.

    Raises:
        ConfigError: it is no RayService with one worker group and an autoscaled ``PolicyServer``.
    """
    try:
        cluster = manifest["spec"]["rayClusterConfig"]
        (group,) = cluster["workerGroupSpecs"]
        deployments = [
            deployment
            for application in yaml.safe_load(manifest["spec"]["serveConfigV2"])["applications"]
            for deployment in application["deployments"]
            if deployment["name"] == DEPLOYMENT
        ]
        (deployment,) = deployments
        scaling = deployment["autoscaling_config"]
        containers = group["template"]["spec"]["containers"]
        return Bounds(
            target=float(scaling["policy"]["policy_kwargs"]["target"]),
            min_replicas=int(scaling["min_replicas"]),
            max_replicas=int(scaling["max_replicas"]),
            replica_cpus=float(deployment["ray_actor_options"]["num_cpus"]),
            min_pods=int(group["minReplicas"]),
            max_pods=int(group["maxReplicas"]),
            pod_cpus=float(group["rayStartParams"]["num-cpus"]),
            pod_cores=sum(quantity(container["resources"]["requests"]["cpu"]) for container in containers),
        )
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"The manifest has no RayService that scales as k8s/base/serving does ({type(error).__name__}: {error}); give "
            "one with a single worker group, num-cpus, and an autoscaling_config with a policy and its target."
        ) from error
