"""Errors of forecasts in simulated hours: those of a replayed hour, gone on with (``env/forecast_noise.py``)."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.forecast_noise import PERSISTENCE, encoded_deviation, forecast_columns, fresh_deviation


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
        self._deviation, self._fresh = encoded_deviation(share), fresh_deviation(share)

    def add(self, observations: Tensor, exact: Tensor, generator: torch.Generator) -> None:
        """Add errors from the second hour on, in place; the first one's are there already.

        Args:
            observations: encoded, of consecutive hours, ``[H, B, N, D]``.
            exact: those of the first hour without errors, ``[B, N, D]``.
            generator: on their device.
        """
        forecasts = observations.index_select(-1, self._columns)

        def normal() -> Tensor:
            return torch.randn(forecasts.shape[1:], generator=generator, device=forecasts.device)

        error = forecasts[0] - exact.index_select(-1, self._columns)
        # A forecast at the end of its range, as of the sun at night, hides how far beyond it the error goes.
        beyond = forecasts[0].sign() * self._deviation * normal().abs()
        hidden = (forecasts[0].abs() >= 1.0) & (beyond.abs() > error.abs())
        error = torch.where(hidden, beyond, error)
        for hour in forecasts[1:]:
            error = PERSISTENCE * error + self._fresh * normal()
            hour.add_(error).clamp_(-1.0, 1.0).masked_fill_(~self._mask, 0.0)
        observations.index_copy_(-1, self._columns, forecasts)
