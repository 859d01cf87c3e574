"""A community of a hundred buildings is ready within the time that was promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.env import CityLearnMultiAgentEnv

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "build_community.py"


@pytest.mark.slow
def test_a_hundred_buildings_are_built_in_time() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK)], capture_output=True, text=True, check=True, timeout=300)
    result = json.loads(done.stdout)
    assert (result["buildings"], result["days"]) == (100, 365)
    assert result["vector_env_s"] <= 20.0
    assert result["community_steps_per_s"] > 1000


@pytest.mark.slow
def test_a_hundred_buildings_train(tmp_path: Path, ray_session: None) -> None:
    """Samples come in and the networks move: one policy, one critic, a hundred unlike homes."""
    folder = make_community(SyntheticSpec(buildings=100, days=21, seed=1, vehicle_share=0.3), tmp_path / "hundred")
    config = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config={"dataset": str(folder), "episode_steps": 24, "random_start": True})
        .env_runners(num_env_runners=0, rollout_fragment_length=12)
        .training(train_batch_size_per_learner=8, warmup_steps=12, critic_warmup_updates=0, policy_delay=1)
        .reporting(min_sample_timesteps_per_iteration=24)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    try:
        before = _weights(algorithm)
        result = algorithm.train()
        after = _weights(algorithm)
    finally:
        algorithm.stop()
    assert len(algorithm.env_runner.env.agents) == 100
    assert result["env_steps"] >= 24
    assert result["updates"] > 0
    assert np.isfinite(result["team_return"])
    for part in ("policy.actor", "policy.coordinator", "critics"):
        moved = [name for name, value in after.items() if name.startswith(part) and not np.array_equal(value, before[name])]
        assert moved, f"no weight of {part} moved"
    assert all(np.isfinite(value).all() for value in after.values())


def _weights(algorithm: Any) -> dict[str, Any]:
    """Copies of the learner's weights by name."""
    state = algorithm.learner_group.get_weights()["community"]
    return {name: np.array(value) for name, value in state.items()}
