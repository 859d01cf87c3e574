"""The differentiable engine's LSTM is torch's, and its gradients are its slopes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rllib_citylearn.simulator.differentiable.lstm import LSTM

HIDDEN, BUILDINGS, COMMUNITIES, HOURS = 3, 2, 4, 5


def given(layers: int) -> tuple[Tensor, ...]:
    """Arguments of ``LSTM``: states, weights and as many gates as there are hours."""
    generator = torch.Generator().manual_seed(layers)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    states = [drawn(layers, BUILDINGS, HIDDEN, COMMUNITIES).requires_grad_() for _ in range(2)]
    gates = [drawn(BUILDINGS, 4 * HIDDEN, COMMUNITIES).requires_grad_() for _ in range(HOURS)]
    recurrent = drawn(layers, BUILDINGS, 4 * HIDDEN, HIDDEN)
    below, bias = drawn(layers - 1, BUILDINGS, 4 * HIDDEN, HIDDEN), drawn(layers - 1, BUILDINGS, 4 * HIDDEN, 1)
    return (*states, recurrent, below, bias, *gates)


def of_torch(weights: Tensor) -> Tensor:
    """Weights ``[4H, ...]`` in torch's order of gates: input, forget, cell, output."""
    enter, keep, show, new = weights.chunk(4)
    return torch.cat([enter, keep, new / 2.0, show])


@pytest.mark.parametrize("layers", [1, 2, 3])
@torch.no_grad()
def test_it_is_torchs(layers: int) -> None:
    output, cell, recurrent, below, bias, *gates = given(layers)
    outputs, cells = LSTM.apply(output, cell, recurrent, below, bias, *gates)
    for n in range(BUILDINGS):
        reference = torch.nn.LSTM(4 * HIDDEN, HIDDEN, layers, dtype=torch.float64)
        for layer in range(layers):
            into = torch.eye(4 * HIDDEN, dtype=torch.float64) if layer == 0 else below[layer - 1, n]
            added = torch.zeros(4 * HIDDEN) if layer == 0 else bias[layer - 1, n, :, 0]
            getattr(reference, f"weight_ih_l{layer}").copy_(of_torch(into))
            getattr(reference, f"weight_hh_l{layer}").copy_(of_torch(recurrent[layer, n]))
            getattr(reference, f"bias_ih_l{layer}").copy_(of_torch(added))
            getattr(reference, f"bias_hh_l{layer}").zero_()
        before = tuple(state[:, n].transpose(1, 2).contiguous() for state in (output, cell))
        _, (last, kept) = reference(torch.stack([gate[n].t() for gate in gates]), before)
        torch.testing.assert_close(outputs[:, n].transpose(1, 2), last)
        torch.testing.assert_close(cells[:, n].transpose(1, 2), kept)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_gradients_are_slopes(layers: int) -> None:
    assert torch.autograd.gradcheck(LSTM.apply, given(layers))
