"""Which runner plays a config's environment."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.algorithm.connectors import joint_env_to_module, joint_module_to_env
from rllib_citylearn.algorithm.env_runner import CommunityEnvRunner
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import FAST, CommunityEnvConfig
from rllib_citylearn.env.lockstep import community_count, lockstep_fault


def runner_class(config: Any) -> type:
    """The vector runner where it can play the environment as the stock runner would, and the stock runner elsewhere.

    The vector runner plays ``CityLearnMultiAgentEnv`` itself (not classes derived from it) on the compiled engine, and
    knows no connectors but the joint ones.

    Args:
        config: an ``AlgorithmConfig``.

    Raises:
        ConfigError: the vector runner has fewer copies than there are communities.
    """
    from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner

    if config.env is not CityLearnMultiAgentEnv:
        return CommunityEnvRunner
    connectors = (config._env_to_module_connector, config._module_to_env_connector)
    env_config = CommunityEnvConfig.from_dict(config.env_config)
    if env_config.engine != FAST or lockstep_fault(env_config) or connectors != (joint_env_to_module, joint_module_to_env):
        return CommunityEnvRunner
    community_count(env_config, config.num_envs_per_env_runner)
    return CommunityVectorRunner
