"""A data set under examination: its schema, its files, and where findings go."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.checks.tables import Table, read_table

END_USES = ("cooling", "heating", "dhw")


def number(value: Any) -> float | None:
    """A finite number from a schema; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def entries(value: Any) -> Mapping[str, Any]:
    """A mapping from a schema; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def device_attributes(building: Mapping[str, Any], device: str) -> Mapping[str, Any]:
    """A device's ``attributes``; empty without the device."""
    return entries(entries(building.get(device)).get("attributes"))


def is_autosized(building: Mapping[str, Any], device: str) -> bool:
    """Whether CityLearn finds out the device's size itself."""
    return bool(entries(building.get(device)).get("autosize"))


class Dataset:
    """What the checks read.

    Args:
        folder: the data set's.
        description: content of its ``schema.json``, whose structure was found right.
        findings: where findings go.

    Attributes:
        buildings: entries of the included buildings, by name.
        first, last: the span's time steps, both included.
        step_s: seconds in a time step.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any], findings: Findings) -> None:
        self.folder, self.description, self.findings = folder, description, findings
        self.buildings = {n: b for n, b in description["buildings"].items() if b.get("include", True)}
        self.first = int(description["simulation_start_time_step"])
        self.last = int(description["simulation_end_time_step"])
        self.step_s = float(description["seconds_per_time_step"])
        self._tables: dict[str, Table | None] = {}

    @property
    def rows(self) -> int:
        """Rows that a run uses."""
        return self.last - self.first + 1

    @property
    def steps_a_day(self) -> int:
        """Time steps in a day, at least one."""
        return max(1, round(86400 / self.step_s))

    @property
    def has_padding(self) -> bool:
        """Whether CityLearn repeats the last row if the data end one before the span does."""
        return self.description.get("terminal_observation_padding") is True

    def table(self, file: Any) -> Table | None:
        """A file's rows; None if it is not there or can't be read, which was reported the first time."""
        if not isinstance(file, str):
            return None
        if file not in self._tables:
            there = (self.folder / file).is_file()
            self._tables[file] = read_table(self.folder, file, self.first, self.last, self.findings) if there else None
        return self._tables[file]

    def tables_read(self) -> list[Table]:
        """Every table that was asked for and could be read."""
        return [table for table in self._tables.values() if table is not None]

    def chargers(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Entries of all chargers, by building and name."""
        return {
            (name, charger): entries(entry)
            for name, building in self.buildings.items()
            for charger, entry in entries(building.get("chargers")).items()
        }

    def vehicles(self) -> dict[str, Mapping[str, Any]]:
        """Battery attributes of the included vehicles, by name."""
        defined = entries(self.description.get("electric_vehicles_def"))
        return {
            name: device_attributes(entries(entry), "battery")
            for name, entry in defined.items()
            if entries(entry).get("include", True)
        }

    def is_active(self, group: str, name: str, building: Mapping[str, Any]) -> bool:
        """Whether an observation or action is switched on in a building.

        Args:
            group: ``observations`` or ``actions``.
            name: its name.
            building: the building's entry.
        """
        settings = entries(self.description.get(group)).get(name)
        return bool(entries(settings).get("active")) and name not in (building.get(f"inactive_{group}") or [])
