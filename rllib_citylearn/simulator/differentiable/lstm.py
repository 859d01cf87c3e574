"""LSTM layers over several hours, of N buildings at once (Hochreiter & Schmidhuber 1997), with a backward pass of its own.

An hour of a community is hundreds of small operations here, of which autograd would keep a record each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ENTER, KEEP, SHOW, NEW = range(4)
"""Order of the gates. A cell's new content is tanh(x) = 2 sigmoid(2x) - 1: what leads to it is doubled beforehand, so that
one sigmoid does for all."""


class LSTM(torch.autograd.Function):
    """S hours of L layers. Gradients reach gates and states; weights are constants."""

    @staticmethod
    def forward(
        ctx: Any, output: Tensor, cell: Tensor, recurrent: Tensor, below: Tensor, bias: Tensor, *gates: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the layers.

        Args:
            ctx: keeps what the backward pass needs.
            output, cell: the layers' outputs and cell states before, ``[L, N, H, E]``.
            recurrent: weights of a layer's own output in the hour before, ``[L, N, 4H, H]``.
            below: of the layer below in the same hour, ``[L - 1, N, 4H, H]``.
            bias: of the layers but the first, ``[L - 1, N, 4H, 1]``.
            gates: in each hour, what inputs and bias add to the first layer's gates, ``[N, 4H, E]``.

        Returns:
            outputs and cell states after the hours, ``[L, N, H, E]``.
        """
        layers, hours = len(output), len(gates)
        shape = (layers, hours, *output.shape[1:])
        activations = output.new_empty(layers, hours, *gates[0].shape)
        # Cell states, one more than hours, and their hyperbolic tangents.
        cells = output.new_empty(layers, hours + 1, *output.shape[1:])
        bounded, shown = output.new_empty(shape), output.new_empty(shape)
        cells[:, 0] = cell
        for layer in range(layers):
            own, kept = output[layer], cells[layer].unbind(0)
            each = zip(
                *map(torch.unbind, (activations[layer], *_each(activations[layer]), bounded[layer], shown[layer])),
                strict=True,
            )
            for s, (active, enter, keep, show, new, tangent, out) in enumerate(each):
                total = gates[s]
                if layer > 0:
                    total = torch.baddbmm(bias[layer - 1], below[layer - 1], shown[layer - 1, s])
                torch.baddbmm(total, recurrent[layer], own, out=active).sigmoid_()
                torch.mul(keep, kept[s], out=kept[s + 1]).addcmul_(enter, new, value=2.0).sub_(enter)
                own = torch.mul(show, torch.tanh(kept[s + 1], out=tangent), out=out)
        ctx.save_for_backward(activations, cells, bounded, recurrent, below)
        return shown[:, -1].clone(), cells[:, -1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, output: Tensor, cell: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what ``forward`` was given."""
        activations, cells, bounded, recurrent, below = ctx.saved_tensors
        layers, hours = activations.shape[:2]
        before, cell_before = torch.empty_like(output), torch.empty_like(cell)
        gates = torch.empty_like(activations)
        transposed, transposed_below = recurrent.transpose(2, 3), below.transpose(2, 3)
        for layer in range(layers - 1, -1, -1):
            own, kept = output[layer], cell[layer]
            active, gate, earlier = (x[layer].unbind(0) for x in (activations, gates, cells))
            parts = zip(*map(torch.unbind, (*_each(activations[layer]), bounded[layer])), strict=True)
            into = zip(*map(torch.unbind, _each(gates[layer])), strict=True)
            each = list(zip(parts, into, strict=True))
            for s in range(hours - 1, -1, -1):
                (enter, keep, show, new, tangent), (to_enter, to_keep, to_show, to_new) = each[s]
                if layer < layers - 1:
                    own = torch.baddbmm(own, transposed_below[layer], gates[layer + 1, s])
                torch.mul(own, tangent, out=to_show)
                kept = kept + torch.ops.aten.tanh_backward(own * show, tangent)
                torch.mul(kept, enter, out=to_new).mul_(2.0)
                torch.mul(kept, new, out=to_enter).mul_(2.0).sub_(kept)
                torch.mul(kept, earlier[s], out=to_keep)
                torch.ops.aten.sigmoid_backward.grad_input(gate[s], active[s], grad_input=gate[s])
                kept = kept * keep
                own = torch.bmm(transposed[layer], gate[s])
            before[layer], cell_before[layer] = own, kept
        return before, cell_before, None, None, None, *gates[0].unbind(0)


def _each(gates: Tensor) -> tuple[Tensor, ...]:
    """The four of ``[S, N, 4H, E]``, in their order, ``[S, N, H, E]``."""
    return gates.chunk(4, 2)
