"""What ``bench learner`` measures: learners with what they learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.core.columns import Columns
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.names import BUILDING_REWARDS, COMMUNITY, DISCOUNT, DISTRICT_REWARD
from rllib_citylearn.algorithm.plain_maddpg import Arrays, PlainMADDPG
from rllib_citylearn.algorithm.replay import JointReplay
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.modules.layout import JointLayout

BATCH = 256
COLUMNS, ACTIONS = 68, 1
"""Of a home of the 2022 challenge with memory features."""
MODEL_COPIES, MODEL_HOURS = 16, 56

Update = Callable[[], Any]
"""One update, from arrays in numpy to moved targets."""


@dataclass(frozen=True)
class Case:
    """A learner to measure.

    Attributes:
        name: for people.
        buildings: number N of made-up rows.
        hidden: width of the layers.
        actors, coordinator: as in ``CommunityModuleConfig``.
        model_horizon: simulated hours; above 0 on the benchmark's data instead of made-up rows.
        plain: plain MADDPG instead, with as many batches in an update: one for all agents or, as published, one for each.
    """

    name: str
    buildings: int
    hidden: int
    actors: str = "shared"
    coordinator: str = "attention+mean-field"
    model_horizon: int = 0
    plain: int = 0


def config_of(case: Case, device: str, **env_config: Any) -> CooperativeMADDPGConfig:
    """The algorithm's config for a case; every second update is one of the policy, too, from the first one on."""
    config: CooperativeMADDPGConfig = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_envs_per_env_runner=MODEL_COPIES, rollout_fragment_length=MODEL_HOURS)
        .learners(num_learners=0, num_gpus_per_learner=int(device == "cuda"))
        .training(
            policy_delay=2,
            critic_warmup_updates=0,
            train_batch_size_per_learner=BATCH,
            model_horizon=case.model_horizon,
        )
        .rl_module(model_config={"hidden": case.hidden, "actors": case.actors, "coordinator": case.coordinator})
        .debugging(seed=0, log_level="ERROR")
    )
    return config


def made_up_rows(buildings: int, rows: int = BATCH, seed: int = 0) -> Arrays:
    """A joint batch of random numbers in the ranges of real ones."""
    random = np.random.default_rng(seed)

    def numbers(*shape: int) -> Any:
        return random.uniform(-1.0, 1.0, shape).astype(np.float32)

    return {
        Columns.OBS: numbers(rows, buildings, COLUMNS),
        Columns.NEXT_OBS: numbers(rows, buildings, COLUMNS),
        Columns.ACTIONS: numbers(rows, buildings, ACTIONS),
        BUILDING_REWARDS: numbers(rows, buildings),
        DISTRICT_REWARD: numbers(rows),
        DISCOUNT: np.full(rows, 0.98, np.float32),
    }


def update_of(case: Case, device: str, data: Path) -> tuple[Update, int]:
    """A case, ready to be measured, and its number of buildings.

    Args:
        case: what to make.
        device: ``cpu`` or ``cuda``.
        data: folder of the data set that is simulated on with ``model_horizon``, whose number of buildings counts then.
    """
    if case.plain:
        batches = [made_up_rows(case.buildings, seed=k) for k in range(case.plain)]
        for batch in batches:
            batch["rewards"] = batch[BUILDING_REWARDS]
        plain = PlainMADDPG(case.buildings, COLUMNS, ACTIONS, case.hidden, device)
        return lambda: plain.update(*batches), case.buildings
    if case.model_horizon:
        return _simulating(case, device, data)
    names = [f"Building_{k + 1}" for k in range(case.buildings)]
    spaces = tuple(
        gym.spaces.Dict({name: gym.spaces.Box(-1.0, 1.0, (size,), np.float32) for name in names})
        for size in (COLUMNS, ACTIONS)
    )
    learner = config_of(case, device).build_learner(spaces={COMMUNITY: spaces})
    return _update(learner, made_up_rows(case.buildings)), case.buildings


def _simulating(case: Case, device: str, data: Path) -> tuple[Update, int]:
    """With rows that a runner sampled, since their states have to be a community's."""
    config = config_of(
        case, device, dataset=str(data), engine="fast", memory=True, random_start=True, episode_steps=3 * MODEL_HOURS
    )
    runner = CommunityVectorRunner(config=config, worker_index=0, num_workers=0)
    spaces = runner.get_spaces()
    layout = JointLayout(*spaces[COMMUNITY])
    replay = JointReplay(10_000, layout, seed=0, states=runner.state_size)
    replay.add(runner.sample())
    runner.stop()
    learner = config.build_learner(spaces={COMMUNITY: spaces[COMMUNITY]})
    learner.standardise(replay.column_moments(), replay.value_moments(config.gamma))
    return _update(learner, replay.sample(BATCH, 1, config.gamma)), len(layout.agents)


def _update(learner: Any, batch: Arrays) -> Update:
    """As the algorithm calls it, with one minibatch."""

    def update() -> Any:
        return learner.update(
            batch=MultiAgentBatch({COMMUNITY: SampleBatch(batch)}, env_steps=BATCH),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: 0},
            num_epochs=1,
            minibatch_size=BATCH,
            shuffle_batch_per_epoch=False,
        )

    return update
