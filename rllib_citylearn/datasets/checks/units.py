"""Values that are possible as numbers, but a thousand times off: the unit is probably another one.

Guesses compare with what is physically possible, with the building's own devices, and with the other buildings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.dataset import END_USES, Dataset, device_attributes, is_autosized, number
from rllib_citylearn.datasets.checks.tables import Table

LOADS = ("non_shiftable_load", *(f"{use}_demand" for use in END_USES))

_LOAD_KWH = 200.0  # an hour's mean; the largest building of the official sets has 71
_TIMES_OTHERS = 200.0
_PV_W_PER_KW = 1500.0  # the sun sends 1,361 W/m2 and a kW of photovoltaics is what gives 1 kW at 1,000
_PV_KW_PER_KW = 2.0
_WEAK_PV_W_PER_KW = 20.0  # a mean: 175 kWh a year for each kW; Iceland has 800
_PRICE = 50.0
_CARBON_KG_PER_KWH = 10.0  # the dirtiest fuels give 1.5
_TINY = 5e-4


def check_units(data: Dataset) -> None:
    """Every file once; loads and devices of every building."""
    seen: set[tuple[str, str]] = set()
    for building in data.buildings.values():
        for kind, check in (("weather", _weather), ("carbon_intensity", _carbon), ("pricing", _pricing)):
            table = data.table(building.get(kind))
            if table is not None and (kind, table.file) not in seen:
                seen.add((kind, table.file))
                check(data, table)
        table = data.table(building.get("energy_simulation"))
        if table is not None:
            _generation(data, building, table)
    _loads(data)
    for name, building in data.buildings.items():
        _sizes(data, name, building)


def _usable(table: Table, column: str) -> npt.NDArray[np.float64]:
    """A column's finite numbers; empty if there is no such column."""
    if column not in table.columns:
        return np.zeros(0)
    values = table.numbers(column)
    return values[np.isfinite(values)]


def _weather(data: Dataset, table: Table) -> None:
    names = (
        "outdoor_dry_bulb_temperature",
        "outdoor_relative_humidity",
        "diffuse_solar_irradiance",
        "direct_solar_irradiance",
    )
    for name in names:
        for column in (name, *(f"{name}_predicted_{k}" for k in (1, 2, 3))):
            values = _usable(table, column)
            if len(values):
                _weather_column(data, table.file, column, values)


def _weather_column(data: Dataset, file: str, column: str, values: npt.NDArray[np.float64]) -> None:
    reach = f"it reaches {values.min():g} to {values.max():g}"
    if "temperature" in column and (np.abs(values) > 60).mean() > 0.05:
        kelvin = np.median(values) > 200
        unit, how = ("kelvin", "Subtract 273.15.") if kelvin else ("degrees Fahrenheit", "Take 32 off and divide by 1.8.")
        message = f"{reach}. Expected degrees Celsius; these look like {unit}. {how}"
        data.findings.add("unit-temperature", message, file=file, column=column)
    elif "irradiance" in column and 0 < values.max() <= 2 and len(values) >= data.steps_a_day:
        message = f"{reach}. Expected W/m2; these look like kW/m2. Multiply by 1000."
        data.findings.add("unit-irradiance", message, file=file, column=column)
    elif "humidity" in column and 0 < values.max() <= 1:
        message = f"{reach}. Expected percent; these look like shares. Multiply by 100."
        data.findings.add("unit-humidity", message, file=file, column=column)


def _carbon(data: Dataset, table: Table) -> None:
    values = _usable(table, "carbon_intensity")
    if not len(values):
        return
    middle = float(np.median(values))
    if values.max() > _CARBON_KG_PER_KWH or 0 < middle < _TINY:
        unit, how = ("g", "Divide by 1000.") if values.max() > _CARBON_KG_PER_KWH else ("t", "Multiply by 1000.")
        data.findings.add(
            "unit-carbon",
            f"it reaches {values.max():g}, half of it above {middle:g}. Expected kg/kWh, at most about 1.5; these look like "
            f"{unit}/kWh. {how}",
            file=table.file,
            column="carbon_intensity",
        )


def _pricing(data: Dataset, table: Table) -> None:
    for column in ("electricity_pricing", *(f"electricity_pricing_predicted_{k}" for k in (1, 2, 3))):
        values = np.abs(_usable(table, column))
        if not len(values):
            continue
        middle = float(np.median(values))
        if values.max() > _PRICE or 0 < middle < _TINY:
            unit, how = ("MWh", "Divide by 1000") if values.max() > _PRICE else ("Wh", "Multiply by 1000")
            data.findings.add(
                "unit-price",
                f"it reaches {values.max():g}, half of it above {middle:g}. Expected currency per kWh; these look like "
                f"currency per {unit}. {how}, unless your currency is that small.",
                file=table.file,
                column=column,
            )


def _generation(data: Dataset, building: Mapping[str, Any], table: Table) -> None:
    power = number(device_attributes(building, "pv").get("nominal_power"))
    values = _usable(table, "solar_generation")
    if not len(values) or not (power or is_autosized(building, "pv")):
        return
    highest = float(values.max())
    if highest > _PV_W_PER_KW or (0 < highest <= _PV_KW_PER_KW and len(values) >= data.steps_a_day):
        guess = "the whole array's W" if highest > _PV_W_PER_KW else "kW"
        message = (
            f"it reaches {highest:g}. Expected W for each kW of photovoltaics, which reaches 500 to 1,300; these look like "
            f"{guess}. Divide by the array's kW or multiply by 1000."
        )
        data.findings.add("unit-pv", message, file=table.file, column="solar_generation")
    elif highest > 0 and len(values) >= 7 * data.steps_a_day and values.mean() < _WEAK_PV_W_PER_KW:
        message = (
            f"its mean of {values.mean():.3g} W for each kW is {values.mean() * 8.76:.0f} kWh a year for each kW. Expected "
            "700 to 2,000; check the array's nominal power and whether part of the year is missing."
        )
        data.findings.add("weak-pv", message, file=table.file, column="solar_generation")


def _loads(data: Dataset) -> None:
    """A mean no building has, or one far from the other buildings'."""
    hours = data.step_s / 3600
    for column in LOADS:
        means = {table.file: float(values.mean()) / hours for table, values in _columns(data, column) if values.mean() > 0}
        for file, mean in means.items():
            others = [value for other, value in means.items() if other != file]
            ratio = mean / float(np.median(others)) if len(others) > 1 else 1.0
            if mean > _LOAD_KWH or ratio > _TIMES_OTHERS or ratio < 1 / _TIMES_OTHERS:
                unit = "MWh" if ratio < 1 else "Wh"
                message = (
                    f"its mean is {mean:g} kWh an hour"
                    + (f", {ratio:.3g} times the other buildings'" if len(others) > 1 else "")
                    + f". Expected kWh, 0.2 to 2 an hour for homes; these look like {unit}. Convert them, unless the "
                    "building is that large."
                )
                data.findings.add("unit-load", message, file=file, column=column)


def _columns(data: Dataset, column: str) -> Iterator[tuple[Table, npt.NDArray[np.float64]]]:
    for building in data.buildings.values():
        table = data.table(building.get("energy_simulation"))
        values = np.zeros(0) if table is None else _usable(table, column)
        if table is not None and len(values):
            yield table, values


def _sizes(data: Dataset, name: str, building: Mapping[str, Any]) -> None:
    """Batteries and devices against the building's highest load; nothing is said of a building without loads."""
    table = data.table(building.get("energy_simulation"))
    if table is None:
        return
    hours = data.step_s / 3600
    peak = sum(float(values.max()) / hours for values in (_usable(table, c) for c in LOADS) if len(values))
    if not peak > 0 or peak > 24 * _LOAD_KWH:
        return  # the loads' unit is in doubt
    for device, attribute, unit, most in (
        ("electrical_storage", "capacity", "kWh", 300.0),
        ("electrical_storage", "nominal_power", "kW", 100.0),
        ("pv", "nominal_power", "kW", 100.0),
    ):
        size = number(device_attributes(building, device).get(attribute))
        if size is None or size <= 0 or is_autosized(building, device):
            continue
        if size > most * peak or size < peak / (1e4 if device == "pv" else 1e3):
            guess = unit[1:] if size > peak else f"M{unit[1:]}"
            message = (
                f"{size:g} {unit} for a building whose loads reach {peak:.3g} kW. Expected {unit}; this looks like {guess}. "
                "Convert it."
            )
            data.findings.add("unit-device", message, column=f"buildings.{name}.{device}.attributes.{attribute}")
