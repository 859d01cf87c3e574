"""RLlib's own algorithms train on the environment: shared and independent policies, both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityGymEnv, CommunityMetrics
from rllib_citylearn.env.reward import TERMS

pytestmark = pytest.mark.usefixtures("ray_session")

STEPS = 24


def shared(agent_id: str, episode: Any = None, **kwargs: Any) -> str:
    """One policy for all."""
    return "home"


def independent(agent_id: str, episode: Any = None, **kwargs: Any) -> str:
    """A policy for each."""
    return agent_id


def small(algorithm: str) -> AlgorithmConfig:
    """Two episodes an iteration, tiny networks, in the driver."""
    if algorithm == "PPO":
        config = PPOConfig().training(train_batch_size_per_learner=2 * STEPS, minibatch_size=STEPS, num_epochs=2)
    else:
        config = SACConfig().training(
            train_batch_size_per_learner=16,
            num_steps_sampled_before_learning_starts=STEPS,
            replay_buffer_config={"type": "MultiAgentEpisodeReplayBuffer", "capacity": 1000},
        )
        config.env_runners(rollout_fragment_length=STEPS).reporting(min_sample_timesteps_per_iteration=2 * STEPS)
    return (
        config.env_runners(num_env_runners=0)
        .callbacks(CommunityMetrics)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[8]))
        .debugging(seed=1, log_level="ERROR")
    )


def trained(config: AlgorithmConfig, policies: set[str]) -> dict[str, Any]:
    """The result of one ``train()``, after which every policy has learnt something."""
    algorithm = config.build_algo()
    try:
        before = algorithm.learner_group.get_weights()
        result = algorithm.train()
        after = algorithm.learner_group.get_weights()
        assert set(after) == policies
        for policy in policies:
            assert all(np.isfinite(value).all() for value in after[policy].values())
            assert any(not np.array_equal(after[policy][name], value) for name, value in before[policy].items())
            losses = {name: value for name, value in result["learners"][policy].items() if name.endswith("loss")}
            assert losses
            assert all(np.isfinite(loss) for loss in losses.values())
        runners = result["env_runners"]
        assert runners["num_episodes"] >= 1
        assert runners["episode_len_mean"] == STEPS
        assert np.isfinite(runners["episode_return_mean"])
        assert np.isfinite(runners["kpis"]["score"])
        assert set(runners["terms"]) == set(TERMS)
        return result
    finally:
        algorithm.stop()


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path) -> dict[str, Any]:
    return {"dataset": str(challenge_2022), "buildings": "1,2,10", "window": (1000, 1200), "episode_steps": STEPS}


@pytest.mark.parametrize("engine", ["fast", "citylearn"])
@pytest.mark.parametrize("mapping", [shared, independent])
@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
def test_buildings_learn(env_config, algorithm, mapping, engine):
    policies = {mapping(f"Building_{n}") for n in (1, 2, 10)}
    config = small(algorithm).environment(CityLearnMultiAgentEnv, env_config={**env_config, "engine": engine})
    trained(config.multi_agent(policies=policies, policy_mapping_fn=mapping), policies)


@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
def test_one_policy_learns_in_communities_of_other_sizes_and_devices(env_config, ev_data, algorithm):
    communities = [{}, {"dataset": str(ev_data), "buildings": "1-2", "window": (100, 200)}]
    config = small(algorithm).environment(
        CityLearnMultiAgentEnv, env_config={**env_config, "padded": True, "communities": communities}
    )
    trained(config.multi_agent(policies={"home"}, policy_mapping_fn=shared), {"home"})


def test_one_agent_learns_for_the_community(env_config):
    trained(small("PPO").environment(CommunityGymEnv, env_config=env_config), {"default_policy"})
