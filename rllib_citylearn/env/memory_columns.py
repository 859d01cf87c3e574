"""Where memory features stand among a community's encoded observations, and how they are encoded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import SOURCES
from rllib_citylearn.env.memory_format import LIMIT, SCALE

Doubles = npt.NDArray[np.float64]

NAMES = tuple(SOURCES)
"""All memory features, in the table's order."""


class MemoryColumns:
    """The M memory features of a community of N buildings: the last of the D columns.

    Args:
        features: the community's feature table.

    Attributes:
        take: which of ``NAMES`` they are, ``[M]``.
        columns: where they stand.
    """

    def __init__(self, features: CommunityFeatures) -> None:
        self.take = np.array([NAMES.index(name) for name in features.memory], np.int64)
        self.columns = slice(len(features.columns) - len(features.memory), None)
        # Encoding is x -> 2 (x - low) / (high - low) - 1, and everything is zero where masked.
        used = [features.feature(name) for name in features.memory]
        low, high = np.array([(feature.low, feature.high) for feature in used]).reshape(-1, 2).T
        mask = features.observation_mask[:, self.columns]
        self._gain: Doubles = 2.0 / (high - low) * mask
        self._offset: Doubles = -(high + low) / (high - low) * mask

    def taken(self, values: Doubles) -> Doubles:
        """Those of all features ``[..., NAMES]`` that this community has, ``[..., M]``."""
        return values if len(self.take) == len(NAMES) else values[..., self.take]

    def encode(self, values: Doubles, feature: int | slice = slice(None)) -> Doubles:
        """Encode in place raw values ``[..., N, M]``, or ``[..., N]`` of one ``feature`` of the M."""
        values *= self._gain[:, feature]
        values += self._offset[:, feature]
        np.maximum(values, -1.0, out=values)
        np.minimum(values, 1.0, out=values)
        return values


def whole(measured: Doubles) -> Doubles:
    """Measurements as whole numbers of 1 / ``SCALE``, held as floats: their sums are exact.

    CityLearn shows some numbers with 32 bits and some with 64: one rounding for all, wherever they come from.
    """
    single = np.minimum(np.maximum(measured, -LIMIT), LIMIT).astype(np.float32)
    units: Doubles = np.rint(np.multiply(single, SCALE, dtype=np.float64))
    return units
