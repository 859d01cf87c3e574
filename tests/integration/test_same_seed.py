"""The same seed gives the same run, to the last bit: one local runner on the compiled engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.env import CityLearnMultiAgentEnv
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

UPDATES = 200


@pytest.fixture(scope="module")
def homes(shared_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two homes and three hundred hours."""
    source = shared_datasets / "citylearn_challenge_2022_phase_all"
    return short(source, tmp_path_factory.mktemp("homes"), ("Building_1", "Building_4"), 301)


def trained(homes: Path, seed: int, horizon: int, replay: str, updates: int = UPDATES) -> dict[str, torch.Tensor]:
    """All weights after so many updates."""
    algorithm = (
        CooperativeMADDPGConfig()
        .environment(
            CityLearnMultiAgentEnv,
            env_config={
                "dataset": str(homes),
                "episode_steps": 30,
                "random_start": True,
                "random_initial_soc": True,
                "memory": True,
            },
        )
        .env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=10)
        .training(
            model_horizon=horizon,
            model_batch_size=4,
            replay=replay,
            n_step=2,
            train_batch_size_per_learner=8,
            warmup_steps=40,
            updates_per_env_step=1.0,
            critic_warmup_updates=10,
            replay_capacity=500,
        )
        .reporting(min_sample_timesteps_per_iteration=40)
        .rl_module(model_config={"hidden": 8, "coordinator_width": 4, "hint_size": 2})
        .debugging(seed=seed)
    ).build_algo()
    try:
        result = algorithm.train()
        while result["updates"] < updates:
            result = algorithm.train()
        assert result["updates"] == updates
        return {name: w.clone() for name, w in algorithm.learner_group._learner.community.state_dict().items()}
    finally:
        algorithm.stop()


def test_another_seed_gives_another_run(homes):
    one, other = (trained(homes, seed, 0, "uniform", updates=40) for seed in (7, 8))
    assert not all(torch.equal(weight, other[name]) for name, weight in one.items())


@pytest.mark.parametrize(("horizon", "replay"), [(0, "prioritised"), (3, "uniform")])
def test_weights_are_bit_equal_after_two_hundred_updates(homes, horizon, replay):
    one, two = (trained(homes, 7, horizon, replay) for _ in range(2))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        assert torch.equal(weight, two[name]), name
