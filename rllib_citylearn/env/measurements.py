"""What memory features are made of: which measurements, for which buildings, in which ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.feature_table import FEATURES
from rllib_citylearn.env.features import CommunityFeatures

QUANTITIES = ("non_shiftable_load", "solar_generation", "net_electricity_consumption", "carbon_intensity")
"""The measurements that memory is made of, by feature name; buildings that lack one have zeros."""

NET_MEAN = "net_electricity_consumption_mean_24h"
"""The one memory feature that depends on the control."""

SOURCES: Mapping[str, Sequence[str]] = {
    **{
        name: QUANTITIES[:2]
        for name, feature in FEATURES.items()
        if feature.source == "memory" and name.startswith("base_load")
    },
    NET_MEAN: QUANTITIES[2:3],
    "carbon_intensity_mean_24h": QUANTITIES[3:],
}
"""Quantities behind each memory feature; a building has those features of which it measures a quantity."""

Doubles = npt.NDArray[np.float64]


def memory_names(measured: Iterable[str]) -> tuple[str, ...]:
    """Memory features of a building that measures these features, in the table's order."""
    has = set(measured)
    return tuple(name for name, sources in SOURCES.items() if has.intersection(sources))


def memory_ranges(ranges: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """Ranges of the memory features: those of what they are made of.

    Args:
        ranges: (low, high) of measured features; what is not among them has the table's range.
    """

    def of(name: str) -> tuple[float, float]:
        low, high = ranges.get(name, (FEATURES[name].low, FEATURES[name].high))
        return float(low), float(high)

    load, generation = of(QUANTITIES[0]), of(QUANTITIES[1])
    base = (load[0] - generation[1], load[1] - generation[0])
    return {name: base if sources == QUANTITIES[:2] else of(sources[0]) for name, sources in SOURCES.items()}


class Measurements:
    """Takes what memory is made of out of raw observations.

    Args:
        features: the community's feature table.
    """

    def __init__(self, features: CommunityFeatures) -> None:
        agents = features.agents
        start = np.cumsum([0, *(len(agent.features) for agent in agents)])
        self._nothing = int(start[-1])  # a zero behind the last value
        self._at = np.full((len(agents), len(QUANTITIES)), self._nothing)
        for n, agent in enumerate(agents):
            for q, name in enumerate(QUANTITIES):
                if name in agent.features:
                    self._at[n, q] = start[n] + agent.features.index(name)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of ``QUANTITIES`` each building measures, ``[N, 4]``."""
        return self._at < self._nothing

    def of(self, rows: Sequence[Sequence[float]]) -> Doubles:
        """``QUANTITIES`` of all buildings, ``[N, 4]``, from N raw observations."""
        flat = np.fromiter(chain(chain.from_iterable(rows), (0.0,)), float)
        return flat[self._at]
