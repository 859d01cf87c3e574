"""Prometheus metrics of one replica, which is a label of theirs: queries add up over replicas."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.registry import Collector

from serve.drift import Drift
from serve.models import Model, ServedCommunity

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counts what a replica does; every instance has a registry of its own, so that tests don't share counts.

    Attributes:
        answers: requests that a policy answered.
        replica: a label of every metric, since each request for metrics reaches one replica or the other; None adds none.
    """

    def __init__(self) -> None:
        self.answers = 0
        self.replica: str | None = None
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("citylearn_policy_requests", "Requests answered.", ["path", "status"], registry=registry)
        self._latency = Histogram(
            "citylearn_policy_request_seconds",
            "Time from the first byte of a POST to its answer.",
            ["path"],
            buckets=_LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._answers = Counter(
            "citylearn_policy_answers", "Observations answered.", ["community", "version"], registry=registry
        )
        self._batch = Histogram(
            "citylearn_policy_batch_size",
            "Observations in a request.",
            ["community"],
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._clipped = Counter(
            "citylearn_policy_clipped_values",
            "Observed values outside their feature's range, which the policy saw clipped.",
            ["community", "building", "feature"],
            registry=registry,
        )
        self._silent = Counter(
            "citylearn_policy_silent_buildings",
            "Observations without a building, which was left as nobody would control it.",
            ["community", "building"],
            registry=registry,
        )
        self._forgotten = Counter(
            "citylearn_policy_foreign_states",
            "States of another policy that came with observations, whose communities began afresh.",
            ["community"],
            registry=registry,
        )
        self._busy = Gauge("citylearn_policy_requests_in_progress", "Requests being answered.", registry=registry)
        self._refused = Counter(
            "citylearn_policy_refused_configurations",
            "Configurations that could not be used; the one before goes on.",
            registry=registry,
        )
        self._model = Gauge(
            "citylearn_policy_model_info",
            "A version of a community's policy; 1 if it answers, its share if it is a canary, else 0.",
            ["community", "version", "name", "sha256"],
            registry=registry,
        )
        self._drift = Drift(registry)

    def begin(self) -> None:
        """A request is being answered."""
        self._busy.inc()

    def end(self, path: str, status: int, seconds: float | None) -> None:
        """It was. ``path`` must be a known route's pattern, or clients could create labels without end.

        Args:
            path: the route's pattern.
            status: the HTTP status; 0 if the client left before.
            seconds: since its first byte; None for what is not timed.
        """
        self._busy.dec()
        if status:
            self._requests.labels(path, str(status)).inc()
        if seconds is not None:
            self._latency.labels(path).observe(seconds)

    def answered(self, community: str, model: Model, count: int) -> None:
        """So many observations of a community were answered in one request."""
        self.answers += 1
        self._answers.labels(community, model.label).inc(count)
        self._batch.labels(community).observe(count)

    def clipped(self, community: str, values: Iterable[tuple[str, str, float]]) -> None:
        """Values outside their range, as ``PolicyRuntime.clipped`` reports them."""
        for (building, feature), count in Counts((building, feature) for building, feature, _ in values).items():
            self._clipped.labels(community, building, feature).inc(count)

    def silent(self, community: str, buildings: Iterable[str]) -> None:
        """Buildings that were not heard of."""
        for building in buildings:
            self._silent.labels(community, building).inc()

    def forgotten(self, community: str, count: int) -> None:
        """So many states were another policy's."""
        self._forgotten.labels(community).inc(count)

    @property
    def drift(self) -> Drift:
        """Where inputs lie in the ranges of training."""
        return self._drift

    def refused(self) -> None:
        """A configuration was refused."""
        self._refused.inc()

    def set_communities(self, communities: Iterable[ServedCommunity]) -> None:
        """Others are served from now on."""
        self._model.clear()
        communities = list(communities)
        self._drift.keep([community.name for community in communities])
        for community in communities:
            canary = community.canary
            for label, model in community.models.items():
                share = 1.0 if label == community.serving else 0.0
                if canary is not None and canary.version != community.serving:
                    share = canary.share if label == canary.version else share * (1.0 - canary.share)
                facts = model.facts
                self._model.labels(community.name, label, facts["name"], facts["sha256"]).set(share)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        self._drift.publish()
        return generate_latest(self._registry if self.replica is None else _Labelled(self._registry, self.replica))


class _Labelled(Collector):
    """What another collector gives, with the replica as one more label."""

    def __init__(self, inner: Collector, replica: str) -> None:
        self._inner, self._replica = inner, replica

    def collect(self) -> Iterable[Metric]:
        for metric in self._inner.collect():
            metric.samples = [
                sample._replace(labels={**sample.labels, "replica": self._replica}) for sample in metric.samples
            ]
            yield metric
