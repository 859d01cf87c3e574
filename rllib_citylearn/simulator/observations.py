"""From CityLearn's observations to the columns a kernel writes.

Every observation is either data, known hour by hour beforehand, or state. Data is encoded once, into tables; state is
encoded in the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.appliance_features import QUANTITIES, appliance_order, appliance_quantity
from rllib_citylearn.env.encoding import Encoder
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import QUANTITIES as MEASURED
from rllib_citylearn.env.memory_table import memory_table
from rllib_citylearn.errors import EngineError, UnsupportedError
from rllib_citylearn.simulator.parameters import APPLIANCE, BATTERY_SOC, END_USES, MADE, NET_LOAD, TANK_SOC, VEHICLE_SOC
from rllib_citylearn.simulator.tables import CommunityTables

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

STATE: Mapping[str, int] = {
    "electrical_storage_soc": BATTERY_SOC,
    "net_electricity_consumption": NET_LOAD,
    **{f"{use}_storage_soc": TANK_SOC + u for u, use in enumerate(END_USES)},
    **{f"{use}_demand": MADE + u for u, use in enumerate(END_USES)},
}
"""Observations that depend on the control, besides the charge of plugged-in vehicles and all of deferrable appliances."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StateColumn:
    """A feature that depends on the control.

    Attributes:
        name: the feature.
        kind: what it shows, one of the kinds in ``parameters``.
        charger: for each building the charger it is about, ``[N]``; -1 for none.
        appliance: the same of deferrable appliances.
    """

    name: str
    kind: int
    charger: npt.NDArray[np.int64]
    appliance: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ObservationPlan:
    """Where every column of the joint observation ``[N, D]`` comes from.

    Attributes:
        features: the community's feature table.
        series: raw values of features that are data, by (building, feature), ``[T]``; equal series are one array.
        states: the features that depend on the control.
    """

    features: CommunityFeatures
    series: Mapping[tuple[int, str], Doubles]
    states: tuple[StateColumn, ...]

    @classmethod
    def read(cls, env: CityLearnEnv, features: CommunityFeatures, tables: CommunityTables) -> ObservationPlan:
        """From an environment that has been reset.

        Raises:
            EngineError: an observation that is neither known data nor state.
        """
        chargers, appliances = _Chargers(env, tables), _Appliances(env)
        series: dict[tuple[int, str], Doubles] = {}
        kept: dict[bytes, Doubles] = {}
        states: dict[str, StateColumn] = {}
        # Asked for once: CityLearn makes all observations of all buildings to tell their names.
        originals = env.observation_names
        for n, (building, agent) in enumerate(zip(env.buildings, features.agents, strict=True)):
            for name, original in zip(agent.features, originals[n], strict=True):
                kind = _state_kind(name)
                if kind is not None:
                    nowhere = np.full(len(features.agents), -1)
                    column = states.setdefault(name, StateColumn(name, kind, nowhere, nowhere.copy()))
                    column.charger[n] = chargers.index(n, name) if kind == VEHICLE_SOC else -1
                    column.appliance[n] = appliances.index(n, original) if kind >= APPLIANCE else -1
                    continue
                values = chargers.series(n, name) if "charger_" in name else _data(building, original, tables, n)
                series[n, name] = kept.setdefault(values.tobytes(), values)
        return cls(features, series, tuple(states.values()))

    def measured(self, rows: int) -> Doubles:
        """Of ``measurements.QUANTITIES`` those that are data, ``[rows, N, 4]``; zero where a building lacks one."""
        known = np.zeros((rows, len(self.features.agents), len(MEASURED)))
        for n in range(known.shape[1]):
            for q, name in enumerate(MEASURED):
                if (n, name) in self.series:
                    known[:, n, q] = self.series[n, name]
        return known


class EncodedTables:
    """The plan as the arrays that the kernel reads (``kernels.memory.FIELDS`` has their shapes)."""

    def __init__(self, plan: ObservationPlan, rows: int) -> None:
        features = plan.features
        buildings, columns = features.observation_mask.shape
        place = {column: d for d, column in enumerate(features.columns)}
        encoded: dict[tuple[int, str], npt.NDArray[np.float32]] = {}
        self.shared = np.zeros((rows, columns), np.float32)
        private: dict[int, dict[int, npt.NDArray[np.float32]]] = {}
        data = dict.fromkeys(name for _, name in plan.series)
        for name in data:
            feature = features.feature(name)
            given = {n: plan.series[n, name] for n in range(buildings) if (n, name) in plan.series}
            for values in given.values():
                if (id(values), name) not in encoded:
                    encoder = Encoder(
                        [feature], [np.arange(len(feature.columns))], np.zeros(len(feature.columns), np.float32)
                    )
                    encoded[id(values), name] = encoder(values[:, None])
            same = len(given) == buildings and len({id(values) for values in given.values()}) == 1
            for i, name_of_column in enumerate(feature.columns):
                if same:
                    self.shared[:, place[name_of_column]] = encoded[id(next(iter(given.values()))), name][:, i]
                else:
                    private[place[name_of_column]] = {n: encoded[id(values), name][:, i] for n, values in given.items()}
        # What buildings remember is data too, but for the mean of the net load, which whoever steps the community fills in.
        remembered = range(columns - len(features.memory), columns)
        self.private_at = np.array([*sorted(private), *remembered], np.int64)
        self.private = np.zeros((rows, buildings, len(self.private_at)), np.float32)
        for p, d in enumerate(sorted(private)):
            for n, column in private[d].items():
                self.private[:, n, p] = column
        if features.memory:
            self.private[:, :, len(private) :] = memory_table(features, plan.measured(rows))
        self._fix(features, place)
        self._state(plan, place)

    def _fix(self, features: CommunityFeatures, place: Mapping[str, int]) -> None:
        names = sorted({name for agent in features.agents for name in agent.descriptors})
        spots = [(name, i, place[column]) for name in names for i, column in enumerate(features.feature(name).columns)]
        self.fixed_at = np.array([d for _, _, d in spots], np.int64)
        self.fixed = np.zeros((len(features.agents), len(spots)), np.float32)
        for n, agent in enumerate(features.agents):
            for x, (name, i, _) in enumerate(spots):
                if name in agent.descriptors:
                    self.fixed[n, x] = features.feature(name).encode(agent.descriptors[name])[i]

    def _state(self, plan: ObservationPlan, place: Mapping[str, int]) -> None:
        features = plan.features
        columns = len(plan.states)
        self.state_at = np.zeros(columns, np.int64)
        self.state_kind = np.zeros(columns, np.int64)
        self.state_range = np.zeros((columns, 2))
        self.state_mask = np.zeros((len(features.agents), columns), np.uint8)
        self.charger_at = np.full((len(features.agents), columns), -1, np.int64)
        self.appliance_at = np.full((len(features.agents), columns), -1, np.int64)
        for s, state in enumerate(plan.states):
            feature = features.feature(state.name)
            self.state_at[s], self.state_kind[s] = place[state.name], state.kind
            self.state_range[s] = feature.low, feature.high
            self.state_mask[:, s] = [state.name in agent.features for agent in features.agents]
            self.charger_at[:, s] = state.charger
            self.appliance_at[:, s] = state.appliance


def _data(building: Any, name: str, tables: CommunityTables, n: int) -> Doubles:
    """Raw series of an observation that is data, float64 ``[T]``."""
    if name == "solar_generation":
        return np.abs(tables.generation[:, n]).astype(np.float64)
    if name == "power_outage":
        none = np.zeros(tables.rows)
        return none if tables.outage is None else tables.outage[:, n].astype(np.float64)
    for source in (building.energy_simulation, building.weather, building.pricing, building.carbon_intensity):
        try:
            values = np.asarray(getattr(source, name), np.float64)
        except AttributeError:
            continue
        if not np.isfinite(values).all():
            raise EngineError(
                f"The observation {name} of {building.name} has values that are no finite numbers; mend the data set's "
                "file or deactivate the observation in the schema."
            )
        return values
    raise UnsupportedError(
        f"The fast engine does not know the observation {name!r} of {building.name}.",
        "Deactivate it in the schema, or use the engine 'citylearn'.",
    )


def _state_kind(name: str) -> int | None:
    """Which kind of state the feature ``name`` shows; None if it is data."""
    if name.startswith("connected_at_charger_") and name.endswith("_soc"):
        return VEHICLE_SOC
    about = appliance_quantity(name)
    if about is not None and about[1] is not None:
        return APPLIANCE + list(QUANTITIES).index(about[1])
    return STATE.get(name)


class _Appliances:
    """Deferrable appliances in the engine's order: building by building, within a building as CityLearn has them."""

    def __init__(self, env: CityLearnEnv) -> None:
        places = count()
        self._place = [{owned.name: next(places) for owned in b.deferrable_appliances or []} for b in env.buildings]

    def index(self, n: int, original: str) -> int:
        """The appliance, among all of the community, that CityLearn's observation of building ``n`` is about."""
        return self._place[n][appliance_order([original])[0]]


class _Chargers:
    """Observations at chargers, by the feature table's names."""

    def __init__(self, env: CityLearnEnv, tables: CommunityTables) -> None:
        self._tables = tables
        self._owned: list[list[tuple[int, Any]]] = []
        count = 0
        for building in env.buildings:
            chargers = building.electric_vehicle_chargers or []
            self._owned.append([(count + i, charger) for i, charger in enumerate(chargers)])
            count += len(chargers)
        self._capacity = np.array([vehicle.battery.capacity for vehicle in env.electric_vehicles], np.float64)
        # The feature table numbers chargers in the order of the building's observations.
        self._position = [{identifier: k for k, identifier in enumerate(_order(names))} for names in env.observation_names]

    def index(self, n: int, name: str) -> int:
        """The charger, among all of the community, that feature ``name`` of building ``n`` is about."""
        position = int(name.split("charger_")[1].split("_")[0]) - 1
        for index, charger in self._owned[n]:
            if self._position[n].get(charger.charger_id) == position:
                return index
        raise EngineError(f"The observation {name!r} belongs to no charger of building number {n + 1}.")

    def series(self, n: int, name: str) -> Doubles:
        """Raw series of a charger's observation that is data, float64 ``[T]``."""
        c = self.index(n, name)
        schedule = next(charger for index, charger in self._owned[n] if index == c).charger_simulation
        rows, presence = self._tables.rows, self._tables.presence
        vehicle, announced = presence.connected[:, c], presence.announced[:, c]
        connected = vehicle >= 0

        def given(values: Any, where: npt.NDArray[np.bool_], otherwise: float) -> Doubles:
            return np.where(where, np.asarray(values[:rows], np.float64), otherwise)

        if name.endswith("_connected_state"):
            return connected.astype(np.float64)
        if name.endswith("_incoming_state"):
            return announced.astype(np.float64)
        if name.endswith("_departure_time"):
            return given(schedule.electric_vehicle_departure_time, connected, -1.0)
        if name.endswith("_required_soc_departure"):
            return given(schedule.electric_vehicle_required_soc_departure, connected, -0.1)
        if name.endswith("_battery_capacity"):
            return np.where(connected, np.append(self._capacity, -1.0)[vehicle], -1.0)
        if name.endswith("_estimated_arrival_time"):
            return given(schedule.electric_vehicle_estimated_arrival_time, announced, -1.0)
        if name.endswith("_estimated_soc_arrival"):
            return given(schedule.electric_vehicle_estimated_soc_arrival, announced, -0.1)
        raise EngineError(f"The fast engine does not know the observation {name!r}; use the engine 'citylearn'.")


def _order(names: list[str]) -> list[str]:
    """Identifiers of the chargers in the order in which observations name them first."""
    from rllib_citylearn.env.feature_table import charger_identifier

    return list(dict.fromkeys(identifier for name in names if (identifier := charger_identifier(name)) is not None))
