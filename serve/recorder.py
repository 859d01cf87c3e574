"""Inputs that were answered lately, for a new version to be compared on before it answers itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rllib_citylearn.export.runtime import Rows

KEPT = 64
"""Inputs that are kept of each community."""

_EVERY = 16
"""One request of so many is kept, so that the inputs span some time."""


@dataclass(frozen=True)
class Recorded:
    """One input of a community.

    Attributes:
        rows: N rows of observations.
        state: what came with them; None was a beginning.
    """

    rows: Rows
    state: str | None


class Recorder:
    """Keeps some of the inputs of one community."""

    def __init__(self) -> None:
        self._kept: deque[Recorded] = deque(maxlen=KEPT)
        self._seen = 0

    def see(self, rows: Rows, state: str | None) -> None:
        """One observation was answered; it is kept if it is its turn."""
        if self._seen % _EVERY == 0:
            self._kept.append(Recorded(rows, state))
        self._seen += 1

    def __iter__(self) -> Iterator[Recorded]:
        """The kept inputs, the oldest first."""
        return iter(list(self._kept))
