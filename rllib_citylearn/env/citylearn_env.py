"""CityLearn environments, built one way everywhere: in training, in baselines and in evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.datasets.schema import read_description
from rllib_citylearn.env.appliance_features import PREFIX as APPLIANCE_PREFIX
from rllib_citylearn.env.appliance_features import SIZED as APPLIANCE_SIZED
from rllib_citylearn.env.appliance_features import appliance_quantity
from rllib_citylearn.env.copies import with_copies
from rllib_citylearn.env.feature_table import FEATURES, Feature, charger_positions, table_names
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures, fitted_ranges
from rllib_citylearn.env.measurements import memory_names, memory_ranges
from rllib_citylearn.env.selection import named_buildings
from rllib_citylearn.errors import ConfigError, DatasetError
from rllib_citylearn.root_logger import root_logger_kept

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def _import_citylearn() -> Any:
    """CityLearn's modules, without its side effect on logging."""
    with root_logger_kept():
        from citylearn import citylearn, reward_function
    return citylearn, reward_function


def make_citylearn_env(
    schema: str | Path,
    *,
    buildings: Sequence[str] | None = None,
    window: tuple[int, int] | None = None,
    random_seed: int | None = None,
    own_reward: bool = False,
) -> CityLearnEnv:
    """A CityLearn environment with one agent a building and, unless ``own_reward`` says otherwise, no reward of its own.

    CityLearn's default reward makes it build every observation a second time, which costs a quarter of each step; rewards
    are computed in ``rllib_citylearn.env.reward`` and KPIs by CityLearn's ``evaluate()``.

    Args:
        schema: path of ``schema.json``, or of the folder that holds it.
        buildings: names of the buildings to keep, in any order; None keeps all. CityLearn's order is kept. One that is named
            more often is there as often: copies come last.
        window: first and last time step (both included) of the data to run; None runs all of it.
        random_seed: replaces the schema's seed, from which CityLearn draws what the schema leaves out (battery curves).
        own_reward: whether to keep the data set's reward, as CityLearn's own learners need it.

    Raises:
        DatasetError: the schema can't be read or CityLearn refuses it.
        ConfigError: an unknown building or a window outside the data.
    """
    citylearn, reward_function = _import_citylearn()
    description = read_schema(schema)
    names = building_names(description)
    if buildings is not None:
        names = named_buildings(buildings, names)
        description, copies = with_copies(description, buildings)
        names += copies
    first = int(description.get("simulation_start_time_step") or 0)
    last = int(description["simulation_end_time_step"])
    if window is None:
        window = (first, last)
    if not first <= window[0] < window[1] <= last:
        raise ConfigError(
            f"The window {window[0]}..{window[1]} does not fit the data, which has the time steps {first}..{last}; "
            "give a first step below the last one, both within the data."
        )

    _check_outages(description, names, window)

    class NoReward(reward_function.RewardFunction):  # type: ignore[name-defined]
        """Declares that it reads one cheap observation, so that CityLearn builds no others for it."""

        def get_required_observation_names(self) -> Iterable[str]:
            return ("hour",)

        def calculate(self, observations: Sequence[Mapping[str, float]]) -> list[float]:
            return [0.0] * len(observations)

    options: dict[str, Any] = {} if random_seed is None else {"random_seed": random_seed}
    try:
        with root_logger_kept():
            env = citylearn.CityLearnEnv(
                description,
                central_agent=False,
                buildings=names,
                episode_time_steps=[tuple(window)],
                **options,
            )
    except Exception as error:
        raise DatasetError(
            f"CityLearn could not build an environment from {description['root_directory']}: {error}. "
            "Check the data set, or fetch it again with `rllib-citylearn datasets fetch NAME --force`."
        ) from error
    if not own_reward:
        env.reward_function = NoReward(env.get_metadata())
    keep_outages(env)
    return env


def keep_outages(env: CityLearnEnv) -> None:
    """Make the random outages that CityLearn drew for the window part of the data.

    CityLearn draws them anew for every episode, from the episode's length. Every episode within the window, on either
    engine, meets the same ones instead.
    """
    for building in env.buildings:
        if building.simulate_power_outage and building.stochastic_power_outage:
            now, building.time_step = building.time_step, env.time_steps - 1
            building.energy_simulation.power_outage[:] = building.power_outage_signal
            building.time_step = now
            building.stochastic_power_outage = False


def _check_outages(description: Mapping[str, Any], names: Sequence[str], window: tuple[int, int]) -> None:
    """CityLearn draws random outages day by day and fails over windows of two days and more that don't end with a day."""
    outages = [description["buildings"][name].get("power_outage") or {} for name in names]
    drawn = any(outage.get("simulate_power_outage") and outage.get("stochastic_power_outage") for outage in outages)
    steps_a_day = round(86400 / float(description.get("seconds_per_time_step") or 3600))
    steps = window[1] - window[0] + 1
    if drawn and steps >= 2 * steps_a_day and steps % steps_a_day:
        raise ConfigError(
            f"The window {window[0]}..{window[1]} has {steps} time steps, but the data set has random power outages, which "
            f"CityLearn draws for whole days; choose a multiple of {steps_a_day} steps."
        )


def building_names(description: Mapping[str, Any]) -> list[str]:
    """Names of a schema's buildings, in its order, without those that it excludes."""
    return [name for name, building in description["buildings"].items() if building.get("include", True)]


def read_schema(schema: str | Path) -> dict[str, Any]:
    """A data set's schema with ``root_directory`` set to its folder; refuses what is no schema, in a sentence.

    Args:
        schema: path of ``schema.json``, or of the folder that holds it.
    """
    path = Path(schema)
    folder = path.parent if path.name == "schema.json" else path
    return {**read_description(folder), "root_directory": str(folder.resolve())}


def community_features(
    env: CityLearnEnv,
    ranges: Mapping[str, Sequence[float]] | None = None,
    *,
    memory: bool = False,
    beside: Iterable[str] = (),
    actions_beside: Iterable[str] = (),
) -> CommunityFeatures:
    """The feature table of a CityLearn environment.

    Args:
        env: an environment from ``make_citylearn_env``.
        ranges: physical ranges by feature name, as stored with a trained policy; None fits the ranges of
            energies, powers, prices and carbon intensity to this data set.
        memory: whether the buildings have memory features too (``rllib_citylearn.env.memory``).
        beside, actions_beside: see ``CommunityFeatures``.
    """
    agents = []
    spaces = zip(env.buildings, env.observation_names, env.action_names, env.action_space, strict=True)
    for building, observation_names, action_names, action_space in spaces:
        names = tuple(table_names(observation_names))
        agents.append(
            AgentFeatures(
                name=building.name,
                features=names,
                descriptors=_descriptors(building, [*observation_names, *action_names]),
                actions=tuple(table_names(action_names)),
                action_low=tuple(float(x) for x in action_space.low),
                action_high=tuple(float(x) for x in action_space.high),
                memory=memory_names(names) if memory else (),
            )
        )
    if ranges is None:
        ranges = fitted_ranges(_maxima(env, agents))
    if memory:
        ranges = {**memory_ranges(ranges), **ranges}
    return CommunityFeatures(agents, ranges, beside, actions_beside)


def _descriptors(building: Any, names: Sequence[str]) -> dict[str, float]:
    """Capacities and powers of the devices the building has, by feature name.

    Args:
        building: one of CityLearn.
        names: CityLearn's names of what it observes and sets, which give chargers their positions.
    """
    values = {
        "electrical_storage_capacity": getattr(building.electrical_storage, "capacity", 0.0),
        "electrical_storage_nominal_power": getattr(building.electrical_storage, "nominal_power", 0.0),
        "pv_nominal_power": getattr(building.pv, "nominal_power", 0.0),
    }
    position = charger_positions(names)
    for charger in building.electric_vehicle_chargers or []:
        k = position.get(charger.charger_id)
        if k is not None:
            values[f"charger_{k}_max_charging_power"] = charger.max_charging_power
            values[f"charger_{k}_max_discharging_power"] = charger.max_discharging_power
    return {name: float(value or 0.0) for name, value in values.items()}


def _maxima(env: CityLearnEnv, agents: Sequence[AgentFeatures]) -> dict[str, float]:
    """Largest absolute value over the whole data set of each feature whose scale differs from site to site."""
    maxima: dict[str, float] = {}
    for agent, space, names in zip(agents, env.observation_space, env.observation_names, strict=True):
        for name, low, high in zip(table_names(names), space.low, space.high, strict=True):
            if name in _SIZED:
                maxima[name] = max(maxima.get(name, 0.0), abs(float(low)), abs(float(high)))
        for name, value in agent.descriptors.items():
            maxima[name] = max(maxima.get(name, 0.0), value)
    _add_appliances(maxima, env)
    return maxima


def is_fitted(feature: Feature) -> bool:
    """Whether the feature's range is fitted to the data set instead of the table's."""
    sized = feature.name.startswith(APPLIANCE_PREFIX) and feature.name.endswith(APPLIANCE_SIZED)
    return sized or feature.name in _SIZED or feature.source in ("descriptor", "memory")


def _add_appliances(maxima: dict[str, float], env: CityLearnEnv) -> None:
    """Widen ``maxima`` by what deferrable appliances draw; CityLearn's limits don't count it in, or are open."""
    hours = float(env.seconds_per_time_step) / 3600.0
    most = 0.0
    for building, names in zip(env.buildings, env.observation_names, strict=True):
        sizes = {appliance.name: _cycle_sizes(appliance) for appliance in building.deferrable_appliances or []}
        most = max(most, sum(peak for _, peak in sizes.values()))
        for original, name in zip(names, table_names(names), strict=True):
            identifier, quantity = appliance_quantity(original) or ("", None)
            if quantity in APPLIANCE_SIZED and name in FEATURES and identifier in sizes:
                total, peak = sizes[identifier]
                whole = quantity in ("cycle_energy_kwh", "remaining_energy_kwh")
                high = total if whole else peak / hours if quantity.endswith("_kw") else peak
                maxima[name] = max(maxima.get(name, 0.0), high)
    if "net_electricity_consumption" in maxima:
        maxima["net_electricity_consumption"] += most


def _cycle_sizes(appliance: Any) -> tuple[float, float]:
    """Largest energy of a cycle and of a time step of it, kWh."""
    cycles = appliance.deferrable_appliance_simulation.flexibility_schedule
    total = max((float(cycle["total_energy_kwh"]) for cycle in cycles), default=0.0)
    return total, max((float(np.max(cycle["load_profile"])) for cycle in cycles), default=0.0)


_SIZED = frozenset(
    {
        "non_shiftable_load",
        "solar_generation",
        "cooling_demand",
        "heating_demand",
        "dhw_demand",
        "net_electricity_consumption",
        "carbon_intensity",
        "electricity_pricing",
        "electricity_pricing_predicted_1",
        "electricity_pricing_predicted_2",
        "electricity_pricing_predicted_3",
    }
)
