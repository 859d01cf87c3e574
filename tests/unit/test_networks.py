"""Properties of the networks: who sees whom, sets instead of lists, and the rule an actor starts from."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.spaces import FeatureBox
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import CommunityModuleConfig, CommunityRLModule, Policy
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.networks import Coordinator, Critic, team_value
from rllib_citylearn.modules.rule import starting_rule

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


def layout(n: int = N) -> JointLayout:
    features = community(n)
    names = [agent.name for agent in features.agents]
    return JointLayout(
        gym.spaces.Dict({name: FeatureBox(features, i) for i, name in enumerate(names)}),
        gym.spaces.Dict({name: gym.spaces.Box(-1, 1, (1,), np.float32) for name in names}),
    )


def trained_like(policy: torch.nn.Module) -> torch.nn.Module:
    """Weights as large as training makes them; fresh ones hardly leave the rule."""
    torch.manual_seed(0)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return policy


@pytest.fixture
def policy() -> Policy:
    return trained_like(Policy(layout(), CommunityModuleConfig(reach=0.5)))


@pytest.fixture
def free_policy() -> Policy:
    """Without the rule, whose limits (a full battery's power) would hide a gradient behind a clipped action."""
    return trained_like(Policy(layout(), CommunityModuleConfig(rule="none")))


@pytest.fixture
def observations() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(2, N, len(community().columns)) * 2 - 1


def jacobian(function, x):
    """d output[b, i] / d input[b, j] summed over components, as [N, N] of absolute values for batch row 0."""
    full = torch.autograd.functional.jacobian(function, x)  # [B, N, A, B, N, D]
    return full[0, :, :, 0].abs().sum((1, 3))


@pytest.mark.parametrize("name", ["policy", "free_policy"])
def test_execution_is_decentralised_given_the_hints(name, observations, request):
    policy = request.getfixturevalue(name)
    hints = policy.hints(observations).detach()
    gradient = jacobian(lambda x: policy.actor(x, hints), observations)
    own = gradient.diagonal()
    assert (own > 0).all() if name == "free_policy" else (own > 0).any()
    assert torch.equal(gradient, torch.diag(own)), "an action depends on another building's observation"


def test_the_hint_is_a_path_between_buildings(free_policy, observations):
    gradient = jacobian(free_policy, observations)
    assert (gradient > 0).all(), "without the coordinator's path there would be nothing to coordinate"


def test_rows_of_a_batch_do_not_mix(policy, observations):
    assert torch.allclose(policy(observations)[1:], policy(observations[1:]), atol=1e-6)


def test_permuting_buildings_permutes_everything(policy, observations):
    order = torch.tensor([3, 0, 4, 1, 2])
    critic = trained_like(Critic(observations.shape[-1], 1, 16, 2))
    assert torch.allclose(policy(observations)[:, order], policy(observations[:, order]), atol=1e-6)
    actions = policy(observations)
    building, district = critic(observations, actions)
    permuted, same = critic(observations[:, order], actions[:, order])
    assert torch.allclose(building[:, order], permuted, atol=1e-5)
    assert torch.allclose(district, same, atol=1e-5)


def test_an_absent_building_is_as_good_as_removed(observations):
    present = torch.tensor([True, True, False, True, False])
    coordinator = trained_like(Coordinator(observations.shape[-1], 4, 8, 2, "attention+mean-field"))
    critic = trained_like(Critic(observations.shape[-1], 1, 16, 2))
    kept = observations[:, present]
    assert torch.allclose(coordinator(observations, present)[:, present], coordinator(kept), atol=1e-6)
    actions = torch.rand(2, N, 1)
    building, district = critic(observations, actions, present)
    fewer, same = critic(kept, actions[:, present])
    assert torch.allclose(building[:, present], fewer, atol=1e-6)
    assert not building[:, ~present].any()
    assert torch.allclose(district, same, atol=1e-6)
    assert torch.allclose(team_value(building, district, present), team_value(fewer, same), atol=1e-6)


def test_one_policy_runs_communities_of_any_size(policy):
    for n in (1, 17, 100):
        actions = policy(torch.rand(3, n, len(community().columns)) * 2 - 1)
        assert actions.shape == (3, n, 1)
        assert (actions.abs() <= 1).all()


def test_the_rule_asks_the_battery_for_the_buildings_own_net_load():
    features = community()
    random = np.random.default_rng(0)
    rows = [[3, load, pv, 0.5] for load, pv in random.uniform(0, 6, (N, 2))]
    joint = torch.from_numpy(features.encode(rows))
    expected = [
        np.clip((pv - load) / agent.descriptors["electrical_storage_nominal_power"], -1, 1)
        for agent, (_, load, pv, _) in zip(features.agents, rows, strict=True)
    ]
    rule = starting_rule(layout(), "net-zero")
    assert torch.allclose(rule(joint).squeeze(-1), torch.tensor(expected, dtype=torch.float32), atol=1e-5)


def test_the_rule_needs_every_battery_building_to_show_load_and_generation():
    agents = list(community(2).agents)
    blind = replace(agents[1], features=("hour", "non_shiftable_load", "electrical_storage_soc"))
    for last, applies in (
        (agents[1], True),
        (blind, False),
        (replace(blind, actions=(), action_low=(), action_high=()), True),
    ):
        features = CommunityFeatures([agents[0], last])
        spaces = gym.spaces.Dict({a.name: FeatureBox(features, i) for i, a in enumerate(features.agents)})
        actions = gym.spaces.Dict({a.name: gym.spaces.Box(-1, 1, (len(a.actions),), np.float32) for a in features.agents})
        assert (starting_rule(JointLayout(spaces, actions), "net-zero") is not None) is applies


def test_a_fresh_policy_is_the_rule(observations):
    policy = Policy(layout(), CommunityModuleConfig())
    assert torch.allclose(policy(observations), policy.actor.rule(observations), atol=1e-2)


def test_without_coordinator_there_is_no_hint(observations):
    policy = trained_like(Policy(layout(), CommunityModuleConfig(coordinator="none")))
    gradient = jacobian(policy, observations)
    assert torch.equal(gradient, torch.diag(gradient.diagonal()))


def test_noise_restarts_with_an_episode_and_is_off_in_inference(observations):
    names = [f"Building_{k + 1}" for k in range(N)]
    module = CommunityRLModule(
        observation_space=gym.spaces.Dict({n: FeatureBox(community(), i) for i, n in enumerate(names)}),
        action_space=gym.spaces.Dict({n: gym.spaces.Box(-1, 1, (1,), np.float32) for n in names}),
        model_config={"noise_sigma": 0.2, "noise_sigma_final": 0.2, "rule": "none"},
        inference_only=True,
    )
    module.seed_exploration(0)
    plain = module.forward_inference({"obs": observations})["actions"]
    assert torch.equal(plain, module.act(observations))
    noise = torch.stack([module.forward_exploration({"obs": observations}, t=0)["actions"] - plain for _ in range(400)])
    # Ornstein-Uhlenbeck: correlation (1 - theta) from step to step, stationary variance sigma^2 / (1 - (1 - theta)^2).
    assert noise[50:].std() == pytest.approx(0.2 / np.sqrt(1 - 0.85**2), rel=0.15)
    lag = (noise[50:-1] * noise[51:]).mean() / (noise[50:] ** 2).mean()
    assert lag == pytest.approx(0.85, abs=0.05)
    reset = torch.tensor([True, False])
    after = module.forward_exploration({"obs": observations, "reset": reset}, t=0)["actions"] - plain
    assert after[0].abs().max() < 5 * 0.2
    assert (after[1] - 0.85 * noise[-1][1]).abs().max() < 5 * 0.2
    assert not hasattr(module, "critics"), "runners carry no critics"


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 0},
        {"heads": 0},
        {"hidden": 30, "heads": 4},
        {"reach": 0},
        {"hint_dropout": 1.0},
        {"noise_sigma": -1},
        {"hint_size": -1},
        {"hint_size": 0},
        {"coordinator": "mean field"},
        {"actors": "both"},
        {"critic": "monolithic"},
        {"rule": "residual"},
        {"noise": "white"},
    ],
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CommunityModuleConfig.from_dict(wrong)


def test_unknown_model_keys_are_refused():
    with pytest.raises(ConfigError, match="hiden"):
        CommunityModuleConfig.from_dict({"hiden": 3})
