"""The columns of every kind of file: which ones CityLearn 3.0.2 needs and knows, and what their values can be.

Names are the parameters of CityLearn's ``EnergySimulation``, ``Weather``, ``CarbonIntensity``, ``Pricing`` and
``ChargerSimulation``. Bounds are generous: 57 degC is the hottest air ever measured, 1,361 W/m2 is what the sun sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INF = float("inf")


@dataclass(frozen=True)
class Column:
    """What is known about one column.

    Attributes:
        low, high: values outside are impossible. Below a ``low`` of 0 they are called negative.
        required: whether CityLearn can't do without it.
        varies: whether it should change within a day or two.
        may_be_empty: whether a building without dynamics can leave it empty.
    """

    low: float = -INF
    high: float = INF
    required: bool = True
    varies: bool = False
    may_be_empty: bool = False


def _optional(low: float, high: float, *, may_be_empty: bool = False) -> Column:
    return Column(low, high, required=False, may_be_empty=may_be_empty)


_TEMPERATURE = Column(-60, 60, varies=True)
_HUMIDITY = Column(0, 200, varies=True)
_IRRADIANCE = Column(0, 1500, varies=True)
_PRICE = Column(varies=True)

_BUILDING = {
    "month": Column(1, 12),
    "hour": Column(0, 24, varies=True),
    "minutes": _optional(0, 60),
    "seconds": _optional(0, 59),
    "day_type": Column(1, 8),
    "daylight_savings_status": _optional(0, 1),
    "indoor_dry_bulb_temperature": Column(-40, 60, may_be_empty=True),
    "average_unmet_cooling_setpoint_difference": _optional(-60, 60, may_be_empty=True),
    "indoor_relative_humidity": _optional(0, 100, may_be_empty=True),
    "non_shiftable_load": Column(0, INF, varies=True),
    "dhw_demand": Column(0, INF),
    "cooling_demand": Column(0, INF),
    "heating_demand": Column(0, INF),
    "solar_generation": Column(0, INF),
    "occupant_count": _optional(0, INF, may_be_empty=True),
    "indoor_dry_bulb_temperature_cooling_set_point": _optional(-40, 60, may_be_empty=True),
    "indoor_dry_bulb_temperature_heating_set_point": _optional(-40, 60, may_be_empty=True),
    "hvac_mode": _optional(0, 3),
    "power_outage": _optional(0, 1),
    "comfort_band": _optional(0, 30),
}


def _with_predictions(columns: Mapping[str, Column]) -> dict[str, Column]:
    ahead = {f"{name}_predicted_{k}": column for name, column in columns.items() for k in (1, 2, 3)}
    return {**columns, **ahead}


_WEATHER = _with_predictions(
    {
        "outdoor_dry_bulb_temperature": _TEMPERATURE,
        "outdoor_relative_humidity": _HUMIDITY,
        "diffuse_solar_irradiance": _IRRADIANCE,
        "direct_solar_irradiance": _IRRADIANCE,
    }
)

COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "energy_simulation": _BUILDING,
    "weather": _WEATHER,
    "carbon_intensity": {"carbon_intensity": Column(0, INF, varies=True)},
    "pricing": _with_predictions({"electricity_pricing": _PRICE}),
}
"""Columns of the series by kind of file, as a building's entry in the schema calls it."""

STATE, VEHICLE = "electric_vehicle_charger_state", "electric_vehicle_id"
DEPARTURE, ARRIVAL = "electric_vehicle_departure_time", "electric_vehicle_estimated_arrival_time"
REQUIRED_SOC, ARRIVAL_SOC = "electric_vehicle_required_soc_departure", "electric_vehicle_estimated_soc_arrival"
SESSION, CURRENT_SOC = "electric_vehicle_session_id", "electric_vehicle_current_soc"

CHARGER_COLUMNS = (STATE, VEHICLE, DEPARTURE, REQUIRED_SOC, ARRIVAL, ARRIVAL_SOC)
"""Columns that a charger's schedule needs; others are allowed, and ignored but for ``SESSION`` and ``CURRENT_SOC``."""

PROFILE_COLUMNS = ("profile_id", "duration_steps", "total_energy_kwh", "load_profile")
CYCLE_COLUMNS = (
    *("cycle_id", "profile_id", "earliest_start_time_step", "latest_start_time_step"),
    *("deadline_time_step", "priority", "must_run"),
)
