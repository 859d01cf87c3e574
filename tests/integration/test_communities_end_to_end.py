"""From training over several communities to the policy on buildings that none of them had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.validation import validate
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.evaluation import BundleSpec, rollout
from rllib_citylearn.export import export_checkpoint, read_bundle
from rllib_citylearn.export.checkpoint import save_checkpoint
from tests.small_data import short

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_session")]  # exports to ONNX take half a minute

NAMES = tuple(f"Building_{k}" for k in range(1, 7))
HELD_OUT = NAMES[4:]


@pytest.fixture(scope="module")
def homes(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short(challenge_2022, tmp_path_factory.mktemp("homes"), NAMES)


@pytest.fixture(scope="module")
def trained(homes: Path) -> Any:
    env_config = {
        "dataset": str(homes),
        "held_out": None,
        "window": (700, 900),
        "episode_steps": 12,
        "starts": (700, 760),
        "padded": True,
        "communities": [{"buildings": "1"}, {"buildings": "2-4"}],
    }
    config = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=12)
        .training(
            model_horizon=4,
            replay="prioritised",
            demonstrations=["net-zero"],
            warmup_steps=48,
            updates_per_env_step=0.1,
            critic_warmup_updates=0,
            train_batch_size_per_learner=16,
            model_batch_size=8,
            replay_capacity=2000,
        )
        .reporting(min_sample_timesteps_per_iteration=96)
        .evaluation(evaluation_num_env_runners=1, evaluation_config={"explore": False})
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4, "reach": 1.0})
        .debugging(seed=3)
    )
    algorithm = config.build_algo()
    result = algorithm.train()
    yield algorithm, result
    algorithm.stop()


def module_of(algorithm: CooperativeMADDPG) -> Any:
    return algorithm.learner_group._learner.community


def test_results_have_the_score_of_every_community(trained):
    algorithm, result = trained
    kpis = result["env_runners"]["kpis"]
    assert result["updates"] > 0
    assert result["score"] == pytest.approx((kpis["score_0"] + kpis["score_1"]) / 2)
    assert np.isfinite(result["team_return"])
    assert np.isfinite(validate(algorithm, 4)["score"])
    assert np.isfinite(algorithm.evaluate()["env_runners"]["kpis"]["score_1"])


def test_a_restored_run_has_the_same_weights_and_rows(trained, tmp_path):
    algorithm, _ = trained
    path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
    restored = CooperativeMADDPG.from_checkpoint(path)
    try:
        for name, value in module_of(algorithm).state_dict().items():
            assert torch.equal(value, module_of(restored).state_dict()[name]), name
        assert np.array_equal(restored.replay.rows.community, algorithm.replay.rows.community)
        assert np.array_equal(restored.replay.rows.observations, algorithm.replay.rows.observations)
        assert restored.train()["updates"] > 0
    finally:
        restored.stop()


def test_the_exported_policy_acts_on_buildings_that_no_community_had(trained, homes, tmp_path):
    algorithm, _ = trained
    save_checkpoint(algorithm, tmp_path / "checkpoint", {"name": "several"})
    export_checkpoint(tmp_path / "checkpoint", tmp_path / "bundle")
    manifest = read_bundle(tmp_path / "bundle").manifest
    module = module_of(algorithm)
    assert [agent.name for agent in manifest.community.agents] == ["Building_1"], "the first community"
    assert manifest.community.columns == module.layout.communities[0].columns
    env = make_citylearn_env(homes, buildings=HELD_OUT, window=(700, 730))
    acted = rollout(BundleSpec(str(tmp_path / "bundle")).make(), env).actions["electrical_storage"]
    assert acted.shape == (30, 2)
    here = community_features(env, manifest.community.ranges)
    assert here.columns == manifest.community.columns, "homes have the same columns"
    observations, _ = make_citylearn_env(homes, buildings=HELD_OUT, window=(700, 730)).reset()
    with torch.no_grad():
        joint = module.policy.cpu()(torch.from_numpy(here.encode(observations))[None])[0].numpy()
    expected = here.decode_actions(joint)
    np.testing.assert_allclose(acted[0], [row[0] for row in expected], atol=1e-5)
    assert algorithm.get_module(COMMUNITY).layout.communities[1].agents[0].name == "Building_2"
