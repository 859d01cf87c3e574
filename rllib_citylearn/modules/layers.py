"""Linear layers: one for all buildings or one for each, and a network's first, which can be computed in parts.

Shapes: N buildings, D observation columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rllib_citylearn.modules.standardisation import Standardisation


def linear(inputs: int, outputs: int, *, bias: bool = True, buildings: int | None = None) -> nn.Module:
    """A linear layer; with ``buildings``, one for each of so many."""
    return nn.Linear(inputs, outputs, bias) if buildings is None else SeparateLinear(buildings, inputs, outputs, bias)


class SeparateLinear(nn.Module):
    """A linear layer for each of N buildings, ``[..., N, inputs]`` to ``[..., N, outputs]``."""

    def __init__(self, buildings: int, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(inputs)  # that of nn.Linear
        self.weight = nn.Parameter(torch.empty(buildings, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(buildings, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Each building's row through its own weights."""
        return apply_linear(x, self.weight, self.bias)


def apply_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x`` ``[..., N, inputs]`` through ``weight`` ``[outputs, inputs]``, or ``[N, outputs, inputs]``: one a building."""
    if weight.ndim == 2:
        return functional.linear(x, weight, bias)
    mapped = torch.einsum("...ni,noi->...no", x, weight)
    return mapped if bias is None else mapped + bias


class Entrance(nn.Module):
    """A network's first layer: observation columns, standardised, through a linear layer.

    Every column has its own share of the sum, so the share of columns that are known hours ahead can be computed for all
    those hours at once (``known``), and that of the others when they become known (``share``).

    Args:
        columns: D.
        outputs: widths of the layer's parts, each of which goes another way.
        buildings: as in ``linear``.
    """

    def __init__(self, columns: int, *outputs: int, buildings: int | None = None) -> None:
        super().__init__()
        self.standardise = Standardisation(columns)
        self.parts = nn.ModuleList(linear(columns, width, buildings=buildings) for width in outputs)

    def forward(self, observations: Tensor) -> list[Tensor]:
        """``[..., N, D]`` to the parts ``[..., N, width]``."""
        seen = self.standardise(observations)
        return [part(seen) for part in self.parts]

    def known(self, observations: Tensor, missing: Tensor) -> list[Tensor]:
        """``forward`` without the share of the columns ``missing`` ``[k]``, whatever they hold."""
        seen = self.standardise(observations).index_fill(-1, missing, 0.0)
        return [part(seen) for part in self.parts]

    def share(self, values: Tensor, columns: Tensor) -> list[Tensor]:
        """The share of ``columns`` ``[k]``, of which ``values`` ``[..., N, k]`` are observed."""
        seen = self.standardise(values, columns)
        return [apply_linear(seen, part.weight.index_select(-1, columns), None) for part in self.parts]
