"""Where inputs lie in the ranges that a policy was trained with, feature by feature."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Gauge

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.export.runtime import Rows

_MEMORY = 1.0 / 256.0
"""Weight of a new input in a mean: what lies 256 inputs back counts a third of it."""

_EVERY = 8
"""One input of so many is looked at, which costs next to nothing and shows the same."""


class Drift:
    """Running means of each community's inputs, as positions in their ranges: 0 at the low end, 1 at the high one.

    A mean that wanders, or a deviation that vanishes (a meter that hangs), is seen before values leave the range and are
    clipped.

    Args:
        registry: where the gauges are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["community", "feature"]
        self._mean = Gauge(
            "citylearn_policy_input_position",
            "Running mean of a feature over buildings and requests: 0 at the low end of its range, 1 at the high end.",
            labels,
            registry=registry,
        )
        self._deviation = Gauge(
            "citylearn_policy_input_spread", "Running standard deviation of the same.", labels, registry=registry
        )
        self._communities: dict[str, _Positions] = {}

    def see(self, name: str, community: CommunityFeatures, rows: Rows) -> None:
        """One observation of a community came in."""
        positions = self._communities.get(name)
        if positions is None or positions.community is not community:
            positions = self._communities[name] = _Positions(community)
        positions.see(rows)

    def keep(self, names: Collection[str]) -> None:
        """Forget all other communities: they are served no longer."""
        self._communities = {name: positions for name, positions in self._communities.items() if name in names}

    def publish(self) -> None:
        """Write the means to the gauges."""
        self._mean.clear()
        self._deviation.clear()
        for name, positions in self._communities.items():
            for feature, mean, deviation in positions.moments():
                self._mean.labels(name, feature).set(mean)
                self._deviation.labels(name, feature).set(deviation)


class _Positions:
    def __init__(self, community: CommunityFeatures) -> None:
        self.community = community
        self._names = [feature.name for feature in community.features if feature.source == "measured"]
        index = {name: i for i, name in enumerate(self._names)}
        self._of = [np.array([index[name] for name in agent.features], np.intp) for agent in community.agents]
        features = [community.feature(name) for name in self._names]
        self._low = np.array([feature.low for feature in features])
        self._span = np.array([feature.high - feature.low for feature in features])
        self._first: npt.NDArray[np.float64] = np.zeros(len(features))
        self._second: npt.NDArray[np.float64] = np.zeros(len(features))
        self._weight: npt.NDArray[np.float64] = np.zeros(len(features))
        self._count = 0

    def see(self, rows: Rows) -> None:
        self._count += 1
        if self._count % _EVERY != 1:
            return
        heard = [(of, row) for of, row in zip(self._of, rows, strict=True) if row is not None]
        slots = np.concatenate([of for of, _ in heard])
        values = (np.concatenate([np.asarray(row, float) for _, row in heard]) - self._low[slots]) / self._span[slots]
        values = np.clip(values, -10.0, 10.0)  # one absurd value must not hide the rest for long
        size = len(self._names)
        counts = np.bincount(slots, minlength=size)
        there = counts > 0
        rate = np.where(there, np.maximum(_MEMORY * _EVERY, 1.0 / np.maximum(self._weight + 1.0, 1.0)), 0.0)
        self._weight += there
        for moments, power in ((self._first, values), (self._second, values**2)):
            means = np.bincount(slots, power, minlength=size) / np.maximum(counts, 1)
            moments += rate * (means - moments)

    def moments(self) -> list[tuple[str, float, float]]:
        """Feature, mean and standard deviation of those that were seen."""
        deviation = np.sqrt(np.maximum(self._second - self._first**2, 0.0))
        return [
            (name, float(mean), float(spread))
            for name, mean, spread, weight in zip(self._names, self._first, deviation, self._weight, strict=True)
            if weight
        ]
