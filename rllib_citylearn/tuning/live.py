"""A search as it runs: a line for each trial that ends, and a table now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray import tune

from rllib_citylearn.tuning.outcome import cause_of

_TABLE_EVERY_S = 30.0
_MOST_ROWS = 12


class Live(tune.Callback):
    """Says how a search goes.

    Args:
        metric: what trials are compared by.
        count: how many trials there will be.
        say: called with each line.
    """

    def __init__(self, metric: str, count: int, say: Callable[[str], None]) -> None:
        self._metric, self._count, self._say = metric, count, say
        self._begun = self._shown = time.monotonic()

    def setup(self, *arguments: Any, **info: Any) -> None:
        """Tune's hook, when a search begins or goes on."""
        self._begun = self._shown = time.monotonic()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        over = sum(one.status in ("TERMINATED", "ERROR") or one is trial for one in trials)
        last = trial.last_result or {}
        how = last.get("fault") or (last.get("ended") and f"ended {last['ended']}") or "stopped early"
        self._say(
            f"{over:>3}/{self._count} {trial.trial_id}: {self._metric} {_number(last.get(self._metric))} after "
            f"{last.get('minutes', 0.0):.1f} minutes, {how}  ({shown(trial.config)})"
        )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._say(f"    {trial.trial_id}: failed for good; its error stands in the table.")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._say(f"    {trial.trial_id}: lost ({cause_of(trial)}); it goes on from its last checkpoint, if it has one.")

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune's hook."""
        now = time.monotonic()
        if now - self._shown >= _TABLE_EVERY_S:
            self._shown = now
            for line in table(trials, self._metric, now - self._begun):
                self._say(line)


def table(trials: Sequence[Any], metric: str, seconds: float) -> list[str]:
    """Lines about the trials that run, and the best of the others."""
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.status.lower()] = counts.get(trial.status.lower(), 0) + 1
    ranked = sorted((t for t in trials if metric in (t.last_result or {})), key=lambda t: float(t.last_result[metric]))
    running = [trial for trial in trials if trial.status == "RUNNING"]
    lines = [
        f"--- {seconds / 60.0:.1f} minutes: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    ]
    for trial in [*running, *(t for t in ranked if t not in running)][:_MOST_ROWS]:
        last = trial.last_result or {}
        came = f"{last.get('minutes', 0.0):5.1f} min {last.get('updates', 0):>6,} updates"
        value = _number(last.get(metric))
        lines.append(f"    {trial.trial_id} {trial.status.lower():<10} {came}  {metric} {value}  {shown(trial.config)}")
    return lines


def shown(values: Mapping[str, Any]) -> str:
    """Values in a line, with the last parts of their keys."""
    return ", ".join(f"{key.rpartition('.')[2]}={_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: Any) -> str:
    return "  -   " if value is None else f"{float(value):.4f}"
