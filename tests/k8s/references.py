"""Whether what a set of documents names is there: objects, labels, ports, volumes, secrets that the runbook makes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from tests.k8s.documents import ROOT, Document, Documents, title
from tests.k8s.injected import Pod, Service, pods, services

PAGE = ROOT / "docs" / "deploy.md"
NAMESPACE = "rllib-citylearn"
_CLUSTER_WIDE = {"Namespace"}
_MADE_BY_KUBERNETES = {"kube-root-ca.crt"}
_AGENT = 52365
"""Port of Ray's agent, which no container of KubeRay's declares."""


def documented_secrets() -> dict[str, set[str]]:
    """Keys of the secrets that docs/deploy.md has made, by name."""
    found: dict[str, set[str]] = {}
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in re.findall(r"kubectl create secret [^\n]+", text):
        words = shlex.split(line.split(" | ")[0])
        kind, name, options = words[3], words[4], words[5:]
        if kind == "tls":
            found.setdefault(name, set()).update({"tls.crt", "tls.key"})
        for option in options:
            match = re.match(r"--from-(?:literal|file)=([\w.-]+)=", option)
            if match:
                found.setdefault(name, set()).add(match[1])
    return found


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", []):
        value = labels.get(expression["key"])
        fits = {
            "In": value in expression.get("values", []),
            "NotIn": value not in expression.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[expression["operator"]]
        if not fits:
            return False
    return True


def faults(documents: Documents) -> list[str]:
    """What is named and not there."""
    running, offered = pods(documents), services(documents)
    return [
        *_objects(documents),
        *(f"{pod.of}: {sentence}" for pod in running for sentence in _pod(pod, documents)),
        *_selectors(documents, running),
        *_services(offered, running),
        *_routes(documents, offered),
        *_monitors(documents, running),
        *_secrets(documents, running),
        *_redis(documents, offered),
    ]


def _names(documents: Documents, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in documents if one["kind"] == kind}


def _objects(documents: Documents) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for document in documents:
        identity = document["kind"], document["metadata"]["name"]
        if identity in seen:
            yield f"{title(document)}: is there twice"
        seen.add(identity)
        labels = document["metadata"].get("labels", {})
        if document["kind"] not in _CLUSTER_WIDE:
            if document["metadata"].get("namespace") != NAMESPACE:
                yield f"{title(document)}: is not in the namespace {NAMESPACE}"
            if "app.kubernetes.io/component" not in labels:
                yield f"{title(document)}: has no label app.kubernetes.io/component to select it by"
        if document["kind"] == "RoleBinding":
            role = document["roleRef"]
            if role["name"] not in _names(documents, role["kind"]):
                yield f"{title(document)}: there is no {role['kind']} {role['name']}"
            for subject in document["subjects"]:
                if subject["kind"] == "ServiceAccount" and subject["name"] not in _names(documents, "ServiceAccount"):
                    yield f"{title(document)}: there is no ServiceAccount {subject['name']}"
        if document["kind"] == "StatefulSet" and document["spec"]["serviceName"] not in _names(documents, "Service"):
            yield f"{title(document)}: there is no Service {document['spec']['serviceName']}"
    if NAMESPACE not in _names(documents, "Namespace"):
        yield f"there is no Namespace {NAMESPACE}"


def _pod(pod: Pod, documents: Documents) -> Iterator[str]:
    account = pod.spec.get("serviceAccountName", "default")
    if account not in _names(documents, "ServiceAccount"):
        yield f"there is no ServiceAccount {account}"
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes", [])}
    for volume in volumes.values():
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if claim and claim not in _names(documents, "PersistentVolumeClaim"):
            yield f"there is no PersistentVolumeClaim {claim}"
        maps = [volume.get("configMap", {}).get("name")]
        maps += [source.get("configMap", {}).get("name") for source in volume.get("projected", {}).get("sources", [])]
        for name in filter(None, maps):
            if name not in _names(documents, "ConfigMap") | _MADE_BY_KUBERNETES:
                yield f"there is no ConfigMap {name}"
    for container in [*pod.spec.get("initContainers", []), *pod.spec["containers"]]:
        name = container["name"]
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"{name} mounts the volume {mount['name']}, which the pod has not"
        paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(paths) != len(set(paths)):
            yield f"{name} mounts two volumes at one path"
        variables = [variable["name"] for variable in container.get("env", [])]
        if len(variables) != len(set(variables)):
            yield f"{name} has a variable twice"
        ports = {port["containerPort"] for port in container.get("ports", [])}
        named = {port.get("name") for port in container.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if port is not None and port not in ports | named | {_AGENT}:
                yield f"{name}: the {probe} asks at {port}, where the container says nothing listens"
        if len(named) != len(container.get("ports", [])):
            yield f"{name} has two ports of one name, or one without"
    for constraint in pod.spec.get("topologySpreadConstraints", []):
        if not matches(constraint["labelSelector"], pod.labels):
            yield f"spreads over {constraint['topologyKey']} by labels that it has not itself"


def _selectors(documents: Documents, running: list[Pod]) -> Iterator[str]:
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "NetworkPolicy":
            selectors = [spec["podSelector"]]
            selectors += [peer["podSelector"] for peer in _peers(spec) if set(peer) == {"podSelector"}]
        elif document["kind"] in ("PodDisruptionBudget", "PodMonitor"):
            selectors = [spec["selector"]]
        else:
            continue
        for selector in selectors:
            if not any(matches(selector, pod.labels) for pod in running):
                yield f"{title(document)}: no pod has the labels {selector}"
        if document["kind"] == "PodDisruptionBudget" and not isinstance(spec.get("minAvailable"), int):
            yield f"{title(document)}: pods of a RayCluster need a minAvailable that is a number: they have no scale"


def _peers(spec: Document) -> list[Document]:
    rules = [*spec.get("ingress", []), *spec.get("egress", [])]
    return [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]


def _services(offered: list[Service], running: list[Pod]) -> Iterator[str]:
    for service in offered:
        found = [pod for pod in running if matches({"matchLabels": service.selector}, pod.labels)]
        if not found:
            yield f"Service {service.name}: no pod has the labels {service.selector}"
        for target in service.targets if found else []:
            for pod in found:
                ports = [port for container in pod.spec["containers"] for port in container.get("ports", [])]
                if not any(target in (port["containerPort"], port.get("name")) for port in ports):
                    yield f"Service {service.name}: {pod.of} has no port {target}"


def _routes(documents: Documents, offered: list[Service]) -> Iterator[str]:
    by_name = {service.name: service for service in offered}
    for document in documents:
        backends: list[tuple[str, Any]] = []
        if document["kind"] == "Ingress":
            for rule in document["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    backend = path["backend"]["service"]
                    backends.append((backend["name"], backend["port"].get("name", backend["port"].get("number"))))
            hosts = {rule["host"] for rule in document["spec"]["rules"]}
            if hosts - {host for tls in document["spec"].get("tls", []) for host in tls["hosts"]}:
                yield f"{title(document)}: a host has no certificate"
        if document["kind"] == "HTTPRoute":
            for rule in document["spec"]["rules"]:
                backends += [(backend["name"], backend["port"]) for backend in rule.get("backendRefs", [])]
            listeners = {
                (one["metadata"]["name"], listener["name"]): listener.get("hostname")
                for one in documents
                if one["kind"] == "Gateway"
                for listener in one["spec"]["listeners"]
            }
            for parent in document["spec"]["parentRefs"]:
                reference = parent["name"], parent.get("sectionName")
                if reference not in listeners:
                    yield f"{title(document)}: there is no listener {reference[1]} at a Gateway {reference[0]}"
                elif listeners[reference] not in (None, *document["spec"].get("hostnames", [])):
                    yield f"{title(document)}: its hosts are not the listener's"
        for name, port in backends:
            if name not in by_name:
                yield f"{title(document)}: there is no Service {name}"
            elif port not in (*by_name[name].ports, *by_name[name].ports.values()):
                yield f"{title(document)}: the Service {name} has no port {port}"


def _monitors(documents: Documents, running: list[Pod]) -> Iterator[str]:
    for document in documents:
        if document["kind"] != "PodMonitor":
            continue
        chosen = [pod for pod in running if matches(document["spec"]["selector"], pod.labels)]
        for endpoint in document["spec"]["podMetricsEndpoints"]:
            for pod in chosen:
                if "redis-cleanup" in pod.of:
                    continue
                ports = {port.get("name") for container in pod.spec["containers"] for port in container.get("ports", [])}
                if endpoint["port"] not in ports:
                    yield f"{title(document)}: {pod.of} has no port {endpoint['port']}"


def _secrets(documents: Documents, running: list[Pod]) -> Iterator[str]:
    documented = documented_secrets()
    wanted: list[tuple[str, str, set[str]]] = []
    for pod in running:
        volumes = pod.spec.get("volumes", [])
        wanted += [(pod.of, volume["secret"]["secretName"], set()) for volume in volumes if "secret" in volume]
        for container in [*pod.spec.get("initContainers", []), *pod.spec["containers"]]:
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference:
                    wanted.append((pod.of, reference["name"], {reference["key"]}))
            wanted += [
                (pod.of, one["secretRef"]["name"], set()) for one in container.get("envFrom", []) if "secretRef" in one
            ]
    for document in documents:
        if document["kind"] == "Secret":
            yield f"{title(document)}: secrets are made by hand, not kept here"
        if document["kind"] == "Ingress":
            wanted += [(title(document), tls["secretName"], {"tls.crt"}) for tls in document["spec"].get("tls", [])]
        if document["kind"] == "Gateway":
            for listener in document["spec"]["listeners"]:
                references = listener.get("tls", {}).get("certificateRefs", [])
                wanted += [(title(document), reference["name"], {"tls.crt"}) for reference in references]
        options = document.get("spec", {}).get("rayClusterConfig", {}).get("gcsFaultToleranceOptions", {})
        if "redisPassword" in options:
            reference = options["redisPassword"].get("valueFrom", {}).get("secretKeyRef")
            if reference is None:
                yield f"{title(document)}: the password of Redis stands in the manifest"
            else:
                wanted.append((title(document), reference["name"], {reference["key"]}))
    for of, name, keys in wanted:
        if not keys <= documented.get(name, set()) or name not in documented:
            yield f"{of}: docs/deploy.md makes no secret {name} with {', '.join(sorted(keys)) or 'any key'}"


def _redis(documents: Documents, offered: list[Service]) -> Iterator[str]:
    for document in documents:
        options = document.get("spec", {}).get("rayClusterConfig", {}).get("gcsFaultToleranceOptions", {})
        if "redisAddress" in options:
            host, _, port = options["redisAddress"].removeprefix("redis://").partition(":")
            if not any(one.name == host and int(port or 6379) in one.ports.values() for one in offered):
                yield f"{title(document)}: no Service answers at {options['redisAddress']}"
