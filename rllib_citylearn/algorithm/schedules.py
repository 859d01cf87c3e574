"""What may change as training goes on: a number, or a schedule over environment steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rllib_citylearn.checks import is_scalar

Schedule = float | Sequence[Sequence[float]]
"""A number, or ``[[environment step, number], ...]`` with straight lines between; before and after them it stays."""


def schedule_fault(name: str, value: Any, *, zero: bool = False) -> str | None:
    """What is wrong with a number or a schedule; None if nothing.

    Args:
        name: for the sentence.
        value: to look at.
        zero: whether numbers may be zero, and not only above.
    """

    def fits(number: Any) -> bool:
        return is_scalar(number, float) and (number > 0 or (zero and number == 0))

    allowed = "0 or above" if zero else "above 0"
    if not isinstance(value, (list, tuple)):
        return None if fits(value) else f"{name}={value!r} has to be a number {allowed} or a schedule"
    if len(value) < 2 or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
        return f"{name}={value!r} has to be a schedule of two or more entries [environment step, number]"
    steps, numbers = zip(*value, strict=True)
    if not all(map(fits, numbers)):
        return f"{name}={value!r} has to have numbers {allowed} only"
    rising = all(is_scalar(step, float) for step in steps) and all(a < b for a, b in pairwise(steps))
    if not rising or steps[0] != 0:
        return f"{name}={value!r} has to start at step 0 and its steps have to increase"
    return None


def value_at(schedule: Schedule, step: int) -> float:
    """What a schedule says at an environment step."""
    if isinstance(schedule, (int, float)):
        return float(schedule)
    steps, numbers = zip(*schedule, strict=True)
    return float(np.interp(step, steps, numbers))
