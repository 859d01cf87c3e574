"""Errors added to forecasts in training, so that a policy learns how far to trust them.

CityLearn's forecasts of weather and prices are the data itself, hours ahead; no forecast in a served community is that good.
An error lasts: it is an autoregressive process of first order, ``x' = 0.9 x + sqrt(1 - 0.9^2) s w`` with standard normal w,
whose standard deviation is s at all times. Forecasts that a building makes from its own memory are as good in training as
they will be anywhere, and stay as they are.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures

PERSISTENCE = 0.9
"""Correlation of an error with that of the hour before."""

Singles = npt.NDArray[np.float32]


def forecast_columns(features: CommunityFeatures) -> npt.NDArray[np.int64]:
    """Columns of the forecasts in the data: measured features with ``_predicted_`` in their names."""
    given = {c for f in features.features if f.source == "measured" and "_predicted_" in f.name for c in f.columns}
    return np.array([d for d, name in enumerate(features.columns) if name in given], np.int64)


def encoded_deviation(share: float) -> float:
    """Standard deviation of an error in encoded observations, whose ranges are 2 wide."""
    return 2.0 * share


def fresh_deviation(share: float) -> float:
    """Standard deviation of what an hour adds to an error, so that it stays as large as it is."""
    return encoded_deviation(share) * math.sqrt(1.0 - PERSISTENCE**2)


class ForecastNoise:
    """The errors of all forecasts that E communities of N buildings see, each with its own.

    Args:
        features: the community's feature table.
        communities: number E.
        share: standard deviation of an error, as a share of the forecast's range.
    """

    def __init__(self, features: CommunityFeatures, communities: int, share: float) -> None:
        self._columns = forecast_columns(features)
        self._mask = features.observation_mask[:, self._columns]
        self._deviation = np.float32(encoded_deviation(share))
        self._fresh = np.float32(fresh_deviation(share))
        self._errors: Singles = np.zeros((communities, *self._mask.shape), np.float32)

    def start(self, observations: Singles, communities: npt.NDArray[np.int64], random: np.random.Generator) -> None:
        """Draw new errors for some communities and add them to their encoded observations ``[E, N, D]``, in place."""
        shape = (len(communities), *self._mask.shape)
        self._errors[communities] = self._deviation * random.standard_normal(shape, np.float32)
        chosen = observations[communities]
        self._add(chosen, self._errors[communities])
        observations[communities] = chosen

    def step(self, observations: Singles, random: np.random.Generator) -> None:
        """Move all errors on by an hour and add them to the encoded observations ``[E, N, D]``, in place."""
        fresh = random.standard_normal(self._errors.shape, np.float32)
        fresh *= self._fresh
        self._errors *= np.float32(PERSISTENCE)
        self._errors += fresh
        self._add(observations, self._errors)

    def _add(self, observations: Singles, errors: Singles) -> None:
        """Add errors to the forecasts, within [-1, 1]; masked columns stay zero."""
        forecasts = np.clip(observations[..., self._columns] + errors, -1.0, 1.0)
        observations[..., self._columns] = np.where(self._mask, forecasts, np.float32(0.0))
