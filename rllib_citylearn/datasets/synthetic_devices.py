"""The devices of made-up homes, sized for what the homes need, as entries of a CityLearn schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.synthetic_series import Place

Doubles = npt.NDArray[np.float64]

_SUPPLY_C = {"heating": 45.0, "cooling": 8.0}
_ZERO_C_IN_K = 273.15
_SPARE = 1.25
"""How much larger than the largest demand a device is, so that there is something left to fill a tank with."""

_SHARED = (
    "month",
    "day_type",
    "hour",
    *(
        f"{name}{suffix}"
        for name in (
            "outdoor_dry_bulb_temperature",
            "outdoor_relative_humidity",
            "diffuse_solar_irradiance",
            "direct_solar_irradiance",
            "electricity_pricing",
        )
        for suffix in ("", "_predicted_1", "_predicted_2", "_predicted_3")
    ),
    "carbon_intensity",
)
_OWN = (
    "non_shiftable_load",
    "net_electricity_consumption",
    "solar_generation",
    "electrical_storage_soc",
    "heating_demand",
    "cooling_demand",
    "heating_storage_soc",
    "dhw_demand",
    "dhw_storage_soc",
)
_ACTIONS = ("electrical_storage", "heating_storage", "dhw_storage")


@dataclass(frozen=True)
class Home:
    """One home; every array is ``[T]``.

    Attributes:
        load_kwh: appliances and light.
        solar_w_per_kw: output of photovoltaics.
        hot_water_kwh, heating_kwh, cooling_kwh: heat and cold that its devices have to make.
        battery, pv, heat_pump, tank: what it has.
    """

    load_kwh: Doubles
    solar_w_per_kw: Doubles
    hot_water_kwh: Doubles
    heating_kwh: Doubles
    cooling_kwh: Doubles
    battery: bool
    pv: bool
    heat_pump: bool
    tank: bool


def schema_frame(seed: int, steps: int) -> dict[str, Any]:
    """A schema without buildings.

    Args:
        seed: CityLearn's random seed.
        steps: number of rows.
    """
    observations = {name: {"active": True, "shared_in_central_agent": True} for name in _SHARED}
    observations |= {name: {"active": True, "shared_in_central_agent": False} for name in _OWN}
    return {
        "random_seed": seed,
        "root_directory": None,
        "central_agent": False,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": steps - 1,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": 3600,
        "observations": observations,
        "actions": {name: {"active": True} for name in _ACTIONS},
        "agent": {"type": "citylearn.agents.rbc.BasicRBC", "attributes": {}},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": None},
        "buildings": {},
    }


def home_entry(name: str, home: Home, place: Place, random: np.random.Generator) -> dict[str, Any]:
    """A home as a building of a schema.

    Args:
        name: the building's name; its series are in the CSV file of that name.
        home: what it has and needs.
        place: where it is.
        random: sizes are drawn from it.
    """
    entry: dict[str, Any] = {
        "include": True,
        "energy_simulation": f"{name}.csv",
        "weather": "weather.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "pricing": "pricing.csv",
        "inactive_observations": [],
        "inactive_actions": [],
    }
    day_kwh = float(home.load_kwh.mean()) * 24.0
    size = round(float(np.clip(day_kwh * random.uniform(0.5, 0.9), 4.0, 15.0)), 1)
    peak_kw = round(float(np.clip(day_kwh / 4.0 * random.uniform(0.8, 1.4), 2.0, 12.0)), 1)
    carnot = round(random.uniform(0.35, 0.45), 3)
    missing: list[str] = []
    if home.battery:
        entry["electrical_storage"] = _battery(size)
    else:
        missing += ["electrical_storage", "electrical_storage_soc"]
    if home.pv:
        entry["pv"] = _device("PV", nominal_power=peak_kw)
    else:
        missing.append("solar_generation")
    if home.heat_pump:
        for use, demand in (("heating", home.heating_kwh), ("cooling", home.cooling_kwh)):
            entry[f"{use}_device"] = _heat_pump(use, demand, place.temperature_c, carnot)
    else:
        missing += ["heating_demand", "cooling_demand"]
    if home.heat_pump and home.tank:
        entry["heating_storage"] = _tank(home.heating_kwh)
    else:
        missing += ["heating_storage", "heating_storage_soc"]
    if home.tank:
        power = max(float(home.hot_water_kwh.max()), 1.0) * _SPARE / 0.95
        entry["dhw_device"] = _device("ElectricHeater", nominal_power=round(power, 2), efficiency=0.95)
        entry["dhw_storage"] = _tank(home.hot_water_kwh)
    else:
        missing += ["dhw_demand", "dhw_storage", "dhw_storage_soc"]
    entry["inactive_actions"] = [thing for thing in missing if thing in _ACTIONS]
    entry["inactive_observations"] = [thing for thing in missing if thing not in _ACTIONS]
    return entry


def _device(kind: str, **attributes: Any) -> dict[str, Any]:
    return {"type": f"citylearn.energy_model.{kind}", "autosize": False, "attributes": attributes}


def _battery(capacity_kwh: float) -> dict[str, Any]:
    return _device(
        "Battery",
        capacity=capacity_kwh,
        nominal_power=round(capacity_kwh / 2.5, 2),
        efficiency=0.9,
        loss_coefficient=0.0,
        capacity_loss_coefficient=1e-05,
        depth_of_discharge=0.95,
        power_efficiency_curve=[[0, 0.83], [0.3, 0.83], [0.7, 0.9], [0.8, 0.9], [1, 0.85]],
        capacity_power_curve=[[0.0, 1], [0.8, 1], [1.0, 0.2]],
    )


def _heat_pump(use: str, demand_kwh: Doubles, outdoor_c: Doubles, carnot: float) -> dict[str, Any]:
    """A heat pump that meets every hour's demand at that hour's performance (``HeatPump.get_cop``)."""
    supply = _SUPPLY_C[use]
    lift = (supply - outdoor_c) if use == "heating" else (outdoor_c - supply)
    performance = np.where(lift > 0.0, carnot * (supply + _ZERO_C_IN_K) / np.maximum(lift, 1e-6), 20.0).clip(max=20.0)
    power = max(float((demand_kwh / performance).max()), 0.5) * _SPARE
    return _device(
        "HeatPump",
        nominal_power=round(power, 2),
        efficiency=carnot,
        target_heating_temperature=_SUPPLY_C["heating"],
        target_cooling_temperature=_SUPPLY_C["cooling"],
    )


def _tank(demand_kwh: Doubles) -> dict[str, Any]:
    """A tank for about two hours of the largest demand."""
    return _device("StorageTank", capacity=round(max(2.0 * float(demand_kwh.max()), 2.0), 1), loss_coefficient=0.004)
