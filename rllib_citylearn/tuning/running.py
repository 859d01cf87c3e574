"""A search with Tune: begun or gone on with, until all trials have ended or a signal asks for an end."""

from __future__ import annotations

from collections.abc import Callable

from ray import tune

from rllib_citylearn.tuning.fitting import TRIALS, fit, tuner_of
from rllib_citylearn.tuning.live import Live
from rllib_citylearn.tuning.outcome import Outcome, row_of
from rllib_citylearn.tuning.resources import bundles, placement, room
from rllib_citylearn.tuning.schedulers import tune_config
from rllib_citylearn.tuning.search import Search
from rllib_citylearn.tuning.trackers import loggers
from rllib_citylearn.tuning.trial import Given, TrainingTrial


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
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_at_end=True),
                callbacks=[*loggers(search.config), Live(search.config.metric, search.combinations, say)],
                verbose=0,
            ),
        )

    say(f"{search.combinations} trials, {min(at_once, search.combinations)} side by side.")
    trials, reported, interrupted = fit(lambda: tuner_of(storage, trainable, begin, resume=resume, finished=False))
    metric = search.config.metric
    rows = [row_of(trial, metric, reported.get(trial.trial_id, [])) for trial in trials]
    return Outcome.of(rows, metric, search.start, interrupted=interrupted)
