"""Several learners: equal weights, and checkpoints that go from one number of runners and learners to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.errors import TrainingError
from tests.small_data import short

pytestmark = [pytest.mark.usefixtures("ray_session"), pytest.mark.slow]  # each learner and runner takes seconds to start


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_10"))
    return {"dataset": str(folder), "window": (700, 900), "episode_steps": 24, "random_start": True}


def built(env_config: dict[str, Any], learners: int, runners: int = 0) -> CooperativeMADDPG:
    """A run with prioritised replay and value expansion, whose batches are of 16 rows however many learners share them."""
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=runners, num_envs_per_env_runner=2, rollout_fragment_length=25)
        .learners(num_learners=learners)
        .training(
            warmup_steps=40,
            train_batch_size_per_learner=16 // max(1, learners),
            replay_capacity=1000,
            critic_warmup_updates=0,
            updates_per_env_step=0.1,
            replay="prioritised",
            model_horizon=3,
            model_batch_size=4,
            policy_delay=1,
        )
        .reporting(min_sample_timesteps_per_iteration=50)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4, "hint_dropout": 0.2})
        .debugging(seed=3)
        .build_algo()
    )


def weights(algorithm: CooperativeMADDPG) -> list[dict[str, np.ndarray]]:
    """Of each learner."""
    results = algorithm.learner_group.foreach_learner(_weights)
    return [result.get() for result in results]


def _weights(learner: Any) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in learner.community.state_dict().items()}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(value, other[name]) for name, value in one.items())


def test_two_learners_end_with_equal_weights_and_their_checkpoint_goes_on_in_one(
    env_config: dict[str, Any], tmp_path: Path
) -> None:
    algorithm = built(env_config, learners=2)
    try:
        before = weights(algorithm)
        for _ in range(3):
            algorithm.train()
        one, other = weights(algorithm)
        assert algorithm._updates > 10
        assert equal(one, other)
        assert not equal(one, before[0])
        path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
        counted = algorithm.replay.added, algorithm._updates
    finally:
        algorithm.stop()
    again = built(env_config, learners=0, runners=2)
    try:
        again.restore_from_path(path)
        assert equal(weights(again)[0], one)
        assert (again.replay.added, again._updates) == counted
        again.train()
        assert again._updates > counted[1]
        assert all(np.isfinite(value).all() for value in weights(again)[0].values())
    finally:
        again.stop()


def test_a_checkpoint_of_no_runners_and_learners_goes_on_with_two(env_config: dict[str, Any], tmp_path: Path) -> None:
    algorithm = built(env_config, learners=0)
    algorithm.train()
    algorithm.train()
    (saved,) = weights(algorithm)
    path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
    counted = algorithm.replay.added, algorithm._updates
    algorithm.stop()
    again = built(env_config, learners=2)
    try:
        again.restore_from_path(path)
        assert all(equal(one, saved) for one in weights(again))
        assert (again.replay.added, again._updates) == counted
        steps = again.learner_group.foreach_learner(lambda learner: learner._gradient_steps)
        assert [result.get() for result in steps] == [counted[1]] * 2
        again.train()
        one, other = weights(again)
        assert equal(one, other)
        assert not equal(one, saved)
    finally:
        again.stop()


def test_a_nan_in_the_share_of_one_learner_stops_both(env_config: dict[str, Any]) -> None:
    """And leaves none of them waiting for the other."""
    algorithm = built(env_config, learners=2)
    try:
        algorithm.train()
        algorithm.replay.rows.building_rewards[:] = np.nan
        with pytest.raises(TrainingError, match="sum of gradients is nan"):
            algorithm.train()
    finally:
        algorithm.stop()
