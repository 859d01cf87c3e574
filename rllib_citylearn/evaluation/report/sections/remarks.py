"""What to keep in mind when reading the numbers of a community: what its data lack, each in a sentence."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Text
from rllib_citylearn.evaluation.report.figures.heat import without
from rllib_citylearn.evaluation.words import condensed, number


def remarks(cast: Cast) -> list[Text]:
    """Sentences; an empty list where nothing is missing."""
    course = cast.evaluation.course
    found: list[Text] = []
    if not course.priced:
        found.append("The data has no electricity prices, so cost is 1 for everyone and says nothing.")
    elif no_bill := without(cast.evaluation, "bill"):
        found.append(
            f"Without control {condensed(no_bill)} {_has(no_bill)} no bill to divide by; CityLearn leaves such buildings "
            "out of the mean of cost."
        )
    if not course.emitting:
        found.append("The data has no carbon intensity, so carbon is 1 for everyone and says nothing.")
    elif clean_buildings := without(cast.evaluation, "CO2"):
        found.append(f"Without control {condensed(clean_buildings)} {_has(clean_buildings)} no emissions to divide by.")
    if not np.isfinite(course.day.soc).any():
        found.append("No building has a battery.")
    if len(course.buildings) == 1:
        found.append("There is one building, which is the whole district: nothing here shows how buildings work together.")
    if course.seconds_per_time_step != 3600.0:
        minutes = number(course.seconds_per_time_step / 60.0, 0)
        found.append(f"A time step is {minutes} minutes long; kW are means over a time step.")
    if not (course.no_control_kw > 0.0).any():
        found.append(
            "Without control the district exports in every time step. It has no peak to shave and hardly a bill to save, so "
            "ratios over no control say little."
        )
    if cast.evaluation.score.score is not None and len(cast.evaluation.stretches) == 1:
        found.append("The window is no longer than a month, so the score hangs on its weather.")
    return found


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"
