"""Learning from batches of several communities: padding has no influence, neither on losses nor on gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.demonstrations import demonstrations
from rllib_citylearn.algorithm.expansion import ValueExpansion
from rllib_citylearn.algorithm.learner import CooperativeMADDPGLearner
from rllib_citylearn.algorithm.names import ACTION_MASK, BUILDING_REWARDS, COMMUNITY, COMMUNITY_INDEX, PRESENT, STATES
from rllib_citylearn.algorithm.replay import JointReplay
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.modules.layout import JointLayout
from tests.small_data import short

HORIZON = 6
SIZES = (3, 5)

Batch = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def configured(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> CooperativeMADDPGConfig:
    names = tuple(f"Building_{k}" for k in range(1, 9))
    env_config = {
        "dataset": str(short(challenge_2022, tmp_path_factory.mktemp("homes"), names)),
        "window": (700, 760),
        "episode_steps": 12,
        "random_start": True,
        "random_initial_soc": True,
        "memory": True,
        "padded": True,
        "communities": [{"buildings": "1-3"}, {"buildings": "4-8"}],
    }
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=12)
        .training(
            model_horizon=HORIZON,
            critic_warmup_updates=0,
            target_noise=0.0,
            demonstrations=["net-zero"],
            train_batch_size_per_learner=32,
            model_batch_size=16,
        )
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4, "heads": 2, "hint_dropout": 0.0})
        .debugging(seed=3)
    )


@pytest.fixture(scope="module")
def runner(configured: CooperativeMADDPGConfig) -> CommunityVectorRunner:
    return CommunityVectorRunner(config=configured, worker_index=0, num_workers=0)


@pytest.fixture(scope="module")
def replay(runner: CommunityVectorRunner, configured: CooperativeMADDPGConfig) -> JointReplay:
    layout = JointLayout(*runner.get_spaces()[COMMUNITY])
    tables = layout.communities
    replay = JointReplay(
        2000,
        layout,
        seed=1,
        states=runner.state_size,
        action_masks=[table.action_mask for table in tables],
        observation_masks=[table.observation_mask for table in tables],
    )
    replay.add_demonstrations(demonstrations(configured))
    replay.add(runner.sample(num_timesteps=96, explore=True, random_actions=True))
    return replay


@pytest.fixture(scope="module")
def learner(runner: CommunityVectorRunner, configured: CooperativeMADDPGConfig) -> CooperativeMADDPGLearner:
    """Its networks are not at the rule any more, so that everything has a gradient."""
    built = configured.build_learner(spaces=runner.get_spaces())
    built.build()
    torch.manual_seed(0)
    for parameter in built.community.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built


@pytest.fixture
def batch(replay: JointReplay) -> Batch:
    return {name: torch.from_numpy(values) for name, values in replay.sample(32, 2, 0.98, demonstration_share=0.25).items()}


def losses(learner: CooperativeMADDPGLearner, batch: Batch, horizon: int) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a batch and its gradients, with the same random numbers every time."""
    learner._random.manual_seed(5)
    expansion, learner._expansion = learner._expansion, learner._expansion if horizon else None
    module = learner.community
    module.zero_grad()
    loss = learner.compute_loss_for_module(module_id=COMMUNITY, config=learner.config, batch=batch, fwd_out={})
    loss.backward()
    learner._expansion = expansion
    return float(loss.detach()), {
        name: parameter.grad.clone() for name, parameter in module.named_parameters() if parameter.grad is not None
    }


@pytest.mark.parametrize("horizon", [0, HORIZON])
def test_gradients_are_finite_and_reach_policy_and_critics(learner, batch, horizon):
    loss, gradients = losses(learner, batch, horizon)
    assert np.isfinite(loss)
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    for part in ("policy.actor", "policy.coordinator", "critics.0", "critics.1"):
        assert any(g.abs().max() > 1e-6 for name, g in gradients.items() if name.startswith(part)), part


@pytest.mark.parametrize("horizon", [0, HORIZON])
@pytest.mark.parametrize("first", [0, 1])
def test_a_building_that_is_absent_has_no_influence(learner, batch, horizon, first):
    """Whatever stands in its place, and whichever community is simulated on, the one with absent buildings or the other."""
    order = torch.argsort((batch[COMMUNITY_INDEX] != first).int(), stable=True)
    batch = {name: values[order] for name, values in batch.items()}
    spoilt = {name: values.clone() for name, values in batch.items()}
    absent = ~batch[PRESENT]
    assert absent.any()
    for name in ("obs", "new_obs", "actions", BUILDING_REWARDS):
        spoilt[name][absent] = 0.7
    size = learner._expansion._simulated[0].rows.size
    spoilt[STATES][batch[COMMUNITY_INDEX] == 0, size:] = 9.0
    (loss, gradients), (other, others) = (losses(learner, one, horizon) for one in (batch, spoilt))
    assert loss == pytest.approx(other, abs=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], rtol=1e-5, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("horizon", [0, HORIZON])
def test_padded_rows_teach_what_rows_of_their_own_community_do(learner, batch, horizon):
    """Three buildings in five places, beside the same rows with three places and no masks for who is there."""
    rows = batch[COMMUNITY_INDEX] == 0
    padded = {name: values[rows] for name, values in batch.items()}
    alone = {name: values for name, values in padded.items() if name != PRESENT}
    for name in ("obs", "new_obs", "actions", BUILDING_REWARDS, ACTION_MASK):
        alone[name] = alone[name][:, : SIZES[0]]
    (loss, gradients), (other, others) = (losses(learner, one, horizon) for one in (padded, alone))
    assert loss == pytest.approx(other, rel=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], rtol=1e-4, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("first", [0, 1])
def test_each_community_is_simulated_with_its_own_buildings(learner, batch, configured, first):
    rows = batch[COMMUNITY_INDEX] == first
    one = {name: values[rows] for name, values in batch.items()}
    random = torch.Generator().manual_seed(0)
    expansion = learner._expansion(learner.community, one, 1.0, random)
    starts = len(expansion.objective)
    assert expansion.observations.shape[:2] == (HORIZON * starts, SIZES[first])
    assert expansion.returns.building.shape == (HORIZON * starts, SIZES[first])
    part = {**configured.env_config, **configured.env_config["communities"][first], "communities": None, "padded": False}
    table = learner.community.layout.communities[first]
    plain = CommunityEnvConfig.from_dict({**part, "ranges": table.ranges})
    alone = ValueExpansion(plain, hours=HORIZON, starts=16, gamma=configured.gamma, device=torch.device("cpu"))
    own = {**one, "obs": one["obs"][:, : SIZES[first]]}
    own[STATES] = own[STATES][:, : alone._simulated[0].rows.size]
    own.pop(COMMUNITY_INDEX)
    expected = alone(learner.community, own, 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(expansion.objective, expected.objective)


def test_columns_are_standardised_over_the_buildings_that_have_them(replay):
    mean, _ = replay.column_moments()
    rows = np.flatnonzero(replay.rows.startable)
    seen = np.concatenate(
        [replay.rows.observations[row, : SIZES[replay.rows.community[row]]] for row in rows]
    )  # all homes have the same columns
    np.testing.assert_allclose(mean, seen.mean(0), atol=1e-5)


def test_values_are_scaled_over_the_buildings_that_are_there(replay):
    mean, _ = replay.value_moments(0.9)
    rows = np.flatnonzero(replay.rows.startable)
    own = np.concatenate([replay.rows.building_rewards[row, : SIZES[replay.rows.community[row]]] for row in rows])
    assert own.mean() != pytest.approx(replay.rows.building_rewards[rows].mean(), rel=0.05), "rows of zeros have to matter"
    assert not replay.rows.terminated.any()
    np.testing.assert_allclose(mean[0], own.mean() / 0.1, rtol=1e-3)
