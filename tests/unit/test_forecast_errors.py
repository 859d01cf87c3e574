"""Errors in simulated hours are those of the environment: the same process, gone on with."""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.algorithm.forecast_errors import ForecastErrors
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.forecast_noise import PERSISTENCE, ForecastNoise, forecast_columns

HOURS, COPIES, SHARE = 40, 2000, 0.03
PREDICTED = "outdoor_dry_bulb_temperature_predicted_1"


def community() -> CommunityFeatures:
    """Two buildings, of which the second sees no forecast."""
    shown = [("hour", "outdoor_dry_bulb_temperature", PREDICTED), ("hour", "outdoor_dry_bulb_temperature")]
    return CommunityFeatures(
        [
            AgentFeatures(
                name=f"Building_{k}",
                features=features,
                descriptors={},
                actions=("electrical_storage",),
                action_low=(-1.0,),
                action_high=(1.0,),
            )
            for k, features in enumerate(shown)
        ]
    )


def test_errors_go_on_as_those_that_are_played():
    features = community()
    (column,) = forecast_columns(features)
    noise = ForecastNoise(features, COPIES, SHARE)
    first = np.zeros((COPIES, 2, len(features.columns)), np.float32)
    noise.start(first, np.arange(COPIES), np.random.default_rng(0))
    observations = torch.zeros(HOURS, *first.shape)
    observations[0] = torch.from_numpy(first)
    errors = ForecastErrors(features, SHARE, torch.device("cpu"))
    errors.add(observations, torch.zeros(first.shape), torch.Generator().manual_seed(0))

    assert torch.equal(observations[0], torch.from_numpy(first)), "the hour that was played stays as it was"
    others = [d for d in range(len(features.columns)) if d != column]
    assert not observations[..., others].any()
    assert not observations[:, :, 1].any(), "who sees no forecast sees no error"
    found = observations[:, :, 0, column]
    deviation = found.std(1)
    assert torch.allclose(deviation, torch.full((HOURS,), 2 * SHARE), rtol=0.1), "the same size at all times"
    lasting = (found[1:] * found[:-1]).mean(1) / found[:-1].square().mean(1)
    assert torch.allclose(lasting, torch.full((HOURS - 1,), PERSISTENCE), atol=0.05)


def test_errors_that_the_end_of_the_range_hides_go_on_without_bias():
    """At night the sun's forecast is its lowest value, and half of the errors don't show."""
    features = community()
    (column,) = forecast_columns(features)
    noise = ForecastNoise(features, COPIES, SHARE)
    night = np.full((COPIES, 2, len(features.columns)), -1.0, np.float32)
    first = night.copy()
    noise.start(first, np.arange(COPIES), np.random.default_rng(0))
    observations = torch.zeros(HOURS, *first.shape)  # from the second hour on it is day
    observations[0] = torch.from_numpy(first)
    errors = ForecastErrors(features, SHARE, torch.device("cpu"))
    errors.add(observations, torch.from_numpy(night), torch.Generator().manual_seed(0))
    found = observations[1:, :, 0, column]
    assert (found.mean(1).abs() < 0.1 * 2 * SHARE).all()
    assert torch.allclose(found.std(1), torch.full((HOURS - 1,), 2 * SHARE), rtol=0.1)


def test_forecasts_stay_within_their_range():
    features = community()
    (column,) = forecast_columns(features)
    observations = torch.ones(HOURS, 50, 2, len(features.columns))
    ForecastErrors(features, 0.5, torch.device("cpu")).add(
        observations, observations[0].clone(), torch.Generator().manual_seed(1)
    )
    assert observations.max() <= 1.0
    assert observations.min() >= -1.0
    assert observations[1:, :, 0, column].min() < 1.0
