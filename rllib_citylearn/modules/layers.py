"""Linear layers: one for all buildings or one for each, and a network's first, which can be computed in parts.

Shapes: N buildings, D observation columns, I further inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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


def rectified(layer: nn.Module, x: Tensor) -> Tensor:
    """``layer`` of ``x`` ``[..., inputs]``, negative numbers zeroed in place: new memory costs more than the operation."""
    if isinstance(layer, SeparateLinear):
        return torch.relu(layer(x))
    # As rows, since gradients of operations in place on another view of them would copy all of them.
    rows: Tensor = layer(x.flatten(0, -2))
    return rows.relu_().unflatten(0, x.shape[:-1])


def exactly(layer: nn.Module, x: Tensor) -> Tensor:
    """``layer`` of ``x`` in its own precision, also under autocast: values that add up to returns need all their digits."""
    with torch.autocast(x.device.type, enabled=False):
        result: Tensor = layer(x.to(next(layer.parameters()).dtype))
    return result


class Entrance(nn.Module):
    """A network's first layer: observation columns, standardised, and what else it is given, through a linear layer.

    Every column has its own share of the sum, so the share of columns that are known hours ahead can be computed for all
    those hours at once (``known``), and that of the others when they become known (``share``).

    Args:
        columns: D.
        outputs: widths of the layer's parts, each of which goes another way.
        beside: numbers that come as they are beside the observations, I.
        buildings: as in ``linear``.
    """

    def __init__(self, columns: int, *outputs: int, beside: int = 0, buildings: int | None = None) -> None:
        super().__init__()
        self.columns = columns
        self.standardise = Standardisation(columns)
        self.parts = nn.ModuleList(linear(columns + beside, width, buildings=buildings) for width in outputs)
        if beside:  # as a layer of their own begins: among many columns they would hardly count
            for part in self.parts:
                nn.init.uniform_(part.weight[..., columns:], -(beside**-0.5), beside**-0.5)

    def seen(self, observations: Tensor, beside: Tensor | None = None) -> Tensor:
        """``[..., N, D]`` and ``[..., N, I]`` to the inputs of the linear layer, ``[..., N, D + I]``."""
        standard: Tensor = self.standardise(observations)
        return standard if beside is None else torch.cat([standard, beside], -1)

    def known(self, observations: Tensor, missing: Tensor) -> list[Tensor]:
        """The parts ``[..., N, width]`` without the share of the columns ``missing`` ``[k]`` and of what is beside."""
        seen = self.standardise(observations).index_fill(-1, missing, 0.0)
        return [apply_linear(seen, part.weight[..., : self.columns], part.bias) for part in self.parts]

    def share(self, columns: Tensor) -> Callable[[Tensor, Tensor | None], list[Tensor]]:
        """A function from values ``[..., N, k]`` of ``columns`` ``[k]``, and what is beside, to their share of the parts.

        The weights are looked up now; they must not change before its last call.
        """
        beside = torch.arange(self.columns, self.parts[0].weight.shape[-1], device=columns.device)
        weights = [part.weight.index_select(-1, torch.cat([columns, beside])) for part in self.parts]

        def share(values: Tensor, beside: Tensor | None = None) -> list[Tensor]:
            seen = self.standardise(values, columns)
            seen = seen if beside is None else torch.cat([seen, beside], -1)
            return [apply_linear(seen, weight, None) for weight in weights]

        return share


class Columns(nn.Module):
    """Standardised observation columns as they are, by the same parts as an ``Entrance``.

    Args:
        columns: D.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.standardise = Standardisation(columns)

    def known(self, observations: Tensor, missing: Tensor) -> list[Tensor]:
        """``[..., N, D]`` with zeros in the columns ``missing`` ``[k]``."""
        return [self.standardise(observations).index_fill(-1, missing, 0.0)]

    def share(self, columns: Tensor) -> Callable[[Tensor, Tensor | None], list[Tensor]]:
        """A function from values ``[..., N, k]`` of ``columns`` ``[k]`` to ``[..., N, D]``, zero elsewhere."""

        def share(values: Tensor, beside: Tensor | None = None) -> list[Tensor]:
            standard = self.standardise(values, columns)
            return [standard.new_zeros(*standard.shape[:-1], len(self.standardise.mean)).index_copy(-1, columns, standard)]

        return share
