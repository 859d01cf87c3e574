"""One number for a controller: lower is better, no control is 1.

``score = mean(cost, carbon, grid)`` with ``grid = mean(ramping, 1 - load factor)``, the district's KPIs over those
without control. ``index5`` weighs five KPIs as the team reward does by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

SCORE_WEIGHTS: Mapping[str, float] = {
    "cost_total": 1 / 3,
    "carbon_emissions_total": 1 / 3,
    "ramping_average": 1 / 6,
    "monthly_one_minus_load_factor_average": 1 / 6,
}
"""Weights of the KPIs in the score; the last two together make the grid's third."""

INDEX5_WEIGHTS: Mapping[str, float] = {
    "cost_total": 0.25,
    "carbon_emissions_total": 0.25,
    "ramping_average": 0.20,
    "monthly_one_minus_load_factor_average": 0.15,
    "electricity_consumption_total": 0.15,
}
"""Weights of the KPIs in the five-KPI index."""

HOURS_A_MONTH = 730
"""Length of the stretches over which CityLearn takes the monthly load factor."""


@dataclass(frozen=True)
class Score:
    """A controller's score.

    Attributes:
        score: mean of cost, carbon and grid over no control; None if one of them has no value.
        index5: the five-KPI index over no control; None likewise.
        reason: why a value is None, in words; None if none is.
    """

    score: float | None
    index5: float | None
    reason: str | None


def score_kpis(kpis: Mapping[str, float | None]) -> Score:
    """The score of a district's KPIs.

    Args:
        kpis: value by CityLearn's cost function, as from ``district_kpis``.
    """
    needed = [*SCORE_WEIGHTS, *(name for name in INDEX5_WEIGHTS if name not in SCORE_WEIGHTS)]
    missing = [name for name in needed if kpis.get(name) is None]
    reason = None
    if missing:
        reason = (
            f"CityLearn gives no finite value for {', '.join(missing)}: the community without control has zero there, "
            "or the window is too short to measure it. Evaluate a longer window or other buildings."
        )
    return Score(_weighted(kpis, SCORE_WEIGHTS), _weighted(kpis, INDEX5_WEIGHTS), reason)


def _weighted(kpis: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    total = 0.0
    for name, weight in weights.items():
        value = kpis.get(name)
        if value is None:
            return None
        total += weight * value
    # The weights' rounding must not make no control anything but 1.
    return total / sum(weights.values())


def score_trajectory(trajectory: Trajectory, no_control_net_kwh: FloatArray) -> float:
    """The score straight from loads, without CityLearn's KPI code: a check on ``score_kpis``.

    Every building needs a bill and emissions without control, and the district a positive peak.

    Args:
        trajectory: the episode to score.
        no_control_net_kwh: ``[T, N]`` kWh a time step, the same community's net load without control.

    Returns:
        The score; NaN or infinite where the community without control has zero.
    """
    net = trajectory.net_electricity_consumption_kwh
    month = max(1, round(HOURS_A_MONTH * 3600.0 / trajectory.seconds_per_time_step))
    cost = _mean_building_ratio(net, no_control_net_kwh, trajectory.price)
    carbon = _mean_building_ratio(net, no_control_net_kwh, trajectory.carbon)
    district, reference = net.sum(1), no_control_net_kwh.sum(1)
    ramping = _ramping(district) / _ramping(reference)
    load_factor = _one_minus_load_factor(district, month) / _one_minus_load_factor(reference, month)
    return float((cost + carbon + (ramping + load_factor) / 2) / 3)


def _mean_building_ratio(net: FloatArray, reference: FloatArray, rate: FloatArray) -> float:
    """Mean over buildings of imported energy times ``rate``, over the same without control; exports earn nothing."""
    return float(np.mean((np.maximum(net, 0) * rate).sum(0) / (np.maximum(reference, 0) * rate).sum(0)))


def _ramping(district: FloatArray) -> float:
    """Sum of the increases from step to step, kWh."""
    return float(np.maximum(np.diff(district), 0).sum())


def _one_minus_load_factor(district: FloatArray, window: int) -> float:
    """Mean over stretches of ``window`` steps, the last one maybe shorter, of 1 - mean/peak."""
    stretches = [district[start : start + window] for start in range(0, len(district), window)]
    return float(np.mean([1 - stretch.mean() / stretch.max() for stretch in stretches]))
