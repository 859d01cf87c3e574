"""Memory features that no control changes, as a function of the row of the data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import NET_MEAN, QUANTITIES
from rllib_citylearn.env.memory import RATE, blend
from rllib_citylearn.env.memory_columns import NAMES, MemoryColumns, whole
from rllib_citylearn.env.memory_format import HOURS, MOST, SCALE

Doubles = npt.NDArray[np.float64]

BLOCK = 512
"""Rows that are computed at once, so that a year of a large community doesn't have to be held in 64 bits."""


def memory_table(features: CommunityFeatures, measured: Doubles) -> npt.NDArray[np.float32]:
    """What ``Memory`` would write at each row if it had followed the data from the first row on.

    Args:
        features: the community's feature table, with M memory features.
        measured: ``QUANTITIES`` of each building and row of the data, ``[T, N, 4]``, in the features' units; the net load
            isn't looked at.

    Returns:
        encoded, float32 ``[T, N, M]``; zero where masked, and for the mean of the net load, which the control changes.
    """
    columns = MemoryColumns(features)
    units = whole(measured)
    base, carbon = units[..., 0] - units[..., 1], units[..., QUANTITIES.index("carbon_intensity")]
    forecast = _window(blend(base, _profile(base)), 0.0)
    peak = _window(base, -MOST)
    seen = np.minimum(np.arange(1, len(base) + 1), HOURS)
    base_mean, carbon_mean = (_sums(series) / seen[:, None] for series in (base, carbon))
    table = np.zeros((*base.shape, len(columns.take)), np.float32)
    for first in range(0, len(base), BLOCK):
        rows = slice(first, first + BLOCK)
        values = np.zeros((*base[rows].shape, len(NAMES)))
        values[..., :HOURS] = forecast[rows]
        if first == 0:
            # The hours that come next are those of yesterday; what was not seen is forecast with the mean.
            unseen = np.arange(HOURS) < (HOURS - seen[rows])[:, None]
            values[..., :HOURS] = np.where(unseen[:, None], base_mean[rows, :, None], values[..., :HOURS])
        values[..., HOURS] = base_mean[rows]
        values[..., HOURS + 1] = peak[rows].max(-1)
        values[..., HOURS + 3] = carbon_mean[rows]
        values /= SCALE
        table[rows] = columns.encode(columns.taken(values))
    if NET_MEAN in features.memory:
        table[..., features.memory.index(NET_MEAN)] = 0.0
    return table


def _profile(base: Doubles) -> Doubles:
    """The running profile of each row's hour of the day, ``[T, N]``."""
    profile = np.empty_like(base)
    profile[:HOURS] = base[:HOURS]
    for first in range(HOURS, len(base), HOURS):
        today = base[first : first + HOURS]
        before = profile[first - HOURS : first - HOURS + len(today)]
        profile[first : first + HOURS] = np.rint(before + RATE * (today - before))
    return profile


def _sums(series: Doubles) -> Doubles:
    """Sums over the last 24 hours or as many as there were, ``[T, N]``; exact, as all are whole numbers."""
    total = np.cumsum(series, 0)
    total[HOURS:] -= total[:-HOURS].copy()
    return total


def _window(series: Doubles, before: float) -> Doubles:
    """The last 24 values at each row, the latest last, ``[T, N, 24]``; ``before`` stands for those there were not."""
    padded = np.concatenate([np.full((HOURS - 1, series.shape[1]), before), series])
    return sliding_window_view(padded, HOURS, 0)
