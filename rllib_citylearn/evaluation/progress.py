"""Progress of several runs at once: one line kept up to date on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol, TextIO


class Report(Protocol):
    """Is told how far one run is."""

    def __call__(self, step: int, total: int, stage: str = "") -> None:
        """``step`` of ``total`` is done.

        Args:
            step: steps done.
            total: steps in all; zero where nobody can tell.
            stage: what else than simulating the controller goes on.
        """
        ...


class Progress:
    """Shows how far each of several runs is and how long it will still take.

    Args:
        stream: where to write; on a terminal the line is overwritten, elsewhere a new one follows every 10 s.
        names: names of the runs.
    """

    _TERMINAL_S = 0.5
    _LOG_S = 10.0

    def __init__(self, stream: TextIO, names: Sequence[str]) -> None:
        self._stream = stream
        self._names = list(names)
        self._terminal = stream.isatty()
        self._interval = self._TERMINAL_S if self._terminal else self._LOG_S
        self._shown = time.monotonic()
        self._started: dict[int, tuple[float, int]] = {}
        self._state: dict[int, tuple[int, int, str]] = {}
        self._width = 0

    def update(self, run: int, step: int, total: int, stage: str = "") -> None:
        """Run number ``run`` has done ``step`` of ``total`` steps of a stage; see ``Report``."""
        is_new = run in self._state and self._state[run][2] != stage
        if is_new or run not in self._started:
            self._started[run] = (time.monotonic(), step)
        self._state[run] = (step, total, stage)
        # A new stage may not report again for a while, in which a terminal would go on showing the old one.
        if (is_new and self._terminal) or time.monotonic() - self._shown >= self._interval:
            self.show()

    def show(self) -> None:
        """Write the present state."""
        self._shown = time.monotonic()
        line = "  |  ".join(self._describe(run) for run in sorted(self._state))
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def finish(self, run: int) -> None:
        """Run number ``run`` is over."""
        self._state.pop(run, None)

    def close(self) -> None:
        """Leave the line clean for what is printed next."""
        if self._terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()

    def _describe(self, run: int) -> str:
        step, total, stage = self._state[run]
        since, first = self._started[run]
        text = f"{self._names[run]}, {stage}" if stage else self._names[run]
        if total:
            text += f" {step:,}/{total:,}"
        if step > first:
            left = (time.monotonic() - since) / (step - first) * (total - step)
            text += f", {duration(left)} left"
        return text


def duration(seconds: float) -> str:
    """``seconds`` for people: ``45 s``, ``2 min 05 s``, ``1 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
