"""Numbers and names in words: the same in tables, sentences and pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

NO_VALUE = "no value"
"""What stands in a table where there is no number; the reason stands below it."""

MINUS = "\u2212"

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "a holiday")
"""CityLearn's day types 1 to 8."""

SAME = 0.0005
"""Relative change up to which two numbers are called the same."""


def clean(text: str) -> str:
    """``text`` in one line, without characters that can't be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def number(value: float | None, digits: int) -> str:
    """With thousands apart; words where there is none."""
    if value is None:
        return NO_VALUE
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not any(c in "123456789" for c in text) else text.replace("-", MINUS)


def amount(value: float | None) -> str:
    """With as many digits as the size asks for: 24,961 or 84.4 or 0.0289."""
    size = 0.0 if value is None else abs(value)
    if size >= 1000.0 or size < 1e-9:
        return number(value, 0)
    return number(value, max(1, 2 - math.floor(math.log10(size))) if size < 100.0 else 1)


def percent(share: float | None, digits: int = 1) -> str:
    """Of a share from 0 to 1."""
    return NO_VALUE if share is None else f"{number(100.0 * share, digits)}%"


def change(value: float, reference: float) -> str:
    """Relative change with its sign; words where the reference is nothing, or less, so that there is no ratio."""
    if abs(reference) <= 1e-9:
        return "as before" if abs(value) <= 1e-9 else "from nothing"
    if reference < 0.0:
        return f"{amount(abs(value - reference))} {'more' if value > reference else 'less'}"
    return signed(100.0 * (value / reference - 1.0), 1) + "%"


def signed(value: float, digits: int) -> str:
    """With its sign, also where it is positive."""
    text = number(value, digits)
    return text if value <= 0.0 or not any(c in "123456789" for c in text) else f"+{text}"


def moves(before: float, after: float, unit: str) -> str:
    """How something changes: ``falls from 49.1 to 41.2 kW``."""
    if abs(after - before) <= SAME * max(abs(before), abs(after), 1e-9):
        return f"stays at {amount(after)} {unit}"
    return f"{'falls' if after < before else 'rises'} from {amount(before)} to {amount(after)} {unit}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 building``, ``17 buildings``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def condensed(names: Sequence[str], most: int = 24) -> str:
    """Names with runs of numbers drawn together: ``Building_1 to Building_17``; the rest of a long list is counted."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    parts = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run)]
    return listed(parts) if len(parts) <= most else f"{', '.join(parts[:most])} and {len(parts) - most} more"


def shortened(text: str, most: int) -> str:
    """``text`` of at most ``most`` characters, its middle left out."""
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 3
    return f"{text[: most - 1 - tail]}\u2026{text[-tail:]}"


def _follows(before: str, name: str) -> bool:
    """Whether two names are alike but for a number at their end, which is one more."""
    one, two = (re.fullmatch(r"(.*?)(\d+)", text) for text in (before, name))
    return one is not None and two is not None and one[1] == two[1] and int(two[2]) == int(one[2]) + 1


APPLIANCES_COUNT = (
    "CityLearn's KPIs divide by what the community would draw without control with the cycles of appliances that the policy "
    "ran, so that policies which ran different ones are over different numbers; currency, kilograms, kWh and kW compare."
)
"""Said of KPIs where there are appliances."""
