"""Workers are ready while HAProxy there knows a replica that is up, by the rules that Ray writes for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from tests.k8s.documents import needs_kubectl, overlay, ray_clusters

pytestmark = needs_kubectl


def rules(*, is_head: bool, backends: tuple[str, ...]) -> str:
    """HAProxy's rules for its health check on a node."""
    templates: Any = pytest.importorskip("ray.serve._private.haproxy_templates")
    return jinja2.Template(templates.HAPROXY_HEALTHZ_RULES_TEMPLATE).render(
        config=SimpleNamespace(is_head=is_head, health_check_endpoint="/-/healthz", metrics_enabled=False),
        health_info=SimpleNamespace(healthy=True, status=200, health_message="success"),
        backends=[SimpleNamespace(name=name) for name in backends],
    )


def says_200(text: str) -> list[str]:
    """Lines that answer with 200."""
    return [line for line in text.splitlines() if "return status 200" in line]


def test_a_worker_that_knows_no_application_says_no_200() -> None:
    assert not says_200(rules(is_head=False, backends=()))


def test_a_worker_says_200_while_a_replica_is_up() -> None:
    text = rules(is_head=False, backends=("policy",))
    assert "nbsrv(policy) ge 1" in text
    (line,) = says_200(text)
    assert "server_up" in line


def test_heads_always_do_so_that_they_are_left_out_of_the_service() -> None:
    assert says_200(rules(is_head=True, backends=()))
    for name in ("local", "production"):
        (service,) = [document for document in overlay(name) if document["kind"] == "RayService"]
        assert service["spec"]["excludeHeadPodFromServeSvc"] is True


@pytest.mark.parametrize("name", ["local", "production"])
def test_workers_readiness_asks_haproxy(name: str) -> None:
    for document, cluster in ray_clusters(overlay(name)):
        assert document["kind"] == "RayService"
        for group in cluster["workerGroupSpecs"]:
            probe = group["template"]["spec"]["containers"][0]["readinessProbe"]
            assert probe["httpGet"] == {"path": "/-/healthz", "port": 8000}
