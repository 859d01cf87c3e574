"""Absent buildings: as good as removed, for everything that sees more than one."""

from __future__ import annotations

import pytest
import torch

from rllib_citylearn.algorithm.names import ACTION_MASK, PRESENT
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.networks import Critic, IndependentCritic, team_value
from rllib_citylearn.modules.policy import Policy
from tests.networks import N, community, layout, module, trained_like

KINDS = ("attention+mean-field", "attention", "mean-field", "means", "none")
PRESENTS = torch.tensor([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
ORDER = torch.tensor([3, 0, 4, 1, 2])


@pytest.fixture
def observations() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(len(PRESENTS), N, len(community().columns)) * 2 - 1


def policy(kind: str) -> Policy:
    return trained_like(Policy(layout(), CommunityModuleConfig(coordinator=kind, reach=0.5)))


def critics() -> list[torch.nn.Module]:
    width = len(community().columns)
    return [trained_like(Critic(width, 1, 16, 2)), trained_like(IndependentCritic(width, 1, 16))]


@pytest.mark.parametrize("kind", KINDS)
def test_others_act_as_if_an_absent_building_were_not_there(kind, observations):
    network = policy(kind)
    hints, actions = network.hints(observations, PRESENTS), network(observations, PRESENTS)
    for row, present in enumerate(PRESENTS):
        kept = observations[row : row + 1, present]
        assert not actions[row, ~present].any()
        assert not hints[row, ~present].any()
        if present.any():
            assert torch.allclose(hints[row, present], network.hints(kept)[0], atol=1e-6)
            assert torch.allclose(actions[row, present], network(kept)[0], atol=1e-6)


@pytest.mark.parametrize("critic", critics(), ids=["attention", "independent"])
def test_others_are_worth_what_they_are_without_an_absent_building(critic, observations):
    actions = torch.rand(len(PRESENTS), N, 1) * 2 - 1
    building, district = critic(observations, actions, PRESENTS)
    team = team_value(building, district, PRESENTS)
    for row, present in enumerate(PRESENTS):
        assert not building[row, ~present].any()
        if present.any():
            fewer, same = critic(observations[row : row + 1, present], actions[row : row + 1, present])
            assert torch.allclose(building[row, present], fewer[0], atol=1e-6)
            assert torch.allclose(district[row], same[0], atol=1e-6)
            assert torch.allclose(team[row], team_value(fewer, same)[0], atol=1e-6)
        else:
            assert district[row] == 0
            assert team[row] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_an_absent_row_is_of_no_account(kind, observations):
    """Not even if it is no number; nor does it get a gradient, nor spoil that of others."""
    network, garbage = policy(kind), observations.clone()
    garbage[~PRESENTS] = float("nan")
    garbage.requires_grad_(True)
    actions = network(garbage, PRESENTS)
    assert torch.allclose(actions, network(observations, PRESENTS), atol=1e-7)
    values = [part for critic in critics() for part in critic(garbage, actions, PRESENTS)]
    sum(part.sum() for part in [actions, *values]).backward()
    assert torch.isfinite(garbage.grad).all()
    assert not garbage.grad[~PRESENTS].any()
    assert garbage.grad[PRESENTS].any()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_permuting_buildings_permutes_everything_masks_included(kind, observations):
    network = policy(kind)
    present = PRESENTS[:, ORDER]
    assert torch.allclose(network(observations, PRESENTS)[:, ORDER], network(observations[:, ORDER], present), atol=1e-6)
    actions = torch.rand(len(PRESENTS), N, 1)
    for critic in critics():
        building, district = critic(observations, actions, PRESENTS)
        permuted, same = critic(observations[:, ORDER], actions[:, ORDER], present)
        assert torch.allclose(building[:, ORDER], permuted, atol=1e-6)
        assert torch.allclose(district, same, atol=1e-6)


@pytest.mark.parametrize("forward", ["forward_inference", "forward_exploration", "forward_train"])
def test_the_module_reads_masks_from_its_batch(forward, observations):
    network = module(noise_sigma=0.5, inference_only=False)
    act = getattr(network, forward)
    limited = torch.ones(len(PRESENTS), N, 1)
    limited[0, 0] = 0
    actions = act({"obs": observations, PRESENT: PRESENTS, ACTION_MASK: limited})["actions"]
    assert not actions[~PRESENTS].any()
    assert actions[0, 0] == 0
    assert (actions[PRESENTS & limited.bool()[..., 0]] != 0).all()
    if forward != "forward_exploration":
        assert torch.allclose(actions, network.act(observations, PRESENTS) * limited)


def test_a_batch_of_another_community_brings_its_own_mask():
    network = module()
    observations = torch.rand(2, 12, len(community().columns))
    assert network.forward_inference({"obs": observations, ACTION_MASK: torch.ones(2, 12, 1)})["actions"].shape == (2, 12, 1)
