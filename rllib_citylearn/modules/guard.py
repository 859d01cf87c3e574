"""What no actor may do to the people served: leave a vehicle behind its departure, or take from it at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import GuardName
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.rule import CHARGERS, EFFICIENCY, ChargerRule, Physical, seen

MARGIN = 0.03
"""State of charge beyond what a driver asked for, which the last hours aim at: chargers don't follow small requests. On the
official set what is left for the last hours then misses 3 departures of 2,894 that full power from arrival meets, 46 with
the rule's 0.02."""


class ChargerGuard(nn.Module):
    """The least that a charger has to do now, so that full power from the next hour on still gets the vehicle ready.

    Its laxity, as in least-laxity scheduling (Dertouzos & Mok 1989): as long as the hours that are left after this one can
    charge more than is lacking, the charger may rest, and may discharge what they can make up for. ``forward`` maps encoded
    observations ``[..., D]`` to the least charger action ``[...]`` within [-1, 1], in the units of ``ChargerRule``.

    Args:
        community: a feature table that has the columns ``ChargerRule.needs(k)``.
        k: the charger's position in its building.
        one_way: whether it may not discharge vehicles at all.
    """

    def __init__(self, community: CommunityFeatures, k: int, *, one_way: bool) -> None:
        super().__init__()
        rule = ChargerRule(community, k)
        self.action = rule.action
        self.physical: Physical = rule.physical
        self.one_way = one_way

    def forward(self, observations: Tensor) -> Tensor:
        connected, soc, required, capacity, hours, charging, discharging = self.physical(observations).unbind(-1)
        lacking = (required - soc + MARGIN) * capacity / EFFICIENCY - (hours - 1.0).clamp(min=0.0) * charging
        share = (lacking / charging.clamp(min=1e-3)).clamp(0.0, 1.0)
        two_way = discharging > 0.01
        # A kWh that is given back takes more than that from the battery, and more than that to put there again.
        spare = torch.zeros_like(lacking) if self.one_way else lacking * EFFICIENCY**2 / discharging.clamp(min=1e-3)
        least = torch.where(two_way, share + spare.clamp(-1.0, 0.0), 2.0 * share - 1.0)
        return torch.where(connected > 0.5, least, torch.where(two_way & self.one_way, 0.0, -1.0))


class Guard(nn.Module):
    """Least actions of a community, ``[..., D]`` to ``[..., A]``; -1 where nothing is asked.

    Args:
        chargers: guards of the chargers, by their position.
        actions: names of the A joint actions.
    """

    def __init__(self, chargers: Sequence[ChargerGuard], actions: Sequence[str]) -> None:
        super().__init__()
        self.chargers = nn.ModuleList(chargers)
        self._places = [list(actions).index(charger.action) for charger in chargers]
        self._actions = len(actions)

    def forward(self, observations: Tensor) -> Tensor:
        least = [-torch.ones_like(observations[..., 0])] * self._actions
        for place, charger in zip(self._places, self.chargers, strict=True):
            least[place] = charger(observations)
        return torch.stack(least, -1)


def raised(action: Tensor, least: Tensor) -> Tensor:
    """The larger of ``action`` and ``least``, of one shape, with a gradient that leads out of where the guard has its way.

    An action that lies below the least gets the gradient of what is done if that would raise it, and none if it would lower
    it further. Without, an actor that is overruled all the time never learns that more would have been better.
    """
    if torch.is_grad_enabled() and action.requires_grad:
        result: Tensor = _Raised.apply(action, least)
        return result
    return torch.maximum(action, least)


class _Raised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, action: Tensor, least: Tensor) -> Tensor:
        ctx.save_for_backward(action < least)
        return torch.maximum(action, least)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Losses fall where gradients are below zero, so these raise the action."""
        (overruled,) = ctx.saved_tensors
        own = gradient.masked_fill(overruled & (gradient > 0.0), 0.0)
        return own, gradient.masked_fill(~overruled, 0.0)


def departure_guard(layout: JointLayout, name: GuardName) -> Guard | None:
    """The guard called ``name``; None if it is ``none`` or there is no charger that it could look after.

    It looks after chargers in a position in which every building that has one sees the vehicle and the charger's powers.

    Raises:
        ConfigError: vehicles are not to be discharged, and buildings with chargers don't see what a guard needs.
    """
    community = layout.community
    if community is None or name == "none":
        return None
    there = [k for k in CHARGERS if ChargerRule.sets(k) in community.actions]
    guarded = [k for k in there if seen(layout, ChargerRule.sets(k), ChargerRule.needs(k))]
    if name == "one-way" and guarded != there:
        blind = min(set(there) - set(guarded))
        raise ConfigError(
            f"guard is 'one-way', but not every building with a charger {blind} sees {', '.join(ChargerRule.needs(blind))}, "
            "without which vehicles might be discharged. Leave these features in, or set guard to 'none'."
        )
    chargers = [ChargerGuard(community, k, one_way=name == "one-way") for k in guarded]
    return Guard(chargers, community.actions) if chargers else None
