"""From a config to CityLearn's environment: which buildings it has, with which loads and which ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.datasets import resolve
from rllib_citylearn.env.citylearn_env import building_names, community_features, make_citylearn_env, read_schema
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.feature_table import ACTIONS, FEATURES
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.random_fleets import drawn_fleet, widest_fleet
from rllib_citylearn.env.selection import community_buildings
from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Ranges = Mapping[str, Sequence[float]]

_SCALED = ("non_shiftable_load", "solar_generation", "net_electricity_consumption")
"""Features whose range grows with the loads."""

_LOADS = ("_non_shiftable_load", "_non_shiftable_load_without_control")
"""CityLearn's series of a building's load."""

_WEEK = 168
"""Time steps."""


@dataclass(frozen=True)
class Site:
    """Where the data of one community are, and who lives there.

    Attributes:
        folder: of the data set.
        buildings: names of the community's buildings, before any are drawn.
    """

    folder: Path
    buildings: tuple[str, ...]

    @classmethod
    def of(cls, config: CommunityEnvConfig) -> Site:
        """From a config of one community; the data are fetched and checked if need be, which takes a moment."""
        folder = resolve(config.dataset).folder
        names = building_names(read_schema(folder))
        return cls(folder, tuple(community_buildings(config.buildings, config.held_out, names)))


def training_features(config: CommunityEnvConfig, site: Site) -> CommunityFeatures:
    """The feature table of one community before anything is drawn, with ranges that hold whatever may be drawn."""
    if config.random_fleet is not None:
        site = replace(site, folder=widest_fleet(site.folder, config.random_fleet))
    env = _plain_env(config, site, site.buildings)
    ranges = _ranges(env, config) if config.ranges is None else config.ranges
    return community_features(env, ranges, memory=config.memory)


def common_table(config: CommunityEnvConfig, sites: Sequence[Site]) -> dict[str, Any]:
    """The keys ``ranges``, ``features`` and ``actions`` that fit every building there may be in any of the communities.

    Whatever is drawn, whoever plays: with these keys a number means the same, and padded spaces are the same. What the
    config says of them stays as it is.

    Args:
        config: of one or several communities.
        sites: the data of each.
    """
    tables = [training_features(part, site) for part, site in zip(config.each(), sites, strict=True)]
    seen = {feature.name for table in tables for feature in table.features}
    done = {action for table in tables for action in table.actions}
    return {
        "ranges": widest_ranges(tables) if config.ranges is None else config.ranges,
        "features": tuple(name for name in FEATURES if name in seen) if config.features is None else config.features,
        "actions": tuple(name for name in ACTIONS if name in done) if config.actions is None else config.actions,
    }


def widest_ranges(tables: Sequence[CommunityFeatures]) -> dict[str, tuple[float, float]]:
    """For every feature that any of the tables has, the range that holds those of all of them."""
    widest: dict[str, tuple[float, float]] = {}
    for feature in (feature for table in tables for feature in table.features):
        low, high = widest.get(feature.name, (feature.low, feature.high))
        widest[feature.name] = min(low, feature.low), max(high, feature.high)
    return widest


def build_citylearn(
    config: CommunityEnvConfig, site: Site, instance: Sequence[int] = ()
) -> tuple[CityLearnEnv, Ranges | None]:
    """CityLearn's environment of one community, and its ranges.

    Args:
        config: its config, without ``communities``.
        site: its data.
        instance: numbers of zero or more that tell this environment from others; with the config's random seed they decide
            what is drawn.

    Returns:
        the environment; ranges of its features, None where they are to be fitted to it.
    """
    names, ranges = site.buildings, config.ranges
    random = np.random.default_rng([config.random_seed or 0, *instance])
    if config.random_fleet is not None:
        ranges = training_features(config, site).ranges if ranges is None else ranges
        seeds = (config.random_seed or 0, *instance) if config.variants else None
        site = replace(site, folder=drawn_fleet(site.folder, config.random_fleet, seeds))
    if config.random_buildings is not None:
        ranges = training_features(config, site).ranges if ranges is None else ranges
        if config.variants:
            names = _drawn(names, config.random_buildings, random)
    env = _plain_env(config, site, names)
    if config.load_scaling is not None:
        ranges = _ranges(env, config) if ranges is None else ranges
        if config.variants:
            for building in env.buildings:
                _scale(building, *random.uniform(*config.load_scaling, 2))
    if config.load_shift_weeks and config.variants:
        for building in env.buildings:
            _shift(building, int(random.integers(-config.load_shift_weeks, config.load_shift_weeks + 1)))
    return env, ranges


def _drawn(names: Sequence[str], count: int, random: np.random.Generator) -> tuple[str, ...]:
    """``count`` of the names: all of them as often as they fit in, then some once more."""
    rounds, rest = divmod(count, len(names))
    return (*names,) * rounds + tuple(names[i] for i in sorted(random.permutation(len(names))[:rest]))


def _plain_env(config: CommunityEnvConfig, site: Site, names: Sequence[str]) -> CityLearnEnv:
    env = make_citylearn_env(site.folder, buildings=names, window=config.window, random_seed=config.random_seed)
    if env.seconds_per_time_step != 3600:
        raise ConfigError(
            f"The data set has time steps of {env.seconds_per_time_step:g} s; rewards and scores are defined for hours "
            "(3600 s)."
        )
    return env


def _ranges(env: CityLearnEnv, config: CommunityEnvConfig) -> Ranges:
    """Ranges fitted to data as they are, wide enough for them multiplied by the highest factor."""
    factor = 1.0 if config.load_scaling is None else max(1.0, config.load_scaling[1])
    fitted = community_features(env).ranges
    return {name: (low * factor, high * factor) if name in _SCALED else (low, high) for name, (low, high) in fitted.items()}


def _scale(building: Any, load: float, generation: float) -> None:
    """Multiply a building's load and photovoltaic generation over the whole data.

    CityLearn hands out stretches of its series, so they are replaced where it keeps them.
    """
    series = vars(building.energy_simulation)
    for name, factor in (*((name, load) for name in _LOADS), ("_solar_generation", generation)):
        series[name] = series[name] * np.asarray(factor, series[name].dtype)


def _shift(building: Any, weeks: int) -> None:
    """Give a building the load it has so many weeks later, within its window and around its ends by whole weeks.

    CityLearn keeps the whole file; what lies outside the window may be held out.

    Raises:
        ConfigError: the window has not even one week.
    """
    simulation = building.energy_simulation
    series, window = vars(simulation), slice(simulation.start_time_step, simulation.end_time_step + 1)
    hours = window.stop - window.start
    whole = hours // _WEEK
    if not whole:
        raise ConfigError(
            f"load_shift_weeks moves loads by weeks within the window, which has {hours} hours; widen the window to a week, "
            "or leave load_shift_weeks out."
        )
    source = np.arange(hours) + weeks % whole * _WEEK
    source[source >= hours] -= whole * _WEEK
    for name in _LOADS:
        moved = series[name].copy()
        moved[window] = series[name][window][source]
        series[name] = moved
