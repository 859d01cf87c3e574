"""The cloning loss: only demonstrations count, only what the filter keeps, only actions that exist."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm.losses import cloning_loss

B, N, A = 6, 3, 2


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    actions = torch.rand(B, N, A, generator=generator, dtype=torch.float64).requires_grad_()
    return actions, torch.rand(B, N, A, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("mask", [None, "community", "batch"])
@pytest.mark.parametrize("keep", [None, "rows", "buildings"])
def test_loss_and_gradient_are_those_of_the_sum_written_out(mask, keep):
    actions, demonstrated = tensors()
    random = np.random.default_rng(1)
    shown = np.array([True, False, True, True, False, True])
    has = {None: np.ones((N, A)), "community": random.random((N, A)) < 0.6, "batch": random.random((B, N, A)) < 0.6}[mask]
    kept = {None: np.ones(B), "rows": random.random(B) < 0.5, "buildings": random.random((B, N)) < 0.5}[keep]
    loss = cloning_loss(
        actions,
        demonstrated,
        torch.tensor(shown),
        None if keep is None else torch.tensor(kept),
        None if mask is None else torch.tensor(has),
    )
    total, count, gradient = 0.0, 0.0, np.zeros((B, N, A))
    everywhere = np.broadcast_to(has, (B, N, A))
    for b, n, a in np.ndindex(B, N, A):
        if shown[b] and everywhere[b, n, a]:
            count += 1
            gap = float(actions[b, n, a].detach() - demonstrated[b, n, a])
            weight = float(kept[b, n] if kept.ndim == 2 else kept[b])
            total += weight * gap**2
            gradient[b, n, a] = 2 * weight * gap
    assert float(loss.detach()) == pytest.approx(total / count)
    loss.backward()
    assert actions.grad is not None
    assert np.allclose(actions.grad.numpy(), gradient / count)


def test_no_demonstrations_no_loss():
    actions, demonstrated = tensors()
    loss = cloning_loss(actions, demonstrated, torch.zeros(B, dtype=torch.bool))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert actions.grad is not None
    assert not actions.grad.any()
