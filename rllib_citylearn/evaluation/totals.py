"""What an episode came to in currency, kilograms, kilowatt hours and kilowatts, for the district and each building."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory


@dataclass(frozen=True)
class Totals:
    """Sums over the episode; as in CityLearn's KPIs exports earn nothing and save no emissions, nor does any import.

    Attributes:
        cost: bill of imported electricity, in the data's currency.
        carbon_kg: emissions of imported electricity, kgCO2.
        imported_kwh: a building's draw from the grid, hour by hour; for the district, its buildings' sum.
        exported_kwh: what was fed in, likewise.
        peak_kw: highest mean power of a time step; of the district's net load, or the building's.
        daily_peak_kw: mean of the days' highest.
        ramping_kw: mean rise of the net load from one time step to the next, falls counting nothing.
    """

    cost: float
    carbon_kg: float
    imported_kwh: float
    exported_kwh: float
    peak_kw: float
    daily_peak_kw: float
    ramping_kw: float

    def to_dict(self) -> dict[str, float]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class CommunityTotals:
    """Totals of one episode.

    Attributes:
        district: of the whole district.
        buildings: by building's name.
    """

    district: Totals
    buildings: Mapping[str, Totals]

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "district": self.district.to_dict(),
            "buildings": {name: totals.to_dict() for name, totals in self.buildings.items()},
        }


def totals_of(trajectory: Trajectory, net_kwh: FloatArray | None = None) -> CommunityTotals:
    """Totals of an episode.

    Args:
        trajectory: the episode.
        net_kwh: other net loads over the same time, ``[T, N]`` kWh a time step, such as those without control; None takes
            the controlled ones.
    """
    net = trajectory.net_electricity_consumption_kwh if net_kwh is None else net_kwh
    each = {name: _totals(trajectory, net[:, [n]], [n]) for n, name in enumerate(trajectory.buildings)}
    return CommunityTotals(_totals(trajectory, net, list(range(net.shape[1]))), each)


def _totals(trajectory: Trajectory, net: FloatArray, columns: list[int]) -> Totals:
    imported = np.maximum(net, 0.0)
    power = trajectory.district_kw(net)
    day = trajectory.steps_per_day
    days = [power[start : start + day].max() for start in range(0, len(power), day)]
    return Totals(
        cost=float(np.maximum(imported * trajectory.price[:, columns], 0.0).sum()),
        carbon_kg=float(np.maximum(imported * trajectory.carbon[:, columns], 0.0).sum()),
        imported_kwh=float(imported.sum()),
        exported_kwh=float(-np.minimum(net, 0.0).sum()),
        peak_kw=float(power.max()),
        daily_peak_kw=float(np.mean(days)),
        ramping_kw=float(np.maximum(np.diff(power), 0.0).mean()) if len(power) > 1 else 0.0,
    )
