"""Kubernetes' restricted profile of pod security, and this project's own demands beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.k8s.documents import Document
from tests.k8s.injected import Pod

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "ownClaim",
}
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ownClaim")


def faults(pods: list[Pod]) -> list[str]:
    """What the profile refuses, or lacks of ours."""
    return [f"{pod.of}: {sentence}" for pod in pods for sentence in (*_profile(pod.spec), *_ours(pod.spec))]


def _containers(spec: Document) -> list[Document]:
    return [*spec.get("initContainers", []), *spec["containers"], *spec.get("ephemeralContainers", [])]


def _profile(spec: Document) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is refused"
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"the volume {volume['name']} is {', '.join(sorted(kinds - _VOLUMES))}, which is refused"
    whole = spec.get("securityContext", {})
    for container in _containers(spec):
        name, own = container["name"], container.get("securityContext", {})
        if own.get("privileged"):
            yield f"{name} is privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name} does not say allowPrivilegeEscalation: false"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []):
            yield f"{name} does not drop all capabilities"
        if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            yield f"{name} adds capabilities"
        if not own.get("runAsNonRoot", whole.get("runAsNonRoot")):
            yield f"{name} does not say runAsNonRoot: true"
        if own.get("runAsUser", whole.get("runAsUser")) == 0:
            yield f"{name} runs as root"
        if own.get("seccompProfile", whole.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{name} has no seccomp profile"
        if own.get("procMount", "Default") != "Default" or own.get("windowsOptions", {}).get("hostProcess"):
            yield f"{name} asks for the host's"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield f"{name} takes a port of its node"


def _ours(spec: Document) -> Iterator[str]:
    if spec.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false; every container would have the account's token"
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for container in _containers(spec):
        name = container["name"]
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{name} can write to its root file system"
        paths = {
            mount["mountPath"]
            for mount in container.get("volumeMounts", [])
            if not mount.get("readOnly") and any(kind in volumes.get(mount["name"], {}) for kind in _WRITABLE)
        }
        if "/tmp" not in paths:
            yield f"{name} has no /tmp to write to"
        tokens = [
            mount
            for mount in container.get("volumeMounts", [])
            if "serviceAccountToken" in str(volumes.get(mount["name"], {}).get("projected", {}))
        ]
        if tokens and name != "autoscaler":
            yield f"{name} has the token that only the autoscaler needs"
        if name == "autoscaler" and not tokens:
            yield "the autoscaler has no token for the Kubernetes API"
