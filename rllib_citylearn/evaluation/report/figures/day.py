"""One day of what a controller asks for, and of the batteries' states of charge, building by building."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.figures.devices import DEVICES, device_of
from rllib_citylearn.evaluation.report.figures.time_axis import describe, weekday
from rllib_citylearn.evaluation.report.style import GRID, INK, MUTED, Size, dress, legend, new_figure, patch, stroke
from rllib_citylearn.evaluation.report.style import Look as Stroke
from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory
from rllib_citylearn.evaluation.words import clean, listed, percent, shortened

MOST_PANELS = 12
"""Buildings that are drawn; of more, those that moved most energy that day."""

_FILL = "#c9d6e2"
_DASHES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def most_telling(day: Trajectory, most: int = MOST_PANELS) -> list[int]:
    """Columns of the buildings with something to control that moved most energy on a day, in their own order."""
    able = [n for n in range(len(day.buildings)) if any(np.isfinite(a[:, n]).any() for a in day.actions.values())]
    moved = np.abs(day.net_electricity_consumption_kwh - day.no_control_net_kwh).sum(0)
    return sorted(sorted(able, key=lambda n: -moved[n])[:most])


def day_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    course = cast.evaluation.course
    drawn = most_telling(course.day)
    if not drawn:
        return Absent("There is no day to draw, because no building has anything to control.")

    def draw(size: Size) -> Any:
        columns = min(len(drawn), 2 if size.narrow else 4)
        rows = math.ceil(len(drawn) / columns)
        figure = new_figure(size, 80 + (128 if size.narrow else 132) * rows)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for axes, n in zip(panels, drawn, strict=False):
            _panel(axes, course, n)
            axes.set_title(shortened(clean(course.buildings[n]), 20), loc="left", color=INK, fontsize=size.small_pt, pad=3)
        for axes in panels[len(drawn) :]:
            axes.set_visible(False)
        legend(figure, _entries(course.day, drawn), size)
        return figure

    return Picture(
        name=f"{prefix}day",
        title="A day of actions",
        caption=_caption(cast, drawn),
        alt=f"Small panels of actions and states of charge over 24 hours for {len(drawn)} buildings.",
        draw=draw,
    )


def _clock(day: Trajectory) -> FloatArray:
    """Hours at which the steps of the day begin, and the end."""
    hours = day.seconds_per_time_step / 3600.0
    begin = float(day.hour[0] % 24)
    result: FloatArray = begin + hours * np.arange(day.steps + 1, dtype=np.float64)
    return result


def _panel(axes: Any, course: Course, n: int) -> None:
    day, clock = course.day, _clock(course.day)
    dress(axes)
    charge = day.soc[:, n]
    if np.isfinite(charge).all():
        axes.fill_between(clock, 0.0, 100.0 * np.concatenate([[course.soc_before[n]], charge]), color=_FILL, linewidth=0)
    for name, values in day.actions.items():
        asked = values[:, n]
        if np.isfinite(asked).all():
            colour, dash = device_of(name).colour, _DASHES[_place(name)]
            held = 100.0 * np.append(asked, asked[-1])
            axes.step(clock, held, where="post", color=colour, linestyle=dash, linewidth=1.3)
    axes.axhline(0.0, color=MUTED, linewidth=0.6)
    axes.set_ylim(-108.0, 108.0)
    axes.set_yticks([-100, 0, 100], labels=["\u2212100%", "0", "100%"])
    first = 6.0 * math.ceil(clock[0] / 6.0)
    ticks = np.arange(first, clock[-1] - 1e-6, 6.0)
    axes.set_xticks(ticks, labels=[f"{int(tick) % 24}h" for tick in ticks])
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_xlim(clock[0], clock[-1])


def _place(action: str) -> int:
    """Of a device among its kind in the building, from zero."""
    last = action.rsplit("_", 1)[-1]
    return min(int(last) - 1, len(_DASHES) - 1) if last.isdigit() else 0


def _entries(day: Trajectory, drawn: list[int]) -> list[tuple[str, Any]]:
    entries: list[tuple[str, Any]] = []
    if np.isfinite(day.soc[:, drawn]).any():
        entries.append(("state of charge", patch(_FILL)))
    shown = [name for name, values in day.actions.items() if np.isfinite(values[:, drawn]).any()]
    for device in DEVICES:
        for name in shown:
            if device_of(name) == device:
                last = name.rsplit("_", 1)[-1]
                title = f"{device.name} {last}" if last.isdigit() else device.name
                entries.append((f"asked of {title}", stroke(Stroke(device.colour, _DASHES[_place(name)], 1.5))))
    return entries


def _caption(cast: Cast, drawn: list[int]) -> str:
    course = cast.evaluation.course
    when = f"{weekday(course, course.shown_day.first).capitalize()} in {describe(course, course.shown_day)}"
    parts = [
        f"What {cast.label(cast.shown)} asks for on the day of the highest load without control ({when}), in percent of "
        "each device's rating: above zero it charges or runs, below it discharges."
    ]
    soc = course.day.soc
    owners = np.isfinite(soc).all(0)
    if owners.any():
        mean, clock = soc[:, owners].mean(1), _clock(course.day)
        fullest, emptiest = int(mean.argmax()), int(mean.argmin())
        parts.append(
            f"Batteries hold most at {_time(clock[fullest + 1])}, {percent(mean[fullest], 0)} on average, and least at "
            f"{_time(clock[emptiest + 1])}, {percent(mean[emptiest], 0)}."
        )
    else:
        parts.append("No building has a battery, and states of charge are recorded of batteries only.")
    able = most_telling(course.day, most=len(course.buildings))
    rest = [clean(course.buildings[n]) for n in able if n not in drawn]
    if rest:
        names = listed(rest) if len(rest) <= 8 else f"{len(rest)} buildings"
        parts.append(f"Left out: {names}, where less energy was moved that day.")
    bare = [clean(name) for n, name in enumerate(course.buildings) if n not in able]
    if bare:
        parts.append(f"Nothing to control in {listed(bare) if len(bare) <= 8 else f'{len(bare)} buildings'}.")
    return " ".join(parts)


def _time(hour: float) -> str:
    minutes = round(60.0 * (hour % 24.0))
    return f"{minutes // 60 % 24}:{minutes % 60:02d}"
