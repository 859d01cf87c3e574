"""Properties of the networks: who sees whom, sets instead of lists, and the rule an actor starts from."""

from __future__ import annotations

import pytest
import torch

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.layers import SeparateLinear
from rllib_citylearn.modules.networks import Critic
from rllib_citylearn.modules.policy import Policy
from tests.networks import N, community, layout, module, trained_like


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


def test_one_policy_runs_communities_of_any_size(policy):
    for n in (1, 17, 100):
        actions = policy(torch.rand(3, n, len(community().columns)) * 2 - 1)
        assert actions.shape == (3, n, 1)
        assert (actions.abs() <= 1).all()


def test_a_fresh_policy_is_the_rule(observations):
    policy = Policy(layout(), CommunityModuleConfig())
    assert torch.allclose(policy(observations), policy.actor.rule(observations), atol=1e-2)


def test_without_coordinator_there_is_no_path_between_buildings(observations):
    policy = trained_like(Policy(layout(), CommunityModuleConfig(coordinator="none", rule="none")))
    gradient = jacobian(policy, observations)
    assert (gradient.diagonal() > 0).all()
    assert torch.equal(gradient, torch.diag(gradient.diagonal()))
    assert policy.hint_size == 0


def test_the_mean_field_is_all_that_its_coordinator_tells(observations):
    hints = trained_like(Policy(layout(), CommunityModuleConfig(coordinator="mean-field"))).hints(observations)
    assert torch.equal(hints, hints[:, :1].expand_as(hints)), "the same for every building"
    exchanged = observations.clone()
    exchanged[:, [0, 1], 0] = observations[:, [1, 0], 0]
    policy = trained_like(Policy(layout(), CommunityModuleConfig(coordinator="attention")))
    assert (policy.hints(observations)[:, 0] - policy.hints(observations)[:, 1]).abs().max() > 1e-3


def test_means_are_those_of_what_the_buildings_see(observations):
    policy = Policy(layout(), CommunityModuleConfig(coordinator="means"))
    assert policy.hint_size == observations.shape[-1]
    assert not list(policy.coordinator.parameters()), "there is nothing to learn"
    assert torch.allclose(policy.hints(observations), observations.mean(1, keepdim=True).expand_as(observations), atol=1e-6)


def test_an_independent_critic_sees_one_building_at_a_time(observations):
    critic = trained_like(module(inference_only=False, coordinator="none", critic="independent").critics[0])
    actions = torch.rand(2, N, 1)
    gradient = jacobian(lambda x: critic(x, actions)[0].unsqueeze(-1), observations)
    by_action = jacobian(lambda a: critic(observations, a)[0].unsqueeze(-1), actions)
    for matrix in (gradient, by_action):
        assert (matrix.diagonal() > 0).all()
        assert torch.equal(matrix, torch.diag(matrix.diagonal()))
    assert not critic(observations, actions)[1].any(), "the district has no value of its own"


def test_separate_actors_are_as_many_networks(observations):
    policy = trained_like(Policy(layout(), CommunityModuleConfig(actors="separate", rule="none")))
    hints = policy.hints(observations)
    actor = policy.actor

    assert isinstance(actor.inner, SeparateLinear)
    for n in range(N):
        own = Policy(layout(), CommunityModuleConfig(rule="none")).actor
        own.load_state_dict({key: value[n] if value.ndim > 1 else value for key, value in actor.state_dict().items()})
        assert torch.allclose(policy(observations)[:, n], own(observations, hints)[:, n], atol=1e-6)
    same = observations[:, :1].expand_as(observations)
    assert policy.actor(same, hints).flatten(1).std(1).min() > 1e-3, "one observation, as many answers as buildings"
    with pytest.raises(ConfigError, match=r"separate actors for 5 buildings, but 4"):
        policy(observations[:, :4])


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 0},
        {"heads": 0},
        {"coordinator_width": 30, "heads": 4},
        {"reach": 0},
        {"hint_dropout": 1.0},
        {"noise_sigma": -1},
        {"noise_theta": 0},
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
