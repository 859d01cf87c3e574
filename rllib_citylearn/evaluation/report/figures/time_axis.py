"""Where days begin in an episode, and how they are written below a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.days import Days, midnights
from rllib_citylearn.evaluation.report.style import GRID
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import MONTHS, WEEKDAYS


def describe(course: Course, days: Days) -> str:
    """Which days these are, in words."""
    steps = f"time steps {course.window[0] + days.first} to {course.window[0] + days.end - 1}"
    return f"{MONTHS[course.month[(days.first + days.end) // 2] - 1]}, {steps}"


def peak_week(course: Course) -> Days:
    """The seven days around the district's highest net load without control, from midnight to midnight.

    The peak's day is the fourth, so that it is seen with what leads to it and what follows; near an end of the window
    the week is moved inside. A shorter window is taken whole.
    """
    day = course.steps_per_day
    first = max(0, min(course.shown_day.first - 3 * day, course.steps - 7 * day))
    return Days(first, min(course.steps, first + 7 * day))


def weekday(course: Course, row: int) -> str:
    """The day's name; a day's type stands in its hours from 1 on, the midnight itself may carry the day before."""
    noon = min(row + course.steps_per_day // 2, course.steps - 1)
    return WEEKDAYS[course.day_type[noon] - 1]


def mark_days(axes: Any, course: Course, days: Days) -> None:
    """Names of the days below, and a line at every midnight."""
    day = course.steps_per_day
    begins = [int(row) for row in midnights(course.hour) if days.first <= row < days.end]
    noons = [row + day / 2 for row in begins if row + day / 2 < days.end]
    names = [weekday(course, row).removeprefix("a ")[:3] for row in begins if row + day / 2 < days.end]
    axes.set_xticks(begins, minor=False, labels=[""] * len(begins))
    axes.set_xticks(noons, labels=names, minor=True)
    axes.tick_params(axis="x", which="both", length=0)
    axes.grid(axis="x", which="major", color=GRID, linewidth=0.8)
    axes.set_xlim(days.first, days.end)


def step(axes: Any, days: Days, series: FloatArray, **options: Any) -> None:
    """A line whose every value holds for its whole time step."""
    values = series[days.first : days.end]
    axes.step(np.arange(days.first, days.end + 1), np.append(values, values[-1]), where="post", **options)
