"""Actor, coordinator and critic.

All three treat buildings as a set: the same weights for each, attention between them, means over them. Permuting the
buildings permutes the outputs, and the number of buildings is free.

Shapes: B batch, N buildings, D observation columns, A action columns, H hint size. ``present`` ``[B, N]`` or ``[N]`` marks
the buildings that are there; absent ones neither attend nor are attended to.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of the given sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers += ([nn.ReLU()] if k else []) + [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def masked_mean(x: Tensor, present: Tensor | None) -> Tensor:
    """Mean of ``x`` ``[B, N, C]`` over the buildings that are present: ``[B, C]``."""
    if present is None:
        return x.mean(-2)
    weight = present.to(x.dtype).unsqueeze(-1)
    return (x * weight).sum(-2) / weight.sum(-2).clamp(min=1.0)


class Attention(nn.Module):
    """Multi-head attention over buildings (Vaswani et al. 2017; as a critic: Iqbal & Sha 2019, eq. 5-6)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """``[B, N, C]`` to ``[B, N, C]``."""
        query, key, value = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if present is not None:
            logits = logits.masked_fill(~present.bool()[..., None, None, :], torch.finfo(x.dtype).min)
        mixed = torch.softmax(logits, -1) @ value
        joined: Tensor = self.output(mixed.transpose(-2, -3).flatten(-2))
        return joined

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)


class Coordinator(nn.Module):
    """Gives every building a hint: the only path from one building to another at execution time.

    A building's hint joins what attention finds relevant for it among the others with the mean field, the average of all
    buildings' embeddings (Yang et al. 2018, "Mean Field Multi-Agent Reinforcement Learning").
    """

    def __init__(self, observation_size: int, hint_size: int, width: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Linear(observation_size, width)
        self.attention = Attention(width, heads)
        self.hint = nn.Linear(2 * width, hint_size)

    def forward(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to hints ``[B, N, H]`` within [-1, 1]."""
        embedding = torch.relu(self.embed(observations))
        attended = self.attention(embedding, present)
        field = masked_mean(embedding, present).unsqueeze(-2).expand_as(embedding)
        return torch.tanh(self.hint(torch.cat([attended, field], -1)))


class Actor(nn.Module):
    """One building's controller, with weights shared by all: its own observation and hint to its action.

    Args:
        observation_size, hint_size, action_size: D, H, A.
        hidden: width of the two hidden layers.
        rule: controller whose action the network corrects; None starts from zero.
        reach: how far the network can move the action from the rule's, in units of the action's half range.
    """

    def __init__(
        self, observation_size: int, hint_size: int, action_size: int, hidden: int, rule: nn.Module | None, reach: float
    ) -> None:
        super().__init__()
        self.network = mlp(observation_size + hint_size, hidden, hidden, action_size)
        self.rule = rule
        self.reach = reach
        last = self.network[-1]
        # A small last layer: the first policy is the rule, whatever the seed.
        nn.init.uniform_(last.weight, -1e-3, 1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, observations: Tensor, hints: Tensor) -> Tensor:
        """``[..., D]`` and ``[..., H]`` to actions ``[..., A]`` within [-1, 1]; no building sees another's row."""
        correction = torch.tanh(self.network(torch.cat([observations, hints], -1)))
        if self.rule is None:
            return correction
        return (self.rule(observations) + self.reach * correction).clamp(-1.0, 1.0)


class Critic(nn.Module):
    """The team's value of a joint observation and action, as a sum of values: one a building, one for the district.

    Every building is a token (its observation and action); attention lets a token see the others. ``value`` of a token is
    that building's own cost and carbon to come, the district's value is read from the mean token.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.embed = mlp(observation_size + action_size, hidden, hidden)
        self.attention = Attention(hidden, heads)
        self.building = mlp(2 * hidden, hidden, 1)
        self.district = mlp(2 * hidden, hidden, 1)

    def forward(self, observations: Tensor, actions: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``[B, N, D]`` and ``[B, N, A]`` to the buildings' values ``[B, N]`` and the district's ``[B]``."""
        token = torch.relu(self.embed(torch.cat([observations, actions], -1)))
        attended = torch.relu(self.attention(token, present))
        joined = torch.cat([token, attended], -1)
        district: Tensor = self.district(masked_mean(joined, present)).squeeze(-1)
        building: Tensor = self.building(joined).squeeze(-1)
        if present is not None:
            building = building * present.to(building.dtype)
        return building, district


def team_value(building: Tensor, district: Tensor, present: Tensor | None = None) -> Tensor:
    """The team's value ``[B]``: mean over buildings of ``building`` ``[B, N]``, plus ``district`` ``[B]``."""
    return masked_mean(building.unsqueeze(-1), present).squeeze(-1) + district
