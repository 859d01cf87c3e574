"""Errors of forecasts: as large and as lasting as promised, and on forecasts alone."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.forecast_noise import PERSISTENCE, ForecastNoise
from rllib_citylearn.env.measurements import memory_names
from rllib_citylearn.errors import ConfigError

SHARE = 0.05
FORECASTS = [
    f"{quantity}_predicted_{k}"
    for quantity in ("outdoor_dry_bulb_temperature", "diffuse_solar_irradiance", "direct_solar_irradiance")
    for k in (1, 2, 3)
]


def community() -> CommunityFeatures:
    measured = ("hour", "non_shiftable_load", "outdoor_dry_bulb_temperature", *FORECASTS)
    return CommunityFeatures(
        [
            AgentFeatures("Building_1", measured, {}, (), (), (), memory_names(measured)),
            AgentFeatures("Building_2", ("hour",), {"pv_nominal_power": 1.0}, (), (), ()),
        ]
    )


def test_errors_have_the_size_and_persistence_they_should() -> None:
    features = community()
    noise, random = ForecastNoise(features, 40, SHARE), np.random.default_rng(1)
    shape = (40, *features.observation_mask.shape)
    observations = np.zeros(shape, np.float32)
    noise.start(observations, np.arange(40), random)
    errors = [observations.copy()]
    for _ in range(300):
        observations[...] = 0.0
        noise.step(observations, random)
        errors.append(observations.copy())
    forecasts = [features.columns.index(name) for name in FORECASTS]
    assert "base_load_predicted_1h" in features.columns, "a forecast of its own, which stays as it is"
    others = [d for d in range(len(features.columns)) if d not in forecasts]
    told = np.stack(errors)
    assert not told[..., others].any()
    assert not told[:, :, 1].any(), "a building without forecasts"
    seen = told[:, :, 0, forecasts]
    # Encoded columns are 2 wide: 5% of the range is 0.1. Also in the first hour, drawn from the same distribution.
    assert seen.std() == pytest.approx(2 * SHARE, rel=0.02)
    assert seen[0].std() == pytest.approx(2 * SHARE, rel=0.1)
    assert abs(seen.mean()) < 0.006
    assert np.mean(seen[1:] * seen[:-1]) / seen.var() == pytest.approx(PERSISTENCE, abs=0.01)
    assert abs(np.corrcoef(seen[..., 0].ravel(), seen[..., 1].ravel())[0, 1]) < 0.1


def test_disturbed_forecasts_stay_within_bounds() -> None:
    features = community()
    noise, random = ForecastNoise(features, 2, 1.0), np.random.default_rng(0)
    observations = np.ones((2, *features.observation_mask.shape), np.float32)
    noise.start(observations, np.arange(2), random)
    assert np.abs(observations).max() == 1.0
    assert (observations[:, 0] < 0).any()


def test_starting_one_community_leaves_the_others() -> None:
    features = community()
    noise, random = ForecastNoise(features, 3, SHARE), np.random.default_rng(0)
    observations = np.zeros((3, *features.observation_mask.shape), np.float32)
    noise.start(observations, np.arange(3), random)
    before = observations.copy()
    observations[1] = 0.0
    noise.start(observations, np.array([1]), random)
    assert np.array_equal(observations[[0, 2]], before[[0, 2]])
    assert not np.array_equal(observations[1], before[1])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="forecast_noise"):
        CommunityEnvConfig(forecast_noise=share)
