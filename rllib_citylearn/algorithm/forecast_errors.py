"""Errors of forecasts in simulated hours: those of a replayed hour, gone on with (``env/forecast_noise.py``)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.forecast_noise import PERSISTENCE, encoded_deviation, forecast_columns


class ForecastErrors:
    """Adds errors to forecasts hour by hour, as the communities that are played have them.

    Args:
        features: the community's feature table.
        share: standard deviation of an error, as a share of the forecast's range.
        device: of observations.
    """

    def __init__(self, features: CommunityFeatures, share: float, device: torch.device) -> None:
        columns = forecast_columns(features)
        self._columns = torch.as_tensor(columns, device=device)
        self._mask = torch.as_tensor(features.observation_mask[:, columns], device=device)
        self._fresh = encoded_deviation(share) * math.sqrt(1.0 - PERSISTENCE**2)

    def add(self, observations: Tensor, exact: Tensor, generator: torch.Generator) -> None:
        """Add errors from the second hour on, in place; the first one's are there already.

        Args:
            observations: encoded, of consecutive hours, ``[H, B, N, D]``.
            exact: those of the first hour without errors, ``[B, N, D]``.
            generator: on their device.
        """
        forecasts = observations.index_select(-1, self._columns)
        error = forecasts[0] - exact.index_select(-1, self._columns)
        for hour in forecasts[1:]:
            drawn = torch.randn(error.shape, generator=generator, device=error.device)
            error = PERSISTENCE * error + self._fresh * drawn
            hour.add_(error).clamp_(-1.0, 1.0).masked_fill_(~self._mask, 0.0)
        observations.index_copy_(-1, self._columns, forecasts)
