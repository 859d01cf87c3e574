"""Whether the numbers fit each other: CPUs and memory of containers, what Ray is told of them, how far things scale."""

from __future__ import annotations

import re
from collections.abc import Iterator

from serve.sizing import bounds_of, plan, quantity
from tests.k8s.contents import parsed
from tests.k8s.documents import Document, Documents, ray_clusters, serve_config, templates, title
from tests.k8s.injected import Pod, pods

LEAST_OBJECT_STORE = 75 * 1024**2
"""Bytes below which `ray start` refuses."""

CORES_A_REPLICA = 1.5
"""Of a worker for each replica that is busy all the time: its own, and half of one for HAProxy and Ray (docs/deploy.md)."""

MEBIBYTES = {"head": 900, "worker": 350, "replica": 250, "trial": 1300, "command": 1500}
"""Room for processes, measured and rounded up (docs/deploy.md): Ray's on a head and on a worker, and ours."""


def faults(documents: Documents) -> list[str]:
    """What does not fit."""
    found = [f"{pod.of}: {sentence}" for pod in pods(documents) for sentence in _containers(pod)]
    for document, cluster in ray_clusters(documents):
        sentences = [*_groups(cluster), *_memory(document, cluster)]
        if document["kind"] == "RayService":
            sentences += _serving(document, documents)
        if document["kind"] == "RayJob":
            sentences += _job(document, cluster)
        found += [f"{title(document)}: {sentence}" for sentence in sentences]
    return found


def _containers(pod: Pod) -> Iterator[str]:
    for container in [*pod.spec.get("initContainers", []), *pod.spec["containers"]]:
        resources = container.get("resources", {})
        for resource in ("cpu", "memory"):
            asked, most = (resources.get(kind, {}).get(resource) for kind in ("requests", "limits"))
            if asked is None or most is None:
                yield f"{container['name']} has no request or no limit of {resource}"
            elif quantity(asked) > quantity(most):
                yield f"{container['name']} requests more {resource} than its limit"
            elif resource == "memory" and quantity(asked) != quantity(most):
                yield f"{container['name']} may take memory that was not kept for it"
    volumes = {volume["name"]: volume.get("emptyDir") for volume in pod.spec.get("volumes", [])}
    for name, directory in volumes.items():
        if directory is not None and "sizeLimit" not in directory and name != "ray-logs":
            yield f"the volume {name} may fill its node"


def _groups(cluster: Document) -> Iterator[str]:
    for group, spec, template in templates(cluster):
        parameters, container = spec["rayStartParams"], template["spec"]["containers"][0]
        limits = container["resources"]["limits"]
        cpus = float(parameters.get("num-cpus", limits["cpu"]))
        if group == "head" and cpus != 0:
            yield f"head: num-cpus is {cpus:g}, so that work goes to the head"
        if cpus > quantity(limits["cpu"]):
            yield f"{group}: Ray is told of {cpus:g} CPUs, and the container has {limits['cpu']}"
        gpus = float(parameters.get("num-gpus", 0))
        if gpus != float(limits.get("nvidia.com/gpu", 0)):
            yield f"{group}: Ray is told of {gpus:g} GPUs, and the container has {limits.get('nvidia.com/gpu', 0)}"
        store = int(parameters["object-store-memory"])
        if store < LEAST_OBJECT_STORE:
            yield f"{group}: an object store of {store} bytes is smaller than Ray's least, {LEAST_OBJECT_STORE}"
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        mount = next((one["name"] for one in container["volumeMounts"] if one["mountPath"] == "/dev/shm"), None)
        shared = volumes[mount]["emptyDir"] if mount else {}
        if shared.get("medium") != "Memory" or store > quantity(shared.get("sizeLimit", "0")):
            yield f"{group}: the object store of {store} bytes does not fit into /dev/shm"


def _memory(document: Document, cluster: Document) -> Iterator[str]:
    """Whether each container has room for its processes and what they share."""
    for group, spec, template in templates(cluster):
        limit = quantity(template["spec"]["containers"][0]["resources"]["limits"]["memory"])
        store = int(spec["rayStartParams"]["object-store-memory"])
        cpus = float(spec["rayStartParams"]["num-cpus"])
        if group == "head":
            needed = MEBIBYTES["head"] + (0 if document["kind"] == "RayService" else MEBIBYTES["command"])
        elif document["kind"] == "RayService":
            needed = MEBIBYTES["worker"] + int(cpus) * MEBIBYTES["replica"]
        else:
            needed = MEBIBYTES["worker"] + int(cpus) * MEBIBYTES["trial"]
        if limit < needed * 1024**2 + store:
            there = limit / 1024**2
            yield f"{group}: {needed} MiB of processes and {store >> 20} MiB of objects do not fit into {there:.0f} MiB"


def _serving(document: Document, documents: Documents) -> Iterator[str]:
    bounds = bounds_of(document)
    config = serve_config(documents)
    assert config is not None
    cluster = document["spec"]["rayClusterConfig"]
    (group,) = cluster["workerGroupSpecs"]
    container = group["template"]["spec"]["containers"][0]
    most = plan(bounds.max_replicas * bounds.target, bounds, node_cores=64)
    if most.replicas != bounds.max_replicas or most.pending:
        yield f"{bounds.max_replicas} replicas do not fit into {bounds.max_pods} pods of {bounds.pod_cpus:g} CPUs"
    if most.pods < bounds.max_pods:
        yield f"{bounds.max_pods} pods are more than {bounds.max_replicas} replicas fill"
    least = plan(0.0, bounds, node_cores=64)
    if least.pods != bounds.min_pods:
        yield f"min_replicas {bounds.min_replicas} need {least.pods} pods, and minReplicas is {bounds.min_pods}"
    each = int(bounds.pod_cpus // bounds.replica_cpus)
    if quantity(container["resources"]["limits"]["cpu"]) < each * bounds.replica_cpus * CORES_A_REPLICA:
        yield f"{each} replicas leave HAProxy and Ray no core of {container['resources']['limits']['cpu']}"
    yield from _ports(cluster, container, each)
    yield from _ending(group["template"]["spec"], config)
    for rule in _alerts(documents):
        if rule["alert"] == "PolicyAllReplicasBusy" and not rule["expr"].rstrip().endswith(f">= {bounds.max_replicas}"):
            yield f"the alert PolicyAllReplicasBusy does not go by max_replicas, {bounds.max_replicas}"


def _alerts(documents: Documents) -> list[Document]:
    rules = [one for one in documents if one["kind"] == "PrometheusRule"]
    return [rule for one in rules for group in one["spec"]["groups"] for rule in group["rules"]]


def _ports(cluster: Document, container: Document, replicas: int) -> Iterator[str]:
    declared = [one["containerPort"] for one in container["ports"] if one["name"].startswith("replica-")]
    for group, _, template in templates(cluster):
        variables = {one["name"]: one.get("value") for one in template["spec"]["containers"][0]["env"]}
        first, end = (int(variables[f"RAY_SERVE_DIRECT_INGRESS_{which}_HTTP_PORT"]) for which in ("MIN", "MAX"))
        if declared != list(range(first, end)):
            yield f"{group}: replicas listen from {first} to {end - 1}, and the workers' ports are {declared}"
    if len(declared) < 2 * replicas:
        yield f"{len(declared)} ports do not do for {replicas} replicas and those that leave"


def _ending(spec: Document, config: Document) -> Iterator[str]:
    grace = spec.get("terminationGracePeriodSeconds", 30)
    command = " ".join(spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", []))
    sleeps = sum(int(seconds) for seconds in re.findall(r"(?:sleep|--grace-period) (\d+)", command))
    answers = config["applications"][0]["deployments"][0]["graceful_shutdown_timeout_s"]
    if not sleeps or grace < sleeps:
        yield f"workers are killed after {grace} s, and their end takes {sleeps} s"
    if sleeps < answers:
        yield f"workers end in {sleeps} s, and replicas may take {answers} s to answer what they have taken"


def _job(document: Document, cluster: Document) -> Iterator[str]:
    options = parsed(document["spec"]["entrypoint"])
    groups = [spec for group, spec, _ in templates(cluster) if group != "head"]
    room = sum(int(spec["maxReplicas"]) * float(spec["rayStartParams"]["num-cpus"]) for spec in groups)
    now = sum(int(spec["replicas"]) * float(spec["rayStartParams"]["num-cpus"]) for spec in groups)
    needed = 1 + (options.env_runners or 0) if options.command == "train" else 1
    if needed > now or needed > room:
        yield f"a trial of {needed} cores has no room in workers of {now:g} CPUs"
