"""What validation chooses policies by.

The score (mean of cost, carbon and grid over no control, lower is better) is all there is to a community with batteries
alone. Where people are served, it is not: who charges no car and heats no room pays less. There the objective adds what the
people lack:

    objective = score + 2 * departure + 0.25 * discomfort + 2 * appliance

``departure`` is the charge that vehicles lack when they leave and ``appliance`` the energy of cycles that are given up, both
as shares of what is lacking without control, ``discomfort`` are degC outside the comfort band, on average over hours and
buildings. The weights are the defaults of the reward's terms of the same names, for the reasons that stand there; they are
the same in every run, so that policies trained on other rewards, or on none for service, are judged alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rllib_citylearn.env.reward import RewardWeights
from rllib_citylearn.errors import ConfigError

OBJECTIVE, SCORE = "objective", "score"
"""Names of both among the KPIs of a validation."""

_DEFAULTS = RewardWeights()

SHORTFALLS: Mapping[str, float] = {
    "departure": _DEFAULTS.departure,
    "discomfort": _DEFAULTS.comfort,
    "appliance": _DEFAULTS.appliance,
}
"""Weight of what people lack, by KPI of an episode."""


def objective(kpis: Mapping[str, float]) -> float:
    """What a policy is chosen by, lower is better.

    Args:
        kpis: of one episode; shortfalls that are not among them do not occur in it.
    """
    return kpis[SCORE] + sum(weight * kpis.get(name, 0.0) for name, weight in SHORTFALLS.items())


def mean_kpis(episodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over episodes of the KPIs that all of them have, and of their ``objective``.

    Raises:
        ConfigError: an episode has no score.
    """
    if not all(SCORE in kpis for kpis in episodes):
        raise ConfigError(
            "In a stretch of validation the community without control imports nothing, pays nothing or emits nothing, so "
            "that there is no score; choose other or longer stretches (validation.starts, validation.episode_steps)."
        )
    # Stretches without a departure, say, have no KPI of departures, but they have an objective.
    names = [name for name in episodes[0] if all(name in kpis for kpis in episodes)]
    means = {name: float(np.mean([kpis[name] for kpis in episodes])) for name in names}
    return {**means, OBJECTIVE: float(np.mean([objective(kpis) for kpis in episodes]))}
