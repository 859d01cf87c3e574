"""All that a community is, apart from what happens in it: read once, simulated any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rllib_citylearn.env.feature_table import table_names
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import NET_MEAN
from rllib_citylearn.env.memory_format import HOURS
from rllib_citylearn.simulator.appliances import Appliances
from rllib_citylearn.simulator.dynamics import Dynamics
from rllib_citylearn.simulator.observations import ObservationPlan
from rllib_citylearn.simulator.parameters import (
    ABSENT,
    END_USES,
    TANK_SOC,
    Actions,
    Batteries,
    Chargers,
    CommunityParameters,
    Tanks,
    ThermalDevices,
)
from rllib_citylearn.simulator.support import check_demands, check_supported, installed_versions
from rllib_citylearn.simulator.tables import CommunityTables

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


@dataclass(frozen=True)
class CommunityDescription:
    """A community as the fast engine simulates it.

    Attributes:
        parameters: its devices.
        tables: its data.
        dynamics: models of the indoor temperature, if there are any.
        observations: what its buildings see.
        versions: of CityLearn and numpy, with which it was read.
    """

    parameters: CommunityParameters
    tables: CommunityTables
    dynamics: Dynamics | None
    observations: ObservationPlan
    versions: Mapping[str, str] = field(default_factory=installed_versions)

    @property
    def features(self) -> CommunityFeatures:
        """The community's feature table."""
        return self.observations.features

    @property
    def thermal(self) -> bool:
        """Whether any building has devices that heat or cool, or observes a tank."""
        shown = any(state.kind >= TANK_SOC for state in self.observations.states)
        return shown or self.dynamics is not None or bool((self.parameters.devices.kind != ABSENT).any())

    @property
    def net_hours(self) -> int:
        """How many of the last hours' net loads its observations depend on: those of a mean in memory, or none."""
        return HOURS if NET_MEAN in self.features.memory else 0

    @classmethod
    def read(cls, env: CityLearnEnv, features: CommunityFeatures) -> CommunityDescription:
        """From a CityLearn environment, which is reset.

        Args:
            env: from ``make_citylearn_env``; its window is the data that can be visited.
            features: its feature table.

        Raises:
            EngineError: something the engine can't simulate, named.
        """
        env.reset()
        return cls.of(env, features)

    @classmethod
    def of(cls, env: CityLearnEnv, features: CommunityFeatures) -> CommunityDescription:
        """From a CityLearn environment that was reset and not stepped; it is left as it is. Otherwise as ``read``."""
        check_supported(env)
        parameters = _parameters(env, features)
        tables = CommunityTables.read(env, parameters.devices)
        check_demands(env, parameters, tables)
        return cls(
            parameters=parameters,
            tables=tables,
            dynamics=Dynamics.read(env, tables),
            observations=ObservationPlan.read(env, features, tables),
        )


def _parameters(env: CityLearnEnv, features: CommunityFeatures) -> CommunityParameters:
    buildings = env.buildings
    return CommunityParameters(
        buildings=tuple(building.name for building in buildings),
        batteries=Batteries.read([building.electrical_storage for building in buildings]),
        tanks=Tanks.read(buildings),
        devices=ThermalDevices.read(buildings),
        chargers=Chargers.read(buildings),
        vehicles=Batteries.read([vehicle.battery for vehicle in env.electric_vehicles]),
        appliances=Appliances.read(buildings),
        actions=_actions(env, features),
        random_seed=int(env.random_seed),
    )


def _actions(env: CityLearnEnv, features: CommunityFeatures) -> Actions:
    count = len(features.agents)
    column = {name: a for a, name in enumerate(features.actions)}
    low, high = np.zeros((count, len(column))), np.zeros((count, len(column)))
    battery, both = np.full(count, -1), np.full(count, -1)
    tank, device = np.full((count, 3), -1), np.full((count, 2), -1)
    charger: list[int] = []
    appliance: list[int] = []
    for n, agent in enumerate(features.agents):
        for name, least, most in zip(agent.actions, agent.action_low, agent.action_high, strict=True):
            low[n, column[name]], high[n, column[name]] = least, most
        has = set(agent.actions)
        battery[n] = column["electrical_storage"] if "electrical_storage" in has else -1
        both[n] = column["cooling_or_heating_device"] if "cooling_or_heating_device" in has else -1
        for u, use in enumerate(END_USES):
            if f"{use}_storage" in has:
                tank[n, u] = column[f"{use}_storage"]
            if u < 2 and f"{use}_device" in has:
                device[n, u] = column[f"{use}_device"]
        chargers = [owned.charger_id for owned in env.buildings[n].electric_vehicle_chargers or []]
        charger += [_column(env, n, f"electric_vehicle_storage_{identifier}", column) for identifier in chargers]
        appliances = [owned.name for owned in env.buildings[n].deferrable_appliances or []]
        appliance += [_column(env, n, f"deferrable_appliance_{name}", column) for name in appliances]
    return Actions(
        battery=battery,
        tank=tank,
        device=device,
        both_devices=both,
        charger=np.array(charger, np.int64),
        appliance=np.array(appliance, np.int64),
        low=low,
        high=high,
        mask=features.action_mask,
    )


def _column(env: CityLearnEnv, n: int, original: str, column: dict[str, int]) -> int:
    """Joint action that CityLearn calls ``original`` in building ``n``; -1 if there is none."""
    names = env.action_names[n]
    return column[table_names(names)[names.index(original)]] if original in names else -1
