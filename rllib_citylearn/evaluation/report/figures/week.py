"""The district's load over the week of its highest peak."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.evaluation.days import Days
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Picture
from rllib_citylearn.evaluation.report.figures.time_axis import describe, mark_days, peak_week, step
from rllib_citylearn.evaluation.report.style import INK, Look, Size, dress, legend, new_figure, stroke
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import amount, listed, moves

UNCONTROLLED = "no control"
"""What legends call the load that CityLearn's KPIs compare with."""

Line = tuple[str, FloatArray, Look]


def district_loads(cast: Cast) -> list[Line]:
    """Name, district load ``[T]`` kW and look: without control first, then those that pictures with lines show."""
    lines = [(UNCONTROLLED, cast.evaluation.course.no_control_kw, cast.looks["no-control"])]
    lines += [(cast.label(contender), contender.shown.course.net_kw, cast.look(contender)) for contender in cast.lines]
    return lines


def week_picture(cast: Cast, prefix: str) -> Picture:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    course = cast.evaluation.course
    days, lines = peak_week(course), district_loads(cast)

    def draw(size: Size) -> Any:
        figure = new_figure(size, 290 if size.narrow else 340)
        axes = figure.add_subplot()
        dress(axes, "Net load of the district (kW); below zero it exports")
        axes.axhline(0.0, color=INK, linewidth=0.7)
        thin = 0.7 if size.narrow else 1.0
        for _, load, look in lines:
            step(axes, days, load, **{**look.line, "linewidth": thin * look.width})
        mark_days(axes, course, days)
        legend(figure, [(name, stroke(look)) for name, _, look in lines], size)
        return figure

    return Picture(
        name=f"{prefix}week",
        title="The week with the highest load",
        caption=_caption(lines, days, describe(course, days)),
        alt=f"Lines of the district's net load over seven days under {listed([name for name, *_ in lines])}.",
        draw=draw,
    )


def _caption(lines: list[Line], days: Days, when: str) -> str:
    peaks = {name: float(load[days.first : days.end].max()) for name, load, _ in lines}
    before = peaks.pop(UNCONTROLLED)
    about = f"The days around the highest load without control ({when}): the hardest of the window, not typical ones."
    if not peaks:
        return f"{about} The highest load is {amount(before)} kW."
    last = list(peaks)[-1]
    others = [f"{amount(peak)} kW under {name}" for name, peak in list(peaks.items())[:-1]]
    others_said = f" ({listed(others)})" if others else ""
    deepest, left = (float(load[days.first : days.end].min()) for _, load, _ in (lines[0], lines[-1]))
    exports = ""
    if deepest < 0.0:
        exports = f" Exports reach {amount(-deepest)} kW without control and {_exported(left)} under {last}."
    if before <= 0.0:
        return f"{about} The district draws nothing without control.{exports}"
    return f"{about} Its peak {moves(before, peaks[last], 'kW')} under {last}{others_said}.{exports}"


def _exported(least_kw: float) -> str:
    return f"{amount(-least_kw)} kW" if least_kw < 0.0 else "nothing"
