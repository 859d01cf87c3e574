"""Learning rates: a number, or a schedule over environment steps."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from rllib_citylearn.checks import is_scalar


def learning_rate_fault(name: str, value: Any) -> str | None:
    """What is wrong with a learning rate, a number or a schedule ``[[environment step, rate], ...]``; None if nothing."""
    if not isinstance(value, (list, tuple)):
        return None if _is_positive(value) else f"{name}={value!r} has to be a number above 0 or a schedule"
    if len(value) < 2 or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
        return f"{name}={value!r} has to be a schedule of two or more entries [environment step, rate]"
    steps, rates = zip(*value, strict=True)
    if not all(_is_positive(rate) for rate in rates):
        return f"{name}={value!r} has to have rates above 0 only"
    rising = all(is_scalar(step, float) for step in steps) and all(a < b for a, b in pairwise(steps))
    if not rising or steps[0] != 0:
        return f"{name}={value!r} has to start at step 0 and its steps have to increase"
    return None


def _is_positive(value: Any) -> bool:
    return is_scalar(value, float) and value > 0
