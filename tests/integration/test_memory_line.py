"""A policy with memory from training to evaluation: trained, saved, exported, judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.evaluation import BundleSpec, evaluate
from rllib_citylearn.export import read_bundle
from rllib_citylearn.export.checkpoint import export_checkpoint, load_module, save_checkpoint

pytestmark = [pytest.mark.usefixtures("ray_session"), pytest.mark.slow]

BUILDINGS = ["Building_1", "Building_4"]


def test_a_policy_with_memory_goes_the_whole_line(challenge_2022: Path, tmp_path: Path) -> None:
    from rllib_citylearn.algorithm import CooperativeMADDPGConfig

    environment = {
        "dataset": str(challenge_2022),
        "buildings": BUILDINGS,
        "window": (0, 500),
        "episode_steps": 48,
        "random_start": True,
        "memory": True,
        "forecast_noise": 0.05,
    }
    training = {"warmup_steps": 20, "train_batch_size_per_learner": 16, "replay_capacity": 500, "critic_warmup_updates": 0}
    algorithm = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=environment)
        .env_runners(num_env_runners=0, rollout_fragment_length=25)
        .training(**training)
        .reporting(min_sample_timesteps_per_iteration=50)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4})
        .build_algo()
    )
    try:
        assert algorithm.train()["updates"] > 0
        replay = algorithm.replay
        assert np.ptp(replay.rows.observations[: len(replay), :, -28:], 0).min() > 0.0
        save_checkpoint(algorithm, tmp_path / "checkpoint", {"name": "remembering"})
    finally:
        algorithm.stop()
    bundle = export_checkpoint(tmp_path / "checkpoint", tmp_path / "bundle")
    community = load_module(tmp_path / "checkpoint").layout.community
    assert community is not None
    assert read_bundle(tmp_path / "bundle").manifest.community.memory == bundle.manifest.community.memory == community.memory
    (result,) = evaluate([BundleSpec(str(tmp_path / "bundle"))], challenge_2022, buildings=BUILDINGS, window=(0, 60))
    assert np.isfinite(result.trajectory.net_electricity_consumption_kwh).all()
