"""Demonstrations: what stands in them is what a runner would sample, and what the controller did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.algorithm.demonstrations import demonstrate
from rllib_citylearn.env.building import Site, build_citylearn
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.specs import spec_for


def config(data: Path, **keys) -> CommunityEnvConfig:
    return CommunityEnvConfig(dataset=str(data), **{"window": (40, 140), "buildings": "1-3", "memory": True, **keys})


def net_kwh(vector: CommunityVectorEnv, actions: np.ndarray) -> np.ndarray:
    rows = []
    for hour in actions:
        vector.step(hour)
        rows.append(vector.engine.net_kwh[0].copy())
    return np.array(rows)


def test_played_once_more_the_actions_give_the_same(challenge_2022):
    # Of episodes, nothing that the config says counts: the window is played from end to end.
    of_run = config(challenge_2022, episode_steps=24, random_start=True, random_initial_soc=True)
    found = demonstrate("net-zero", of_run, community=2)
    assert (found.community, len(found), found.states.shape) == (2, 99, (99, 1, 0))
    assert not found.terminated.any()
    assert np.abs(found.actions).max() <= 1.0
    assert found.actions.std() > 0.05
    # Other copies in the same environment must not matter, nor whether somebody steps it.
    vector = CommunityVectorEnv(config(challenge_2022), 2)
    observations = vector.reset(starts=[40, 40], seed=5)
    for hour in range(99):
        assert np.array_equal(observations[1], found.observations[hour, 0])
        step = vector.step(np.concatenate([np.zeros_like(found.actions[hour]), found.actions[hour]]))
        assert np.array_equal(step.rewards.building[1].astype(np.float32), found.building_rewards[hour, 0])
        assert np.float32(step.rewards.district[1]) == found.district_reward[hour, 0]
        observations = step.observations
    assert np.array_equal(observations[1], found.observations[-1, 0])


def test_what_is_played_is_what_the_controller_did(ev_data):
    of_run = config(ev_data, window=(0, 100), buildings="1,2,4")
    found = demonstrate("bau", of_run)
    env, _ = build_citylearn(of_run, Site.of(of_run))
    env.reset()
    played = rollout(spec_for("bau").make(), env).net_electricity_consumption_kwh
    vector = CommunityVectorEnv(of_run)
    vector.reset(seed=0)
    assert np.abs(net_kwh(vector, found.actions) - played[: len(found)]).max() < 1e-4
    vector.reset(seed=0)
    idle = vector.features.encode_actions(np.zeros(vector.features.action_mask.shape))
    assert np.abs(net_kwh(vector, np.broadcast_to(idle, found.actions.shape)) - played[: len(found)]).max() > 0.5


def test_both_engines_demonstrate_the_same(challenge_2022):
    of_run = config(challenge_2022, window=(40, 80))
    fast, slow = demonstrate("bau", of_run), demonstrate("bau", replace(of_run, engine="citylearn"))
    assert np.allclose(fast.observations, slow.observations, atol=1e-6)
    assert np.allclose(fast.actions, slow.actions, atol=1e-6)
    assert np.allclose(fast.building_rewards, slow.building_rewards, atol=1e-5)


def test_states_are_those_before_the_hour_and_a_scaled_community_is_the_runners(challenge_2022):
    def clock(vector: CommunityVectorEnv) -> np.ndarray:
        return vector.engine.community.clock[:, None].astype(np.float32)

    of_run = config(challenge_2022, load_scaling=(0.5, 2.0))
    found, other = (demonstrate("net-zero", of_run, instance=(0, k), states=clock) for k in (0, 1))
    assert np.array_equal(found.states[:, 0, 0], np.arange(99))
    vector = CommunityVectorEnv(of_run, instance=(0, 0))
    assert np.array_equal(vector.reset()[0], found.observations[0, 0])
    assert not np.array_equal(found.observations, other.observations)


def test_controllers_that_leave_devices_to_thermostats_are_no_demonstrations(shared_datasets):
    of_run = config(shared_datasets / "citylearn_challenge_2023_phase_1", window=(0, 48), buildings="1", memory=False)
    with pytest.raises(ConfigError, match="it leaves cooling_device of Building_1 alone"):
        demonstrate("net-zero", of_run)
    with pytest.raises(ConfigError, match="Did you mean 'net-zero'"):
        demonstrate("net-zeo", of_run)
