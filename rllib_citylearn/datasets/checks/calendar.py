"""Do hours, weekdays and months follow each other?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.dataset import Dataset
from rllib_citylearn.datasets.checks.tables import Table

_DAY_S = 86400
_HOLIDAY = 8
_NAMES = ("month", "day_type", "hour", "minutes", "seconds")

Calendar = Mapping[str, npt.NDArray[np.float64]]


def check_calendars(data: Dataset) -> None:
    """The first building's calendar, and every other one that differs from it."""
    reference: tuple[str, Calendar] | None = None
    for building in data.buildings.values():
        table = data.table(building.get("energy_simulation"))
        if table is None or not {"month", "day_type", "hour"} <= set(table.columns):
            continue
        calendar = {name: table.numbers(name) for name in _NAMES if name in table.columns}
        if reference is None:
            reference = table.file, calendar
        elif not _differs(data, table, calendar, *reference):
            continue
        _check_calendar(data, table, calendar)


def _differs(data: Dataset, table: Table, calendar: Calendar, other: str, expected: Calendar) -> bool:
    """Whether a calendar is not the first building's; the same file is never another."""
    if table.file == other:
        return False
    for name, values in calendar.items():
        rows = min(len(values), len(expected.get(name, values)))
        mine, others = values[:rows], expected.get(name, values)[:rows]
        apart = np.abs(mine - others) > 0  # not so where one is missing, which is reported with the values
        what = f"it is not the one of {other}"
        advice = "Expected one calendar for all buildings; mend one of them."
        where: dict[str, Any] = {"file": table.file, "column": name, "first": table.first}
        if data.findings.add_rows("calendars-differ", apart, what, advice, **where):
            return True
    return False


def _check_calendar(data: Dataset, table: Table, calendar: Calendar) -> None:
    hour = calendar["hour"]
    if len(hour) < 2 or not all(np.isfinite(values).all() for values in calendar.values()):
        return  # reported with the values
    where: dict[str, Any] = {"file": table.file, "first": table.first}
    doubtful = np.zeros(len(hour), bool)
    if (hour == 0).any() and (hour == 24).any():
        rare = 0 if (hour == 0).sum() <= (hour == 24).sum() else 24
        advice = "CityLearn's hours are 1 to 24; use one way of counting."
        what = f"it is {rare} though midnight is {24 - rare} elsewhere,"
        data.findings.add_rows("two-midnights", hour == rare, what, advice, column="hour", **where)
        doubtful = (hour == rare) | np.append(False, hour[:-1] == rare)
    elapsed = hour * 3600 + calendar.get("minutes", hour * 0) * 60 + calendar.get("seconds", hour * 0)
    doubtful |= _check_steps(data, table, elapsed)
    _check_order(data, table, calendar, doubtful)


def _check_steps(data: Dataset, table: Table, elapsed: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Where the clock does not advance by one time step ``[T]``."""
    step = np.append(data.step_s, np.diff(elapsed) % _DAY_S)
    wrong = ~np.isclose(step, data.step_s % _DAY_S)
    wrong[0] = False
    if wrong[1:].mean() > 0.5:
        typical = float(np.median(step[1:]))
        data.findings.add(
            "time-step",
            f"it advances by {typical:g} s a row, but 'seconds_per_time_step' is {data.step_s:g}: CityLearn scales all "
            f"energies by {data.step_s / max(typical, 1):g}. Make the schema and the data agree.",
            file=table.file,
            column="hour",
        )
        return np.zeros_like(wrong)
    advice = f"Expected {data.step_s:g} s from row to row; fill in what is missing, take out what is there twice."
    what = "the clock does not advance by one time step"
    data.findings.add_rows("time-gap", wrong, what, advice, file=table.file, column="hour", first=table.first)
    return wrong


def _check_order(data: Dataset, table: Table, calendar: Calendar, doubtful: npt.NDArray[np.bool_]) -> None:
    """Days and months in turn; ``doubtful`` marks rows ``[T]`` at which it is not known whether a day begins."""
    hour, month, kind = calendar["hour"], calendar["month"], calendar["day_type"]
    new_day = np.append(False, hour[1:] < hour[:-1])
    if data.step_s >= _DAY_S:
        new_day[1:] = True
    before = np.append(kind[0], kind[:-1])
    follows = kind == np.where(new_day, before % 7 + 1, before)
    known = (kind != _HOLIDAY) & (before != _HOLIDAY) & ~doubtful
    where: dict[str, Any] = {"file": table.file, "first": table.first}
    advice = "Expected 1 to 7 in turn, a day at a time; mend it, or 8 for holidays."
    data.findings.add_rows(
        "date-order", known & ~follows, "it does not follow the day before", advice, column="day_type", **where
    )
    last = np.append(month[0], month[:-1])
    follows = (month == last) | (new_day & (month == last % 12 + 1))
    advice = "Expected months in turn, changing at midnight; mend it."
    data.findings.add_rows(
        "date-order", ~doubtful & ~follows, "it does not follow the month before", advice, column="month", **where
    )
