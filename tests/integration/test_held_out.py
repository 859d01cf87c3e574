"""Validation on held-out buildings, against CityLearn itself played by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.algorithm.held_out import HeldOutCommunity
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.metrics import INFO_KPIS
from rllib_citylearn.modules.layout import JointLayout
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

STARTS = (705, 760)


@pytest.fixture(scope="module")
def preset(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Preset:
    folder = short(challenge_2022, tmp_path_factory.mktemp("held"), ("Building_1", "Building_2", "Building_4"))
    environment = {"dataset": str(folder), "held_out": ["Building_2", "Building_4"], "window": [700, 900]}
    return Preset.from_dict(
        {
            "name": "x",
            "environment": {**environment, "episode_steps": 24, "random_start": True, "memory": True},
            "model": {"hidden": 16, "hint_size": 4, "coordinator_width": 8, "rule": "level"},
            "validation": {"starts": list(STARTS), "episode_steps": 12},
        }
    )


@pytest.fixture(scope="module")
def algorithm(preset: Preset) -> Iterator[CooperativeMADDPG]:
    config = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=asdict(preset.environment))
        .env_runners(num_env_runners=0, rollout_fragment_length=10)
        .training(warmup_steps=20, train_batch_size_per_learner=16, replay_capacity=500, critic_warmup_updates=0)
        .rl_module(model_config=asdict(preset.model))
        .debugging(seed=3)
    )
    built = config.build_algo()
    with torch.no_grad():  # far from its rule, so that every number it sees matters
        for parameter in built.learner_group._learner.community.policy.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    yield built
    built.stop()


def by_hand(config: dict[str, Any], module: Any, start: int) -> dict[str, float]:
    """KPIs of an episode that is played with dictionaries, on CityLearn itself."""
    env = CityLearnMultiAgentEnv({**config, "starts": (start,), "engine": "citylearn"})
    layout = JointLayout(gym.spaces.Dict(env.observation_spaces), gym.spaces.Dict(env.action_spaces))
    seen, _ = env.reset(seed=0)
    while True:
        joint = np.zeros((1, *layout.observation_mask.shape), np.float32)
        for row, agent in enumerate(layout.agents):
            layout.place_observation(agent, row, seen[agent], joint[0])
        with torch.no_grad():
            acted = module.act(torch.from_numpy(joint), action_mask=torch.from_numpy(layout.action_mask).float())[0].numpy()
        native = layout.unsquash(acted)
        actions = {agent: layout.take_action(agent, row, native) for row, agent in enumerate(layout.agents)}
        seen, _, _, truncated, infos = env.step(actions)
        if truncated["__all__"]:
            kpis: dict[str, float] = infos[layout.agents[0]][INFO_KPIS]
            return kpis


def test_other_buildings_are_played_as_citylearn_plays_them(preset: Preset, algorithm: CooperativeMADDPG) -> None:
    config = preset.held_out_stretches()
    assert config is not None
    held_out = HeldOutCommunity(config, algorithm, seed=0)
    assert [agent.name for agent in held_out.features.agents] == ["Building_2", "Building_4"]
    assert algorithm.spaces[COMMUNITY][0].spaces.keys() == {"Building_1"}
    kpis = held_out.validate(algorithm)
    assert held_out.validate(algorithm) == kpis, "every validation plays the same"
    module = algorithm.learner_group._learner.community
    episodes = [by_hand(asdict(config), module, start) for start in STARTS]
    for name in ("score", "cost", "carbon", "ramping"):
        assert kpis[name] == pytest.approx(np.mean([episode[name] for episode in episodes]), abs=1e-4), name
    assert kpis["objective"] == kpis["score"]
    held_out.close()


def test_it_is_the_current_policy_that_is_played(preset: Preset, algorithm: CooperativeMADDPG) -> None:
    config = preset.held_out_stretches()
    assert config is not None
    held_out = HeldOutCommunity(config, algorithm, seed=0)
    before = held_out.validate(algorithm)
    policy = algorithm.learner_group._learner.community.policy
    kept = {name: value.clone() for name, value in policy.state_dict().items()}
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(-1.0)
    assert held_out.validate(algorithm)["score"] != pytest.approx(before["score"], abs=1e-4)
    policy.load_state_dict(kept)
    assert held_out.validate(algorithm) == before
    held_out.close()
