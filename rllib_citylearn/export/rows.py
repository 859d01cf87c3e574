"""Raw observations from outside: N rows of a community, one of which may be missing, checked value by value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.errors import FeatureError

_LISTED = 8
"""Names that a message lists."""

Row = Sequence[float] | None
"""What a building measured, in the order of its features; None where nothing was heard of it."""


def check_rows(community: CommunityFeatures, rows: Any, field: str, *, silent: bool = False) -> None:
    """Refuse what is not one finite number for each measured feature of each building.

    Args:
        community: the feature table that the rows have to fit.
        rows: a value from outside, of any type.
        field: what the caller calls it, for the message.
        silent: whether None may stand for the row of a building that was not heard of, as long as one was.

    Raises:
        FeatureError: a sentence with the place, its building and feature, and what was expected there.
    """
    names = ", ".join(agent.name for agent in community.agents)
    if not _is_list(rows):
        raise FeatureError(f"{field} is {shown(rows)}; expected a list of {len(community.agents)} rows ({names}).")
    if len(rows) != len(community.agents):
        raise FeatureError(
            f"{field} has {len(rows)} rows; expected {len(community.agents)}, one a building in this order: {names}."
        )
    heard = 0
    for i, (agent, row) in enumerate(zip(community.agents, rows, strict=True)):
        if row is None and silent:
            continue
        heard += 1
        if not _is_plain(row, len(agent.features)):
            check_row(community, agent, row, f"{field}[{i}]")
    if not heard:
        raise FeatureError(f"{field} has no building's measurements; expected those of at least one of {names}.")


def check_row(community: CommunityFeatures, agent: AgentFeatures, row: Any, field: str) -> None:
    """``check_rows`` for one building."""
    place = f"{field} ({agent.name})"
    expected = f"a list of {len(agent.features)} numbers in this order: {', '.join(agent.features)}"
    if not _is_list(row):
        raise FeatureError(f"{place} is {shown(row)}; expected {expected}.")
    if len(row) != len(agent.features):
        raise FeatureError(f"{place} has {len(row)} values; expected {expected}.")
    for j, (name, value) in enumerate(zip(agent.features, row, strict=True)):
        if not is_finite_number(value):
            feature = community.feature(name)
            raise FeatureError(
                f"{field}[{j}] ({agent.name}, {name}) is {shown(value)}; expected a finite number between "
                f"{feature.low:g} and {feature.high:g} {feature.unit.strip('-')}".rstrip()
                + "."
            )


def heard_of(rows: Sequence[Row]) -> npt.NDArray[np.bool_]:
    """Which buildings have a row, ``[N]``."""
    return np.array([row is not None for row in rows])


def is_finite_number(value: Any) -> bool:
    """Whether a value from outside is a number to compute with; true and false are none."""
    if type(value) is float:  # nearly all values of a request are; the rest of this function is for the others
        return math.isfinite(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def shown(value: Any) -> str:
    """A value from outside as it may stand in a message: short, and in ASCII whatever it holds."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number too large to compute with"
    text = "null" if value is None else ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def listed(names: Sequence[str]) -> str:
    """Names one after the other, of many the first."""
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _is_plain(row: Any, length: int) -> bool:
    """Whether a row is certainly fine, which nearly all are: a list of finite floats. The rest is looked at one by one."""
    return type(row) is list and len(row) == length and set(map(type, row)) == {float} and math.isfinite(sum(row))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))
