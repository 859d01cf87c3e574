"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module

from rllib_citylearn.baselines.citylearn_agents import CityLearnAgent
from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.rules import Level, NetZero, NoControl, PlugIn
from rllib_citylearn.errors import ConfigError

REFERENCE, RULE, PLANNER, BOUND = "reference", "rule", "planner", "bound"
"""Kinds of baselines: what scores are divided by or drivers' service is measured against, rules that anybody could run,
optimisers that anybody could run, and what needs to know the future."""


def _planner(module: str, name: str) -> Controller:
    """Made by a function or class of a planning module, imported when it is needed: the command line stays fast."""
    controller: Controller = getattr(import_module(f"rllib_citylearn.baselines.planning.{module}"), name)()
    return controller


@dataclass(frozen=True)
class Baseline:
    """A controller to compare with.

    Attributes:
        kind: ``REFERENCE``, ``RULE``, ``PLANNER`` or ``BOUND``.
        does: what it does, a sentence without its full stop.
        make: makes a new controller.
        slowness: how long it takes, roughly and at the most, over ``mpc-perfect``. Where several processes run controllers,
            the slowest are started first, so that none is left with the longest one at the end.
    """

    kind: str
    does: str
    make: Callable[[], Controller]
    slowness: float = 0.0


_AGENT = partial(CityLearnAgent, module="citylearn.agents.rbc", sets_devices=True)
_POLICY = partial(CityLearnAgent, module="citylearn.agents.baseline", sets_devices=False)

BASELINES: Mapping[str, Baseline] = {
    "no-control": Baseline(
        REFERENCE, "Leaves storage idle, vehicles uncharged, appliances unstarted and thermostats alone", NoControl
    ),
    "plug-in": Baseline(
        REFERENCE, "Charges vehicles at full power from arrival, starts appliances at once; other storage idle", PlugIn
    ),
    "net-zero": Baseline(RULE, "Asks each battery for minus its building's own net load", NetZero),
    "level": Baseline(RULE, "Keeps each building's load at the mean of the last day, with its battery", Level),
    "bau": Baseline(
        RULE,
        "CityLearn's `BusinessAsUsualAgent`: own PV into the battery, vehicles evenly until departure, appliances at once",
        partial(_POLICY, "bau", agent="BusinessAsUsualAgent"),
        slowness=0.1,
    ),
    "price-policy": Baseline(
        RULE,
        "CityLearn's `RBCBasicPolicy`: by price thresholds",
        partial(_POLICY, "price-policy", agent="RBCBasicPolicy"),
        slowness=0.15,
    ),
    "smart-policy": Baseline(
        RULE,
        "CityLearn's `RBCSmartPolicy`: by price, own PV and urgency",
        partial(_POLICY, "smart-policy", agent="RBCSmartPolicy"),
        slowness=0.3,
    ),
    "community-policy": Baseline(
        RULE,
        "CityLearn's `RBCCommunityPolicy`: the same, with the community's net load",
        partial(_POLICY, "community-policy", agent="RBCCommunityPolicy"),
        slowness=0.4,
    ),
    "basic-rbc": Baseline(RULE, "CityLearn's `BasicRBC`: by the hour", partial(_AGENT, "basic-rbc", agent="BasicRBC")),
    "optimized-rbc": Baseline(
        RULE, "CityLearn's `OptimizedRBC`: by the hour, finer", partial(_AGENT, "optimized-rbc", agent="OptimizedRBC")
    ),
    "battery-rbc": Baseline(
        RULE, "CityLearn's `BasicBatteryRBC`: by the hour", partial(_AGENT, "battery-rbc", agent="BasicBatteryRBC")
    ),
    "ev-rbc": Baseline(
        RULE,
        "CityLearn's `BasicElectricVehicleRBC_ReferenceController`: vehicles and all else by the hour",
        partial(_AGENT, "ev-rbc", agent="BasicElectricVehicleRBC_ReferenceController"),
    ),
    "mpc": Baseline(
        PLANNER,
        "Model predictive control, 24 h, for the whole community at once; expects of load, PV and carbon what was measured "
        "a day before, knows the tariff and the vehicles that are plugged in",
        partial(_planner, "mpc", "naive_mpc"),
        slowness=0.9,
    ),
    "mpc-perfect": Baseline(
        BOUND,
        "The same with forecasts that come true, journeys included",
        partial(_planner, "mpc", "perfect_mpc"),
        slowness=1.0,
    ),
    "foresight": Baseline(
        BOUND,
        "A plan for the whole episode by somebody who knows all of it, carried out hour by hour",
        partial(_planner, "foresight", "PerfectForesight"),
        slowness=2.0,
    ),
}
"""The baselines, by the names that commands and reports use."""


def make_baseline(name: str) -> Controller:
    """The baseline called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in BASELINES:
        nearest = get_close_matches(name, BASELINES, n=1, cutoff=0.5)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ConfigError(f"There is no baseline {name!r}; the baselines are {', '.join(BASELINES)}.{guess}")
    return BASELINES[name].make()


def baselines_table() -> str:
    """All baselines as a Markdown table, for the documentation."""
    lines = ["| name | kind | what it does |", "|---|---|---|"]
    lines += [f"| `{name}` | {baseline.kind} | {baseline.does} |" for name, baseline in BASELINES.items()]
    return "\n".join(lines)
