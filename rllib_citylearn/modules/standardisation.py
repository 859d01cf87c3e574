"""Brings observation columns to a common scale at the entrance of a network, and values to their own at a critic's end.

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


class ValueScale(nn.Module):
    """``mean + scale * x``: what a critic's last layers give, brought to the size that values have.

    A year's savings, discounted by 0.99, are a hundred hours' worth. Weights that begin near zero and move by a thousandth a
    step do not get there in the hundreds of steps that a run through simulated hours has. Standardised targets are what
    van Hasselt et al. 2016, "Learning values across many orders of magnitude", do for that, with moments that follow the
    targets; here they are measured once, as those of the inputs are.

    ``forward`` takes buildings' ``[..., N]`` and the district's ``[...]``, and gives the same shapes; as they come until
    ``fit`` was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over the means and standard deviations ``[2]`` of buildings' values and of the district's."""
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(deviation > 0.0, deviation, torch.ones_like(deviation)))

    def forward(self, building: Tensor, district: Tensor) -> tuple[Tensor, Tensor]:
        """Both in the units of rewards."""
        return self.mean[0] + self.scale[0] * building, self.mean[1] + self.scale[1] * district


class TeamValueScale(ValueScale):
    """The same for a critic that gives every building an estimate of the team's value, and none of the district's."""

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Of both together, as if what is the buildings' and what is the district's had nothing to do with each other."""
        none = torch.zeros_like(mean[:1])
        super().fit(torch.cat([mean.sum(0, keepdim=True), none]), torch.cat([deviation.square().sum().sqrt()[None], none]))


def value_moments(
    building_rewards: npt.NDArray[np.float32],
    district_reward: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
    discount: float,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Means and standard deviations ``[2]`` of buildings' values and of the district's, as far as rewards tell them.

    A value is a discounted sum of rewards. Its mean is the rewards' over 1 - discount, in whatever order they come; its
    deviation is the rewards' over sqrt(1 - discount^2) if every reward is drawn anew, which says how large it is, no more.

    Args:
        building_rewards: ``[R, N]``.
        district_reward: ``[R]``.
        present: bool ``[R, N]`` or what broadcasts to it: which buildings are there.
        discount: of an hour, in [0, 1), less what episodes that end leave of it.
    """
    parts = building_rewards[np.broadcast_to(present, building_rewards.shape)], district_reward
    mean = [part.mean(dtype=np.float64) / (1.0 - discount) for part in parts]
    deviation = [part.std(dtype=np.float64) / np.sqrt(1.0 - discount**2) for part in parts]
    return np.array(mean, np.float32), np.array(deviation, np.float32)


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
