"""Population based training changes values within their space, and only those that can change while a trial runs."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ray.tune.schedulers.pbt import _explore

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.tuning.schedulers import Within, scheduler
from rllib_citylearn.tuning.search import SchedulerConfig, Search, SearchConfig

PRESET = Preset.from_dict({"name": "x", "validation": {"starts": [0]}, "stop": {"minutes": 4.0}})
SPACE: dict[str, Any] = {
    "training.actor_lr": {"loguniform": [1.0e-4, 1.0e-3]},
    "training.gamma": {"uniform": [0.97, 0.995]},
    "training.train_batch_size_per_learner": {"integer": [64, 160]},
    "training.policy_delay": {"choice": [1, 2, 4]},
}


def population(**given: Any) -> Search:
    pbt = SchedulerConfig("pbt", grace_minutes=1.0)
    config = SearchConfig(name="s", preset="x.yaml", space=SPACE, scheduler=pbt, **{"metric": "objective", **given})
    return Search.of(config, PRESET)


def test_values_stay_in_their_space_however_often_they_are_changed() -> None:
    search = population()
    pbt = scheduler(search)
    random.seed(0)
    values = search.start
    seen: dict[str, set[Any]] = {key: set() for key in values}
    for _ in range(500):
        values, _ = _explore(values, pbt._hyperparam_mutations, 0.25, (1.2, 0.8), pbt._custom_explore_fn)
        for key, value in values.items():
            assert search.space[key].holds(value), (key, value)
            seen[key].add(value)
        search.trial(values)  # a preset that can be trained
    assert all(len(found) > 2 for found in seen.values())


def test_the_ends_are_kept() -> None:
    search = population()
    within = Within(search.space)
    for beyond, end in ((1.188, 0.995), (0.1, 0.97), (0.98, 0.98)):
        assert within({**search.start, "training.gamma": beyond}) == {**search.start, "training.gamma": end}


def test_what_was_best_in_a_trial_is_no_measure_of_what_it_has_now() -> None:
    with pytest.raises(ConfigError, match="give 'objective'"):
        population(metric="best_objective")
