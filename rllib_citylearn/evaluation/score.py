"""One number for a controller: lower is better, no control is 1.

``score = mean(cost, carbon, grid)`` with ``grid = mean(ramping, 1 - load factor)``, the district's KPIs over those
without control. ``index5`` weighs five KPIs as the team reward does by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rllib_citylearn.evaluation.stretches import Stretches
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


def score_trajectory(trajectory: Trajectory, no_control_net_kwh: FloatArray | None = None) -> float:
    """The score straight from loads, without CityLearn's KPI code: a check on ``score_kpis``.

    Args:
        trajectory: the episode to score.
        no_control_net_kwh: ``[T, N]`` kWh a time step, the same community's net load without control; None takes the
            trajectory's.

    Returns:
        The score; NaN where the community without control has zero.
    """
    return float(Stretches.of(trajectory, no_control_net_kwh).scores()[0])
