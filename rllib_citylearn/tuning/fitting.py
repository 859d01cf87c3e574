"""Ray Tune as every run here uses it: begun or gone on with, ended in order by signals, silent."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune

TRIALS = "trials"
"""Name of Tune's own folder in that of a run or a search."""

_FINISHED = tune.ResumeConfig(
    finished=tune.ResumeConfig.ResumeType.RESUME,
    unfinished=tune.ResumeConfig.ResumeType.RESUME,
    errored=tune.ResumeConfig.ResumeType.RESUME,
)


def tuner_of(storage: str, trainable: Any, begin: Callable[[], tune.Tuner], *, resume: bool, finished: bool) -> tune.Tuner:
    """A new tuner, or that of an earlier run.

    Args:
        storage: absolute path, or URI, of the run's folder.
        trainable: what trials run.
        begin: makes the new one.
        resume: go on with the one in ``storage``, if there is any.
        finished: go on with trials that have ended, too.
    """
    path = f"{storage.rstrip('/')}/{TRIALS}"
    if not resume or not tune.Tuner.can_restore(path):
        return begin()
    if finished:
        return tune.Tuner.restore(path, trainable=trainable, _resume_config=_FINISHED)
    return tune.Tuner.restore(path, trainable=trainable, resume_unfinished=True, resume_errored=True)


def fit(make: Callable[[], tune.Tuner]) -> tuple[list[Any], dict[str, list[dict[str, Any]]], bool]:
    """Run a tuner until its trials have ended, or SIGINT or SIGTERM asks for an end; a second signal ends at once.

    Args:
        make: makes the tuner.

    Returns:
        Tune's trials, what each reported by its id, and whether a signal ended them.
    """
    with _settings(), _stop_signals() as asked:
        analysis = make().fit()._experiment_analysis
        trials = list(analysis.trials) if analysis is not None else []
        frames = analysis.trial_dataframes if trials else {}
        reported = {
            trial.trial_id: frames[trial.path].to_dict("records") for trial in trials if trial.path and trial.path in frames
        }
        return trials, reported, asked()


@contextmanager
def _settings() -> Iterator[None]:
    """Tune with the loggers that it is given, a state that is saved soon after it changed, and no words of its own."""
    wanted = {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_GLOBAL_CHECKPOINT_S": "5", "RAY_AIR_NEW_OUTPUT": "0"}
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
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM ends a search as SIGINT does; a second signal ends at once."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        signal.raise_signal(signal.SIGUSR1)  # to which Tune listens while it runs

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    try:
        yield lambda: bool(received)
    finally:
        del os.environ["TUNE_DISABLE_SIGINT_HANDLER"]
        for number, handler in previous.items():
            signal.signal(number, handler)
