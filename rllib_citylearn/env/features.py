"""The feature table: what every number a controller sees or sends means, and how it is encoded.

One table drives the observation spaces, the encoders, the bundle's manifest, the API's input checks and the docs page.
Ranges are fixed and physical: no running statistics, so an observation means the same on the first day of training and
in a request served a year later. Only numpy is needed here, because serving shares this code.

An observation passes through three forms:

* **raw**: physical units, one number a feature, as CityLearn gives it or a building's meters would (``values``);
* **encoded**: one or more columns a feature, each within [-1, 1] (``Feature.encode``);
* **joint**: encoded rows of all buildings on one grid ``[N, D]`` whose columns mean the same for every building; columns
  that a building lacks are zero and masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env import appliance_features as appliances
from rllib_citylearn.env.encoding import Encoder
from rllib_citylearn.errors import FeatureError

Encoding = Literal["linear", "periodic", "categories"]
Source = Literal["measured", "descriptor", "memory"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Feature:
    """One quantity a controller can see.

    Attributes:
        name: CityLearn's observation name; identifiers of chargers and deferrable appliances are replaced by their position
            in the building (``charger_1``, ``deferrable_appliance_1``).
        unit: physical unit of the raw value.
        low, high: physical range in ``unit``. Values outside are clipped, and can be counted (``clipped``).
        encoding: ``linear`` maps [low, high] to [-1, 1]; ``periodic`` gives cosine and sine with period
            ``high - low + 1`` steps; ``categories`` gives one 0/1 column for each integer in [low, high].
        meaning: one sentence.
        source: ``measured`` at each time step, a constant ``descriptor`` of the building (capacity, power), or ``memory``:
            computed from what the building measured before (``rllib_citylearn.env.memory``).
    """

    name: str
    unit: str
    low: float
    high: float
    encoding: Encoding
    meaning: str
    source: Source = "measured"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise FeatureError(
                f"Feature {self.name!r} has the range [{self.low}, {self.high}]; "
                "give two finite numbers, the lower one first."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        if self.encoding == "linear":
            return (self.name,)
        if self.encoding == "periodic":
            return (f"{self.name}_cos", f"{self.name}_sin")
        return tuple(f"{self.name}_is_{value}" for value in range(int(self.low), int(self.high) + 1))

    def encode(self, value: float) -> list[float]:
        """The encoded columns of one raw value, each within [-1, 1]."""
        clipped = min(max(value, self.low), self.high)
        if self.encoding == "linear":
            return [2.0 * (clipped - self.low) / (self.high - self.low) - 1.0]
        if self.encoding == "periodic":
            angle = 2.0 * np.pi * (clipped - self.low) / (self.high - self.low + 1.0)
            return [float(np.cos(angle)), float(np.sin(angle))]
        return [float(round(clipped) == value_) for value_ in range(int(self.low), int(self.high) + 1)]

    def clips(self, value: float) -> bool:
        """Whether ``value`` lies outside the range (by more than rounding)."""
        slack = 1e-6 * (self.high - self.low)
        return not (self.low - slack <= value <= self.high + slack)


@dataclass(frozen=True)
class Action:
    """One thing a controller can set, in CityLearn's units.

    Attributes:
        name: CityLearn's action name; identifiers of chargers and deferrable appliances are replaced by their position.
        unit: what 1.0 stands for.
        meaning: one sentence.
    """

    name: str
    unit: str
    meaning: str


def _linear(name: str, unit: str, low: float, high: float, meaning: str) -> Feature:
    return Feature(name, unit, low, high, "linear", meaning)


def _with_predictions(feature: Feature) -> list[Feature]:
    ahead = [
        replace(feature, name=f"{feature.name}_predicted_{k}", meaning=f"{feature.meaning} Forecast number {k}.")
        for k in (1, 2, 3)
    ]
    return [feature, *ahead]


def _memory() -> list[Feature]:
    base = "load that can't be moved less photovoltaic generation"
    features = [
        _linear(f"base_load_predicted_{k}h", "kWh", -10, 10, f"Forecast of the building's {base}, {k} h ahead.")
        for k in range(1, 25)
    ]
    features += [
        _linear("base_load_mean_24h", "kWh", -10, 10, f"Mean over 24 hours of the building's {base}."),
        _linear("base_load_peak_24h", "kWh", -10, 10, f"Largest value in 24 hours of the building's {base}."),
        _linear("net_electricity_consumption_mean_24h", "kWh", -20, 20, "Mean net draw from the grid over 24 hours."),
        _linear("carbon_intensity_mean_24h", "kgCO2/kWh", 0, 1, "Mean emissions of grid electricity over 24 hours."),
    ]
    return [replace(feature, source="memory") for feature in features]


def _table() -> dict[str, Feature]:
    features = [
        Feature("month", "-", 1, 12, "periodic", "Month of the year."),
        Feature("day_type", "-", 1, 8, "categories", "Day of the week, 1 = Monday to 7 = Sunday, 8 = holiday."),
        Feature("hour", "h", 1, 24, "periodic", "Hour of the day, 1 to 24."),
        Feature("minutes", "min", 0, 59, "periodic", "Minute of the hour."),
        _linear("daylight_savings_status", "-", 0, 1, "1 while daylight saving time holds."),
        *_with_predictions(_linear("outdoor_dry_bulb_temperature", "degC", -30, 50, "Outdoor air temperature.")),
        *_with_predictions(_linear("outdoor_relative_humidity", "%", 0, 110, "Outdoor relative humidity.")),
        *_with_predictions(_linear("diffuse_solar_irradiance", "W/m2", 0, 1200, "Diffuse solar irradiance.")),
        *_with_predictions(_linear("direct_solar_irradiance", "W/m2", 0, 1300, "Direct solar irradiance.")),
        *_with_predictions(_linear("electricity_pricing", "currency/kWh", 0, 1, "Price of electricity from the grid.")),
        _linear("carbon_intensity", "kgCO2/kWh", 0, 1, "Emissions of grid electricity."),
        _linear("indoor_dry_bulb_temperature", "degC", 0, 50, "Indoor air temperature."),
        _linear(
            "indoor_dry_bulb_temperature_cooling_set_point",
            "degC",
            10,
            35,
            "Cooling set point of the occupants.",
        ),
        _linear(
            "indoor_dry_bulb_temperature_heating_set_point",
            "degC",
            10,
            35,
            "Heating set point of the occupants.",
        ),
        _linear("indoor_dry_bulb_temperature_cooling_delta", "degC", -15, 15, "Indoor air less the cooling set point."),
        _linear("indoor_dry_bulb_temperature_heating_delta", "degC", -15, 15, "Indoor air less the heating set point."),
        _linear("cooling_device_efficiency", "-", 0, 20, "Cold made of a kWh of electricity at this outdoor temperature."),
        _linear("heating_device_efficiency", "-", 0, 20, "Heat made of a kWh of electricity at this outdoor temperature."),
        _linear("dhw_device_efficiency", "-", 0, 20, "Hot water made of a kWh of electricity at this outdoor temperature."),
        _linear("average_unmet_cooling_setpoint_difference", "degC", -10, 10, "Mean gap to the cooling set point."),
        _linear("indoor_relative_humidity", "%", 0, 100, "Indoor relative humidity."),
        _linear("occupant_count", "people", 0, 10, "People in the building."),
        _linear("power_outage", "-", 0, 1, "1 while the grid is out."),
        _linear("non_shiftable_load", "kWh", 0, 10, "Load that cannot be moved, in this time step."),
        _linear("solar_generation", "kWh", 0, 10, "Photovoltaic generation in this time step."),
        _linear("cooling_demand", "kWh", 0, 30, "Cooling energy the building asks for."),
        _linear("heating_demand", "kWh", 0, 30, "Heating energy the building asks for."),
        _linear("dhw_demand", "kWh", 0, 20, "Hot-water energy the building asks for."),
        _linear("net_electricity_consumption", "kWh", -20, 20, "Net draw from the grid in the previous time step."),
        _linear("cooling_storage_soc", "-", 0, 1, "State of charge of the cold-water tank."),
        _linear("heating_storage_soc", "-", 0, 1, "State of charge of the heating tank."),
        _linear("dhw_storage_soc", "-", 0, 1, "State of charge of the hot-water tank."),
        _linear("electrical_storage_soc", "-", 0, 1, "State of charge of the battery."),
    ]
    for k in (1, 2, 3, 4):
        at = f"at_charger_{k}"
        features += [
            _linear(f"charger_{k}_connected_state", "-", 0, 1, f"1 while a vehicle is plugged in at charger {k}."),
            _linear(f"charger_{k}_incoming_state", "-", 0, 1, f"1 while a vehicle is announced for charger {k}."),
            _linear(f"connected_{at}_soc", "-", -0.1, 1, "State of charge of the vehicle; -0.1 without one."),
            _linear(f"connected_{at}_required_soc_departure", "-", -0.1, 1, "Charge required when it leaves."),
            _linear(f"connected_{at}_departure_time", "h", -1, 48, "Time steps until it leaves; -1 without one."),
            _linear(f"connected_{at}_battery_capacity", "kWh", -1, 120, "Battery capacity of the vehicle."),
            _linear(f"incoming_{at}_estimated_soc_arrival", "-", -0.1, 1, "Charge expected at arrival."),
            _linear(f"incoming_{at}_estimated_arrival_time", "h", -1, 48, "Time steps until it arrives."),
        ]
    features += [
        _linear(appliances.table_name(k, quantity), unit, low, high, meaning)
        for k in range(1, appliances.APPLIANCES_A_BUILDING + 1)
        for quantity, (unit, low, high, meaning) in appliances.QUANTITIES.items()
    ]
    features += [
        replace(_linear("electrical_storage_capacity", "kWh", 0, 20, "Battery capacity."), source="descriptor"),
        replace(_linear("electrical_storage_nominal_power", "kW", 0, 10, "Battery power."), source="descriptor"),
        replace(
            _linear("pv_nominal_power", "kW", 0, 10, "Peak power of the photovoltaic array."),
            source="descriptor",
        ),
        *_memory(),
    ]
    return {feature.name: feature for feature in features}


FEATURES: Mapping[str, Feature] = _table()
"""Every known feature by name, with default ranges that fit homes; ``ranges`` widens them for other buildings."""

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("electrical_storage", "battery's nominal power", "Charge (> 0) or discharge (< 0) the battery."),
        Action("cooling_storage", "tank's capacity", "Charge (> 0) or discharge (< 0) the cold-water tank."),
        Action("heating_storage", "tank's capacity", "Charge (> 0) or discharge (< 0) the heating tank."),
        Action("dhw_storage", "tank's capacity", "Charge (> 0) or discharge (< 0) the hot-water tank."),
        Action("cooling_device", "device's nominal power", "Run the cooling device at this share of its power."),
        Action("heating_device", "device's nominal power", "Run the heating device at this share of its power."),
        Action("cooling_or_heating_device", "device's nominal power", "Cool (< 0) or heat (> 0)."),
        *(
            Action(
                f"electric_vehicle_storage_{k}",
                "charger's power",
                f"Charge (> 0) or discharge (< 0) at charger {k}.",
            )
            for k in (1, 2, 3, 4)
        ),
        *(
            Action(appliances.table_name(k, None), "start", f"Start the next cycle of appliance {k} (> 0.5).")
            for k in range(1, appliances.APPLIANCES_A_BUILDING + 1)
        ),
    )
}

DESCRIPTORS = tuple(name for name, feature in FEATURES.items() if feature.source == "descriptor")

_CHARGER = re.compile(
    r"^(?P<side>electric_vehicle_charger|connected_electric_vehicle_at_charger|incoming_electric_vehicle_at_charger|"
    r"electric_vehicle_storage)_(?P<charger>charger_\w+?_\d+)(?:_(?P<rest>\D\w*))?$"
)


def charger_identifier(name: str) -> str | None:
    """The identifier of the charger that CityLearn's observation or action ``name`` is about; None if it is about none."""
    match = _CHARGER.match(name)
    return None if match is None else match["charger"]


def table_names(names: Sequence[str]) -> list[str]:
    """CityLearn's observation or action names of one building, as the table knows them.

    Identifiers of chargers (``charger_15_2``) and deferrable appliances become their position in the building
    (``charger_2``), so that the same column means the same thing in every building.
    """
    position: dict[str, int] = {}
    order = appliances.appliance_order(names)
    result = []
    for name in names:
        match = _CHARGER.match(name)
        appliance = appliances.appliance_quantity(name)
        if appliance is not None:
            result.append(appliances.table_name(order.index(appliance[0]) + 1, appliance[1]))
            continue
        if match is None:
            result.append(name)
            continue
        k = position.setdefault(match["charger"], len(position) + 1)
        prefix = {
            "electric_vehicle_charger": f"charger_{k}",
            "connected_electric_vehicle_at_charger": f"connected_at_charger_{k}",
            "incoming_electric_vehicle_at_charger": f"incoming_at_charger_{k}",
            "electric_vehicle_storage": f"electric_vehicle_storage_{k}",
        }[match["side"]]
        result.append(f"{prefix}_{match['rest']}" if match["rest"] else prefix)
    return result


@dataclass(frozen=True)
class AgentFeatures:
    """What one building sees and sets.

    Attributes:
        name: the building's name; it is the agent's name too.
        features: names of its features in the order of its raw observation; descriptors are not among them.
        descriptors: the building's constants, by feature name.
        actions: names of its actions, in CityLearn's order.
        action_low, action_high: CityLearn's limits of those actions.
        memory: names of its memory features, in the table's order; they are not part of its raw observation.
    """

    name: str
    features: tuple[str, ...]
    descriptors: Mapping[str, float]
    actions: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    memory: tuple[str, ...] = ()


class CommunityFeatures:
    """The feature table of one community of N buildings: encoders, grids and masks.

    Args:
        agents: the buildings, in the order of the joint arrays' rows.
        ranges: physical ranges that replace the table's, by feature name.

    Attributes:
        features: every feature that any building has, in the table's order.
        columns: names of the D joint columns.
        actions: names of the A joint actions.
        memory: names of the M memory features that any building has; their columns are the last M of the D.
        observation_mask: bool ``[N, D]``, True where a building has that column.
        action_mask: bool ``[N, A]``.
    """

    def __init__(self, agents: Sequence[AgentFeatures], ranges: Mapping[str, Sequence[float]] | None = None) -> None:
        if not agents:
            raise FeatureError("A community needs at least one building; the list of buildings is empty.")
        self.agents = tuple(agents)
        self.ranges = {name: (float(low), float(high)) for name, (low, high) in (ranges or {}).items()}
        used = {name for agent in agents for name in self._encoded_order(agent)}
        self._require_known("Observation", used | set(self.ranges), FEATURES)
        self._require_known("Action", {name for agent in agents for name in agent.actions}, ACTIONS)
        self.features = tuple(self._ranged(f) for name, f in FEATURES.items() if name in used)
        self._by_name = {feature.name: feature for feature in self.features}
        self.memory = tuple(feature.name for feature in self.features if feature.source == "memory")
        self.columns = tuple(column for feature in self.features for column in feature.columns)
        in_use = {name for agent in agents for name in agent.actions}
        self.actions = tuple(name for name in ACTIONS if name in in_use)
        column_index = {column: i for i, column in enumerate(self.columns)}
        self._slots = [
            np.array([column_index[c] for name in self._encoded_order(agent) for c in self._by_name[name].columns])
            for agent in self.agents
        ]
        self._action_slots = [np.array([self.actions.index(a) for a in agent.actions], int) for agent in self.agents]
        self.observation_mask = np.zeros((len(self.agents), len(self.columns)), bool)
        self.action_mask = np.zeros((len(self.agents), len(self.actions)), bool)
        for i, (slots, action_slots) in enumerate(zip(self._slots, self._action_slots, strict=True)):
            self.observation_mask[i, slots] = True
            self.action_mask[i, action_slots] = True
        self._alone, self._together = self._encoders()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it was made from: every space of a community carries it to every worker."""
        return CommunityFeatures, (self.agents, self.ranges)

    @staticmethod
    def _require_known(what: str, names: Iterable[str], table: Mapping[str, Any]) -> None:
        unknown = sorted(set(names) - set(table))
        if unknown:
            raise FeatureError(
                f"{what} {', '.join(map(repr, unknown))} is not in the feature table. Deactivate it in the schema, or "
                "add it to rllib_citylearn/env/features.py with its unit, range and meaning."
            )

    def _ranged(self, feature: Feature) -> Feature:
        low, high = self.ranges.get(feature.name, (feature.low, feature.high))
        return replace(feature, low=low, high=high)

    @staticmethod
    def _encoded_order(agent: AgentFeatures) -> list[str]:
        return [*agent.features, *agent.descriptors, *agent.memory]

    def feature(self, name: str) -> Feature:
        """The feature called ``name``, with this community's range."""
        return self._by_name[name]

    def agent_columns(self, index: int) -> tuple[str, ...]:
        """Names of the encoded columns of building ``index``, in the order of its own observation."""
        return tuple(self.columns[slot] for slot in self._slots[index])

    def _encoders(self) -> tuple[list[Encoder], Encoder]:
        """One encoder a building, onto its own columns, and one for all, onto the flattened joint grid."""
        width = len(self.columns)
        alone, features, slots = [], [], []
        together = np.zeros(len(self.agents) * width, np.float32)
        for i, agent in enumerate(self.agents):
            constants = np.zeros(len(self._slots[i]), np.float32)
            own: list[npt.NDArray[np.int64]] = []
            at = 0
            for name in self._encoded_order(agent):
                columns = np.arange(at, at + len(self._by_name[name].columns))
                at += len(columns)
                if name in agent.descriptors:
                    constants[columns] = self._by_name[name].encode(agent.descriptors[name])
                elif self._by_name[name].source != "memory":
                    own.append(columns)
            together[i * width + self._slots[i]] = constants
            mine = [self._by_name[name] for name in agent.features]
            alone.append(Encoder(mine, own, constants))
            features += mine
            slots += [i * width + self._slots[i][columns] for columns in own]
        return alone, Encoder(features, slots, together)

    def encode_agent(self, index: int, values: Sequence[float]) -> FloatArray:
        """Encode one building's raw observation; columns of memory features are zero (``Memory.write`` fills them).

        Args:
            index: the building's row.
            values: its raw features in the order of ``agents[index].features``, in physical units.

        Returns:
            float32 ``[d_i]`` within [-1, 1], in the order of ``agent_columns(index)``.
        """
        self._require_length(index, values)
        return self._alone[index](np.asarray(values, float))

    def encode(self, rows: Sequence[Sequence[float]]) -> FloatArray:
        """Encode all buildings' raw observations onto the joint grid: float32 ``[N, D]``, zero where masked.

        Columns of memory features are zero too; ``Memory.write`` fills them.
        """
        if len(rows) != len(self.agents):
            raise FeatureError(
                f"This community has {len(self.agents)} buildings but {len(rows)} rows of observations were given."
            )
        for i, row in enumerate(rows):
            self._require_length(i, row)
        values = np.fromiter(chain.from_iterable(rows), float)
        return self._together(values).reshape(len(self.agents), -1)

    def encode_agents(self, rows: Sequence[Sequence[float]]) -> list[FloatArray]:
        """Encode all buildings' raw observations, each in the order of its own columns: N vectors ``[d_i]``."""
        return self.own_columns(self.encode(rows))

    def _require_length(self, index: int, values: Sequence[float]) -> None:
        agent = self.agents[index]
        if len(values) != len(agent.features):
            raise FeatureError(
                f"{agent.name} has {len(agent.features)} features ({', '.join(agent.features)}) "
                f"but {len(values)} values were given."
            )

    def decode_actions(self, joint: FloatArray) -> list[list[float]]:
        """CityLearn's actions of every building, from joint actions ``[N, A]`` within [-1, 1].

        [-1, 1] is mapped linearly onto each action's own limits.
        """
        decoded = []
        for agent, slots, row in zip(self.agents, self._action_slots, joint, strict=True):
            decoded.append(
                [
                    low + (float(row[slot]) + 1.0) * (high - low) / 2.0
                    for slot, low, high in zip(slots, agent.action_low, agent.action_high, strict=True)
                ]
            )
        return decoded

    def encode_actions(self, joint: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The inverse of ``decode_actions``: joint actions ``[N, A]`` in CityLearn's units, mapped onto [-1, 1]."""
        low, high = np.zeros(self.action_mask.shape), np.ones(self.action_mask.shape)
        for n, (agent, slots) in enumerate(zip(self.agents, self._action_slots, strict=True)):
            low[n, slots], high[n, slots] = agent.action_low, agent.action_high
        return np.where(self.action_mask, 2.0 * (np.asarray(joint, float) - low) / (high - low) - 1.0, 0.0)

    def own_actions(self, joint: npt.NDArray[Any]) -> list[list[float]]:
        """Each building's own actions out of joint ones ``[N, A]``, unchanged."""
        return [[float(row[slot]) for slot in slots] for slots, row in zip(self._action_slots, joint, strict=True)]

    def joint_actions(self, rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
        """Joint actions ``[N, A]`` from each building's own; zero where a building lacks one."""
        joint = np.zeros(self.action_mask.shape)
        for n, (slots, row) in enumerate(zip(self._action_slots, rows, strict=True)):
            joint[n, slots] = row
        return joint

    def own_columns(self, joint: FloatArray) -> list[FloatArray]:
        """Each building's own columns out of joint observations ``[N, D]``, in the order of ``agent_columns``."""
        return [row[slots] for row, slots in zip(joint, self._slots, strict=True)]

    def clipped(self, rows: Sequence[Sequence[float]]) -> list[tuple[str, str, float]]:
        """(building, feature, value) of every raw value that lies outside its feature's range."""
        return [
            (agent.name, name, float(value))
            for agent, row in zip(self.agents, rows, strict=True)
            for name, value in zip(agent.features, row, strict=True)
            if self._by_name[name].clips(float(value))
        ]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description from which ``from_dict`` makes an equal object."""
        return {
            "features": [{**asdict(feature), "columns": list(feature.columns)} for feature in self.features],
            "actions": [asdict(ACTIONS[name]) for name in self.actions],
            "buildings": [
                {
                    "name": agent.name,
                    "features": list(agent.features),
                    "descriptors": dict(agent.descriptors),
                    "actions": list(agent.actions),
                    "action_low": list(agent.action_low),
                    "action_high": list(agent.action_high),
                    "memory": list(agent.memory),
                }
                for agent in self.agents
            ],
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> CommunityFeatures:
        """The inverse of ``to_dict``; refuses a description that this version's table would encode differently."""
        agents = [
            AgentFeatures(
                name=building["name"],
                features=tuple(building["features"]),
                descriptors=dict(building["descriptors"]),
                actions=tuple(building["actions"]),
                action_low=tuple(building["action_low"]),
                action_high=tuple(building["action_high"]),
                memory=tuple(building.get("memory", ())),  # bundles of 0.1 don't have it
            )
            for building in description["buildings"]
        ]
        ranges = {feature["name"]: (feature["low"], feature["high"]) for feature in description["features"]}
        community = cls(agents, ranges)
        theirs = [column for feature in description["features"] for column in feature["columns"]]
        if theirs != list(community.columns):
            raise FeatureError(
                "The description's features encode to other columns than this version's feature table "
                f"({len(theirs)} against {len(community.columns)}). Use the version of rllib_citylearn that wrote it."
            )
        return community


def fitted_ranges(maxima: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Ranges for quantities whose scale differs from site to site (energies, powers, prices, carbon intensity).

    Each is bounded by the next of 1, 1.5, 2, 3, 5, 7.5, 10, 15, ... above the largest value in the data, so that data sets
    of one kind get one range, and a policy trained on some buildings of a site fits the others.

    Args:
        maxima: the largest absolute value of each feature over the data set, in the feature's unit.

    Returns:
        name -> (low, high); features that are always zero keep the table's range.
    """
    result = {}
    for name, maximum in maxima.items():
        if maximum <= 0:
            continue
        decade = 10.0 ** np.floor(np.log10(maximum))
        steps = (1, 1.5, 2, 3, 5, 7.5, 10)
        bound = next(round(step * decade, 9) for step in steps if step * decade >= maximum * (1 - 1e-6))
        result[name] = (-bound if FEATURES[name].low < 0 else 0.0, bound)
    return result
