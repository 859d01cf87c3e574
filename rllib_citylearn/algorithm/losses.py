"""Targets and losses as pure functions of tensors.

Shapes: B rows, N buildings, A actions, H simulated hours. Equation numbers refer to

* [L] Lowe et al. 2017, "Multi-Agent Actor-Critic for Mixed Cooperative-Competitive Environments" (MADDPG);
* [F] Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (TD3);
* [M] Feinberg et al. 2018, "Model-Based Value Estimation for Efficient Model-Free Reinforcement Learning" (MVE).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from rllib_citylearn.modules.networks import masked_mean, team_value


class Value(NamedTuple):
    """A team's value (or return) in its parts.

    Attributes:
        building: each building's, ``[..., N]``.
        district: the district's, ``[...]``.
    """

    building: Tensor
    district: Tensor

    def team(self, present: Tensor | None = None) -> Tensor:
        """Their sum as the team counts it: mean over buildings plus the district's, ``[...]``."""
        return team_value(self.building, self.district, present)


Critic = Callable[[Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Observations ``[B, N, D]``, actions ``[B, N, A]`` and who is present to a value's parts."""


def smaller_value(critics: Sequence[Critic], observations: Tensor, actions: Tensor, present: Tensor | None = None) -> Value:
    """The value from the critic of two whose team value is smaller ([F] eq. 10), all its parts together.

    The minimum of every part by itself would add up to less than either estimate (``docs/decisions/0004``).
    """
    first, second = (Value(*critic(observations, actions, present)) for critic in critics)
    smaller = first.team(present) < second.team(present)
    return Value(
        torch.where(smaller.unsqueeze(-1), first.building, second.building),
        torch.where(smaller, first.district, second.district),
    )


def td_target(reward: Value, discount: Tensor, following: Value) -> Value:
    """What a value should have been: [L] eq. 6, with rewards of n hours summed before.

    Args:
        reward: of the hours up to the next observation, ``[B, N]`` and ``[B]``.
        discount: gamma to their number, zero after a termination, ``[B]``.
        following: the value of the next observation.
    """
    return Value(
        reward.building + discount.unsqueeze(-1) * following.building, reward.district + discount * following.district
    )


def returns_to_go(rewards: Value, final: Value, gamma: float) -> Value:
    """Discounted returns from each of H simulated hours to the value at their end: [M] eq. 4.

    Args:
        rewards: ``[H, B, N]`` and ``[H, B]``.
        final: the value after the last hour, ``[B, N]`` and ``[B]``.
        gamma: discount an hour.

    Returns:
        ``[H, B, N]`` and ``[H, B]``.
    """
    hours = len(rewards.district)
    step = torch.arange(hours + 1, device=rewards.district.device, dtype=rewards.district.dtype)
    ahead = step[None, :] - step[:hours, None]
    # [H, H + 1]: gamma to the hours between, nothing from hours that are past.
    weight = torch.where(ahead >= 0, gamma ** ahead.clamp(min=0), 0.0)
    building = torch.cat([rewards.building, final.building.unsqueeze(0)])
    district = torch.cat([rewards.district, final.district.unsqueeze(0)])
    with torch.autocast(weight.device.type, enabled=False):  # returns need all their digits, whatever networks compute in
        return Value((weight @ building.flatten(1)).view_as(rewards.building), weight @ district)


def critic_loss(
    value: Value,
    target: Value,
    *,
    decompose: bool,
    independent: bool = False,
    present: Tensor | None = None,
    importance: Tensor | None = None,
) -> Tensor:
    """How far a critic is off ([L] eq. 6), as a scalar.

    Huber's loss instead of the square: rewards have rare large values (a month's new peak, a steep ramp) that would drown
    what an ordinary hour teaches.

    Args:
        value: of the critic, ``[B, N]`` and ``[B]``.
        target: what it should have been.
        decompose: compare every building's value and the district's with their own part of the target (True), or their sums.
        independent: every building by itself estimates the team's value, and there is no district.
        present: bool ``[B, N]``; None is all.
        importance: weights of the rows, ``[B]``.
    """
    if independent:
        wanted = target.team(present).unsqueeze(-1).expand_as(value.building)
        loss = _mean_over_buildings(_huber(value.building, wanted), present)
    elif decompose:
        loss = _mean_over_buildings(_huber(value.building, target.building), present)
        loss = loss + _huber(value.district, target.district)
    else:
        loss = _huber(value.team(present), target.team(present))
    return loss.mean() if importance is None else (loss * importance).mean()


def td_errors(value: Value, target: Value, present: Tensor | None = None) -> Tensor:
    """How far off the team's value is in every row, ``[B]``, absolute: what priorities are made of (Schaul et al. 2016)."""
    return (value.team(present) - target.team(present)).abs()


def _huber(value: Tensor, target: Tensor) -> Tensor:
    return functional.smooth_l1_loss(value, target, reduction="none")


def _mean_over_buildings(loss: Tensor, present: Tensor | None) -> Tensor:
    return masked_mean(loss.unsqueeze(-1), present).squeeze(-1)


def policy_loss(objective: Tensor, values: Tensor) -> Tensor:
    """The loss whose gradient climbs the objective ``[B]`` ([L] eq. 5), as a scalar.

    Its unit is the spread of ``values``, of the team in as many states as are at hand, so that step sizes and the weights of
    other terms do not depend on the scale of rewards.
    """
    return -objective.mean() / values.detach().std(correction=0).clamp(min=1e-3)


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
