"""Where days begin in a trajectory, and how they are written below a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.report.style import GRID
from rllib_citylearn.evaluation.report.words import MONTHS, WEEKDAYS
from rllib_citylearn.evaluation.trajectory import FloatArray, IntArray, Trajectory


@dataclass(frozen=True)
class Days:
    """Some days of a trajectory: the rows ``first`` up to, but without, ``end``."""

    first: int
    end: int

    def describe(self, trajectory: Trajectory) -> str:
        """Which days these are, in words."""
        steps = f"time steps {trajectory.window[0] + self.first} to {trajectory.window[0] + self.end - 1}"
        return f"{MONTHS[trajectory.month[(self.first + self.end) // 2] - 1]}, {steps}"


def midnights(trajectory: Trajectory) -> IntArray:
    """Rows at which days begin; CityLearn counts the hours 1 to 24 and means midnight by 24."""
    hours = trajectory.hour % 24
    begins = (hours == 0) & (np.roll(hours, 1) != 0)
    begins[0] = hours[0] == 0
    return np.flatnonzero(begins)


def peak_week(trajectory: Trajectory) -> Days:
    """The seven days around the district's highest net load without control, from midnight to midnight.

    The peak's day is the fourth, so that it is seen with what leads to it and what follows; near an end of the window
    the week is moved inside. A shorter window is taken whole.
    """
    day = trajectory.steps_per_day
    first = max(0, min(peak_day(trajectory).first - 3 * day, trajectory.steps - 7 * day))
    return Days(first, min(trajectory.steps, first + 7 * day))


def peak_day(trajectory: Trajectory) -> Days:
    """The day of the highest net load without control, from midnight to midnight; a shorter window is taken whole."""
    day = trajectory.steps_per_day
    peak = int(trajectory.no_control_net_kwh.sum(1).argmax())
    begins = midnights(trajectory)
    before = begins[begins <= peak]
    first = int(before[-1]) if len(before) else 0
    first = max(0, min(first, trajectory.steps - day))
    return Days(first, min(trajectory.steps, first + day))


def weekday(trajectory: Trajectory, row: int) -> str:
    """The day's name; a day's type stands in its hours from 1 on, the midnight itself may carry the day before."""
    noon = min(row + trajectory.steps_per_day // 2, trajectory.steps - 1)
    return WEEKDAYS[trajectory.day_type[noon] - 1]


def mark_days(axes: Any, trajectory: Trajectory, days: Days) -> None:
    """Names of the days below, and a line at every midnight."""
    day = trajectory.steps_per_day
    begins = [int(row) for row in midnights(trajectory) if days.first <= row < days.end]
    noons = [row + day / 2 for row in begins if row + day / 2 < days.end]
    names = [weekday(trajectory, row).removeprefix("a ")[:3] for row in begins if row + day / 2 < days.end]
    axes.set_xticks(begins, minor=False, labels=[""] * len(begins))
    axes.set_xticks(noons, labels=names, minor=True)
    axes.tick_params(axis="x", which="both", length=0)
    axes.grid(axis="x", which="major", color=GRID, linewidth=0.8)
    axes.set_xlim(days.first, days.end)


def step(axes: Any, days: Days, series: FloatArray, **options: Any) -> None:
    """A line whose every value holds for its whole time step."""
    values = series[days.first : days.end]
    axes.step(np.arange(days.first, days.end + 1), np.append(values, values[-1]), where="post", **options)
