"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial

from rllib_citylearn.baselines.citylearn_agents import CityLearnAgent
from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.rules import Level, NetZero, NoControl
from rllib_citylearn.errors import ConfigError

_RBC = partial(CityLearnAgent, module="citylearn.agents.rbc", sets_devices=True)

BASELINES: Mapping[str, Callable[[], Controller]] = {
    "no-control": NoControl,
    "net-zero": NetZero,
    "level": Level,
    "bau": partial(CityLearnAgent, "bau", "citylearn.agents.baseline", "BusinessAsUsualAgent", sets_devices=False),
    "basic-rbc": partial(_RBC, "basic-rbc", agent="BasicRBC"),
    "optimized-rbc": partial(_RBC, "optimized-rbc", agent="OptimizedRBC"),
    "battery-rbc": partial(_RBC, "battery-rbc", agent="BasicBatteryRBC"),
}
"""Makers of the baselines, by the names that commands and reports use."""


def make_baseline(name: str) -> Controller:
    """The baseline called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in BASELINES:
        nearest = get_close_matches(name, BASELINES, n=1, cutoff=0.5)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ConfigError(f"There is no baseline {name!r}; the baselines are {', '.join(BASELINES)}.{guess}")
    return BASELINES[name]()
