"""How the numbers of a report came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Setting:
    """What a report says of how it was made.

    Attributes:
        command: the command that repeats it.
        data: JSON-ready description of the data set and where it came from.
        versions: version by package.
        training: JSON-ready facts of the training behind the policies; None where there are none.
        progress_csv: the training's ``progress.csv``; None where there is none.
    """

    command: str
    data: Any
    versions: Mapping[str, str]
    training: Mapping[str, Any] | None = None
    progress_csv: Path | None = None


def inline(facts: Any) -> str:
    """JSON-ready facts in one line of text."""
    if isinstance(facts, Mapping):
        return "; ".join(f"{name}: {inline(value)}" for name, value in facts.items())
    if isinstance(facts, list | tuple):
        return ", ".join(inline(value) for value in facts)
    return str(facts)
