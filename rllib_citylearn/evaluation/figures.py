"""Pictures of one week: what the district drew from the grid, and how full its batteries were."""

from __future__ import annotations

import calendar
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

# Okabe and Ito's palette: told apart by people with any common colour blindness.
_GREY, _ORANGE = "#7f7f7f", "#e69f00"
_POLICIES = ("#0072b2", "#009e73", "#cc79a7")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "holiday")

RULE = "bau"
"""The rule that is drawn beside the policies: the best of those that people use today."""

MOST_LINES = len(_POLICIES)
"""How many policies a figure shows beside no control and the rule."""


@dataclass(frozen=True)
class Week:
    """Seven days of a trajectory: the rows ``first`` up to, but without, ``end``."""

    first: int
    end: int

    def describe(self, trajectory: Trajectory) -> str:
        """Which days these are, in words."""
        steps = f"time steps {trajectory.window[0] + self.first} to {trajectory.window[0] + self.end - 1}"
        month = calendar.month_name[trajectory.month[(self.first + self.end) // 2]]
        return f"{month}, {steps}"


def peak_week(trajectory: Trajectory) -> Week:
    """The seven days around the district's highest net load without control, from midnight to midnight.

    The peak's day is the fourth, so that it is seen with what leads to it and what follows; near an end of the window
    the week is moved inside. A shorter window is taken whole.
    """
    day = trajectory.steps_per_day
    peak = int(trajectory.no_control_net_kwh.sum(1).argmax())
    # CityLearn counts the hours 1 to 24 and means midnight by 24.
    midnights = np.flatnonzero((trajectory.hour % 24 == 0) & (np.roll(trajectory.hour, 1) % 24 != 0))
    before = midnights[midnights <= peak]
    first = (int(before[-1]) if len(before) else 0) - 3 * day
    first = max(0, min(first, trajectory.steps - 7 * day))
    return Week(first, min(trajectory.steps, first + 7 * day))


def week_png(evaluations: Sequence[Evaluation], policies: Sequence[str], week: Week) -> bytes:
    """The district's net load over ``week`` under no control, the rule, and the policies named: a PNG.

    Args:
        evaluations: what was evaluated, all on the same community and window.
        policies: names of those to draw beside no control and the rule, at most ``MOST_LINES``.
        week: the rows to draw.
    """
    trajectory = evaluations[0].trajectory
    figure, axes = _new_figure()
    axes.axhline(0.0, color="black", linewidth=0.6)
    uncontrolled = trajectory.district_kw(trajectory.no_control_net_kwh)
    _draw(axes, week, uncontrolled, "no control", _GREY, "--")
    for evaluation, colour in _drawn(evaluations, policies):
        load = evaluation.trajectory.district_kw(evaluation.trajectory.net_electricity_consumption_kwh)
        _draw(axes, week, load, label(evaluation.policy), colour, "-")
    axes.set_ylabel("District net load (kW)\n\u2190 export    import \u2192")
    return _png(figure, axes, trajectory, week)


def soc_week_png(evaluations: Sequence[Evaluation], policies: Sequence[str], week: Week) -> bytes | None:
    """The batteries' mean state of charge over ``week`` as a PNG, or None if no building has a battery.

    Args:
        evaluations, policies, week: as for ``week_png``.
    """
    trajectory = evaluations[0].trajectory
    owners = ~np.isnan(trajectory.soc).all(0)
    if not owners.any():
        return None
    figure, axes = _new_figure()
    for evaluation, colour in _drawn(evaluations, policies):
        mean = 100.0 * evaluation.trajectory.soc[:, owners].mean(1)
        _draw(axes, week, mean, label(evaluation.policy), colour, "-")
    axes.set_ylim(-2, 102)
    axes.set_ylabel("Mean state of charge\nof the batteries (%)")
    return _png(figure, axes, trajectory, week)


def label(policy: str) -> str:
    """A policy's name short enough for a legend: of a path, its last two parts."""
    return "/".join(Path(policy).parts[-2:])


def _drawn(evaluations: Sequence[Evaluation], policies: Sequence[str]) -> list[tuple[Evaluation, str]]:
    """The rule and the policies with their colours; the policies last, so that they lie on top."""
    colours = dict(zip(policies, _POLICIES, strict=False))
    rule = [(evaluation, _ORANGE) for evaluation in evaluations if evaluation.policy == RULE]
    return rule + [
        (evaluation, colours[evaluation.policy])
        for evaluation in evaluations
        if evaluation.policy in colours and evaluation.policy != RULE
    ]


def _new_figure() -> tuple[Any, Any]:
    # A figure of its own, not pyplot's: no global state, no window system, nothing to close.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _draw(axes: Any, week: Week, series: FloatArray, name: str, colour: str, style: str) -> None:
    steps = np.arange(week.first, week.end + 1)
    values = series[week.first : week.end]
    # Each value holds for the whole time step.
    axes.step(steps, np.append(values, values[-1]), where="post", label=name, color=colour, linestyle=style, linewidth=1.6)


def _png(figure: Any, axes: Any, trajectory: Trajectory, week: Week) -> bytes:
    day = trajectory.steps_per_day
    hours = trajectory.hour[week.first : week.end] % 24
    midnights = week.first + np.flatnonzero(np.diff(hours, prepend=-1) < 0) if day > 1 else np.array([], int)
    if hours[0] == 0:
        midnights = np.union1d(midnights, [week.first])
    noons = [start + day / 2 for start in midnights if start + day / 2 < week.end]
    # A day's type stands in its hours from 1 on; the midnight itself may still carry the day before.
    names = [_WEEKDAYS[trajectory.day_type[min(int(noon), trajectory.steps - 1)] - 1] for noon in noons]
    axes.set_xticks(midnights, minor=False, labels=[""] * len(midnights))
    axes.set_xticks(noons, labels=names, minor=True)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(axis="x", which="major", color="0.85", linewidth=0.8)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlim(week.first, week.end)
    axes.set_xlabel(f"Day of the week ({week.describe(trajectory)})")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
