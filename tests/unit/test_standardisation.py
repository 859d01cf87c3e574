"""Standardised inputs and values: measured over what is there, and a matter of units, not of behaviour."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.modules.networks import Critic, IndependentCritic
from rllib_citylearn.modules.standardisation import LARGEST, Standardisation, column_moments, value_moments


def test_moments_are_those_of_the_buildings_that_have_a_column():
    random = np.random.default_rng(0)
    observations = random.normal(3.0, 2.0, (50, 4, 3)).astype(np.float32)
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]], bool)[None]
    observations[~np.broadcast_to(mask, observations.shape)] = 99.0
    mean, deviation = column_moments(observations, mask)
    np.testing.assert_allclose(mean[0], observations[:, :, 0].mean(), rtol=1e-5)
    np.testing.assert_allclose(deviation[1], observations[:, [0, 2], 1].std(), rtol=1e-5)
    assert mean[2] == deviation[2] == 0.0


def test_values_have_mean_zero_and_deviation_one_and_no_outlier_is_loud():
    random = np.random.default_rng(1)
    observations = random.normal(-0.9, 0.03, (500, 2, 4)).astype(np.float32)
    layer = Standardisation(4)
    layer.fit(*map(torch.from_numpy, column_moments(observations, np.ones((1, 2, 4), bool))))
    out = layer(torch.from_numpy(observations))
    assert out.mean().abs() < 0.01
    assert (out.std() - 1).abs() < 0.02
    assert layer(torch.full((1, 4), 50.0)).max() == LARGEST


def test_columns_that_never_change_keep_their_scale():
    layer = Standardisation(2)
    layer.fit(torch.tensor([0.5, 0.0]), torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(layer(torch.tensor([[0.75, 1.0]])), torch.tensor([[0.25, 0.5]]))


def test_it_passes_numbers_on_until_it_is_fitted():
    x = torch.rand(3, 2, 5)
    assert torch.equal(Standardisation(5)(x), x)


@pytest.mark.parametrize(("gamma", "ends"), [(0.9, 0.0), (0.97, 0.0), (0.97, 0.1)])
def test_moments_of_values_are_those_of_discounted_sums(gamma, ends):
    """Against the sums themselves, over a long course of rewards; episodes end now and then."""
    random = np.random.default_rng(3)
    steps = 60_000
    building = random.normal(2.0, 0.5, (steps, 3)).astype(np.float32)
    district = random.exponential(1.5, steps).astype(np.float32)
    goes_on = random.random(steps) >= ends
    mean, deviation = value_moments(building, district, np.array([[True, True, False]]), gamma * goes_on.mean())
    for i, rewards in enumerate((building[:, 0], district)):
        values = np.zeros(steps + 1)
        for t in reversed(range(steps)):
            values[t] = rewards[t] + gamma * goes_on[t] * values[t + 1]
        settled = values[: steps - 1000]
        assert mean[i] == pytest.approx(settled.mean(), rel=0.02)
        if not ends:
            assert deviation[i] == pytest.approx(settled.std(), rel=0.1)


@pytest.mark.parametrize("present", [None, torch.tensor([[True, True, False], [True, False, False]])])
def test_a_critics_values_are_scaled_and_absent_buildings_have_none(present):
    critic = Critic(4, 2, hidden=8, heads=2)
    observations, actions = torch.rand(2, 3, 4), torch.rand(2, 3, 2)
    plain_building, plain_district = critic(observations, actions, present)
    critic.scale.fit(torch.tensor([100.0, -40.0]), torch.tensor([8.0, 3.0]))
    building, district = critic(observations, actions, present)
    there = torch.ones(2, 3) if present is None else present.float()
    torch.testing.assert_close(building, (100.0 + 8.0 * plain_building) * there)
    torch.testing.assert_close(district, -40.0 + 3.0 * plain_district)


def test_an_independent_critic_is_scaled_as_the_team_is():
    critic = IndependentCritic(4, 2, hidden=8)
    observations, actions = torch.rand(2, 3, 4), torch.rand(2, 3, 2)
    plain, _ = critic(observations, actions)
    critic.scale.fit(torch.tensor([100.0, -40.0]), torch.tensor([8.0, 6.0]))
    building, district = critic(observations, actions)
    torch.testing.assert_close(building, 60.0 + 10.0 * plain)
    assert not district.any()
    # Where no part of the reward is the district's.
    critic.scale.fit(torch.tensor([2.0, 0.0]), torch.tensor([0.05, 0.0]))
    torch.testing.assert_close(critic(observations, actions)[0], 2.0 + 0.05 * plain)


def test_what_never_changes_keeps_the_size_of_its_weights():
    critic = Critic(4, 2, hidden=8, heads=2)
    critic.scale.fit(torch.tensor([0.0, 5.0]), torch.tensor([0.0, 0.0]))
    assert critic.scale.scale.tolist() == [1.0, 1.0]
