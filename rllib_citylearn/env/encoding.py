"""Encoding many raw values at once: the array form of ``Feature.encode``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rllib_citylearn.env.feature_table import Feature

Indices = npt.NDArray[np.int64]


class Encoder:
    """Encodes a flat vector of raw values into a flat vector of encoded ones.

    Args:
        features: the feature of each raw value.
        slots: where the columns of each raw value stand in the output, side by side.
        constants: the output before anything is encoded: descriptors where there are any, else zeros.
    """

    def __init__(self, features: Sequence[Feature], slots: Sequence[Indices], constants: npt.NDArray[np.float32]) -> None:
        self._constants = constants
        self._low = np.array([feature.low for feature in features])
        self._high = np.array([feature.high for feature in features])
        slack = 1e-6 * (self._high - self._low)
        self._least, self._most = self._low - slack, self._high + slack
        kinds = np.array([feature.encoding for feature in features])
        first = np.array([columns[0] for columns in slots], np.int64)
        self._linear: Indices = np.flatnonzero(kinds == "linear")
        self._periodic: Indices = np.flatnonzero(kinds == "periodic")
        self._categories: Indices = np.flatnonzero(kinds == "categories")
        self._linear_slots = first[self._linear]
        self._cosine_slots = first[self._periodic]
        self._sine_slots = self._cosine_slots + 1
        self._category_slots = first[self._categories]

    def outside(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which raw values ``[..., V]`` lie outside their features' ranges (by more than rounding), as ``Feature.clips``."""
        return ~((self._least <= values) & (values <= self._most))

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Raw values ``[..., V]`` to encoded ones ``[..., C]``, float32 within [-1, 1]."""
        clipped = np.clip(values, self._low, self._high)
        result = np.broadcast_to(self._constants, (*values.shape[:-1], len(self._constants))).copy()
        span = self._high - self._low
        i = self._linear
        result[..., self._linear_slots] = 2.0 * (clipped[..., i] - self._low[i]) / span[i] - 1.0
        i = self._periodic
        angle = 2.0 * np.pi * (clipped[..., i] - self._low[i]) / (span[i] + 1.0)
        result[..., self._cosine_slots] = np.cos(angle)
        result[..., self._sine_slots] = np.sin(angle)
        i = self._categories
        if len(i):
            chosen = self._category_slots + (np.round(clipped[..., i]) - self._low[i]).astype(int)
            np.put_along_axis(result, chosen, 1.0, -1)
        return result
