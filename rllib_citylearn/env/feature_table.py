"""Every quantity that a controller can see or set: name, unit, range, encoding, meaning.

One table drives the observation spaces, the encoders, the bundle's manifest, the API's input checks and the docs page.
Ranges are fixed and physical: no running statistics, so an observation means the same on the first day of training and
in a request served a year later. Only numpy is needed here, because serving shares this code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rllib_citylearn.env import appliance_features as appliances
from rllib_citylearn.errors import FeatureError

Encoding = Literal["linear", "periodic", "categories"]
Source = Literal["measured", "descriptor", "memory"]


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


def _charger_powers() -> list[Feature]:
    return [
        replace(_linear(f"charger_{k}_max_{way}_power", "kW", 0, 25, meaning), source="descriptor")
        for k in (1, 2, 3, 4)
        for way, meaning in (
            ("charging", f"Power of charger {k}."),
            ("discharging", f"Power of charger {k} from the vehicle to the building; 0 if it can't."),
        )
    ]


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
        *_charger_powers(),
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

_CHARGER = re.compile(
    r"^(?P<side>electric_vehicle_charger|connected_electric_vehicle_at_charger|incoming_electric_vehicle_at_charger|"
    r"electric_vehicle_storage)_(?P<charger>charger_\w+?_\d+)(?:_(?P<rest>\D\w*))?$"
)


def charger_identifier(name: str) -> str | None:
    """The identifier of the charger that CityLearn's observation or action ``name`` is about; None if it is about none."""
    match = _CHARGER.match(name)
    return None if match is None else match["charger"]


def charger_positions(names: Sequence[str]) -> dict[str, int]:
    """Position in the building, from 1, of each charger that CityLearn's observations or actions ``names`` are about."""
    identifiers = dict.fromkeys(filter(None, map(charger_identifier, names)))
    return {identifier: k for k, identifier in enumerate(identifiers, 1)}


def table_names(names: Sequence[str]) -> list[str]:
    """CityLearn's observation or action names of one building, as the table knows them.

    Identifiers of chargers (``charger_15_2``) and deferrable appliances become their position in the building
    (``charger_2``), so that the same column means the same thing in every building.
    """
    position = charger_positions(names)
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
        k = position[match["charger"]]
        prefix = {
            "electric_vehicle_charger": f"charger_{k}",
            "connected_electric_vehicle_at_charger": f"connected_at_charger_{k}",
            "incoming_electric_vehicle_at_charger": f"incoming_at_charger_{k}",
            "electric_vehicle_storage": f"electric_vehicle_storage_{k}",
        }[match["side"]]
        result.append(f"{prefix}_{match['rest']}" if match["rest"] else prefix)
    return result
