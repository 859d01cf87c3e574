"""A small data set in CityLearn 3.0.2's format with which nothing is wrong: CityLearn runs it, and the checks are silent.

Two buildings over eight days, one with a battery, photovoltaics, an electric heater and a tank for hot water, the other with
a charger and a vehicle too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DAYS = 8
HOURS = 24 * DAYS
VEHICLE = "Vehicle_1"
CHARGER = "charger_2_1"
CAPACITY_KWH, POWER_KW = 40.0, 7.4

_PREDICTED = ("", "_predicted_1", "_predicted_2", "_predicted_3")
_WEATHER = (
    "outdoor_dry_bulb_temperature",
    "outdoor_relative_humidity",
    "diffuse_solar_irradiance",
    "direct_solar_irradiance",
)


def write_sound(folder: Path) -> Path:
    """Write the data set to a new folder."""
    folder.mkdir(parents=True)
    for number in (1, 2):
        write_rows(folder / f"Building_{number}.csv", [_building_row(hour, number) for hour in range(HOURS)])
    write_rows(folder / "weather.csv", [_weather_row(hour) for hour in range(HOURS)])
    write_rows(folder / "pricing.csv", [_price_row(hour) for hour in range(HOURS)])
    write_rows(folder / "carbon_intensity.csv", [{"carbon_intensity": 0.2 + 0.1 * _sun(hour + 5)} for hour in range(HOURS)])
    write_rows(folder / f"{CHARGER}.csv", [_charger_row(hour) for hour in range(HOURS)])
    (folder / "schema.json").write_text(json.dumps(_description()))
    return folder


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV; None becomes an empty cell."""
    lines = [",".join(rows[0])] + [",".join("" if x is None else str(x) for x in row.values()) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a CSV file as text."""
    titles, *lines = path.read_text().splitlines()
    return [dict(zip(titles.split(","), line.split(","), strict=True)) for line in lines]


def edit_column(path: Path, column: str, change: Callable[[int, str], Any]) -> None:
    """Give a column new values: ``change(row, old)``."""
    rows = read_rows(path)
    for number, row in enumerate(rows):
        row[column] = change(number, row[column])
    write_rows(path, rows)


def edit_schema(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the schema in place."""
    path = folder / "schema.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def quarter_hours(folder: Path) -> None:
    """Make the time steps quarters of an hour: the same rows, in a quarter of the time."""
    for number in (1, 2):
        path = folder / f"Building_{number}.csv"
        rows = read_rows(path)
        for k, row in enumerate(rows):
            row |= {"hour": k // 4 % 24, "minutes": k % 4 * 15, "day_type": k // 96 + 1}
        write_rows(path, rows)
    edit_schema(folder, lambda d: d.update(seconds_per_time_step=900))


def _sun(hour: int) -> float:
    return max(0.0, math.sin(math.pi * (hour % 24 - 6) / 12))


def _building_row(hour: int, number: int) -> dict[str, Any]:
    return {
        "month": 6,
        "hour": hour % 24 + 1,
        "day_type": (hour // 24 + 2) % 7 + 1,
        "daylight_savings_status": 0,
        "indoor_dry_bulb_temperature": None,
        "non_shiftable_load": round(0.4 + 0.1 * number + 0.6 * _sun(hour + 18), 3),
        "dhw_demand": 0.5 if hour % 24 in (6, 19) else 0.0,
        "cooling_demand": 0.0,
        "heating_demand": 0.0,
        "solar_generation": round(700 * _sun(hour), 2),
    }


def _weather_row(hour: int) -> dict[str, Any]:
    row = {}
    for name in _WEATHER:
        for k, title in enumerate(_PREDICTED):
            sun = _sun(hour + 6 * k)
            row[name + title] = {"out": 15 + 10 * sun, "dif": 300 * sun, "dir": 800 * sun}[name[:3]]
            if "humidity" in name:
                row[name + title] = 80 - 30 * sun
    return row


def _price_row(hour: int) -> dict[str, Any]:
    return {f"electricity_pricing{t}": 0.4 if (hour + k) % 24 in range(16, 21) else 0.2 for k, t in enumerate(_PREDICTED)}


def _charger_row(hour: int) -> dict[str, Any]:
    """Home from 18:00 to 7:00; the hour before, on its way. States of charge in percent."""
    of_day = hour % 24
    row: dict[str, Any] = {
        "electric_vehicle_charger_state": 3,
        "electric_vehicle_id": None,
        "electric_vehicle_departure_time": None,
        "electric_vehicle_required_soc_departure": None,
        "electric_vehicle_estimated_arrival_time": None,
        "electric_vehicle_estimated_soc_arrival": None,
    }
    if of_day == 17:
        row |= {"electric_vehicle_charger_state": 2, "electric_vehicle_id": VEHICLE}
        row |= {"electric_vehicle_estimated_arrival_time": 0, "electric_vehicle_estimated_soc_arrival": 40}
    elif of_day >= 18 or of_day < 7:
        row |= {"electric_vehicle_charger_state": 1, "electric_vehicle_id": VEHICLE}
        row |= {"electric_vehicle_departure_time": (6 - of_day) % 24, "electric_vehicle_required_soc_departure": 80}
    return row


def _description() -> dict[str, Any]:
    observations = ("month", "day_type", "hour", "outdoor_dry_bulb_temperature", "carbon_intensity", "non_shiftable_load")
    observations += ("solar_generation", "electrical_storage_soc", "dhw_storage_soc", "net_electricity_consumption")
    observations += ("electricity_pricing", "electric_vehicle_charger_connected_state")
    observations += ("connected_electric_vehicle_at_charger_soc", "connected_electric_vehicle_at_charger_departure_time")
    return {
        "random_seed": 1,
        "root_directory": None,
        "central_agent": False,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": HOURS - 1,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": 3600,
        "observations": {name: {"active": True, "shared_in_central_agent": True} for name in observations},
        "actions": {name: {"active": True} for name in ("electrical_storage", "dhw_storage", "electric_vehicle_storage")},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": None},
        "electric_vehicles_def": {VEHICLE: {"include": True, "battery": _vehicle_battery()}},
        "buildings": {
            "Building_1": _building("Building_1"),
            "Building_2": {**_building("Building_2"), "chargers": {CHARGER: _charger()}},
        },
    }


def _vehicle_battery() -> dict[str, Any]:
    attributes = {"capacity": CAPACITY_KWH, "nominal_power": 50.0, "initial_soc": 0.5, "depth_of_discharge": 0.9}
    return {"type": "citylearn.energy_model.Battery", "attributes": attributes}


def _charger() -> Mapping[str, Any]:
    return {
        "type": "citylearn.electric_vehicle_charger.Charger",
        "charger_simulation": f"{CHARGER}.csv",
        "attributes": {
            "efficiency": 0.95,
            "max_charging_power": POWER_KW,
            "min_charging_power": 0.0,
            "max_discharging_power": POWER_KW,
            "min_discharging_power": 0.0,
        },
    }


def _building(name: str) -> dict[str, Any]:
    def device(kind: str, **attributes: float) -> dict[str, Any]:
        return {"type": f"citylearn.energy_model.{kind}", "autosize": False, "attributes": attributes}

    return {
        "include": True,
        "energy_simulation": f"{name}.csv",
        "weather": "weather.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "pricing": "pricing.csv",
        "inactive_observations": [],
        "inactive_actions": [],
        "dhw_device": device("ElectricHeater", nominal_power=3.0, efficiency=0.9),
        "dhw_storage": device("StorageTank", capacity=3.0, loss_coefficient=0.005),
        "electrical_storage": device("Battery", capacity=6.4, nominal_power=5.0, efficiency=0.9),
        "pv": device("PV", nominal_power=4.0),
    }
