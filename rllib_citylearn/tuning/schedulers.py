"""Which trials go on: Tune's schedulers, with the preset's own trial kept to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow.fs
from ray import tune
from ray.air.constants import EXPR_RESULT_FILE
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, PopulationBasedTraining, TrialScheduler

from rllib_citylearn.tuning.search import Search
from rllib_citylearn.tuning.space import Distribution


class Within:
    """Keeps the values of population based training, which multiplies them by 0.8 and 1.2, within the space."""

    def __init__(self, space: Mapping[str, Distribution]) -> None:
        self._space = dict(space)

    def __call__(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values with those beyond an end at that end."""
        for key, distribution in self._space.items():
            if distribution.is_range:
                low, high = distribution.values
                values[key] = min(max(values[key], low), high)
        return values


TIME = "minutes"
"""What schedulers count: the metric of that name."""


class KeepingEnds:
    """Has Tune write its state when a trial has ended, not seconds later: a search that is killed knows it by then."""

    _ended = 0

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Tune's hook, called again and again while a search runs."""
        ended = sum(trial.is_finished() for trial in tune_controller.get_trials())
        if ended > self._ended:
            self._ended = ended
            tune_controller.checkpoint(force=True)
        return super().choose_trial_to_run(tune_controller)  # type: ignore[misc]


class AllToTheEnd(KeepingEnds, FIFOScheduler):
    """Every trial goes on to its end."""


class Population(KeepingEnds, PopulationBasedTraining):
    """Population based training."""


class KeepingFirst(KeepingEnds, AsyncHyperBandScheduler):
    """Asynchronous successive halving that never stops the trial which the others are compared with.

    Args:
        start: the values of that trial.
        kwargs: Tune's.
    """

    def __init__(self, start: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._start = dict(start)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Tune's hook. A search that goes on gives its trials to a new scheduler, which hears again what they reported."""
        super().on_trial_add(tune_controller, trial)
        for result in _reported(trial):
            super().on_trial_result(tune_controller, trial, result)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Tune's hook."""
        decision: str = super().on_trial_result(tune_controller, trial, result)
        return TrialScheduler.CONTINUE if trial.config == self._start else decision


def _reported(trial: Any) -> list[dict[str, Any]]:
    """What a trial reported so far, from the file that Tune keeps of it in the storage."""
    if trial.storage.trial_dir_name is None:
        return []  # it has not begun
    system, path = trial.storage.storage_filesystem, f"{trial.storage.trial_fs_path}/{EXPR_RESULT_FILE}"
    if system.get_file_info(path).type != pyarrow.fs.FileType.File:
        return []
    with system.open_input_stream(path) as stream:
        lines = stream.read().decode().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may have been cut short


def scheduler(search: Search) -> Any:
    """Tune's scheduler of a search."""
    config = search.config.scheduler
    if config.name == "asha":
        return KeepingFirst(
            search.start,
            time_attr=TIME,
            grace_period=config.grace_minutes,
            reduction_factor=config.reduction,
            max_t=search.base.stop.minutes,
            stop_last_trials=False,  # a trial ends by itself, when its minutes are over
        )
    if config.name == "pbt":
        return Population(
            time_attr=TIME,
            perturbation_interval=config.grace_minutes,
            hyperparam_mutations={
                key: distribution.domain() if distribution.is_range else list(distribution.values)
                for key, distribution in search.space.items()
            },
            custom_explore_fn=Within(search.space),
            quantile_fraction=0.25,
            log_config=False,
            require_attrs=True,
        )
    return AllToTheEnd()


def algorithm(search: Search) -> Any:
    """Tune's search algorithm: which values are tried, those of the preset first."""
    from ray.tune.search import BasicVariantGenerator
    from ray.tune.search.optuna import OptunaSearch

    config = search.config
    if config.algorithm == "grid":
        return BasicVariantGenerator(random_state=config.seed)
    if config.algorithm == "random":
        return BasicVariantGenerator(points_to_evaluate=[search.start], random_state=config.seed)
    return OptunaSearch(points_to_evaluate=[search.start], seed=config.seed, metric=config.metric, mode="min")


def tune_config(search: Search, at_once: int) -> tune.TuneConfig:
    """What Tune has to know of a search.

    Args:
        search: what is searched.
        at_once: how many trials there is room for; who learns from trials should not draw the next ones before that.
    """
    config = search.config
    return tune.TuneConfig(
        metric=config.metric,
        mode="min",
        num_samples=config.trials,
        scheduler=scheduler(search),
        search_alg=algorithm(search),
        max_concurrent_trials=at_once if config.algorithm == "optuna" else None,
        reuse_actors=config.scheduler.name != "pbt",
        trial_dirname_creator=_trial_id,
    )


def _trial_id(trial: Any) -> str:
    return str(trial.trial_id)
