"""CityLearn's own KPIs of a finished episode, under CityLearn's names.

Ratios are over the same community without control: 1 means no better and no worse, lower is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Kpis = dict[str, float | None]


@dataclass(frozen=True)
class CommunityKpis:
    """What ``CityLearnEnv.evaluate()`` says of one episode.

    Attributes:
        district: value by cost function of the whole district; None where CityLearn has no finite value.
        buildings: the same by building's name.
    """

    district: Kpis
    buildings: dict[str, Kpis]


def evaluate_env(env: CityLearnEnv) -> CommunityKpis:
    """KPIs of the district and of every building, at the time step where ``env`` stands."""
    district: Kpis = {}
    buildings: dict[str, Kpis] = {}
    for row in env.evaluate().itertuples(index=False):
        kpis = district if row.level == "district" else buildings.setdefault(str(row.name), {})
        kpis[str(row.cost_function)] = _finite(row.value)
    return CommunityKpis(district, buildings)


def district_kpis(env: CityLearnEnv) -> Kpis:
    """KPIs of the district by CityLearn's names; None where there is no finite value."""
    return evaluate_env(env).district


def _finite(value: float | None) -> float | None:
    """``value``, or None where it is missing or not finite: a ratio over zero, or nothing to measure."""
    return float(value) if value is not None and math.isfinite(value) else None
