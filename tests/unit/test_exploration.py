"""Exploration noise: its statistics, its annealing, and that it follows from its own seed alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.exploration import ExplorationNoise
from tests.networks import N, community, module

SHAPE = torch.zeros(40, N, 1)


def noise(**settings: object) -> ExplorationNoise:
    made = ExplorationNoise(CommunityModuleConfig(**{"noise_sigma": 0.2, "noise_sigma_final": 0.2, **settings}))
    made.seed(3)
    return made


@pytest.mark.parametrize(("kind", "correlation"), [("ou", 0.85), ("gaussian", 0.0)])
def test_noise_is_correlated_as_its_name_says(kind, correlation):
    """Ornstein-Uhlenbeck: correlation 1 - theta from step to step, stationary variance sigma^2 / (1 - (1 - theta)^2)."""
    source = noise(noise=kind)
    drawn = torch.stack([source.step(SHAPE, 0) for _ in range(300)])[50:]
    assert drawn.std() == pytest.approx(0.2 / np.sqrt(1 - correlation**2), rel=0.05)
    assert (drawn[:-1] * drawn[1:]).mean() / (drawn**2).mean() == pytest.approx(correlation, abs=0.03)
    assert abs(drawn.mean()) < 0.03


@pytest.mark.parametrize("kind", ["ou", "gaussian"])
def test_noise_falls_to_its_final_size_and_stays(kind):
    source = noise(noise=kind, noise_sigma=0.4, noise_sigma_final=0.1, noise_anneal_steps=1000)
    assert [source.sigma(t) for t in (0, 500, 1000, 9000)] == pytest.approx([0.4, 0.25, 0.1, 0.1])
    begin = torch.tensor([True] * len(SHAPE))
    late = torch.stack([source.step(SHAPE, 5000, begin) for _ in range(50)])
    assert late.std() == pytest.approx(0.1, rel=0.05)


def test_noise_begins_anew_with_an_episode_and_in_no_other():
    source = noise()
    for _ in range(20):
        before = source.step(SHAPE, 0).clone()
    reset = torch.zeros(len(SHAPE), dtype=torch.bool)
    reset[3] = True
    twin = copy.deepcopy(source)
    after, unbroken = source.step(SHAPE, 0, reset), twin.step(SHAPE, 0)
    assert torch.allclose(unbroken[3] - after[3], 0.85 * before[3], atol=1e-6)
    assert torch.equal(after[~reset], unbroken[~reset])


def test_the_same_seed_gives_the_same_noise_whatever_else_is_drawn():
    observations = torch.rand(2, N, len(community().columns))
    sequences = []
    for disturbed in (False, True):
        torch.manual_seed(0)
        network = module(noise_sigma=0.3)
        network.seed_exploration(11)
        before = torch.random.get_rng_state()
        actions = []
        for _ in range(5):
            actions.append(network.forward_exploration({"obs": observations}, t=0)["actions"])
            assert torch.equal(torch.random.get_rng_state(), before), "the global generator was used"
            if disturbed:
                torch.rand(7)
                before = torch.random.get_rng_state()
        sequences.append(torch.stack(actions))
    assert torch.equal(*sequences)
    network.seed_exploration(12)
    assert not torch.equal(network.forward_exploration({"obs": observations}, t=0)["actions"], sequences[0][0])


def test_a_restored_module_goes_on_where_the_saved_one_stood():
    observations = torch.rand(2, N, len(community().columns))
    torch.manual_seed(0)
    first = module(noise_sigma=0.3)
    torch.manual_seed(0)
    second = module(noise_sigma=0.3)
    for _ in range(3):
        first.forward_exploration({"obs": observations}, t=0)
    second.seed_exploration(99)
    second.set_exploration_state(first.exploration_state())
    for _ in range(3):
        expected = first.forward_exploration({"obs": observations}, t=0)["actions"]
        assert torch.equal(second.forward_exploration({"obs": observations}, t=0)["actions"], expected)
    more = torch.rand(3, N, len(community().columns))
    assert second.forward_exploration({"obs": more}, t=0)["actions"].shape == (3, N, 1), "another number of environments"


def test_inference_has_no_noise_and_runners_no_critics():
    network = module(noise_sigma=0.3)
    observations = torch.rand(2, N, len(community().columns))
    assert torch.equal(network.forward_inference({"obs": observations})["actions"], network.act(observations))
    assert not hasattr(network, "critics")
