"""Rows of a data set as hours of days, from its own columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import DatasetError

Whole = npt.NDArray[np.int64]

_WEEKEND = (6, 7, 8)
_DAYS_AFTER = 4
"""Days that are imagined after the data, so that its last rows know when vehicles leave."""


@dataclass(frozen=True)
class Calendar:
    """T rows of data, one an hour, in D days; days after the data are among them.

    Attributes:
        steps: number T of the data's rows.
        row: row of each hour of each day, counted by the hour in which it begins, ``[D, 24]``; T and more after the data, -1
            where the data does not have it.
        weekend: whether a day is a Saturday, Sunday or holiday, ``[D]``.
    """

    steps: int
    row: Whole
    weekend: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hour: npt.ArrayLike, day_type: npt.ArrayLike) -> Calendar:
        """From CityLearn's columns.

        Args:
            hour: 1 to 24, each the end of its hour (or 0 to 23, each the beginning), ``[T]``.
            day_type: 1 = Monday to 7 = Sunday, 8 = holiday, ``[T]``.

        Raises:
            DatasetError: values that are none of these.
        """
        hours, types = np.asarray(hour, float), np.asarray(day_type, float)
        for name, values, low, high in (("hour", hours, 0, 24), ("day_type", types, 1, 8)):
            bad = np.flatnonzero(~((values >= low) & (values <= high) & (values == np.round(values))))
            if bad.size or not values.size:
                what = f"{values[bad[0]]:g} at row {bad[0]}" if values.size else "empty"
                raise DatasetError(
                    f"The column {name} is {what}; whole numbers from {low} to {high} were expected. Mend the data set."
                )
        begins = (hours - (1 if hours.max() == 24 else 0)).astype(np.int64) % 24
        begins = np.concatenate([begins, (begins[-1] + 1 + np.arange(24 * _DAYS_AFTER)) % 24])
        day = np.concatenate([[0], np.cumsum(np.diff(begins) <= 0)])
        row = np.full((int(day[-1]) + 1, 24), -1, np.int64)
        row[day, begins] = np.arange(len(begins))
        weekend = np.zeros(len(row), bool)
        known = int(day[len(hours) - 1]) + 1
        weekend[day[: len(hours)]] = np.isin(types, _WEEKEND)
        for d in range(known, len(row)):
            weekend[d] = weekend[d - 7] if d >= 7 else False
        return cls(len(hours), row, weekend)


def read_calendar(folder: Path, description: Mapping[str, Any]) -> Calendar:
    """The calendar of a data set, from its first building.

    Args:
        folder: where the data set lies.
        description: the content of its schema.

    Raises:
        DatasetError: it has no hourly rows with an hour and a day type.
    """
    seconds = float(description.get("seconds_per_time_step") or 3600)
    if seconds != 3600:
        raise DatasetError(
            f"The data set in {folder} has time steps of {seconds:g} s; fleets are made for hours (3600 s). Choose an "
            "hourly data set."
        )
    building = next((b for b in description["buildings"].values() if b.get("include", True)), None)
    if building is None:
        raise DatasetError(f"The schema in {folder} includes no building; there is nowhere to put a charger.")
    path = folder / str(building.get("energy_simulation"))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        hour, day_type = [float(r["hour"]) for r in rows], [float(r["day_type"]) for r in rows]
    except OSError as error:
        raise DatasetError(f"{path} can't be read ({error.strerror}). Get the data set again.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} has no numbers in the columns 'hour' and 'day_type', which say when vehicles come and go. Mend the "
            "data set."
        ) from error
    return Calendar.of(hour, day_type)
