"""Who reaches whom, by the overlays' NetworkPolicies."""

from __future__ import annotations

import pytest

from tests.k8s.documents import Documents, gathered, needs_kubectl, overlay
from tests.k8s.injected import pods
from tests.k8s.network import Place, may_reach, place

pytestmark = needs_kubectl

OUTSIDE = {
    "operator": Place("kuberay-system", {"app.kubernetes.io/name": "kuberay-operator"}),
    "gateway": Place("envoy-gateway-system", {"app.kubernetes.io/name": "envoy"}),
    "ingress": Place("ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
    "prometheus": Place("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "grafana": Place("monitoring", {"app.kubernetes.io/name": "grafana"}),
    "dns": Place("kube-system", {"k8s-app": "kube-dns"}),
    "the node's dns": Place("", address="169.254.20.10"),
    "dns of every node": Place("kube-system", {"k8s-app": "node-local-dns"}),
    "somebody": Place("default", {"app.kubernetes.io/name": "kuberay-operator"}),
    "kubernetes": Place("", address="10.96.0.1"),
    "the internet": Place("", address="52.216.0.1"),
    "metadata": Place("", address="169.254.169.254"),
    "metadata without Dataplane V2": Place("", address="169.254.169.252"),
    "EKS' agent": Place("", address="169.254.170.23"),
}
HEAD, WORKER, CLEANUP = "RayService policy head", "RayService policy answering", "RayService policy redis-cleanup"


def reaches(documents: Documents, source: str, target: str, port: int, protocol: str = "TCP") -> bool:
    """By what they are called above, or where pods come from."""
    places = {**OUTSIDE, **{pod.of: place(pod) for pod in pods(documents)}}
    return may_reach(documents, places[source], places[target], port, protocol)


@pytest.mark.parametrize(
    ("name", "source", "target", "port"),
    [
        ("production", WORKER, HEAD, 6379),
        ("production", HEAD, WORKER, 30001),
        ("production", WORKER, WORKER, 30002),  # HAProxy to another pod's replica
        ("production", HEAD, "StatefulSet redis", 6379),
        ("production", CLEANUP, "StatefulSet redis", 6379),
        ("production", HEAD, "kubernetes", 443),
        ("production", HEAD, "kubernetes", 6443),
        ("production", "operator", HEAD, 8265),
        ("production", "operator", HEAD, 8000),
        ("production", "gateway", WORKER, 8000),
        ("production behind an ingress", "ingress", WORKER, 8000),
        ("production with upgrades by shares", "gateway", WORKER, 8000),
        ("production", "prometheus", WORKER, 8080),
        ("production", "prometheus", WORKER, 30005),
        ("production", "prometheus", HEAD, 8080),
        ("cpu", "operator", "RayJob train head", 8265),
        ("cpu", "RayJob train submitter", "RayJob train head", 8265),
        ("cpu", "RayJob train cpu", "RayJob train head", 6379),
        ("cpu", "RayJob train cpu", "the internet", 443),
        ("cpu", "RayJob tune head", "kubernetes", 443),
        ("gpu", "RayJob train gpu", "RayJob train cpu", 12345),
        ("runs in an object store", "RayJob train cpu", "metadata", 80),
        ("runs in an object store", "RayJob tune head", "metadata without Dataplane V2", 988),
        ("runs in an object store", "RayCluster interactive cpu", "EKS' agent", 80),
    ],
)
def test_what_has_to_pass_does(name: str, source: str, target: str, port: int) -> None:
    assert reaches(gathered(name), source, target, port)


@pytest.mark.parametrize("name", ["production", "cpu", "standalone"])
@pytest.mark.parametrize("server", ["dns", "the node's dns", "dns of every node"])
def test_every_pod_may_ask_for_names(name: str, server: str) -> None:
    for pod in pods(overlay(name)):
        assert reaches(overlay(name), pod.of, server, 53, "UDP"), pod.of
        assert reaches(overlay(name), pod.of, server, 53), pod.of
        assert not reaches(overlay(name), pod.of, server, 9153), pod.of


CLOSED = [
    ("production", "somebody", WORKER, 8000),
    ("production", "somebody", HEAD, 8265),
    ("production", "gateway", HEAD, 8265),
    ("production", "gateway", HEAD, 8000),
    ("production", "gateway", WORKER, 30000),
    ("production", "ingress", WORKER, 8000),
    ("production behind an ingress", "gateway", WORKER, 8000),
    ("production behind an ingress", "ingress", WORKER, 30000),
    ("production", "prometheus", HEAD, 8265),
    ("production", "grafana", WORKER, 30000),
    ("production", "prometheus", "StatefulSet redis", 6379),
    ("production", WORKER, "StatefulSet redis", 6379),
    ("production", WORKER, "kubernetes", 443),
    ("production", HEAD, "the internet", 443),
    ("production", WORKER, "the internet", 443),
    ("production", "StatefulSet redis", "the internet", 443),
    ("production", "StatefulSet redis", HEAD, 6379),
    ("cpu", "RayJob train cpu", "RayJob tune head", 6379),
    ("cpu", "RayJob train cpu", "metadata", 80),
    ("cpu", "RayJob train cpu", "EKS' agent", 80),
    ("GPU runs in an object store", "RayJob train gpu", "metadata", 80),
    ("runs in an object store", "RayJob train cpu", "metadata", 443),
    ("cpu", "RayJob train cpu", "kubernetes", 443),
    ("cpu", "RayJob train cpu", "the internet", 80),
    ("local", "somebody", "Deployment policy-standalone", 8000),
]


@pytest.mark.parametrize(("name", "source", "target", "port"), CLOSED)
def test_everything_else_does_not(name: str, source: str, target: str, port: int) -> None:
    assert not reaches(gathered(name), source, target, port)


NEEDED = {
    "ray-serve": ("production", WORKER, HEAD, 6379),
    "gateway-to-serve": ("production", "gateway", WORKER, 8000),
    "ingress-to-serve": ("production behind an ingress", "ingress", WORKER, 8000),
    "pod-identity": ("runs in an object store", "RayJob tune cpu", "metadata", 80),
    "heads-to-kubernetes": ("production", HEAD, "kubernetes", 443),
    "redis": ("production", HEAD, "StatefulSet redis", 6379),
    "serve-to-redis": ("production", HEAD, "StatefulSet redis", 6379),
    "names": ("production", WORKER, "dns", 53),
    "operator-to-heads": ("production", "operator", HEAD, 8265),
    "prometheus-to-ray": ("production", "prometheus", WORKER, 30000),
    "ray-train": ("cpu", "RayJob train submitter", "RayJob train head", 8265),
    "train-https": ("cpu", "RayJob train cpu", "the internet", 443),
}


def less(name: str, policy: str) -> Documents:
    """An overlay or variant without one of its NetworkPolicies."""
    return [one for one in gathered(name) if (one["kind"], one["metadata"]["name"]) != ("NetworkPolicy", policy)]


@pytest.mark.parametrize("policy", NEEDED)
def test_a_policy_that_is_missing_is_missed(policy: str) -> None:
    name, source, target, port = NEEDED[policy]
    assert reaches(gathered(name), source, target, port)
    assert not reaches(less(name, policy), source, target, port)


def test_without_the_one_that_denies_everybody_comes_in() -> None:
    assert reaches(less("local", "deny-all"), "somebody", "Deployment policy-standalone", 8000)
