"""Deferrable appliances: profiles and time windows, as CityLearn's ``DeferrableApplianceSimulation`` demands them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rllib_citylearn.datasets.checks.columns import CYCLE_COLUMNS, PROFILE_COLUMNS
from rllib_citylearn.datasets.checks.dataset import Dataset, entries
from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.checks.series import check_titles
from rllib_citylearn.datasets.checks.tables import Table, read_table

_ALL = 2**62
_TIMES = ("earliest_start_time_step", "latest_start_time_step", "deadline_time_step")


def check_appliances(data: Dataset) -> None:
    """Every appliance of every building."""
    for name, building in data.buildings.items():
        for appliance, entry in entries(building.get("deferrable_appliances")).items():
            where = f"buildings.{name}.deferrable_appliances.{appliance}"
            profiles = _read(data, entry, where, "cycle_profiles_file", PROFILE_COLUMNS)
            cycles = _read(data, entry, where, "flexibility_schedule_file", CYCLE_COLUMNS)
            if profiles is not None and cycles is not None:
                _check_cycles(profiles, cycles, data.findings)


def _read(data: Dataset, entry: Mapping[str, Any], where: str, key: str, columns: tuple[str, ...]) -> Table | None:
    """A whole file with the columns it needs; its rows are no time steps."""
    file = entry.get(key)
    if not isinstance(file, str):
        data.findings.add("missing-file", "expected the name of a CSV or Parquet file.", column=f"{where}.{key}")
        return None
    if not (data.folder / file).is_file():
        return None  # reported with the other files
    table = read_table(data.folder, file, 0, _ALL, data.findings)
    if table is None:
        return None
    check_titles(table, columns, columns, data.findings, others=True)
    return table if set(columns) <= set(table.columns) else None


def _check_cycles(profiles: Table, cycles: Table, findings: Findings) -> None:
    duration = dict(zip(profiles.texts("profile_id"), profiles.numbers("duration_steps"), strict=True))
    names = np.array(cycles.texts("profile_id"), str)
    unknown = ~np.isin(names, list(duration))
    findings.add_rows(
        "appliance",
        unknown,
        "it is no profile",
        f"Expected one of those in {profiles.file}.",
        file=cycles.file,
        column="profile_id",
    )
    earliest, latest, deadline = (cycles.numbers(column) for column in _TIMES)
    for column, times in zip(_TIMES, (earliest, latest, deadline), strict=True):
        bad = ~(times >= 0)
        findings.add_rows("appliance", bad, "it is no time step", "Expected 0 or more.", file=cycles.file, column=column)
    swapped = earliest > latest
    what, advice = "it is before the earliest start", "Expected it after; mend it."
    findings.add_rows("appliance", swapped, what, advice, file=cycles.file, column=_TIMES[1])
    needed = np.array([duration.get(str(name), np.nan) for name in names], float)
    late = latest + needed - 1 > deadline
    what, advice = "a cycle that starts last is not done by it", "Expected latest start + duration - 1 at most; mend it."
    findings.add_rows("appliance", late, what, advice, file=cycles.file, column=_TIMES[2])
    order = np.argsort(earliest, kind="stable")
    overlaps = np.zeros(len(order), bool)
    overlaps[order[1:]] = earliest[order[1:]] <= deadline[order[:-1]]
    what, advice = "it begins before the cycle before has to be done", "Expected one cycle at a time; mend it."
    findings.add_rows("appliance", overlaps, what, advice, file=cycles.file, column=_TIMES[0])
