"""A policy over simulated hours of which all but a few observation columns are known before the first."""

from __future__ import annotations

import torch
from torch import Tensor

from rllib_citylearn.modules.policy import Policy


class Foresight:
    """The policy's actions in H hours, with everything done at once that does not depend on its own earlier actions.

    Of a home's 68 columns three follow from what its battery did; the others are weather, prices, loads and forecasts of
    them. Their shares of the networks' first layers, and the rule's actions if it reads nothing else, are computed for all
    hours in one pass, so that an hour costs what is left of the networks behind those layers. Gradients are the same.

    Args:
        policy: whose actions these are; its weights must not change before the last call.
        observations: of all hours, ``[H, B, N, D]``, which must not change either; what the columns ``changing`` hold is not
            looked at.
        changing: the other columns, ``[k]``.
        rule_ahead: whether the rule, if there is one, reads none of ``changing``.
    """

    def __init__(self, policy: Policy, observations: Tensor, changing: Tensor, *, rule_ahead: bool) -> None:
        self._policy, self._changing = policy, changing
        # Unbound, since gradients of rows that are looked up one by one are each as large as the whole.
        entrance = policy.actor.entrance
        first, direct = entrance.known(observations, changing)
        self._first, self._direct = first.unbind(0), direct.unbind(0)
        self._share = entrance.share(changing)
        if policy.coordinator is not None:
            (embedded,) = policy.coordinator.entrance.known(observations, changing)
            self._embedded = embedded.unbind(0)
            self._embedded_share = policy.coordinator.entrance.share(changing)
        rule, guard = policy.actor.rule, policy.actor.guard
        self._rule = rule(observations) if rule is not None and rule_ahead else None
        # What has to wait for the columns that change; a guard looks at the vehicles' charge.
        self._later = rule if self._rule is None else None
        self._observations = None if self._later is None and guard is None else observations

    def actions(self, hour: int, values: Tensor, kept: Tensor | None = None) -> Tensor:
        """The policy's actions ``[B, N, A]``, as ``Policy.forward`` has them.

        Args:
            hour: from 0 on.
            values: of the columns ``changing`` in this hour, ``[B, N, k]``.
            kept: as in ``Policy.forward``.
        """
        coordinator, guard = self._policy.coordinator, self._policy.actor.guard
        hints: Tensor | None = None
        if coordinator is not None:
            (share,) = self._embedded_share(values, None)
            hints = coordinator.hints(self._embedded[hour] + share)
            hints = hints if kept is None else hints * kept
        rule, least = None if self._rule is None else self._rule[hour], None
        if self._observations is not None:
            observed = self._observations[hour].index_copy(-1, self._changing, values)
            rule = rule if self._later is None else self._later(observed)
            least = None if guard is None else guard(observed)
        first, direct = self._share(values, hints)
        return self._policy.actor.act(torch.relu(self._first[hour] + first), self._direct[hour] + direct, rule, least)
