"""How comfortable occupants were, where the indoor temperature is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.evaluation.kpis import Kpis

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

COMFORT_KPIS = {
    "discomfort": "discomfort_proportion",
    "cold": "discomfort_cold_proportion",
    "hot": "discomfort_hot_proportion",
}
"""CityLearn's cost functions by the names that reports use."""


def comfort_of(env: CityLearnEnv, kpis: Kpis) -> dict[str, float] | None:
    """Shares of the occupied time outside the comfort band, 0 to 1, as CityLearn's KPIs have them.

    Args:
        env: an environment at its end.
        kpis: its district's KPIs, means over buildings.

    Returns:
        None where no building's temperature is simulated, or CityLearn has no value.
    """
    if not any(hasattr(building, "dynamics") and not building.ignore_dynamics for building in env.buildings):
        return None
    values = {name: kpis.get(kpi) for name, kpi in COMFORT_KPIS.items()}
    known = {name: value for name, value in values.items() if value is not None}
    return known or None
