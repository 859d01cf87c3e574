"""An episode cut into the stretches over which CityLearn takes the monthly load factor; the score from any choice of them.

The score's four terms are made of sums over stretches of 730 hours: bills, emissions and rises of the district's load add
up, 1 - load factor is a mean. Drawing stretches with replacement therefore gives the score of another year made of the
same months, and drawing each once gives the score itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

HOURS_A_STRETCH = 730
"""Length of the stretches over which CityLearn takes the monthly load factor."""

NOTHING = 1e-6
"""Sums up to which CityLearn takes a denominator for zero."""

TERMS = ("cost", "carbon", "ramping", "1-load factor")
"""The score's terms, in the order of ``Stretches.terms``."""


@dataclass(frozen=True)
class Stretches:
    """Sums over K stretches of N buildings; each attribute is a pair: as controlled, and without control.

    Attributes:
        bill: imported energy times price, currency, ``[K, N]``.
        emissions: imported energy times carbon intensity, kgCO2, ``[K, N]``.
        rises: of the district's net load from step to step, kWh, ``[K]``.
        one_minus_load_factor: 1 - mean/peak of the district's net load, ``[K]``.
    """

    bill: tuple[FloatArray, FloatArray]
    emissions: tuple[FloatArray, FloatArray]
    rises: tuple[FloatArray, FloatArray]
    one_minus_load_factor: tuple[FloatArray, FloatArray]

    def __len__(self) -> int:
        return len(self.rises[0])

    @classmethod
    def of(cls, trajectory: Trajectory, no_control_net_kwh: FloatArray | None = None) -> Stretches:
        """Of an episode.

        Args:
            trajectory: the episode.
            no_control_net_kwh: net load without control, ``[T, N]`` kWh; None takes the trajectory's.
        """
        reference = trajectory.no_control_net_kwh if no_control_net_kwh is None else no_control_net_kwh
        nets = (trajectory.net_electricity_consumption_kwh, reference)
        steps = max(1, round(HOURS_A_STRETCH * 3600.0 / trajectory.seconds_per_time_step))
        starts = np.arange(0, trajectory.steps, steps)

        def sums(series: FloatArray) -> FloatArray:
            result: FloatArray = np.add.reduceat(series, starts, axis=0)
            return result

        def pair(of: object) -> tuple[FloatArray, FloatArray]:
            first, second = (of(net) for net in nets)  # type: ignore[operator]
            return first, second

        return cls(
            bill=pair(lambda net: sums(np.maximum(np.maximum(net, 0.0) * trajectory.price, 0.0))),
            emissions=pair(lambda net: sums(np.maximum(net * trajectory.carbon, 0.0))),
            rises=pair(lambda net: sums(np.maximum(np.diff(net.sum(1), prepend=net[0].sum()), 0.0))),
            one_minus_load_factor=pair(lambda net: _one_minus_load_factor(net.sum(1), steps)),
        )

    def terms(self, counts: npt.ArrayLike | None = None) -> FloatArray:
        """The score's terms over those without control, ``[R, 4]`` in the order of ``TERMS``.

        Args:
            counts: how often each stretch counts, ``[R, K]``; None counts each once (``R`` = 1).
        """
        drawn = np.ones((1, len(self))) if counts is None else np.asarray(counts, np.float64)
        each = [_ratio(drawn, pair) for pair in (self.bill, self.emissions)]
        district = [_ratio(drawn, pair) for pair in (self.rises, self.one_minus_load_factor)]
        return np.stack([*(_mean_of_known(ratios) for ratios in each), *district], 1)

    def scores(self, counts: npt.ArrayLike | None = None) -> FloatArray:
        """The score, ``[R]``; NaN or infinite where the community without control has zero. See ``terms``."""
        return score_of(self.terms(counts))


def score_of(terms: FloatArray) -> FloatArray:
    """The score ``[...]`` of its terms ``[..., 4]``, in the order of ``TERMS``."""
    cost, carbon, ramping, factor = np.moveaxis(terms, -1, 0)
    result: FloatArray = (cost + carbon + (ramping + factor) / 2.0) / 3.0
    return result


def _ratio(counts: FloatArray, pair: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Sums over the drawn stretches over those without control, ``[R, ...]``.

    As in CityLearn, nothing over nothing is 1, and something over nothing has no ratio: NaN.
    """
    controlled, reference = counts @ pair[0], counts @ pair[1]
    nothing = np.abs(reference) <= NOTHING
    alike = np.where(np.abs(controlled) <= NOTHING, 1.0, np.nan)
    return np.where(nothing, alike, controlled / np.where(nothing, 1.0, reference))


def _mean_of_known(ratios: FloatArray) -> FloatArray:
    """Mean over buildings, ``[R]``, without those that have no ratio; NaN if none has one."""
    known = ~np.isnan(ratios)
    count = known.sum(1)
    total = np.where(known, ratios, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _one_minus_load_factor(district: FloatArray, steps: int) -> FloatArray:
    stretches = [district[start : start + steps] for start in range(0, len(district), steps)]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array([1.0 - stretch.mean() / stretch.max() for stretch in stretches])
