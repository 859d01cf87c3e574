"""Gradients of many parameters at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def all_finite(gradients: Sequence[Tensor]) -> bool:
    """Whether every number is finite, with one look at the device; False also where a tensor's norm overflows."""
    return not gradients or bool(torch.stack(torch._foreach_norm(list(gradients))).isfinite().all())


def average_over_learners(gradients: Sequence[Tensor]) -> None:
    """Replace gradients by their means over all learners of the process group, in one message instead of one each."""
    if not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat, op=torch.distributed.ReduceOp.AVG)
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(list(gradients), [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])
