"""How the score and its terms change over the year, by the stretches over which CityLearn takes months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.comparison import NO_CONTROL
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.style import Size, dress, legend, new_figure, stroke
from rllib_citylearn.evaluation.stretches import HOURS_A_STRETCH, TERMS
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import MONTHS, listed, number


@dataclass(frozen=True)
class Seasons:
    """An evaluation by its K stretches.

    Attributes:
        months: name of the month in the middle of each.
        hours: length of each, ``[K]``.
        terms: the score's terms over no control, ``[K, 4]`` as ``TERMS``; NaN where there was nothing without control.
        scores: ``[K]``.
        bill, emissions: of the district as controlled, currency and kgCO2, ``[K]``.
        reference_bill, reference_emissions: without control, ``[K]``.
    """

    months: tuple[str, ...]
    hours: FloatArray
    terms: FloatArray
    scores: FloatArray
    bill: FloatArray
    emissions: FloatArray
    reference_bill: FloatArray
    reference_emissions: FloatArray

    @classmethod
    def of(cls, evaluation: Evaluation) -> Seasons:
        """Each stretch by itself."""
        stretches, course = evaluation.stretches, evaluation.course
        each = np.eye(len(stretches))
        steps = stretch_steps(course)
        starts = np.arange(0, course.steps, steps)
        ends = np.minimum(starts + steps, course.steps)
        (bill, reference_bill), (emissions, reference_emissions) = (
            (played.sum(1), reference.sum(1)) for played, reference in (stretches.bill, stretches.emissions)
        )
        return cls(
            months=tuple(MONTHS[course.month[(a + b) // 2] - 1] for a, b in zip(starts, ends, strict=True)),
            hours=np.asarray((ends - starts) * course.seconds_per_time_step / 3600.0, np.float64),
            terms=stretches.terms(each),
            scores=stretches.scores(each),
            bill=bill,
            emissions=emissions,
            reference_bill=reference_bill,
            reference_emissions=reference_emissions,
        )


def stretch_steps(course: Course) -> int:
    """Time steps in a stretch."""
    return max(1, round(HOURS_A_STRETCH * 3600.0 / course.seconds_per_time_step))


def seasons_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    evaluation = cast.evaluation
    if len(evaluation.stretches) < 2:
        hours = evaluation.course.steps * evaluation.course.seconds_per_time_step / 3600.0
        return Absent(
            f"The window has {number(hours, 0)} hours, no more than one stretch of {HOURS_A_STRETCH}, which is how "
            "CityLearn takes a month: there is nothing to break down."
        )
    contenders = cast.lines
    if not contenders:
        return Absent("Only no control took part, which is 1 in every month by definition.")
    seasons = [Seasons.of(contender.shown) for contender in contenders]

    def draw(size: Size) -> Any:
        figure = new_figure(size, 560 if size.narrow else 420)
        panels = figure.subplots(4, 1, sharex=True) if size.narrow else figure.subplots(2, 2, sharex=True).ravel()
        for k, (axes, term) in enumerate(zip(panels, TERMS, strict=True)):
            dress(axes, f"{term[0].upper()}{term[1:]} over no control")
            axes.axhline(1.0, color=cast.looks[NO_CONTROL].colour, linestyle=(0, (4, 2)), linewidth=1.1)
            for contender, one in zip(contenders, seasons, strict=True):
                look = cast.look(contender)
                axes.plot(one.terms[:, k], **look.line, marker="o", ms=3.2)
            _months(axes, seasons[0].months, 5 if size.narrow else 7)
        legend(figure, [(cast.label(c), stroke(cast.look(c))) for c in contenders], size)
        return figure

    return Picture(
        name=f"{prefix}months",
        title="The terms of the score by month",
        caption=_caption(cast, Seasons.of(evaluation)),
        alt=f"Lines of cost, carbon, ramping and 1 - load factor in {len(seasons[0].months)} stretches of {HOURS_A_STRETCH} "
        f"hours under {listed([cast.label(c) for c in contenders])}.",
        draw=draw,
    )


def _months(axes: Any, months: tuple[str, ...], most: int) -> None:
    """Short names below the points; of many months every second, third, and so on."""
    every = -(-len(months) // max(2 * most, 1))
    places = range(0, len(months), every)
    axes.set_xticks(places, labels=[months[place][:3] for place in places])
    axes.set_xlim(-0.3, len(months) - 0.7)
    axes.margins(y=0.12)


def _caption(cast: Cast, seasons: Seasons) -> str:
    known = np.flatnonzero(np.isfinite(seasons.scores))
    who = cast.label(cast.shown)
    text = f"Each point is a stretch of {HOURS_A_STRETCH} hours over the same hours without control, the dashed line at 1."
    if len(known) > 1:
        best, worst = known[seasons.scores[known].argmin()], known[seasons.scores[known].argmax()]
        text += (
            f" {who} scores best in {seasons.months[best]} ({number(float(seasons.scores[best]), 3)}) and worst in "
            f"{seasons.months[worst]} ({number(float(seasons.scores[worst]), 3)})."
        )
    if len(known) < len(seasons.months):
        rest = [month for k, month in enumerate(seasons.months) if k not in known]
        text += f" No score in {listed(rest)}: without control there is nothing to divide by."
    if seasons.hours[-1] < HOURS_A_STRETCH - 1.5:
        text += f" The last stretch ({seasons.months[-1]}) has only {number(float(seasons.hours[-1]), 0)} hours."
    return text
