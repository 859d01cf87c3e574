"""What came of a search: its trials as rows, the best of them, and the preset's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rllib_citylearn.tuning.metrics import COUNTS, METRICS


@dataclass(frozen=True)
class TrialRow:
    """A trial.

    Attributes:
        name: Tune's id of it.
        values: what was tried, by key of the preset.
        status: ``ended``, ``stopped early`` (by the scheduler), ``unfinished`` or ``failed``.
        metrics: what it reported last, of ``METRICS`` and ``COUNTS``.
        why: why it ended or failed, in words.
        curve: what it reported, in time: minutes, the metric.
        checkpoint: Tune's last checkpoint of it.
    """

    name: str
    values: Mapping[str, Any]
    status: str
    metrics: Mapping[str, float]
    why: str = ""
    curve: tuple[tuple[float, float], ...] = ()
    checkpoint: Any = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "trial": self.name,
            "status": self.status,
            "why": self.why,
            "values": dict(self.values),
            "metrics": {name: value if math.isfinite(value) else None for name, value in self.metrics.items()},
        }


@dataclass(frozen=True)
class Outcome:
    """All trials of a search.

    Attributes:
        metric: what they are compared by, lower is better.
        start: the preset's own values of what was searched.
        rows: the trials, best first; those without the metric last.
        interrupted: whether a signal ended the search.
    """

    metric: str
    start: Mapping[str, Any]
    rows: tuple[TrialRow, ...]
    interrupted: bool

    @classmethod
    def of(cls, trials: Sequence[TrialRow], metric: str, start: Mapping[str, Any], *, interrupted: bool) -> Outcome:
        """With the trials in order."""
        return cls(metric, start, tuple(sorted(trials, key=lambda row: _rank(row, metric))), interrupted)

    @property
    def best(self) -> TrialRow | None:
        """The trial with the lowest metric that can be used: one with a checkpoint."""
        return next((row for row in self.rows if row.checkpoint is not None and self.metric in row.metrics), None)

    @property
    def reference(self) -> TrialRow | None:
        """The trial with the preset's own values, if there was one."""
        return next((row for row in self.rows if dict(row.values) == dict(self.start) and row.checkpoint is not None), None)


def _rank(row: TrialRow, metric: str) -> tuple[bool, float]:
    value = row.metrics.get(metric, math.nan)
    return (math.isnan(value), value)


def row_of(trial: Any, metric: str, history: Sequence[Mapping[str, Any]], *, interrupted: bool) -> TrialRow:
    """A row of Tune's trial.

    Args:
        trial: Tune's.
        metric: what trials are compared by.
        history: all that it reported, in time.
        interrupted: whether a signal ended it.
    """
    last = trial.last_result or {}
    metrics = {name: float(last[name]) for name in (*METRICS, *COUNTS) if isinstance(last.get(name), int | float)}
    curve = tuple((float(row["minutes"]), float(row[metric])) for row in history if metric in row and "minutes" in row)
    why = str(last.get("ended", ""))
    if trial.status == "ERROR":
        status, why = "failed", cause_of(trial)
    elif last.get("fault"):
        status = "failed"
    elif trial.status == "TERMINATED" and not interrupted:
        status = "ended" if why else "stopped early"
    else:
        status = "unfinished"
    return TrialRow(trial.trial_id, dict(trial.config), status, metrics, why, curve, trial.checkpoint)


def cause_of(trial: Any) -> str:
    """The last line of a trial's error, which says what was wrong."""
    error = trial.get_error()
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no reason is known"
