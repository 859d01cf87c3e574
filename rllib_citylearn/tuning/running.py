"""A search with Tune: begun or gone on with, until all trials have ended or a signal asks for an end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

from ray import tune

from rllib_citylearn.cluster import stored
from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.tuning.fitting import Heed, fit
from rllib_citylearn.tuning.live import Live
from rllib_citylearn.tuning.outcome import Outcome, row_of
from rllib_citylearn.tuning.resources import bundles, placement, room
from rllib_citylearn.tuning.schedulers import tune_config
from rllib_citylearn.tuning.search import Search
from rllib_citylearn.tuning.trackers import loggers
from rllib_citylearn.tuning.trial import Given, TrainingTrial

TRIALS = "trials"
"""Name of Tune's own folder in that of a search."""

_STATE = "experiment_state"
"""What the names of Tune's files of state begin with."""

_KEPT = (2, 4)
"""Checkpoints of a trial in storage; of population based training, in which others copy them a while after choosing them."""


def run_search(search: Search, storage: str, given: Given, say: Callable[[str], None], *, resume: bool) -> Outcome:
    """Run all trials of a search; what they leave lies in the folder ``TRIALS`` in ``storage``.

    Args:
        search: what is searched.
        storage: absolute path, or URI, of the search's folder.
        given: what all trials have in common.
        say: called with each line for the user.
        resume: go on with the search in ``storage``: trials that have ended stay as they are.

    Raises:
        ConfigError: a trial has no room on these machines.
    """
    at_once = room(bundles(search.base))
    trainable = tune.with_resources(tune.with_parameters(TrainingTrial, given=given), placement(search.base))

    def begin() -> tune.Tuner:
        return tune.Tuner(
            trainable,
            param_space={key: distribution.domain() for key, distribution in search.space.items()},
            tune_config=tune_config(search, at_once),
            run_config=tune.RunConfig(
                name=TRIALS,
                storage_path=storage,
                failure_config=tune.FailureConfig(max_failures=search.config.max_failures),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=_KEPT[search.config.scheduler.name == "pbt"]),
                callbacks=[*loggers(search.config), Live(search.config.metric, search.combinations, say), Heed()],
                verbose=0,
            ),
        )

    say(f"{search.combinations} trials, {min(at_once, search.combinations)} side by side.")
    path = stored.join(storage, TRIALS)
    trials, reported, interrupted, left = fit(lambda: _restored(path, trainable) if resume else begin())
    metric = search.config.metric
    rows = [row_of(trial, metric, reported.get(trial.trial_id, []), interrupted=trial.trial_id in left) for trial in trials]
    return Outcome.of(rows, metric, search.start, interrupted=interrupted)


def begun(storage: str) -> bool:
    """Whether trials of a search were begun in its storage: Tune wrote its state there, which it does seconds later.

    Raises:
        CheckpointError: the state was cut short; Tune itself would begin anew, without values for its trials.
    """
    folder = stored.join(storage, TRIALS)
    states = [name for name in stored.files(folder) if name.startswith(_STATE)]
    if not states:
        return False
    try:
        json.loads(stored.read(stored.join(folder, max(states))) or b"")
    except ValueError as error:
        raise _unreadable(folder, error) from error
    return True


def _restored(path: str, trainable: Any) -> tune.Tuner:
    """The tuner of a search that was ended.

    Raises:
        CheckpointError: what it left of its state can't be read.
    """
    try:
        return tune.Tuner.restore(path, trainable=trainable, resume_unfinished=True, resume_errored=True)
    # Of state that was cut short Tune's JSON and pickle raise these.
    except (ValueError, OSError, RuntimeError, LookupError, EOFError, UnpicklingError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> CheckpointError:
    reason = str(error) or type(error).__name__
    return CheckpointError(
        f"The state of the search in {path} can't be read ({reason}): it was cut short. Start a search with another --name; "
        "what trials reported stands in their result.json."
    )
