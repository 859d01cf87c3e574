"""When energy is moved: by the price of electricity, and by the hour of the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

MOST_LEVELS = 6
"""Prices that are told apart each by itself; more are put into ``_BINS`` classes with about as many hours each."""

_BINS = 5
_MOVED_KWH = 1e-6
"""Energy of a building in a time step up to which it counts as none: rounding of 32-bit numbers."""


@dataclass(frozen=True)
class Response:
    """Mean power of the whole district in G classes of time.

    Attributes:
        bounds: lowest and highest price, or the hour twice, of each class.
        share: of the buildings' time steps in each, ``[G]``.
        price: mean price, currency/kWh, ``[G]``.
        charge_kw, discharge_kw: of what stores or shifts energy, ``[G]``; the second is negative.
        vehicles_kw, back_kw: of vehicles, charged and given back, ``[G]``; the second is negative.
    """

    bounds: tuple[tuple[float, float], ...]
    share: FloatArray
    price: FloatArray
    charge_kw: FloatArray
    discharge_kw: FloatArray
    vehicles_kw: FloatArray
    back_kw: FloatArray


@dataclass(frozen=True)
class Moved:
    """Whether storage charges and discharges, and vehicles charge and give back, in any building at any time."""

    charge: bool
    discharge: bool
    vehicles: bool
    back: bool

    @classmethod
    def of(cls, trajectory: Trajectory) -> Moved:
        """Of an episode."""
        moved, vehicles = flexible_kwh(trajectory), trajectory.charging_kwh
        return cls(
            charge=bool((moved > _MOVED_KWH).any()),
            discharge=bool((moved < -_MOVED_KWH).any()),
            vehicles=bool((vehicles > _MOVED_KWH).any()),
            back=bool((vehicles < -_MOVED_KWH).any()),
        )

    def __bool__(self) -> bool:
        return self.charge or self.discharge or self.vehicles or self.back


def flexible_kwh(trajectory: Trajectory) -> FloatArray:
    """What batteries, tanks and thermostats drew more than without control, ``[T, N]`` kWh; negative where they gave."""
    result: FloatArray = trajectory.net_electricity_consumption_kwh - trajectory.no_control_net_kwh - trajectory.charging_kwh
    return result


def by_price(trajectory: Trajectory) -> Response | None:
    """By price, lowest first; None where there is but one price."""
    prices = np.round(trajectory.price, 6)
    levels = np.unique(prices)
    if len(levels) < 2:
        return None
    if len(levels) <= MOST_LEVELS:
        return _response(trajectory, np.searchsorted(levels, prices), [(float(level), float(level)) for level in levels])
    edges = np.unique(np.quantile(prices, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, prices, side="left")
    found, groups = np.unique(groups, return_inverse=True)
    groups = groups.reshape(prices.shape)
    members = [prices[groups == g] for g in range(len(found))]
    return _response(trajectory, groups, [(float(one.min()), float(one.max())) for one in members])


def by_hour(trajectory: Trajectory) -> Response:
    """By hour of the day, as the data counts it, 24 being midnight."""
    hours, groups = np.unique(trajectory.hour % 24, return_inverse=True)
    every = np.repeat(groups[:, None], len(trajectory.buildings), axis=1)
    return _response(trajectory, every, [(float(hour), float(hour)) for hour in hours])


def _response(trajectory: Trajectory, groups: npt.NDArray[np.intp], bounds: list[tuple[float, float]]) -> Response:
    """Means over the buildings' time steps in each group ``[T, N]``, times the number of buildings."""
    count = np.bincount(groups.ravel(), minlength=len(bounds))
    per_hour = len(trajectory.buildings) * 3600.0 / trajectory.seconds_per_time_step

    def means(values: FloatArray) -> FloatArray:
        result: FloatArray = np.bincount(groups.ravel(), values.ravel(), minlength=len(bounds)) / count
        return result

    moved, vehicles = flexible_kwh(trajectory), trajectory.charging_kwh
    return Response(
        bounds=tuple(bounds),
        share=count / groups.size,
        price=means(trajectory.price),
        charge_kw=per_hour * means(np.maximum(moved, 0.0)),
        discharge_kw=per_hour * means(np.minimum(moved, 0.0)),
        vehicles_kw=per_hour * means(np.maximum(vehicles, 0.0)),
        back_kw=per_hour * means(np.minimum(vehicles, 0.0)),
    )
