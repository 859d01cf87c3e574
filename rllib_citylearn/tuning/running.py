"""A search with Tune: begun or gone on with, until all trials have ended or a signal asks for an end."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ray import tune

from rllib_citylearn.errors import CheckpointError, ConfigError
from rllib_citylearn.tuning.live import Live
from rllib_citylearn.tuning.outcome import Outcome, row_of
from rllib_citylearn.tuning.resources import bundles, placement, total
from rllib_citylearn.tuning.schedulers import tune_config
from rllib_citylearn.tuning.search import Search
from rllib_citylearn.tuning.trackers import loggers
from rllib_citylearn.tuning.trial import Given, TrainingTrial

TRIALS = "trials"
"""Name of Tune's own folder in that of a search."""


def room(search: Search) -> int:
    """How many trials run side by side on the machines of this Ray.

    Raises:
        ConfigError: not even one.
    """
    import ray

    needed, there = total(bundles(search.base)), ray.cluster_resources()
    fitting = [int(there.get(name, 0.0) // amount) for name, amount in needed.items() if amount]
    if not min(fitting):
        asked = " and ".join(f"{amount:g} {name}" for name, amount in needed.items() if amount)
        raise ConfigError(
            f"A trial takes {asked}, and all machines together have {there.get('CPU', 0.0):g} CPU and "
            f"{there.get('GPU', 0.0):g} GPU; lower runners.num_env_runners, runners.num_learners or "
            "runners.num_gpus_per_learner under fixed."
        )
    return min(fitting)


def run_search(search: Search, storage: str, given: Given, say: Callable[[str], None], *, resume: bool) -> Outcome:
    """Run all trials of a search; what they leave lies in the folder ``TRIALS`` in ``storage``.

    Args:
        search: what is searched.
        storage: absolute path, or URI, of the search's folder.
        given: what all trials have in common.
        say: called with each line for the user.
        resume: go on with the search in ``storage``: trials that have ended stay as they are.

    Raises:
        CheckpointError: there is no search to go on with.
        ConfigError: a trial has no room on these machines.
    """
    at_once = room(search)
    trainable = tune.with_resources(tune.with_parameters(TrainingTrial, given=given), placement(search.base))
    with _files_of_our_own(), _stop_signals() as asked:
        if resume:
            tuner = _restored(f"{storage.rstrip('/')}/{TRIALS}", trainable)
        else:
            tuner = tune.Tuner(
                trainable,
                param_space={key: distribution.domain() for key, distribution in search.space.items()},
                tune_config=tune_config(search, at_once),
                run_config=tune.RunConfig(
                    name=TRIALS,
                    storage_path=storage,
                    failure_config=tune.FailureConfig(max_failures=search.config.max_failures),
                    checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_at_end=True),
                    callbacks=[*loggers(search.config), Live(search.config.metric, search.combinations, say)],
                    verbose=0,
                ),
            )
        say(f"{search.combinations} trials, {min(at_once, search.combinations)} side by side.")
        grid = tuner.fit()
    analysis = grid._experiment_analysis
    frames = analysis.trial_dataframes if analysis is not None else {}
    rows = [
        row_of(trial, search.config.metric, _history(frames.get(trial.path) if trial.path else None))
        for trial in (analysis.trials if analysis is not None else [])
    ]
    return Outcome.of(rows, search.config.metric, search.start, interrupted=asked())


def _history(frame: Any) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dict("records")


def _restored(path: str, trainable: Any) -> tune.Tuner:
    if not tune.Tuner.can_restore(path):
        raise CheckpointError(f"There is no search at {path} to go on with; give the folder that `tune` printed.")
    return tune.Tuner.restore(path, trainable=trainable, resume_unfinished=True, resume_errored=True)


@contextmanager
def _files_of_our_own() -> Iterator[None]:
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
