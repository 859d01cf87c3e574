"""Numbers that say what a data set is like: loads, generation, prices, weather, and the vehicles' sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.dataset import Dataset
from rllib_citylearn.datasets.checks.sessions import read_schedules
from rllib_citylearn.datasets.checks.tables import Table

_HOURS_A_YEAR = 8760.0
_DEMANDS = {"load": "non_shiftable_load", "cooling": "cooling_demand", "heating": "heating_demand", "dhw": "dhw_demand"}
_SERIES = (
    ("weather", "outdoor_dry_bulb_temperature", "degC"),
    ("weather", "diffuse_solar_irradiance", "W/m2"),
    ("weather", "direct_solar_irradiance", "W/m2"),
    ("pricing", "electricity_pricing", "currency/kWh"),
    ("carbon_intensity", "carbon_intensity", "kg/kWh"),
)


def _finite(table: Table | None, column: str) -> npt.NDArray[np.float64]:
    """A column's finite numbers; empty if there are none."""
    if table is None or column not in table.columns:
        return np.zeros(0)
    values = table.numbers(column)
    return values[np.isfinite(values)]


def yearly(data: Dataset, building: Mapping[str, Any], pv_kw: float | None) -> dict[str, float]:
    """A building's loads, demands and generation as kWh a year, from their means.

    Args:
        data: the data set.
        building: its entry in the schema.
        pv_kw: nominal power of its photovoltaics; None without.
    """
    table = data.table(building.get("energy_simulation"))
    steps = _HOURS_A_YEAR * 3600 / data.step_s
    values = {f"{name}_kwh_a_year": _finite(table, column) for name, column in _DEMANDS.items()}
    sums = {name: float(x.mean()) * steps if len(x) else 0.0 for name, x in values.items()}
    generation = _finite(table, "solar_generation")
    mean_kw = float(generation.mean()) / 1000 * (pv_kw or 0.0) if len(generation) else 0.0
    return {**sums, "pv_kwh_a_year": mean_kw * _HOURS_A_YEAR}


def district_statistics(data: Dataset) -> dict[str, dict[str, Any]]:
    """Lowest, mean and highest value of the loads' sum and of every shared series that is there, each with its unit."""
    found: dict[str, dict[str, Any]] = {}
    loads = [_load_kw(data, building) for building in data.buildings.values()]
    rows = min((len(load) for load in loads), default=0)
    if rows:
        found["district_load"] = _summary(np.sum([load[:rows] for load in loads], axis=0), "kW")
    for kind, column, unit in _SERIES:
        files = {b[kind] for b in data.buildings.values() if isinstance(b.get(kind), str)}
        values = [_finite(data.table(file), column) for file in sorted(files)]
        together = np.concatenate(values) if values else np.zeros(0)
        if len(together):
            found[column] = _summary(together, unit)
    return found


def _load_kw(data: Dataset, building: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    table = data.table(building.get("energy_simulation"))
    if table is None or "non_shiftable_load" not in table.columns:
        return np.zeros(0)
    load = table.numbers("non_shiftable_load") / data.step_s * 3600
    return np.where(np.isfinite(load), load, 0.0)


def _summary(values: npt.NDArray[np.float64], unit: str) -> dict[str, Any]:
    return {"unit": unit, "min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}


def session_statistics(data: Dataset) -> dict[str, Any] | None:
    """How vehicles come and go; None without chargers. Means are None where no session says enough.

    Sessions that the span cuts off are counted, but not in the means.
    """
    schedules = read_schedules(data)
    if not schedules:
        return None
    vehicles = data.vehicles()
    sessions = [(schedule, session) for schedule in schedules for session in schedule.sessions(vehicles)]
    hours = _hours_of_day(data)
    whole = [session for _, session in sessions if session.within]
    return {
        "chargers": len(schedules),
        "vehicles": len({session.vehicle for _, session in sessions}),
        "sessions": len(sessions),
        "sessions_a_day": len(sessions) / (data.rows * data.step_s / 86400),
        "mean_arrival_hour": mean_hour([hours[s.first] for s in whole if s.first < len(hours)]),
        "mean_departure_hour": mean_hour([hours[s.last + 1] for s in whole if s.last + 1 < len(hours)]),
        "mean_stay_h": _mean([session.steps * data.step_s / 3600 for session in whole]),
        "mean_arrival_soc": _mean([session.arrival_soc for session in whole]),
        "mean_required_soc": _mean([session.required_soc for session in whole]),
        "mean_needed_kwh": _mean([session.needed_kwh for session in whole]),
    }


def _hours_of_day(data: Dataset) -> npt.NDArray[np.float64]:
    """The clock at the rows of the first building that has one, in hours from 0 to 24."""
    for building in data.buildings.values():
        table = data.table(building.get("energy_simulation"))
        if table is not None and "hour" in table.columns:
            minutes = table.numbers("minutes") if "minutes" in table.columns else 0.0
            return np.asarray((table.numbers("hour") + minutes / 60) % 24)
    return np.zeros(0)


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None


def mean_hour(hours: list[Any]) -> float | None:
    """The mean on the circle of a day: 23 and 1 have the mean 0."""
    angles = np.array([hour for hour in hours if np.isfinite(hour)], float) / 24 * 2 * np.pi
    if not len(angles):
        return None
    return float(np.angle(np.exp(1j * angles).mean()) / (2 * np.pi) * 24 % 24)
