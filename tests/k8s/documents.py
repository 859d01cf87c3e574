"""Rendered manifests, and changed copies of them."""

from __future__ import annotations

import copy
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("local", "standalone", "cpu", "gpu", "production")

VARIANTS = {
    "production behind an ingress": ("production", [("gateway", "ingress")]),
    "production with upgrades by shares": ("production", [("gateway", "incremental-upgrade")]),
    "jobs in a queue": ("cpu", [(None, "kueue")]),
    "runs in an object store": ("cpu", [(None, "object-store"), (None, "pod-identity")]),
    "GPU jobs in a queue": ("gpu", [(None, "kueue")]),
    "GPU runs in an object store": ("gpu", [(None, "object-store")]),
    "all that jobs may have": ("gpu", [(None, "kueue"), (None, "object-store"), (None, "pod-identity")]),
}
"""Components that no overlay has, and how docs/deploy.md puts them into one: in place of another, or added."""

Document = dict[str, Any]
Documents = list[Document]

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here to render k8s/")


@cache
def _rendered(folder: Path) -> Documents:
    found = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return [document for document in yaml.load_all(found.stdout, yaml.CSafeLoader) if document]


def render(folder: Path) -> Documents:
    """What `kubectl kustomize` makes of a folder; a new copy each time."""
    return copy.deepcopy(_rendered(folder))


def overlay(name: str) -> Documents:
    """An overlay of k8s/overlays."""
    return render(K8S / "overlays" / name)


@cache
def _variant(name: str) -> Documents:
    base, changes = VARIANTS[name]
    with tempfile.TemporaryDirectory(prefix="k8s-variant-") as folder:
        copied = Path(folder) / "k8s"
        shutil.copytree(K8S, copied)
        file = copied / "overlays" / base / "kustomization.yaml"
        content = yaml.safe_load(file.read_text())
        components = content.setdefault("components", [])
        for old, new in changes:
            if old is None:
                components.append(f"../../components/{new}")
            else:
                components[components.index(f"../../components/{old}")] = f"../../components/{new}"
        file.write_text(yaml.safe_dump(content))
        return _rendered(file.parent)


WITH_TOOLS = "local with tools"


def gathered(name: str) -> Documents:
    """An overlay, one of ``VARIANTS``, or ``WITH_TOOLS``: what `local` makes and k8s/tools besides."""
    if name == WITH_TOOLS:
        tools: Document = yaml.safe_load((K8S / "tools" / "bundles.yaml").read_text())
        return [*overlay("local"), tools]
    return copy.deepcopy(_variant(name)) if name in VARIANTS else overlay(name)


def named(documents: Documents, kind: str, name: str) -> Document:
    """The one of that kind and name."""
    (found,) = [one for one in documents if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


GONE = object()
"""In place of a value: nothing."""


def changed(documents: Documents, kind: str, name: str, path: str, value: Any) -> Documents:
    """A copy with one value changed.

    Args:
        documents: stay as they are.
        kind: of the document.
        name: its.
        path: keys and places in lists, with dots; `~1` stands for a dot within a key. A list grows by one at its end.
        value: the new one; ``GONE`` takes the old one out.
    """
    copies = copy.deepcopy(documents)
    *way, last = [part.replace("~1", ".") for part in path.split(".")]
    at: Any = named(copies, kind, name)
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    key: Any = int(last) if isinstance(at, list) else last
    if value is GONE:
        del at[key]
    elif isinstance(at, list) and key == len(at):
        at.append(value)
    else:
        at[key] = value
    return copies


def ray_clusters(documents: Documents) -> Iterator[tuple[Document, Document]]:
    """Every Ray object with the spec of its cluster."""
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "RayService":
            yield document, spec["rayClusterConfig"]
        elif document["kind"] == "RayJob":
            yield document, spec["rayClusterSpec"]
        elif document["kind"] == "RayCluster":
            yield document, spec


def title(document: Document) -> str:
    """How faults call it."""
    return f"{document['kind']} {document['metadata']['name']}"


def templates(cluster: Document) -> Iterator[tuple[str, Document, Document]]:
    """Groups of a cluster by name, each with its spec and its pods' template, the head's first."""
    yield "head", cluster["headGroupSpec"], cluster["headGroupSpec"]["template"]
    for group in cluster.get("workerGroupSpecs", []):
        yield group["groupName"], group, group["template"]


def serve_config(documents: Documents) -> Document | None:
    """What the RayService deploys, if there is one."""
    for document in documents:
        if document["kind"] == "RayService":
            config: Document = yaml.safe_load(document["spec"]["serveConfigV2"])
            return config
    return None


def sentences(faults: Sequence[str]) -> str:
    """All of them, a line each."""
    return "\n".join(faults)
