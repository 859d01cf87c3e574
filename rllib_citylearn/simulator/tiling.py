"""Larger communities made of copies of one: to see how the engine scales."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.reward import RewardTables
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.observations import ObservationPlan, StateColumn
from rllib_citylearn.simulator.parameters import Batteries, Chargers, CommunityParameters
from rllib_citylearn.simulator.presence import Presence
from rllib_citylearn.simulator.reward_layout import RAMPING_SCALE
from rllib_citylearn.simulator.tables import CommunityTables

Part = TypeVar("Part")


def tiled(description: CommunityDescription, copies: int) -> CommunityDescription:
    """A community of ``copies`` times as many buildings, each copy with devices, data and vehicles of its own.

    Args:
        description: a community without LSTM dynamics.
        copies: at least one.

    Raises:
        EngineError: fewer than one copy, or LSTM dynamics.
    """
    if copies < 1 or description.dynamics is not None:
        raise EngineError(
            f"{copies} copies of a community {'with' if description.dynamics is not None else 'without'} LSTM dynamics were "
            "asked for; give a community without and at least one copy."
        )
    parameters = description.parameters
    features = _features(description.features, copies)
    return CommunityDescription(
        parameters=replace(
            parameters,
            buildings=tuple(agent.name for agent in features.agents),
            batteries=_batteries(parameters.batteries, copies),
            tanks=_rows(parameters.tanks, copies),
            devices=_rows(parameters.devices, copies),
            chargers=_chargers(parameters.chargers, len(parameters), copies),
            vehicles=_batteries(parameters.vehicles, copies),
            appliances=replace(
                _rows(parameters.appliances, copies),
                building=_shifted(parameters.appliances.building, len(parameters), copies),
            ),
            actions=_rows(parameters.actions, copies),
        ),
        tables=_tables(description.tables, copies),
        dynamics=None,
        observations=_observations(description.observations, features, parameters, copies),
    )


def tiled_reward(tables: RewardTables, copies: int) -> RewardTables:
    """The reward of a tiled community; a term's scale depends on the district's size."""
    weights = tables.weights.copy()
    weights[RAMPING_SCALE] /= copies  # ramping is scaled by the district's own

    def wide(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([array] * copies, 1)

    return replace(
        tables,
        reference_net=wide(tables.reference_net),
        reference_service=wide(tables.reference_service),
        price=wide(tables.price),
        carbon=wide(tables.carbon),
        scales=_tile(tables.scales, copies),
        months=tables.months * copies,
        weights=weights,
    )


def _rows(part: Part, copies: int) -> Part:
    """A dataclass of arrays, each repeated along its first axis."""
    return type(part)(*(_tile(getattr(part, field.name), copies) for field in fields(part)))  # type: ignore[arg-type]


def _tile(array: npt.NDArray[Any], copies: int) -> npt.NDArray[Any]:
    return np.concatenate([array] * copies)


def _batteries(batteries: Batteries, copies: int) -> Batteries:
    joined = batteries
    for _ in range(copies - 1):
        joined = Batteries.joined(joined, batteries)
    return joined


def _chargers(chargers: Chargers, buildings: int, copies: int) -> Chargers:
    return Chargers(
        building=_shifted(chargers.building, buildings, copies),
        max_charging=_tile(chargers.max_charging, copies),
        min_charging=_tile(chargers.min_charging, copies),
        max_discharging=_tile(chargers.max_discharging, copies),
        min_discharging=_tile(chargers.min_discharging, copies),
        efficiency=_tile(chargers.efficiency, copies),
        charge_efficiency=_rows(chargers.charge_efficiency, copies),
        discharge_efficiency=_rows(chargers.discharge_efficiency, copies),
    )


def _shifted(indices: npt.NDArray[np.int64], step: int, copies: int) -> npt.NDArray[np.int64]:
    """Indices of every copy, -1 kept, along the last axis."""
    return np.concatenate([np.where(indices >= 0, indices + i * step, -1) for i in range(copies)], axis=-1)


def _tables(tables: CommunityTables, copies: int) -> CommunityTables:
    def wide(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([array] * copies, axis=1)

    presence = tables.presence
    return replace(
        tables,
        load=wide(tables.load),
        generation=wide(tables.generation),
        price=wide(tables.price),
        carbon=wide(tables.carbon),
        heat_demand=wide(tables.heat_demand),
        outdoor=wide(tables.outdoor),
        outage=None if tables.outage is None else wide(tables.outage),
        islanded_load=None if tables.islanded_load is None else wide(tables.islanded_load),
        hvac_mode=wide(tables.hvac_mode),
        indoor=wide(tables.indoor),
        presence=Presence(
            connected=_shifted(presence.connected, presence.drifts.shape[1], copies),
            announced=wide(presence.announced),
            arrival_soc=wide(presence.arrival_soc),
            start_soc=wide(presence.start_soc),
            drifts=wide(presence.drifts),
            required_soc=wide(presence.required_soc),
        ),
    )


def _features(features: CommunityFeatures, copies: int) -> CommunityFeatures:
    agents = [replace(agent, name=f"{agent.name}_copy_{i}") for i in range(copies) for agent in features.agents]
    return CommunityFeatures(agents, features.ranges)


def _observations(
    plan: ObservationPlan, features: CommunityFeatures, parameters: CommunityParameters, copies: int
) -> ObservationPlan:
    chargers, appliances = len(parameters.chargers), len(parameters.appliances)
    count = len(plan.features.agents)
    return ObservationPlan(
        features=features,
        series={(n + i * count, name): values for i in range(copies) for (n, name), values in plan.series.items()},
        states=tuple(
            StateColumn(s.name, s.kind, _shifted(s.charger, chargers, copies), _shifted(s.appliance, appliances, copies))
            for s in plan.states
        ),
    )
