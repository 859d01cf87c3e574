"""Changes to the sound data set, each small, and what is said of a spoil."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.datasets_sound import CHARGER, VEHICLE, edit_column, edit_schema, read_rows, write_rows

Change = Callable[[Path], object]
B1, B2, SCHEDULE, SCHEMA = "Building_1.csv", "Building_2.csv", f"{CHARGER}.csv", "schema.json"
EV = "electric_vehicle_"
ARRIVAL_ROW, START_ROW = 41, 42
"""Rows of the second evening: on its way, and plugged in."""


@dataclass(frozen=True)
class Spoil:
    """A change to the sound data set, and where its finding has to be."""

    rule: str
    title: str
    apply: Change
    file: str = SCHEMA
    column: str | None = None
    row: int | None = None
    says: tuple[str, ...] = ()


def schema(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda folder: edit_schema(folder, change)


def building(change: Callable[[dict[str, Any]], object]) -> Change:
    return schema(lambda d: change(d["buildings"]["Building_1"]))


def device(name: str, **attributes: Any) -> Change:
    return building(lambda b: b[name]["attributes"].update(attributes))


def charger(**attributes: Any) -> Change:
    return schema(lambda d: d["buildings"]["Building_2"]["chargers"][CHARGER]["attributes"].update(attributes))


def cell(file: str, column: str, row: int, value: Any) -> Change:
    return cells(file, column, {row: value})


def cells(file: str, column: str, values: Mapping[int, Any]) -> Change:
    return lambda folder: edit_column(folder / file, column, lambda row, old: values.get(row, old))


def scaled(file: str, column: str, factor: float, shift: float = 0.0) -> Change:
    return lambda folder: edit_column(folder / file, column, lambda row, old: float(old) * factor + shift)


def rows(file: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Change:
    return lambda folder: write_rows(folder / file, change(read_rows(folder / file)))


def text(file: str, change: Callable[[list[str]], list[str]]) -> Change:
    return lambda folder: (folder / file).write_text("\n".join(change((folder / file).read_text().splitlines())) + "\n")


def both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def add_appliance(folder: Path, **cycle: Any) -> None:
    """A dishwasher with two cycles, the second changed by ``cycle``."""
    profile = {"profile_id": "eco", "duration_steps": 2, "total_energy_kwh": 1.5, "load_profile": '"[1.0, 0.5]"'}
    write_rows(folder / "profiles.csv", [profile])
    cycles: list[dict[str, Any]] = [
        {"cycle_id": k, "profile_id": "eco", "earliest_start_time_step": t, "latest_start_time_step": t + 4}
        | {"deadline_time_step": t + 5, "priority": 1.0, "must_run": True}
        for k, t in (("a", 10), ("b", 30))
    ]
    cycles[1] |= cycle
    write_rows(folder / "cycles.csv", cycles)
    entry = {"cycle_profiles_file": "profiles.csv", "flexibility_schedule_file": "cycles.csv"}
    edit_schema(folder, lambda d: d["buildings"]["Building_1"].update(deferrable_appliances={"dishwasher": entry}))


def second_charger(folder: Path) -> None:
    description = json.loads((folder / SCHEMA).read_text())
    entry = description["buildings"]["Building_2"]["chargers"][CHARGER]
    (folder / "charger_1_1.csv").write_text((folder / SCHEDULE).read_text())
    copy = {**entry, "charger_simulation": "charger_1_1.csv"}
    edit_schema(folder, lambda d: d["buildings"]["Building_2"]["chargers"].update(charger_1_1=copy))


def add_vehicle(description: dict[str, Any]) -> None:
    vehicles = description["electric_vehicles_def"]
    vehicles["Vehicle_2"] = vehicles[VEHICLE]


def see_indoors(name: str) -> Change:
    """Building 1 alone observes its indoor temperature, or what is computed from it."""

    def change(description: dict[str, Any]) -> None:
        description["observations"][name] = {"active": True}
        description["buildings"]["Building_2"]["inactive_observations"] = [name]

    return schema(change)


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(mapping: dict[str, Any]) -> None:
        mapping[new] = mapping.pop(old)

    return change


def twice(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*lines[:30], lines[29], *lines[30:-1]]


HEAT_PUMP = {"type": "citylearn.energy_model.HeatPump", "autosize": True, "attributes": {}}
STATE, ID, DEPARTURE = f"{EV}charger_state", f"{EV}id", f"{EV}departure_time"
REQUIRED, ARRIVES, AT_ARRIVAL = f"{EV}required_soc_departure", f"{EV}estimated_arrival_time", f"{EV}estimated_soc_arrival"
IN_BATTERY = "buildings.Building_1.electrical_storage.attributes."
IN_CHARGER = f"buildings.Building_2.chargers.{CHARGER}.attributes."
INACTIVE = "buildings.Building_1.inactive_actions"
LOAD, PV, TEMPERATURE = "non_shiftable_load", "solar_generation", "outdoor_dry_bulb_temperature"
INDOORS = "indoor_dry_bulb_temperature"
