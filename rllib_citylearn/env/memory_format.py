"""The memory of a community as JSON: what travels with the answers of a server and comes back with the next requests.

An object with some of ``FIELDS``, those that the community has use for. Each is a list a building, of one whole number for
each hour seen, the latest last, in units of 1 / ``SCALE`` kWh (kgCO2/kWh).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

_AN_HOUR = "one for each hour seen, the same number everywhere"


def check_memory(content: Any, fields: Sequence[str], buildings: int, name: str) -> int:
    """Refuse what is not the memory of a community.

    Args:
        content: a value from outside, of any type.
        fields: the fields it has to have.
        buildings: number N.
        name: what the caller calls it, for the message.

    Returns:
        How many hours were seen.

    Raises:
        FeatureError: a sentence with the place and what was expected there.
    """
    if not isinstance(content, dict) or set(content) != set(fields):
        raise FeatureError(
            f"{name} is not an object with exactly the fields {', '.join(fields)}; send back the memory of the last answer, "
            "or none to begin afresh."
        )
    hours = 0
    for field in fields:
        rows = content[field]
        if not isinstance(rows, list) or len(rows) != buildings:
            raise FeatureError(f"{name}.{field} is not a list of {buildings} lists, one a building; send back what came.")
        for i, row in enumerate(rows):
            place = f"{name}.{field}[{i}]"
            if not isinstance(row, list) or not 1 <= len(row) <= HOURS or len(row) != (hours or len(row)):
                raise FeatureError(f"{place} is not a list of {hours or f'1 to {HOURS}'} whole numbers, {_AN_HOUR}.")
            hours = len(row)
            if set(map(type, row)) != {int} or min(row) < -MOST or max(row) > MOST:
                raise FeatureError(f"{place} has something else than whole numbers between {-MOST} and {MOST}.")
    return hours
