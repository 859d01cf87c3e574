"""The score of an episode as a function of its net loads: what planners who know all of it minimise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EpisodeScore:
    """What the terms are worth, as parts of the score; a term that is nothing without control has no ratio and no worth.

    Attributes:
        imports: of an imported kWh, cost's and carbon's parts, ``[T, N]``.
        rise: of a kWh by which the district's net load rises from one hour to the next.
        factor: of 1 - mean/peak of one stretch of ``HOURS_A_MONTH`` hours; the last may be shorter and counts the same.
    """

    imports: Floats
    rise: float
    factor: float

    @classmethod
    def of(cls, idle_kwh: Floats, price: Floats, carbon: Floats) -> EpisodeScore:
        """Over a community without control; all arguments are ``[T, N]``.

        Hours in which one is paid for importing count nothing, as in CityLearn's KPIs.

        Args:
            idle_kwh: what the buildings draw without control.
            price: currency/kWh; carbon: kgCO2/kWh.
        """
        drawn, price, carbon = np.maximum(idle_kwh, 0.0), np.maximum(price, 0.0), np.maximum(carbon, 0.0)
        imports = price * one_over((drawn * price).sum(0)) + carbon * one_over((drawn * carbon).sum(0))
        district = idle_kwh.sum(1)
        return cls(
            imports=imports / idle_kwh.shape[1] / 3.0,
            rise=float(one_over(_rises(district))) / 6.0,
            factor=float(one_over(_one_minus_load_factors(district))) / 6.0,
        )

    def score(self, net_kwh: Floats) -> float:
        """Of net loads ``[T, N]``; lower is better."""
        district = net_kwh.sum(1)
        imported = float((self.imports * np.maximum(net_kwh, 0.0)).sum())
        return imported + self.rise * float(_rises(district)) + self.factor * float(_one_minus_load_factors(district))


def _rises(district: Floats) -> Floats:
    return np.asarray(np.maximum(np.diff(district), 0.0).sum())


def _one_minus_load_factors(district: Floats) -> Floats:
    """Their sum over the stretches; where a district never imports there is no factor."""
    stretches = [district[start : start + HOURS_A_MONTH] for start in range(0, len(district), HOURS_A_MONTH)]
    return np.asarray(sum(1.0 - stretch.mean() / stretch.max() for stretch in stretches if stretch.max() > 0.0))


def one_over(total: Floats) -> Floats:
    """Reciprocals; zero where there is next to nothing to divide by."""
    return np.divide(1.0, total, out=np.zeros(np.shape(total)), where=total > 1e-9)
