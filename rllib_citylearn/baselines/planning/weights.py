"""What the terms of the score are worth, hour by hour, in the units a planner decides in.

The score divides each term by what it is without control over the whole episode. A planner that may not look ahead has only
the hours so far to tell what that will be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.episode_score import one_over
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

Floats = npt.NDArray[np.float64]

DAY = 24
USUAL_ONE_MINUS_LOAD_FACTOR = 0.7
"""Of a district's month, until a day was seen."""
LEAST_LOAD_FACTOR = 0.2
"""Of the controlled district, for the worth of a lower peak; its mean may be negative for weeks."""


@dataclass(frozen=True)
class HourlyWeights:
    """What H hours' decisions are worth, as parts of the score times the episode's hours.

    Attributes:
        imports: of every kWh that a building imports, ``[H, N]``.
        rise: of every kWh that the district's net load rises by from one hour to the next.
        peak: of every kWh that a month's highest net load of the district is higher.
    """

    imports: Floats
    rise: float
    peak: float


class PastWeights:
    """Estimates from the hours that were seen, the present one included.

    Args:
        load_kwh: what the buildings draw while all storage is idle, ``[T, N]`` in the T hours of the episode, whose number
            is known beforehand; read up to the present row only.
        price: ``[T, N]``; carbon: ``[T, N]``; likewise.
    """

    def __init__(self, load_kwh: Floats, price: Floats, carbon: Floats) -> None:
        self._load, self._price, self._carbon = load_kwh, price, carbon
        hours = len(load_kwh)
        # Every month counts the same, the shorter one at the end too: what a peak is worth goes by how many there are.
        self._hours_a_month = hours / -(-hours // HOURS_A_MONTH)
        self._seen = 0
        # A day of the first hour's mean load keeps the first estimates off zero.
        usual = np.full(load_kwh.shape[1], np.abs(load_kwh[0]).mean())
        self._bill = DAY * usual * price[0]
        self._emissions = DAY * usual * carbon[0]
        self._rises = DAY * 0.1 * float(usual.sum())
        self._district: list[float] = []

    def at(
        self, row: int, price: Floats, carbon: Floats, district_kwh: Sequence[float], expected_kwh: Floats
    ) -> HourlyWeights:
        """The weights of the hours from ``row`` on.

        Args:
            row: the present row; rows may be asked for in rising order only.
            price, carbon: expected, ``[H, N]``.
            district_kwh: the district's net load in the hours before, as controlled.
            expected_kwh: the district's load in the next hours while all storage is idle, ``[H]``.
        """
        self._look(row)
        hours = self._seen + DAY
        buildings = self._load.shape[1]
        imports = price * one_over(self._bill / hours) + carbon * one_over(self._emissions / hours)
        return HourlyWeights(
            imports=imports / buildings,
            rise=0.5 * float(one_over(np.array(self._rises / hours))),
            peak=self._peak(district_kwh, expected_kwh),
        )

    def _look(self, row: int) -> None:
        for t in range(self._seen, row + 1):
            drawn = np.maximum(self._load[t], 0.0)
            self._bill = self._bill + drawn * self._price[t]
            self._emissions = self._emissions + drawn * self._carbon[t]
            district = float(self._load[t].sum())
            if self._district:
                self._rises += max(district - self._district[-1], 0.0)
            self._district.append(district)
        self._seen = row + 1

    def _peak(self, district_kwh: Sequence[float], expected_kwh: Floats) -> float:
        """Slope of 1 - mean/peak of a month in its peak, over the same without control.

        What the month's mean and peak will be is expected to be what they were in as many hours before.
        """
        recent = np.asarray(district_kwh[-HOURS_A_MONTH:] if len(district_kwh) >= 2 * DAY else expected_kwh)
        highest = float(recent.max())
        if highest <= 0.0:
            return 0.0
        mean = max(float(recent.mean()), LEAST_LOAD_FACTOR * highest)
        factor = np.array(self._one_minus_load_factor())
        return 0.5 * self._hours_a_month * mean / highest**2 * float(one_over(factor))

    def _one_minus_load_factor(self) -> float:
        stretches = [self._district[i : i + HOURS_A_MONTH] for i in range(0, len(self._district), HOURS_A_MONTH)]
        factors = [1.0 - float(np.mean(s)) / max(s) for s in stretches if len(s) >= DAY and max(s) > 0.0]
        return float(np.mean(factors)) if factors else USUAL_ONE_MINUS_LOAD_FACTOR
