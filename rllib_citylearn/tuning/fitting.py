"""Ray Tune as every run here uses it: ended in order by signals, silent."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune

_received: list[int] = []
"""Signals that came since Tune was started; here, because Tune keeps copies of its callbacks."""

_running: set[str] = set()
"""Ids of the trials that had not ended when Tune looked last."""


class Heed(tune.Callback):
    """Ends Tune for signals that came before it listened, and remembers what they interrupt."""

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune's hook."""
        _running.clear()
        _running.update(trial.trial_id for trial in trials if not trial.is_finished())
        if _received:
            signal.raise_signal(signal.SIGUSR1)


def fit(make: Callable[[], tune.Tuner]) -> tuple[list[Any], dict[str, list[dict[str, Any]]], bool, set[str]]:
    """Run a tuner until its trials have ended, or SIGINT or SIGTERM asks for an end; a second signal ends at once.

    Args:
        make: makes the tuner, with ``Heed`` among its callbacks.

    Returns:
        Tune's trials, what each reported by its id, whether a signal ended them, and the ids of those it interrupted.
    """
    with _settings(), _stop_signals():
        analysis = make().fit()._experiment_analysis
        trials = list(analysis.trials) if analysis is not None else []
        frames = analysis.trial_dataframes if trials else {}
        reported = {
            trial.trial_id: frames[trial.path].to_dict("records") for trial in trials if trial.path and trial.path in frames
        }
        return trials, reported, bool(_received), set(_running) if _received else set()


@contextmanager
def _settings() -> Iterator[None]:
    """Tune with the loggers that it is given, a state that is saved soon after it changed, and no words of its own."""
    wanted = {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        # What a trial that could not begin reports has no metrics.
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "5",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM ends Tune as SIGINT does; a second signal ends at once."""
    _received.clear()

    def note(number: int, frame: Any) -> None:
        if _received:
            raise KeyboardInterrupt
        _received.append(number)
        signal.raise_signal(signal.SIGUSR1)  # to which Tune listens while it runs

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
