"""Which policy acts where: the one that learns explores, its average is validated, checkpointed and exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ray.rllib.core.columns import Columns

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.algorithm.held_out import HeldOutCommunity
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.validation import validate
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.export.bundle import open_model, read_bundle
from rllib_citylearn.export.checkpoint import export_checkpoint, load_module, save_checkpoint
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

TAU = 0.05


@pytest.fixture(scope="module")
def environment(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = short(challenge_2022, tmp_path_factory.mktemp("average"), ("Building_1", "Building_2"))
    return {"dataset": str(folder), "window": [700, 900], "memory": True, "episode_steps": 24}


@pytest.fixture(scope="module")
def algorithm(environment: dict[str, object]) -> Iterator[CooperativeMADDPG]:
    evaluation = CooperativeMADDPGConfig.overrides(explore=False, env_config={**environment, "starts": (705, 760)})
    config = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config={**environment, "random_start": True})
        .env_runners(num_env_runners=0, rollout_fragment_length=10)
        .evaluation(evaluation_config=evaluation, evaluation_num_env_runners=1, evaluation_interval=None)
        .training(
            warmup_steps=20,
            train_batch_size_per_learner=16,
            replay_capacity=500,
            critic_warmup_updates=0,
            policy_delay=1,
            updates_per_env_step=1.0,
            actor_lr=0.01,
            tau=TAU,
        )
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "average_policy": True, "noise_sigma": 0.0})
        .reporting(min_sample_timesteps_per_iteration=40)
        .debugging(seed=3)
    )
    built = config.build_algo()
    for _ in range(3):
        built.train()
    yield built
    built.stop()


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def test_the_one_that_learns_explores_and_its_average_acts(algorithm: CooperativeMADDPG) -> None:
    learning, runner = algorithm.learner_group._learner.community, algorithm.env_runner.module[COMMUNITY]
    observations = torch.rand(5, *runner.layout.observation_mask.shape) * 2 - 1
    with torch.no_grad():
        live, average = (policy(observations) * learning.action_mask for policy in (learning.policy, learning.target_policy))
    assert apart(live, average) > 1e-3, "they have to differ in this test"
    assert torch.equal(learning.act(observations), average)
    batch = {Columns.OBS: observations}
    assert apart(runner.forward_exploration(batch, t=0)[Columns.ACTIONS], live) < 1e-6
    assert apart(runner.forward_inference(batch)[Columns.ACTIONS], average) < 1e-6


def test_the_average_is_what_gradient_steps_leave(algorithm: CooperativeMADDPG) -> None:
    """Exponentially weighted, with the rate ``tau`` a step, over the policies that were."""
    learning = algorithm.learner_group._learner.community
    expected = {name: value.clone() for name, value in learning.target_policy.named_parameters()}
    for _ in range(4):
        algorithm._learn(1)
        for name, value in learning.policy.named_parameters():
            expected[name] = (1 - TAU) * expected[name] + TAU * value.detach()
    for name, value in learning.target_policy.named_parameters():
        assert apart(value, expected[name]) < 1e-6, name


def test_the_average_is_validated(algorithm: CooperativeMADDPG, environment: dict[str, object]) -> None:
    config = CommunityEnvConfig.from_dict({**environment, "starts": (705, 760)})
    community = HeldOutCommunity(config, algorithm, seed=0)
    learning = algorithm.learner_group._learner.community
    try:
        kpis = validate(algorithm, 2)
        assert kpis is not None
        assert community.validate(algorithm)["score"] == pytest.approx(kpis["score"], abs=1e-6)
        with torch.no_grad():  # the policy that learns is of no account here
            for parameter in learning.policy.parameters():
                parameter.add_(0.5)
        assert community.validate(algorithm)["score"] == pytest.approx(kpis["score"], abs=1e-6)
    finally:
        with torch.no_grad():
            for parameter in learning.policy.parameters():
                parameter.sub_(0.5)
        community.close()


def test_the_average_is_saved_and_exported(algorithm: CooperativeMADDPG, tmp_path: Path) -> None:
    learning = algorithm.learner_group._learner.community
    save_checkpoint(algorithm, tmp_path / "checkpoint", {"name": "average"})
    observations = torch.rand(5, *learning.layout.observation_mask.shape) * 2 - 1
    with torch.no_grad():
        average = learning.target_policy(observations)
    restored = load_module(tmp_path / "checkpoint")
    assert apart(restored.acting(observations), average) == 0.0
    bundle = export_checkpoint(tmp_path / "checkpoint", tmp_path / "bundle")
    (exported,) = open_model(bundle.models["policy"], "policy.onnx").run(["actions"], {"observations": observations.numpy()})
    assert apart(torch.from_numpy(exported), average) < 1e-5
    assert read_bundle(tmp_path / "bundle").models.keys() == bundle.models.keys()
