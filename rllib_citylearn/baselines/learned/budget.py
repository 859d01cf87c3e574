"""How long a training may take, on the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable

Report = Callable[[float, float], None]
"""Is told the seconds of training that are done, and those in all."""


class Budget:
    """Wall-clock time for training. Building environments and networks before it, and saving after it, are not counted.

    Args:
        minutes: of training.
        report: is told now and then how much is done; None tells nobody.

    Attributes:
        seconds: of training in all.
    """

    _REPORT_EVERY_S = 1.0

    def __init__(self, minutes: float, report: Report | None = None) -> None:
        self.minutes, self.seconds = minutes, 60.0 * minutes
        self._report = report
        self._started: float | None = None
        self._reported = 0.0

    def start(self) -> None:
        """Training begins."""
        self._started = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    def spent(self) -> bool:
        """Whether the time is over; reports how much is done. To be called often."""
        elapsed = self.elapsed_s
        self.report(elapsed)
        return elapsed >= self.seconds

    def report(self, elapsed_s: float) -> None:
        """Say how much is done, unless that was said a moment ago."""
        over = elapsed_s >= self.seconds
        if self._report is not None and (over or elapsed_s - self._reported >= self._REPORT_EVERY_S):
            self._reported = elapsed_s
            self._report(min(elapsed_s, self.seconds), self.seconds)
