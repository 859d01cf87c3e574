"""Standardised inputs: measured over what is there, and a matter of units, not of behaviour."""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.modules.standardisation import LARGEST, Standardisation, column_moments


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
