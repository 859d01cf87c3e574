"""What a search may try: one distribution for each key of the preset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rllib_citylearn.checks import is_scalar, nearest
from rllib_citylearn.errors import ConfigError

_RANGES = {
    "uniform": float,
    "loguniform": float,
    "integer": int,
    "log_integer": int,
}
_LISTS = ("choice", "grid")


@dataclass(frozen=True)
class Distribution:
    """The values that a key may take.

    Attributes:
        kind: ``uniform`` or ``loguniform`` over ``[low, high]``; ``integer`` or ``log_integer``, whole numbers from low to
            high, both included; ``choice``, one of a list; ``grid``, each of a list in turn.
        values: low and high, or the list.
    """

    kind: str
    values: tuple[Any, ...]

    @classmethod
    def read(cls, key: str, given: Any) -> Distribution:
        """A distribution as a search file has it: ``{KIND: [...]}``.

        Raises:
            ConfigError: names the key, what was given and what was expected.
        """
        known = (*_RANGES, *_LISTS)
        if not isinstance(given, Mapping) or len(given) != 1:
            raise ConfigError(
                f"space.{key} is {given!r}; expected one distribution, such as {{loguniform: [1.0e-4, 1.0e-2]}}, "
                f"{{choice: [32, 64]}} or {{grid: [0, 1, 2]}} (known are {', '.join(known)})."
            )
        kind, values = next(iter(given.items()))
        if kind not in known:
            raise ConfigError(f"space.{key} has no distribution {kind!r}.{nearest(kind, known)}")
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise ConfigError(f"space.{key}.{kind} is {values!r}; expected a list.")
        if kind in _RANGES:
            _check_range(f"space.{key}.{kind}", kind, values)
        elif any(values.index(value) != k for k, value in enumerate(values)):
            raise ConfigError(f"space.{key}.{kind} is {values!r}; expected each value once.")
        return cls(kind, tuple(values))

    @property
    def is_grid(self) -> bool:
        """Whether every value is tried."""
        return self.kind == "grid"

    @property
    def is_logarithmic(self) -> bool:
        """Whether ratios of values count, not differences."""
        return self.kind in ("loguniform", "log_integer")

    @property
    def is_range(self) -> bool:
        """Whether all numbers between two are meant."""
        return self.kind in _RANGES

    def holds(self, value: Any) -> bool:
        """Whether a search with this distribution could come to ``value``."""
        if not self.is_range:
            return value in self.values
        low, high = self.values
        return is_scalar(value, _RANGES[self.kind]) and low <= value <= high

    @property
    def corners(self) -> tuple[Any, ...]:
        """Values that show whether the preset can have any of them: the ends of a range, or all of a list."""
        if self.is_range and _RANGES[self.kind] is float:
            return tuple(map(float, self.values))  # as they are drawn: a whole number is none to a key that wants one
        return self.values

    def domain(self) -> Any:
        """The same for Tune."""
        from ray import tune

        if self.kind == "grid":
            return tune.grid_search(list(self.values))
        if self.kind == "choice":
            return tune.choice(list(self.values))
        low, high = self.values
        make = {
            "uniform": lambda: tune.uniform(low, high),
            "loguniform": lambda: tune.loguniform(low, high),
            "integer": lambda: tune.randint(low, high + 1),  # Tune leaves the end out
            "log_integer": lambda: tune.lograndint(low, high + 1),
        }
        return make[self.kind]()


def _check_range(where: str, kind: str, values: Sequence[Any]) -> None:
    expected = f"two {'whole ' if _RANGES[kind] is int else ''}numbers, low < high"
    if len(values) != 2 or not all(is_scalar(value, _RANGES[kind]) for value in values):
        hint = " Write numbers with an exponent as 1.0e-4." if any(isinstance(value, str) for value in values) else ""
        raise ConfigError(f"{where} is {list(values)!r}; expected {expected}.{hint}")
    low, high = values
    if not low < high or not (math.isfinite(low) and math.isfinite(high)):
        raise ConfigError(f"{where} is {list(values)!r}; expected {expected}.")
    if kind.startswith("log") and low <= 0:
        raise ConfigError(f"{where} is {list(values)!r}; a logarithmic range begins above 0.")
