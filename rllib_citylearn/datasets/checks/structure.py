"""Does the schema have the entries that everything else is read from, and the files it names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rllib_citylearn.datasets.checks.dataset import Dataset, entries, number
from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.checks.tables import TABLES
from rllib_citylearn.datasets.names import suggestion

SERIES = ("energy_simulation", "weather", "carbon_intensity", "pricing")
"""Entries of a building that name its series; the last two may be null."""

_DEVICES = (
    "cooling_device",
    "heating_device",
    "dhw_device",
    "cooling_storage",
    "heating_storage",
    "dhw_storage",
    "electrical_storage",
    "pv",
)
_MAPPINGS = (*_DEVICES, "chargers", "deferrable_appliances", "escalators", "dynamics", "occupant", "power_outage")
_LISTS = ("inactive_observations", "inactive_actions")
_BUILDING_KEYS = (
    *SERIES,
    *_MAPPINGS,
    *_LISTS,
    *("include", "type", "noise_std", "charging_constraints", "electrical_service", "equity_group"),
)
_FILES = (*TABLES, ".pth")


def check_structure(description: Mapping[str, Any], findings: Findings) -> None:
    """Entries that are missing or of the wrong kind; without errors, the other checks can rely on them."""
    for key in ("observations", "actions", "buildings", "reward_function"):
        value = description.get(key)
        if not isinstance(value, Mapping) or not value:
            _wrong(findings, key, value, "a mapping with at least one entry")
    for key in ("observations", "actions"):
        for name, settings in entries(description.get(key)).items():
            if not isinstance(settings, Mapping):
                _wrong(findings, f"{key}.{name}", settings, 'a mapping such as {"active": true}')
    _check_span(description, findings)
    seed = description.get("random_seed")
    if seed is None:
        message = "it is missing, so every run draws other batteries. Add a whole number, as the official sets have."
        findings.add("no-seed", message, column="random_seed")
    elif isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        _wrong(findings, "random_seed", seed, "a whole number from 0 to 2^32 - 1")
    for name, building in entries(description.get("buildings")).items():
        _check_building(name, building, findings)
    vehicles = description.get("electric_vehicles_def")
    if vehicles is not None and not isinstance(vehicles, Mapping):
        _wrong(findings, "electric_vehicles_def", vehicles, "a mapping of vehicles")
    if not any(entries(b).get("include", True) for b in entries(description.get("buildings")).values()):
        _wrong(findings, "buildings", "only excluded ones", "at least one building with 'include': true")


def _check_span(description: Mapping[str, Any], findings: Findings) -> None:
    steps = [description.get(f"simulation_{end}_time_step") for end in ("start", "end")]
    values = [number(step) for step in steps]
    for end, step, value in zip(("start", "end"), steps, values, strict=True):
        if value is None or value != int(value) or value < 0:
            _wrong(findings, f"simulation_{end}_time_step", step, "a time step's number, at least 0")
            return
    if values[0] is not None and values[1] is not None and values[0] >= values[1]:
        _wrong(findings, "simulation_end_time_step", steps[1], f"a time step after the first, {steps[0]}")
    seconds = number(description.get("seconds_per_time_step"))
    if seconds is None or not 1 <= seconds <= 86400:
        _wrong(
            findings,
            "seconds_per_time_step",
            description.get("seconds_per_time_step"),
            "between 1 and 86400, 3600 for hours",
        )


def _check_building(name: str, building: Any, findings: Findings) -> None:
    if not isinstance(building, Mapping):
        _wrong(findings, f"buildings.{name}", building, "a mapping")
        return
    for key in _MAPPINGS:
        if building.get(key) is not None and not isinstance(building[key], Mapping):
            _wrong(findings, f"buildings.{name}.{key}", building[key], "a mapping")
    for key in _LISTS:
        value = building.get(key)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            _wrong(findings, f"buildings.{name}.{key}", value, "a list of names")
    for key in ("chargers", "deferrable_appliances", "escalators"):
        for entry, value in entries(building.get(key)).items():
            if not isinstance(value, Mapping):
                _wrong(findings, f"buildings.{name}.{key}.{entry}", value, "a mapping")
    for key in building:
        meant = suggestion(key, _BUILDING_KEYS) if key not in _BUILDING_KEYS else ""
        if meant:
            findings.add("unknown-key", f"CityLearn ignores it.{meant}", column=f"buildings.{name}.{key}")


def _wrong(findings: Findings, where: str, value: Any, expected: str) -> None:
    shown = "is missing" if value is None else f"is {str(value)[:60]!r}"
    findings.add("structure", f"it {shown}; expected {expected}. Put it right in the schema.", column=where)


def check_files(data: Dataset) -> None:
    """Files that are named but not there, and series that no file is named for."""
    seen: set[str] = set()
    for name, building in data.buildings.items():
        for key in SERIES:
            value = building.get(key)
            if not isinstance(value, str) and (value is not None or key in SERIES[:2]):
                _no_name(data.findings, f"buildings.{name}.{key}", value)
        for charger, entry in entries(building.get("chargers")).items():
            if not isinstance(entry.get("charger_simulation"), str):
                where = f"buildings.{name}.chargers.{charger}.charger_simulation"
                _no_name(data.findings, where, entry.get("charger_simulation"))
        for where, file in _files_named(building, f"buildings.{name}"):
            if file not in seen and not (data.folder / file).is_file():
                data.findings.add(
                    "missing-file",
                    f"it names {file}, but there is no such file. Put it into the folder or mend the name.",
                    column=where,
                )
            seen.add(file)


def _no_name(findings: Findings, where: str, value: Any) -> None:
    findings.add("missing-file", f"it is {str(value)[:60]!r}; expected the name of a CSV or Parquet file.", column=where)


def _files_named(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Path and file name of every file that an entry names, however deep."""
    if isinstance(value, str):
        is_series = where.rsplit(".", 1)[-1] in (*SERIES, "charger_simulation")
        if is_series or value.lower().endswith(_FILES):
            yield where, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _files_named(item, f"{where}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _files_named(item, where)
