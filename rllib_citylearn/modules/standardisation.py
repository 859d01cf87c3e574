"""Brings observation columns to a common scale at the entrance of a network.

Observations are encoded over physical ranges, which are wide: a home's load of half a kWh is a few hundredths of the range
up to the largest home's peak. Networks learn slowly from such numbers, so each of them first subtracts a mean and divides by
a standard deviation. Both are measured once, over the rows with which training starts, and are weights from then on: they
travel with checkpoints and bundles, and nothing runs along with the data.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

LARGEST = 5.0
"""Standardised values are clipped here: rare peaks have to stay rare, not loud."""

_CONSTANT = 1e-3
"""Columns that vary less keep their scale: descriptors that are alike in all buildings of a community differ elsewhere."""


class Standardisation(nn.Module):
    """``(x - mean) / scale`` of observations ``[..., D]``, clipped; as they come until ``fit`` was called.

    Args:
        columns: number D.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("scale", torch.ones(columns))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over means and standard deviations ``[D]`` of the columns."""
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(deviation < _CONSTANT, torch.ones_like(deviation), deviation))

    def forward(self, observations: Tensor, columns: Tensor | None = None) -> Tensor:
        """``[..., D]`` to the same shape; with ``columns`` ``[k]``, only those are given, ``[..., k]``."""
        mean, scale = self.mean, self.scale
        if columns is not None:
            mean, scale = mean[columns], scale[columns]
        return (observations - mean).div_(scale).clamp_(-LARGEST, LARGEST)  # in place: all networks begin with it


def column_moments(
    observations: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Means and standard deviations ``[D]`` of the columns, over the rows and the buildings that have them.

    Args:
        observations: ``[R, N, D]``.
        mask: bool ``[R, N, D]`` or what broadcasts to it, which numbers are there; columns that nobody has are 0 and 0.
    """
    there = np.broadcast_to(mask, observations.shape)
    count = np.maximum(there.sum((0, 1)), 1)
    mean = np.where(there, observations, 0.0).sum((0, 1), dtype=np.float64) / count
    square = np.where(there, (observations - mean) ** 2, 0.0).sum((0, 1), dtype=np.float64) / count
    return mean.astype(np.float32), np.sqrt(square).astype(np.float32)
