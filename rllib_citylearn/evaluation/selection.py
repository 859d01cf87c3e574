"""Windows as people write them on a command line."""

from __future__ import annotations

import re

from rllib_citylearn.errors import ConfigError


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
