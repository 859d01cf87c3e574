"""Prometheus metrics of one replica. A scraper adds them up over replicas."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts what a replica does; every instance has a registry of its own, so that tests don't share counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "citylearn_policy_requests", "Requests answered.", ["path", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "citylearn_policy_predict_seconds",
            "Time from the first byte of a POST /predict to its answer.",
            buckets=_LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._clipped = Counter(
            "citylearn_policy_clipped_values",
            "Observed values outside their feature's range, which the policy saw clipped.",
            ["building", "feature"],
            registry=self._registry,
        )
        self._model = Gauge(
            "citylearn_policy_model_info", "The policy being served; always 1.", ["name", "sha256"], registry=self._registry
        )

    def count_request(self, path: str, status: int) -> None:
        """One request was answered; ``path`` must be a known route, or clients could create labels without end."""
        self._requests.labels(path, str(status)).inc()

    def observe_predict(self, seconds: float) -> None:
        """One ``POST /predict`` took so long, whatever its status."""
        self._latency.observe(seconds)

    def count_clipped(self, clipped: Iterable[tuple[str, str, float]]) -> None:
        """Values outside their range, as ``PolicyRuntime.clipped`` reports them."""
        for building, feature, _ in clipped:
            self._clipped.labels(building, feature).inc()

    def set_model(self, name: str, sha256: str) -> None:
        """Another policy is served from now on."""
        self._model.clear()
        self._model.labels(name, sha256).set(1)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
