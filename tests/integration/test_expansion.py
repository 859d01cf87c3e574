"""Value expansion: what is simulated is what happens, and gradients go where they should."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig, expansion
from rllib_citylearn.algorithm.expansion import ValueExpansion
from rllib_citylearn.algorithm.learner import CooperativeMADDPGLearner
from rllib_citylearn.algorithm.losses import Value
from rllib_citylearn.algorithm.names import COMMUNITY_INDEX
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.forecast_noise import forecast_columns
from rllib_citylearn.errors import ConfigError, EngineError
from rllib_citylearn.modules.foresight import Foresight
from tests.appliance_data import with_appliances
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

HOURS = 6


@pytest.fixture(scope="module")
def homes(shared_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three homes and three hundred hours."""
    source = shared_datasets / "citylearn_challenge_2022_phase_all"
    return short(source, tmp_path_factory.mktemp("homes"), ("Building_1", "Building_4", "Building_7"), 301)


@pytest.fixture(scope="module")
def appliances(shared_datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three homes, of which two have deferrable appliances, and three hundred hours."""
    source = shared_datasets / "citylearn_challenge_2022_phase_all"
    homes = short(source, tmp_path_factory.mktemp("owners"), ("Building_2", "Building_4", "Building_5"), 301)
    return with_appliances(homes, tmp_path_factory.mktemp("appliances"), 300)


def environment(data: Path, **keys: object) -> CommunityEnvConfig:
    return CommunityEnvConfig.from_dict(
        {
            "dataset": str(data),
            "episode_steps": 48,
            "random_start": True,
            "memory": True,
            **keys,
        }
    )


def config(env: CommunityEnvConfig, **training: object) -> CooperativeMADDPGConfig:
    settings = {
        "model_horizon": HOURS,
        "model_batch_size": 8,
        "train_batch_size_per_learner": 16,
        "warmup_steps": 32,
        "updates_per_env_step": 0.125,
        "critic_warmup_updates": 0,
        "policy_delay": 1,
        "replay_capacity": 1000,
        **training,
    }
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=asdict(env))
        .env_runners(num_env_runners=0, num_envs_per_env_runner=4, rollout_fragment_length=8)
        .training(**settings)
        .reporting(min_sample_timesteps_per_iteration=32)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4, "hint_dropout": 0.0})
        .debugging(seed=5)
    )


@pytest.fixture(scope="module")
def algorithm(ray_session, homes: Path):
    made = config(environment(homes)).build_algo()
    made.train()
    yield made
    made.stop()


def learner_of(algorithm: CooperativeMADDPG) -> CooperativeMADDPGLearner:
    return algorithm.learner_group._learner


def tensors(algorithm: CooperativeMADDPG, rows: int) -> dict[str, torch.Tensor]:
    batch = algorithm.replay.sample(rows, 1, algorithm.config.gamma)
    return {name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in batch.items()}


@pytest.fixture(scope="module")
def cooled(ray_session, shared_datasets: Path):
    """Of homes whose indoor temperatures depend on what their heat pumps do."""
    data = shared_datasets / "citylearn_challenge_2023_phase_1"
    made = config(environment(data, window=(0, 150))).build_algo()
    made.train()
    yield made
    made.stop()


@pytest.mark.parametrize("which", ["algorithm", "cooled"])
def test_the_objective_is_what_the_compiled_engine_pays_for_the_same_policy(request, which):
    algorithm = request.getfixturevalue(which)
    learner = learner_of(algorithm)
    module, gamma = learner.community, algorithm.config.gamma
    runner = algorithm.env_runner
    (vector,) = runner.env.vectors
    vector.reset(seed=1)
    random = np.random.default_rng(2)
    for _ in range(20):
        observed = vector.step(random.uniform(-1, 1, (4, *vector.features.action_mask.shape))).observations
    (rows,) = runner._state_rows
    batch = {"states": torch.from_numpy(rows.pack(vector)), "obs": torch.from_numpy(observed.copy())}
    expanded = learner._expansion(module, batch, 1.0, torch.Generator().manual_seed(0))
    paid = np.zeros(4)
    with torch.no_grad():
        for h in range(HOURS):
            step = vector.step(module.act(torch.from_numpy(observed.copy())).numpy())
            observed = step.observations
            paid += gamma**h * step.rewards.team
        last = torch.from_numpy(observed.copy())
        values = [b.mean(-1) + d for b, d in (critic(last, module.act(last)) for critic in module.target_critics)]
    expected = paid + gamma**HOURS * torch.minimum(*values).numpy()
    np.testing.assert_allclose(expanded.objective.detach().numpy(), expected, atol=2e-4)
    # The first hours' returns are the objective, in parts.
    first = expanded.returns.building[:4].mean(-1) + expanded.returns.district[:4]
    np.testing.assert_allclose(first.numpy(), expected, atol=2e-4)
    runner._needs_initial_reset = True


def test_simulated_hours_keep_their_digits_where_networks_compute_with_half_of_them(algorithm, monkeypatch):
    learner = learner_of(algorithm)
    monkeypatch.setattr(Foresight, "actions", lambda self, hour, values, kept: values[..., :1] * 0.0 + 0.5)
    nothing = Value(torch.zeros(8, 3), torch.zeros(8))
    monkeypatch.setattr(expansion, "smaller_value", lambda critics, observations, actions: nothing)
    batch = tensors(algorithm, 64)
    exact = learner._expansion(learner.community, batch, 1.0, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = learner._expansion(learner.community, batch, 1.0, torch.Generator().manual_seed(0))
    assert len(exact.objective) == 8
    assert torch.equal(half.objective, exact.objective)
    assert torch.equal(half.returns.district, exact.returns.district)


def test_forecasts_alone_are_wrong_in_later_simulated_hours(algorithm, homes):
    learner = learner_of(algorithm)
    batch = tensors(algorithm, 16)

    def simulated(noise: float) -> torch.Tensor:
        expand = ValueExpansion(
            environment(homes, forecast_noise=noise), hours=HOURS, starts=8, gamma=0.9, device=torch.device("cpu")
        )
        expanded = expand(learner.community, batch, 1.0, torch.Generator().manual_seed(0))
        return expanded.observations.unflatten(0, (HOURS, 8))

    exact, wrong = simulated(0.0), simulated(0.05)
    features = algorithm.env_runner.env.vectors[0].features
    forecasts = torch.from_numpy(forecast_columns(features))
    assert torch.equal(exact[0], wrong[0]), "the first hour was played"
    errors = (wrong - exact).index_select(-1, forecasts)
    assert (errors[1:].abs().amax((1, 2)) > 0.01).all(), "every forecast in every later hour"
    # What changes with the control may differ, since the policy acts on what it sees.
    states = learner._expansion._simulated[0].community.changing
    kept = [d for d in range(exact.shape[-1]) if d not in {*forecasts.tolist(), *states.tolist()}]
    assert torch.equal(exact[..., kept], wrong[..., kept])


def test_gradients_reach_the_policy_and_nothing_else(algorithm):
    learner = learner_of(algorithm)
    module = learner.community
    module.zero_grad()
    expanded = learner._expansion(module, tensors(algorithm, 16), 1.0, torch.Generator().manual_seed(0))
    expanded.objective.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.policy.parameters())
    assert any(p.grad.abs().max() > 0 for p in module.policy.coordinator.parameters())
    others = [module.critics, module.target_critics, module.target_policy]
    assert all(p.grad is None or not p.grad.any() for network in others for p in network.parameters())
    assert not expanded.returns.building.requires_grad
    assert not expanded.observations.requires_grad


def test_the_gradient_is_the_slope_of_the_objective(algorithm):
    """Along a direction in the space of weights, by finite differences."""
    learner = learner_of(algorithm)
    module = learner.community
    batch = tensors(algorithm, 8)

    def objective() -> torch.Tensor:
        return learner._expansion(module, batch, 1.0, torch.Generator().manual_seed(0)).objective.sum()

    bias = module.policy.actor.entrance.parts[1].bias
    untouched = bias.detach().clone()
    before = untouched + 0.15  # the rule that the policy starts from puts net loads onto a kink of the reward
    with torch.no_grad():
        bias.copy_(before)
    module.zero_grad()
    objective().backward()
    slope = float(bias.grad.sum())
    size = 3e-3
    sides = []
    with torch.no_grad():
        for sign in (1, -1):
            bias.copy_(before + sign * size)
            sides.append(float(objective()))
        bias.copy_(untouched)
    assert slope == pytest.approx((sides[0] - sides[1]) / (2 * size), rel=0.05, abs=0.02)
    assert abs(slope) > 0.1


def test_a_state_without_all_columns_is_refused(algorithm):
    simulated = learner_of(algorithm)._expansion._simulated[0]
    community = simulated.community
    end, _ = community.rollout(community.start([5, 6]), lambda seen, state: torch.zeros(2, 3, 1), 2, partly=True)
    for use in (lambda: community.foreseen(end, 2), lambda: community.step(end, torch.zeros(2, 3, 1))):
        with pytest.raises(EngineError, match="partly=True"):
            use()


def test_rows_without_data_ahead_are_not_simulated_from(algorithm):
    learner = learner_of(algorithm)
    batch = tensors(algorithm, 16)
    batch["states"] = batch["states"].clone()
    batch["states"][:, 0] = 299
    generator = torch.Generator().manual_seed(0)
    assert learner._expansion(learner.community, batch, 1.0, generator) is None
    batch["states"][3, 0] = 299 - HOURS
    assert len(learner._expansion(learner.community, batch, 1.0, generator).objective) == 1


def test_communities_with_appliances_are_simulated_on(ray_session, appliances: Path):
    """Gradients reach the policy, and from packed states simulated hours are paid as the engine pays them."""
    made = config(environment(appliances)).build_algo()
    try:
        made.train()
        learner = learner_of(made)
        batch = tensors(made, 16)
        expanded = learner._expansion(learner.community, batch, 1.0, torch.Generator().manual_seed(0))
        learner.community.zero_grad()
        expanded.objective.sum().backward()
        gradients = [p.grad for p in learner.community.policy.parameters()]
        assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)
        (rows,), (vector,) = made.env_runner._state_rows, made.env_runner.env.vectors
        community, gamma = learner._expansion._simulated[0].community, made.config.gamma
        eager = np.tile(np.where(community.description.features.action_mask, 0.6, 0.0), (4, 1, 1))
        observed, paid = vector.reset(seed=3), np.zeros(4)
        state = rows.unpack(torch.from_numpy(rows.pack(vector)), torch.from_numpy(observed.copy()), hours=HOURS)
        _, outcome = community.rollout(state, lambda seen, state: torch.tensor(eager), HOURS)
        for h in range(HOURS):
            paid += gamma**h * vector.step(eager).rewards.team
        discounted = (gamma ** torch.arange(HOURS)[:, None] * outcome.rewards.team).sum(0)
        np.testing.assert_allclose(discounted.numpy(), paid, rtol=1e-4, atol=2e-4)
        assert outcome.appliance_energy_kwh.sum() > 0.0
    finally:
        made.stop()


def test_every_row_is_simulated_in_its_own_variant(homes: Path):
    env = environment(homes, load_scaling=(0.3, 3.0), variants=2)
    expansion = ValueExpansion(env, hours=2, starts=8, gamma=0.9, device=torch.device("cpu"))
    first, second = (simulated.community.base for simulated in expansion._simulated)
    assert not torch.equal(first, second)
    made = config(env).build_algo()
    try:
        made.train()
        learner = learner_of(made)
        for vector, simulated in zip(made.env_runner.env.vectors, learner._expansion._simulated, strict=True):
            load = vector.engine.community.description.tables.load
            np.testing.assert_allclose(load, simulated.community.description.tables.load)
        batch = tensors(made, 16)
        batch[COMMUNITY_INDEX] = torch.tensor([1, 0, 1, 1] * 4)
        expanded = learner._expansion(learner.community, batch, 1.0, torch.Generator().manual_seed(0))
        assert len(expanded.objective) == 8  # of twelve rows of the second community, as many as asked for
    finally:
        made.stop()


def test_simulating_on_needs_the_compiled_engine(homes: Path):
    with pytest.raises(ConfigError, match="model_horizon"):
        config(environment(homes, engine="citylearn")).validate()


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"model_batch_size": 17}, "model_batch_size"),
        ({"model_horizon": -1}, "model_horizon"),
        ({"replay": "some"}, "replay"),
        ({"prioritised_alpha": 1.5}, "prioritised_alpha"),
        ({"cloning_weight": 1.0}, "cloning_weight"),
        ({"precision": "float16"}, "precision"),
    ],
)
def test_impossible_settings_are_refused(wrong, name, homes: Path):
    with pytest.raises(ConfigError, match=name):
        config(environment(homes), **wrong).validate()


def test_a_gpu_that_is_not_there_is_refused(homes: Path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="no GPU"):
        config(environment(homes)).learners(num_gpus_per_learner=1).validate()
