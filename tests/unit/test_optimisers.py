"""Which optimiser steps which weights, and how far."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rllib_citylearn.algorithm.optimisers import OPTIMISERS, optimisers
from rllib_citylearn.modules.layers import SeparateLinear
from rllib_citylearn.modules.networks import Actor

NETWORK = nn.Sequential(nn.Linear(20, 12), nn.Linear(12, 1), SeparateLinear(3, 4, 5))
RATE = 0.01


LAYOUT = {"observation_size": 9, "hint_size": 2, "action_size": 3, "hidden": 8}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_weight_has_one_optimiser(name):
    stepped = [
        w for optimiser in optimisers(NETWORK, name).values() for group in optimiser.param_groups for w in group["params"]
    ]
    assert sorted(map(id, stepped)) == sorted(map(id, NETWORK.parameters()))


def test_muon_steps_the_matrices_alone():
    (matrices,) = [group["params"] for group in optimisers(NETWORK, "muon")["_matrices"].param_groups]
    assert [tuple(w.shape) for w in matrices] == [(12, 20)]


def test_what_leads_to_the_actions_is_adams_however_many_actions_there_are():
    actor = Actor(**LAYOUT, rule=None, guard=None, reach=1.0)
    made = optimisers(actor, "muon", actor.last_layers)
    (matrices,) = [group["params"] for group in made["_matrices"].param_groups]
    assert [tuple(w.shape) for w in matrices] == [(8, 11), (8, 8)], "the two hidden layers"
    (rest,) = [group["params"] for group in made[""].param_groups]
    assert sum(w.shape[0] == 3 for w in rest) == 3, "output, the inputs' direct way, and its bias"
    # An action that no gradient reaches stays as it is.
    before = [w.detach()[1].clone() for w in rest if w.shape[0] == 3]
    correction = actor(torch.randn(4, 9), torch.randn(4, 2))
    correction[:, [0, 2]].sum().backward()
    for optimiser in made.values():
        optimiser.step()
    assert all(torch.equal(w.detach()[1], b) for w, b in zip([w for w in rest if w.shape[0] == 3], before, strict=True))


def test_a_matrix_moves_as_far_in_rare_directions_as_in_common_ones_and_as_far_as_adams():
    """Liu et al. 2025, eq. 4: root mean squares of a step are 0.2 of the learning rate."""
    layer = nn.Linear(20, 12, bias=False)
    weights = layer.weight
    nn.init.zeros_(weights)
    # Two directions, of which one is a thousand times as strong.
    left, _, right = torch.linalg.svd(torch.randn(12, 20, generator=torch.Generator().manual_seed(1)))
    gradient = left @ torch.diag(torch.tensor([1e3, 1.0] + [0.5] * 10)) @ right[:12]
    optimiser = optimisers(layer, "muon")["_matrices"]
    optimiser.param_groups[0]["lr"] = RATE
    weights.grad = gradient
    optimiser.step()
    step = torch.linalg.svdvals(weights.detach())
    gradients = torch.linalg.svdvals(gradient)
    assert gradients[0] / gradients[1] == pytest.approx(1e3, rel=1e-3)
    assert step[0] / step[1] < 100
    assert float((weights.detach() * gradient).sum()) < 0.0
    assert float(weights.detach().square().mean().sqrt()) <= 0.25 * RATE


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_bowl_is_descended(name):
    generator = torch.Generator().manual_seed(2)
    aim = torch.randn(8, 8, generator=generator)
    layer = nn.Linear(8, 8)
    every = optimisers(layer, name).values()
    for step in range(400):
        loss = (layer.weight - aim).square().mean() + (layer.bias - 1.0).square().mean()
        for optimiser in every:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = 0.05 * (1.0 - step / 400)
        loss.backward()
        for optimiser in every:
            optimiser.step()
    assert loss.item() < 0.01
