"""Pods and services as KubeRay makes them of its objects, beside those that are written out.

After ray-operator/controllers/ray/common (pod.go, service.go) and raycluster_controller.go of KubeRay 1.7, as far as checks
here look: names, labels, ports, containers with their environment, mounts, resources and security contexts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.k8s.documents import Document, Documents, ray_clusters, templates

CLUSTER_SUFFIX = "-abcde"
"""In place of the five letters by which KubeRay tells the clusters of a RayService or RayJob apart."""

_WAIT_RESOURCES = {"cpu": "200m", "memory": "256Mi"}


@dataclass
class Pod:
    """A pod.

    Attributes:
        of: the object that it comes from, and which of its pods it is.
        labels: all of them.
        spec: with what KubeRay puts in.
    """

    of: str
    labels: dict[str, str]
    spec: Document


@dataclass
class Service:
    """A service.

    Attributes:
        name: its name.
        selector: labels of its pods.
        ports: numbers by name.
        targets: ports of the pods, by number or name.
    """

    name: str
    selector: dict[str, str]
    ports: dict[str, int]
    targets: list[int | str] = field(default_factory=list)


def pods(documents: Documents) -> list[Pod]:
    """All pods that a set of documents comes to."""
    return [*_written(documents), *(pod for one in ray_clusters(documents) for pod in _of_ray(*one))]


def _written(documents: Documents) -> Iterator[Pod]:
    for document in documents:
        of = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] == "Pod":
            yield Pod(of, document["metadata"].get("labels", {}), document["spec"])
        elif document["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet"):
            template = document["spec"]["template"]
            spec = copy.deepcopy(template["spec"])
            claims = [claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])]
            spec.setdefault("volumes", []).extend({"name": name, "ownClaim": True} for name in claims)
            yield Pod(of, template["metadata"].get("labels", {}), spec)


def cluster_name(document: Document) -> str:
    """Of the Ray cluster that comes of an object."""
    name: str = document["metadata"]["name"]
    return name if document["kind"] == "RayCluster" else name + CLUSTER_SUFFIX


def _of_ray(document: Document, cluster: Document) -> Iterator[Pod]:
    of = f"{document['kind']} {document['metadata']['name']}"
    serves = document["kind"] == "RayService"
    for group, spec, template in templates(cluster):
        head = group == "head"
        labels = {
            "app.kubernetes.io/name": "kuberay",
            "app.kubernetes.io/created-by": "kuberay-operator",
            "ray.io/is-ray-node": "yes",
            "ray.io/identifier": f"{cluster_name(document)}-{'head' if head else 'worker'}",
            **template.get("metadata", {}).get("labels", {}),
            **spec.get("labels", {}),
            "ray.io/cluster": cluster_name(document),
            "ray.io/node-type": "head" if head else "worker",
            "ray.io/group": "headgroup" if head else group,
            **({"ray.io/serve": "false" if head else "true"} if serves else {}),
        }
        pod = copy.deepcopy(template["spec"])
        ray = pod["containers"][0]
        _mount(pod, ray, "shared-mem", "/dev/shm", {"medium": "Memory"})
        if not head:
            pod.setdefault("initContainers", []).append(_waiting(ray))
        elif cluster.get("enableInTreeAutoscaling"):
            autoscaler = _autoscaler(ray, cluster.get("autoscalerOptions", {}))
            pod["containers"].append(autoscaler)
            for container in (ray, autoscaler):
                _mount(pod, container, "ray-logs", "/tmp/ray", {})
        _give_token(pod, cluster, cluster_name(document))
        yield Pod(f"{of} {group}", labels, pod)
        if head and "gcsFaultToleranceOptions" in cluster:
            yield Pod(f"{of} redis-cleanup", {**labels, "ray.io/node-type": "redis-cleanup"}, _cleanup(pod))
    if document["kind"] == "RayJob" and document["spec"].get("submissionMode", "K8sJobMode") == "K8sJobMode":
        yield _submitter(document, cluster)


def _mount(pod: Document, container: Document, name: str, path: str, directory: Document) -> None:
    """As KubeRay's ``addEmptyDir``: nothing where something is mounted at that path."""
    mounts = container.setdefault("volumeMounts", [])
    if any(mount["mountPath"] == path for mount in mounts):
        return
    volumes = pod.setdefault("volumes", [])
    if not any(volume["name"] == name for volume in volumes):
        volumes.append({"name": name, "emptyDir": directory})
    mounts.append({"name": name, "mountPath": path})


def _waiting(ray: Document) -> Document:
    keys = ("image", "imagePullPolicy", "securityContext", "env", "volumeMounts")
    taken = {key: copy.deepcopy(ray[key]) for key in keys if key in ray}
    return {"name": "wait-gcs-ready", **taken, "resources": {"requests": _WAIT_RESOURCES, "limits": _WAIT_RESOURCES}}


def _autoscaler(ray: Document, options: Document) -> Document:
    resources = {"cpu": "500m", "memory": "512Mi"}
    result: Document = {
        "name": "autoscaler",
        "image": options.get("image", ray["image"]),
        "imagePullPolicy": options.get("imagePullPolicy", "IfNotPresent"),
        "env": [*copy.deepcopy(options.get("env", []))],
        "resources": copy.deepcopy(options.get("resources", {"requests": resources, "limits": resources})),
        "volumeMounts": copy.deepcopy(options.get("volumeMounts", [])),
    }
    if "securityContext" in options:
        result["securityContext"] = copy.deepcopy(options["securityContext"])
    return result


def _give_token(pod: Document, cluster: Document, name: str) -> None:
    options = cluster.get("authOptions", {})
    if options.get("mode") != "token":
        return
    secret = options.get("secretName") or name
    containers = [*pod["containers"], *(one for one in pod.get("initContainers", []) if one["name"] == "wait-gcs-ready")]
    for container in containers:
        container.setdefault("env", []).extend(
            [
                {"name": "RAY_AUTH_MODE", "value": "token"},
                {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "auth_token"}}},
            ]
        )


def _cleanup(head: Document) -> Document:
    pod = copy.deepcopy(head)
    pod["containers"] = pod["containers"][:1]
    resources = {"cpu": "200m", "memory": "256Mi"}
    pod["containers"][0] |= {"resources": {"requests": resources, "limits": resources}}
    return {**pod, "restartPolicy": "Never"}


def _submitter(document: Document, cluster: Document) -> Pod:
    """Of the template that is there, or else KubeRay's own, which has no security context."""
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    own: Document = {
        "spec": {"containers": [{"name": "ray-job-submitter", "image": head["image"]}], "restartPolicy": "Never"}
    }
    template = copy.deepcopy(document["spec"].get("submitterPodTemplate", own))
    _give_token(template["spec"], cluster, cluster_name(document))
    return Pod(
        f"RayJob {document['metadata']['name']} submitter", template.get("metadata", {}).get("labels", {}), template["spec"]
    )


def services(documents: Documents) -> list[Service]:
    """All services that a set of documents comes to."""
    found = []
    for document in documents:
        if document["kind"] == "Service":
            ports = {port.get("name", str(port["port"])): port["port"] for port in document["spec"]["ports"]}
            targets: list[Any] = [port.get("targetPort", port["port"]) for port in document["spec"]["ports"]]
            found.append(Service(document["metadata"]["name"], document["spec"].get("selector", {}), ports, targets))
    for document, cluster in ray_clusters(documents):
        name, of = document["metadata"]["name"], cluster_name(document)
        declared = cluster["headGroupSpec"]["template"]["spec"]["containers"][0].get("ports", [])
        ports = {port.get("name", f"{port['containerPort']}-port"): port["containerPort"] for port in declared}
        head = {
            "ray.io/cluster": of,
            "ray.io/node-type": "head",
            "ray.io/identifier": f"{of}-head",
            "app.kubernetes.io/name": "kuberay",
            "app.kubernetes.io/created-by": "kuberay-operator",
        }
        found.append(Service(f"{of}-head-svc", head, ports, list(ports.values())))
        if document["kind"] != "RayCluster":
            found.append(Service(f"{name}-head-svc", head, ports, list(ports.values())))
        if document["kind"] == "RayService" and "serve" in ports:
            selector = {"ray.io/cluster": of, "ray.io/serve": "true"}
            found.append(Service(f"{name}-serve-svc", selector, {"serve": ports["serve"]}, [ports["serve"]]))
    return found
