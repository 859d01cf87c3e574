"""Buildings and windows as people write them on a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rllib_citylearn.errors import ConfigError

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def select_buildings(text: str, names: Sequence[str]) -> list[str]:
    """Names of the buildings that ``text`` picks by position, each once and in the data set's order.

    Args:
        text: positions and ranges of positions from 1, with commas between: ``1-5,7``.
        names: all buildings of the data set, in its order.

    Raises:
        ConfigError: what is written is no range, or lies outside the data set.
    """
    picked: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"{part.strip()!r} in the buildings {text!r} is neither a position nor a range of positions; "
                "write for example 1-5,7."
            )
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= len(names):
            raise ConfigError(
                f"{part.strip()!r} in the buildings {text!r} does not fit the data set, which has the positions 1 to "
                f"{len(names)} ({names[0]} to {names[-1]}); give positions within it, the lower one first."
            )
        picked.update(range(first, last + 1))
    return [name for position, name in enumerate(names, start=1) if position in picked]


def parse_window(text: str) -> tuple[int, int]:
    """First and last time step, both included, of a window written as ``A:B``.

    Raises:
        ConfigError: not two whole numbers, the lower one first.
    """
    match = re.fullmatch(r"(\d+):(\d+)", text.strip())
    if match is None or int(match[1]) >= int(match[2]):
        raise ConfigError(
            f"The window {text!r} is not a pair of time steps; write FIRST:LAST, both included, the lower one first, "
            "for example 0:1439 for the first 60 days."
        )
    return int(match[1]), int(match[2])
