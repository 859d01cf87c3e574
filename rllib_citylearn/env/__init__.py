"""The CityLearn environment for RLlib and the feature table behind it.

Names are imported on first use, so that reading the feature table (as serving does) needs neither Ray nor CityLearn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.env.check import EnvironmentReport, check_env
    from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
    from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
    from rllib_citylearn.env.config import CommunityEnvConfig
    from rllib_citylearn.env.feature_table import Feature
    from rllib_citylearn.env.features import CommunityFeatures
    from rllib_citylearn.env.gym_env import CommunityGymEnv
    from rllib_citylearn.env.memory import Memory
    from rllib_citylearn.env.metrics import CommunityMetrics
    from rllib_citylearn.env.vector_env import CommunityVectorEnv

_HOME = {
    "CityLearnMultiAgentEnv": "rllib_citylearn.env.community_env",
    "CommunityEnvConfig": "rllib_citylearn.env.config",
    "CommunityFeatures": "rllib_citylearn.env.features",
    "CommunityMetrics": "rllib_citylearn.env.metrics",
    "CommunityGymEnv": "rllib_citylearn.env.gym_env",
    "CommunityVectorEnv": "rllib_citylearn.env.vector_env",
    "EnvironmentReport": "rllib_citylearn.env.check",
    "Feature": "rllib_citylearn.env.feature_table",
    "Memory": "rllib_citylearn.env.memory",
    "check_env": "rllib_citylearn.env.check",
    "community_features": "rllib_citylearn.env.citylearn_env",
    "make_citylearn_env": "rllib_citylearn.env.citylearn_env",
}

__all__ = [
    "CityLearnMultiAgentEnv",
    "CommunityEnvConfig",
    "CommunityFeatures",
    "CommunityGymEnv",
    "CommunityMetrics",
    "CommunityVectorEnv",
    "EnvironmentReport",
    "Feature",
    "Memory",
    "check_env",
    "community_features",
    "make_citylearn_env",
]

__getattr__ = lazy_names(__name__, _HOME)
