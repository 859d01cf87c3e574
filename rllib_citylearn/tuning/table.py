"""A search's trials as a table: text for people, CSV for programs."""

from __future__ import annotations

import csv
from io import StringIO

from rllib_citylearn.tuning.live import shown
from rllib_citylearn.tuning.metrics import COUNTS, METRICS
from rllib_citylearn.tuning.outcome import Outcome, TrialRow

_SHOWN = 20


def text(outcome: Outcome) -> str:
    """The best trials, one a line, and how many there are beyond those."""
    head = f"{'':<3}{'trial':<14}{outcome.metric:>16}{'minutes':>9}{'updates':>9}  {'status':<14}values"
    lines = [head, *(_line(rank, row, outcome) for rank, row in enumerate(outcome.rows[:_SHOWN], 1))]
    beyond = len(outcome.rows) - _SHOWN
    return "\n".join([*lines, *([f"and {beyond} more"] if beyond > 0 else [])])


def _line(rank: int, row: TrialRow, outcome: Outcome) -> str:
    value = row.metrics.get(outcome.metric)
    mark = "  <- the preset's" if row is outcome.reference else ""
    why = f"  ({row.why})" if row.status == "failed" else ""
    return (
        f"{rank:<3}{row.name:<14}{'-' if value is None else f'{value:.4f}':>16}{row.metrics.get('minutes', 0.0):>9.1f}"
        f"{row.metrics.get('updates', 0.0):>9,.0f}  {row.status:<14}{shown(row.values)}{mark}{why}"
    )


def as_csv(outcome: Outcome) -> str:
    """All trials, best first."""
    keys = list(outcome.start)
    names = [name for name in (*METRICS, *COUNTS) if any(name in row.metrics for row in outcome.rows)]
    out = StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["trial", "status", *names, *keys])
    for row in outcome.rows:
        table.writerow(
            [row.name, row.status, *(row.metrics.get(name, "") for name in names), *(row.values[key] for key in keys)]
        )
    return out.getvalue()
