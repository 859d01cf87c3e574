"""RLlib's algorithms, configured for one policy that all buildings share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig

HOME = "home"
"""Id of the one policy."""

_ITERATION_S = 2.0
"""Seconds that a round of training takes at least, where RLlib decides; the clock is looked at between two."""


def shared_policy_config(settings: Mapping[str, Any], env: CommunityEnvConfig, seed: int) -> AlgorithmConfig:
    """The RLlib config of a baseline's settings.

    Args:
        settings: ``algorithm`` (``PPO`` or ``SAC``), ``model`` (keys of ``DefaultModelConfig``), ``copies`` of the community
            that are stepped in turn, ``hours`` that each plays between two rounds of learning, and ``training``, arguments
            of the config's method of that name.
        env: the environment, padded.
        seed: of networks, exploration and order of learning.
    """
    config = _CONFIGS[settings["algorithm"]]()
    return (
        config.environment(CityLearnMultiAgentEnv, env_config=asdict(env))
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=settings["copies"],
            rollout_fragment_length=settings["hours"],
        )
        .multi_agent(policies={HOME}, policy_mapping_fn=same_policy)
        .rl_module(model_config=DefaultModelConfig(**settings["model"]))
        .training(**settings["training"])
        .debugging(seed=seed, log_level="ERROR")
    )


def same_policy(agent_id: str, episode: Any = None, **kwargs: Any) -> str:
    """Whoever asks gets the one policy. A module-level function, because episodes carry it."""
    return HOME


def _sac() -> AlgorithmConfig:
    return SACConfig().reporting(min_time_s_per_iteration=_ITERATION_S, min_sample_timesteps_per_iteration=0)


_CONFIGS: Mapping[str, Callable[[], AlgorithmConfig]] = {"PPO": PPOConfig, "SAC": _sac}
