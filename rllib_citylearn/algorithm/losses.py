"""Losses as pure functions of tensors."""

from __future__ import annotations

from torch import Tensor


def cloning_loss(
    actions: Tensor,
    demonstrated: Tensor,
    is_demonstration: Tensor,
    keep: Tensor | None = None,
    action_mask: Tensor | None = None,
) -> Tensor:
    """Squared distance of the policy's actions from the demonstrated ones: Nair et al. 2018, eq. 1 (eq. 2 with ``keep``).

    The mean is over all actions demonstrated in the batch, also those that the filter takes out: as the policy comes to be
    better than the demonstrator, the loss fades away.

    Args:
        actions: of the policy, ``[B, N, A]``.
        demonstrated: actions stored in the batch, ``[B, N, A]``.
        is_demonstration: bool ``[B]``, which rows are demonstrations; the others count nothing.
        keep: Q-filter, bool ``[B]`` or ``[B, N]``: where the critic finds the demonstrated actions better than the policy's.
        action_mask: 1 where a building has the action, ``[N, A]`` or ``[B, N, A]``; None if all have all.

    Returns:
        a scalar; zero without demonstrations.
    """
    weight = is_demonstration.to(actions.dtype).reshape(-1, 1, 1).expand_as(actions)
    if action_mask is not None:
        weight = weight * action_mask
    count = weight.sum().clamp(min=1.0)
    if keep is not None:
        weight = weight * keep.to(actions.dtype).reshape(len(actions), -1, 1)
    return (weight * (actions - demonstrated.detach()).square()).sum() / count
