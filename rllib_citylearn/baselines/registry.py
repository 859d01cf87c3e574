"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial

from rllib_citylearn.baselines.citylearn_agents import CityLearnAgent
from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.planning.foresight import PerfectForesight
from rllib_citylearn.baselines.planning.mpc import naive_mpc, perfect_mpc
from rllib_citylearn.baselines.rules import Level, NetZero, NoControl, PlugIn
from rllib_citylearn.errors import ConfigError

_RBC = partial(CityLearnAgent, module="citylearn.agents.rbc", sets_devices=True)
_POLICY = partial(CityLearnAgent, module="citylearn.agents.baseline", sets_devices=False)

BASELINES: Mapping[str, Callable[[], Controller]] = {
    "no-control": NoControl,
    "plug-in": PlugIn,
    "net-zero": NetZero,
    "level": Level,
    "bau": partial(_POLICY, "bau", agent="BusinessAsUsualAgent"),
    "price-policy": partial(_POLICY, "price-policy", agent="RBCBasicPolicy"),
    "smart-policy": partial(_POLICY, "smart-policy", agent="RBCSmartPolicy"),
    "community-policy": partial(_POLICY, "community-policy", agent="RBCCommunityPolicy"),
    "basic-rbc": partial(_RBC, "basic-rbc", agent="BasicRBC"),
    "optimized-rbc": partial(_RBC, "optimized-rbc", agent="OptimizedRBC"),
    "battery-rbc": partial(_RBC, "battery-rbc", agent="BasicBatteryRBC"),
    "ev-rbc": partial(_RBC, "ev-rbc", agent="BasicElectricVehicleRBC_ReferenceController"),
    "mpc": naive_mpc,
    "mpc-perfect": perfect_mpc,
    "foresight": PerfectForesight,
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
