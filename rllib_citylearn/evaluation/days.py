"""Where days begin in an episode, and the day that pictures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.trajectory import FloatArray, IntArray


@dataclass(frozen=True)
class Days:
    """Some days of an episode: the rows ``first`` up to, but without, ``end``."""

    first: int
    end: int


def midnights(hour: IntArray) -> IntArray:
    """Rows at which days begin; CityLearn counts the hours ``[T]`` 1 to 24 and means midnight by 24."""
    hours = hour % 24
    begins = (hours == 0) & (np.roll(hours, 1) != 0)
    begins[0] = hours[0] == 0
    return np.flatnonzero(begins)


def peak_day(load: FloatArray, hour: IntArray, steps_per_day: int) -> Days:
    """The day of the highest load ``[T]``, from midnight to midnight; a shorter window is taken whole."""
    begins = midnights(hour)
    before = begins[begins <= int(load.argmax())]
    first = int(before[-1]) if len(before) else 0
    first = max(0, min(first, len(load) - steps_per_day))
    return Days(first, min(len(load), first + steps_per_day))
