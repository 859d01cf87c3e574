"""A small made-up community and networks for it, for tests of the modules."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.spaces import FeatureBox
from rllib_citylearn.modules.community_module import CommunityRLModule
from rllib_citylearn.modules.layout import JointLayout

N = 5


def community(n: int = N) -> CommunityFeatures:
    return CommunityFeatures(
        [
            AgentFeatures(
                name=f"Building_{k + 1}",
                features=("hour", "non_shiftable_load", "solar_generation", "electrical_storage_soc"),
                descriptors={"electrical_storage_nominal_power": 1.0 + k, "electrical_storage_capacity": 6.0},
                actions=("electrical_storage",),
                action_low=(-1.0,),
                action_high=(1.0,),
            )
            for k in range(n)
        ]
    )


def with_chargers(*discharging_kw: float) -> CommunityFeatures:
    """A building for each charger; those with a discharging power of zero only charge."""
    features = (
        "charger_1_connected_state",
        "connected_at_charger_1_soc",
        "connected_at_charger_1_required_soc_departure",
        "connected_at_charger_1_departure_time",
        "connected_at_charger_1_battery_capacity",
    )
    return CommunityFeatures(
        [
            AgentFeatures(
                f"Building_{n}",
                features,
                {"charger_1_max_charging_power": 10.0, "charger_1_max_discharging_power": power},
                ("electric_vehicle_storage_1",),
                (-1.0 if power else 0.0,),
                (1.0,),
            )
            for n, power in enumerate(discharging_kw)
        ]
    )


def spaces(features: CommunityFeatures) -> tuple[gym.spaces.Dict, gym.spaces.Dict]:
    """Observation and action spaces of a community."""
    return (
        gym.spaces.Dict({agent.name: FeatureBox(features, i) for i, agent in enumerate(features.agents)}),
        gym.spaces.Dict(
            {
                agent.name: gym.spaces.Box(np.array(agent.action_low, np.float32), np.array(agent.action_high, np.float32))
                for agent in features.agents
            }
        ),
    )


def layout(features: CommunityFeatures | int = N) -> JointLayout:
    return JointLayout(*spaces(community(features) if isinstance(features, int) else features))


def module(n: int = N, *, inference_only: bool = True, **model_config: Any) -> CommunityRLModule:
    observation_space, action_space = spaces(community(n))
    return CommunityRLModule(
        observation_space=observation_space,
        action_space=action_space,
        model_config=model_config,
        inference_only=inference_only,
    )


def trained_like(network: Any) -> Any:
    """Weights as large as training makes them; fresh ones hardly leave the rule."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network
