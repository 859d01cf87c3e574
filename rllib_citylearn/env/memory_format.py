"""The memory of a community as JSON: what travels with the answers of a server and comes back with the next requests.

An object with some of ``FIELDS``, those that the community has use for. Each is a list a building, of one whole number for
each hour seen, the latest last, in units of 1 / ``SCALE`` kWh (kgCO2/kWh).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.measurements import QUANTITIES
from rllib_citylearn.errors import FeatureError

HOURS = 24
"""Length of the memory."""

SCALE = 10_000
"""Numbers are kept in units of 1 / SCALE."""

LIMIT = 1e6
"""Largest absolute measurement, in kWh (kgCO2/kWh); what is beyond is clipped to it."""

MOST = 2 * int(LIMIT) * SCALE
"""Largest absolute number that is kept: load less generation."""

FIELDS: Mapping[str, Sequence[str]] = {
    "base_load": QUANTITIES[:2],
    "net_electricity_consumption": QUANTITIES[2:3],
    "carbon_intensity": QUANTITIES[3:],
    "base_load_profile": QUANTITIES[:2],
}
"""What is remembered of each of the last 24 hours, with the quantities it comes from; the profile's numbers are those of the
same hours of the day."""


def read_memory(content: Any, fields: Sequence[str], buildings: int, name: str) -> dict[str, npt.NDArray[np.float64]]:
    """The numbers in the memory of a community, ``[N, hours]`` by field.

    Args:
        content: a value from outside, of any type.
        fields: the fields it has to have.
        buildings: number N.
        name: what the caller calls it, for the message of an error.

    Raises:
        FeatureError: what is not a memory of this community; the sentence names the place and what was expected there.
    """
    if not isinstance(content, dict) or set(content) != set(fields):
        raise FeatureError(
            f"{name} is not an object with exactly the fields {', '.join(fields)}; send back the memory of the last answer, "
            "or none to begin afresh."
        )
    hours = 0
    numbers = {}
    for field in fields:
        rows = content[field]
        if not isinstance(rows, list) or len(rows) != buildings:
            raise FeatureError(f"{name}.{field} is not a list of {buildings} lists, one a building; send back what came.")
        for i, row in enumerate(rows):
            if not isinstance(row, list) or not 1 <= len(row) <= HOURS or len(row) != (hours or len(row)):
                raise FeatureError(
                    f"{name}.{field}[{i}] is not a list of {hours or f'1 to {HOURS}'} whole numbers, one for each hour "
                    "seen, the same number everywhere; send back what came."
                )
            hours = len(row)
        flat = list(chain.from_iterable(rows))
        if not _fit(flat):
            i = next(i for i, row in enumerate(rows) if not _fit(row))
            raise FeatureError(f"{name}.{field}[{i}] has something else than whole numbers between {-MOST} and {MOST}.")
        numbers[field] = np.array(flat, np.float64).reshape(buildings, hours)
    return numbers


def _fit(values: list[Any]) -> bool:
    """Whether these are whole numbers that can be kept; true and false are none."""
    return set(map(type, values)) == {int} and min(values) >= -MOST and max(values) <= MOST
