"""What values have to be beyond their types: key, what is expected, test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from rllib_citylearn.errors import ConfigError

Limit = tuple[str, str, Callable[[Any], bool]]


def check_limits(subject: object, limits: Sequence[Limit]) -> None:
    """Refuse the first attribute of ``subject`` that is beyond its limit; None is beyond none.

    Raises:
        ConfigError: names the key, what it is and what was expected.
    """
    for key, expected, fine in limits:
        value = reduce(getattr, key.split("."), subject)
        if value is not None and not fine(value):
            shown = list(value) if isinstance(value, tuple) else value
            raise ConfigError(f"{key} is {shown!r}; expected {expected}.")


def is_window(window: Sequence[int]) -> bool:
    """Whether these are the first and the last time step of a stretch."""
    return 0 <= window[0] < window[1]


def is_seed(seed: int) -> bool:
    """Whether CityLearn and numpy both take it for a seed."""
    return 0 <= seed < 2**31


def are_steps(steps: Sequence[int]) -> bool:
    """Whether these are time steps."""
    return all(step >= 0 for step in steps)


def _are_factors(factors: Sequence[float]) -> bool:
    return 0 < factors[0] <= factors[1] < float("inf")


WINDOW = "[first, last] time step, with 0 <= first < last"
SEED = "a whole number from 0 to 2147483647"
STEPS = "time steps of 0 or more"

ENVIRONMENT: tuple[Limit, ...] = (
    ("dataset", "the name of a data set or the path of its folder", bool),
    ("buildings", "at least one name, or null for all buildings", bool),
    ("held_out", "at least one name, or null for none", bool),
    ("window", WINDOW, is_window),
    ("episode_steps", "at least 1", lambda steps: steps >= 1),
    ("starts", f"at least one entry, or null, and {STEPS}", lambda starts: bool(starts) and are_steps(starts)),
    ("random_seed", SEED, is_seed),
    ("team_share", "a number from 0 (each agent its own reward) to 1 (one team reward)", lambda share: 0.0 <= share <= 1.0),
    ("forecast_noise", "a share of each forecast's range between 0 and 1", lambda share: 0.0 <= share <= 1.0),
    (
        "ranges",
        "[low, high] with low < high for each feature",
        lambda ranges: all(len(ends) == 2 and ends[0] < ends[1] for ends in ranges.values()),
    ),
    ("random_buildings", "at least 1", lambda count: count >= 1),
    ("load_scaling", "the lowest and the highest factor, 0 < lowest <= highest", _are_factors),
    ("load_shift_weeks", "at least 1, or null", lambda weeks: weeks >= 1),
    ("variants", "0 or more", lambda variants: variants >= 0),
)
"""Of ``CommunityEnvConfig``."""
