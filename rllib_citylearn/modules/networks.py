"""Actor, coordinator and critics.

All treat buildings as a set: the same weights for each, attention between them, means over them. Permuting the buildings
permutes the outputs, and the number of buildings is free. Separate actors are the exception.

Shapes: B batch, N buildings, D observation columns, A action columns, H hint size. ``present`` ``[B, N]`` or ``[N]`` marks
the buildings that are there; absent ones neither attend nor are attended to, and what is computed for them is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rllib_citylearn.modules.config import CoordinatorKind
from rllib_citylearn.modules.guard import Guard, raised
from rllib_citylearn.modules.layers import Columns, Entrance, exactly, linear, rectified
from rllib_citylearn.modules.rule import StartingRule
from rllib_citylearn.modules.standardisation import Standardisation, TeamValueScale, ValueScale

_FEW = 100
"""Buildings, up to which attention's scores are written out."""

_NARROWEST = 32
"""Of a critic's summaries and second layer: with 8 and 16 numbers it does not see how actions depend on each other."""


def zero_absent(x: Tensor, present: Tensor | None) -> Tensor:
    """``x`` ``[B, N, C]`` with the rows of absent buildings set to zero, whatever they hold."""
    return x if present is None else x.masked_fill(~present.bool().unsqueeze(-1), 0.0)


def masked_mean(x: Tensor, present: Tensor | None) -> Tensor:
    """Mean of ``x`` ``[B, N, C]`` over the buildings that are present, ``[B, C]``; zero where none is."""
    if present is None:
        return x.mean(-2)
    count = present.to(x.dtype).sum(-1, keepdim=True)
    return zero_absent(x, present).sum(-2) / count.clamp(min=1.0)


class Attention(nn.Module):
    """Attention over buildings with several queries and one key and value a building.

    Vaswani et al. 2017, eq. 1, with the keys and values of all heads in common (Shazeer 2019, "Fast Transformer Decoding:
    One Write-Head is All You Need"); as a critic: Iqbal & Sha 2019, eq. 5-6. Heads mix the same values in different ways,
    and the scores of all of them are one product.

    Args:
        width: of the embeddings.
        inner: of queries, all heads together; keys and values are as wide as one head.
        heads: divide ``inner``.
        outputs: width of what is read out.
    """

    def __init__(self, width: int, inner: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.size = inner // heads
        self.query = nn.Linear(width, inner)
        self.key_value = nn.Linear(width, 2 * self.size)
        self.output = nn.Linear(inner, outputs)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """``[..., N, width]`` to ``[..., N, outputs]``."""
        # The queries of a building one after the other, as if they were buildings: [..., N * heads, size].
        queries = self.query(x).unflatten(-1, (-1, self.size)).flatten(-3, -2)
        key, value = self.key_value(x).split(self.size, -1)
        mask = None
        if present is not None:
            # The lowest number rather than minus infinity: a row without anybody stays finite.
            mask = torch.zeros_like(present, dtype=queries.dtype).unsqueeze(-2)
            mask = mask.masked_fill_(~present.bool().unsqueeze(-2), torch.finfo(queries.dtype).min)
        # Of few buildings all scores fit into the cache: gradients take three fifths of the time of those by blocks.
        few = x.ndim == 3 and x.shape[-2] <= _FEW and queries.requires_grad and not queries.is_cuda
        mixed = (_written_out if few else _blockwise)(queries, key, value, mask)
        joined: Tensor = self.output(mixed.unflatten(-2, (x.shape[-2], -1)).flatten(-2))
        return joined


def _blockwise(queries: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of ``[..., Q, size]`` to ``[..., N, size]`` by torch's kernels, which ask for a dimension of heads."""
    mask = None if mask is None else mask.unsqueeze(-3)
    one = (queries.unsqueeze(-3), key.unsqueeze(-3), value.unsqueeze(-3))
    return functional.scaled_dot_product_attention(*one, attn_mask=mask).squeeze(-3)


def _written_out(queries: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """The same of ``[B, Q, size]`` and ``[B, N, size]``, with all scores ``[B, Q, N]`` at once."""
    added, weight = (queries.new_zeros(()), 0.0) if mask is None else (mask, 1.0)
    scores = torch.baddbmm(added, queries, key.transpose(1, 2), beta=weight, alpha=queries.shape[-1] ** -0.5)
    return torch.bmm(torch.softmax(scores, -1), value)


class Coordinator(nn.Module):
    """Gives every building a hint: the only path from one building to another at execution time.

    A building's hint joins what attention finds relevant for it among the others with the mean field, the average of all
    buildings' embeddings (Yang et al. 2018, "Mean Field Multi-Agent Reinforcement Learning"), or is one of the two.

    Args:
        observation_size, hint_size: D, H.
        width: of the embedding.
        heads: of the attention.
        kind: what a hint is made of; not ``none``.
    """

    def __init__(self, observation_size: int, hint_size: int, width: int, heads: int, kind: CoordinatorKind) -> None:
        super().__init__()
        parts = kind.split("+")
        self.hint_size = hint_size
        self.entrance = Entrance(observation_size, width)
        self.attention = Attention(width, width, heads, hint_size) if "attention" in parts else None
        self.field = nn.Linear(width, hint_size) if "mean-field" in parts else None

    def forward(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to hints ``[B, N, H]`` within [-1, 1]."""
        seen = self.entrance.seen(zero_absent(observations, present))
        return self.hints(self.entrance.parts[0](seen), present)

    def hints(self, entered: Tensor, present: Tensor | None = None) -> Tensor:
        """What ``entrance`` gave, ``[B, N, width]``, to hints ``[B, N, H]``."""
        embedding = torch.relu(entered)
        hints = embedding.new_zeros(())
        if self.attention is not None:
            hints = self.attention(embedding, present)
        if self.field is not None:
            hints = hints + self.field(masked_mean(embedding, present)).unsqueeze(-2)
        return zero_absent(torch.tanh(hints).expand(*embedding.shape[:-1], -1), present)


class DistrictMeans(nn.Module):
    """Broadcasts the means over the buildings of all standardised observation columns; nothing in it is learnt.

    What a coordinator has to be better than.

    Args:
        observation_size: D, which is also the size of a hint.
    """

    def __init__(self, observation_size: int) -> None:
        super().__init__()
        self.entrance = Columns(observation_size)
        self.hint_size = observation_size

    def forward(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to hints ``[B, N, D]``."""
        return self.hints(self.entrance.standardise(zero_absent(observations, present)), present)

    def hints(self, entered: Tensor, present: Tensor | None = None) -> Tensor:
        """What ``entrance`` gave, ``[B, N, D]``, to hints of the same shape."""
        return zero_absent(masked_mean(entered, present).unsqueeze(-2).expand_as(entered), present)


class Actor(nn.Module):
    """One building's controller: its own observation and hint to its action.

    Args:
        observation_size, hint_size, action_size: D, H, A.
        hidden: width of the two hidden layers.
        rule: controller whose action the network corrects; None starts from zero.
        guard: below whose actions the network's don't fall; None lets them.
        reach: how far the network can move the action from the rule's, in units of the action's half range.
        buildings: N weights, one set a building; None shares one among all.
    """

    def __init__(
        self,
        observation_size: int,
        hint_size: int,
        action_size: int,
        hidden: int,
        rule: StartingRule | None,
        guard: Guard | None,
        reach: float,
        buildings: int | None = None,
    ) -> None:
        super().__init__()
        # What is linear in the inputs, as a share of a forecast, need not be learnt bent: it leads to the action, too.
        self.entrance = Entrance(observation_size, hidden, action_size, beside=hint_size, buildings=buildings)
        self.inner = linear(hidden, hidden, buildings=buildings)
        self.output = linear(hidden, action_size, bias=False, buildings=buildings)
        self.rule = rule
        self.guard = guard
        self.reach = reach
        # Small last weights: the first policy is the rule, whatever the seed.
        for last in self.last_layers:
            nn.init.uniform_(last.weight, -1e-3, 1e-3)
        nn.init.zeros_(self.entrance.parts[1].bias)

    @property
    def last_layers(self) -> tuple[nn.Module, nn.Module]:
        """The layers whose sum is the correction before its bound: of the inputs, and of the hidden layers."""
        _, direct = self.entrance.parts
        return direct, self.output

    def forward(self, observations: Tensor, hints: Tensor) -> Tensor:
        """``[..., N, D]`` and ``[..., N, H]`` to actions ``[..., N, A]`` within [-1, 1]; no building sees another's row."""
        rule = None if self.rule is None else self.rule(observations)
        least = None if self.guard is None else self.guard(observations)
        seen = self.entrance.seen(observations, hints)
        first, direct = self.entrance.parts
        return self.act(rectified(first, seen), direct(seen), rule, least)

    def act(self, first: Tensor, direct: Tensor, rule: Tensor | None, least: Tensor | None) -> Tensor:
        """The first hidden layer ``[..., N, hidden]``, ``direct``, and the rule's and the guard's actions ``[..., N, A]`` to
        actions."""
        correction = torch.tanh(self.output(rectified(self.inner, first)) + direct)
        action = correction if rule is None else (rule + self.reach * correction).clamp(-1.0, 1.0)
        return action if least is None else raised(action, least)


class Critic(nn.Module):
    """The team's value of a joint observation and action, as a sum of values: one a building, one for the district.

    Every building is a token (its observation and action); attention lets a token see the others. ``value`` of a token is
    that building's own cost and carbon to come, the district's value is read from the mean token.

    A token's attention and its second layer are about a quarter as wide as its first: an update passes the critics nine
    times, so they, and not the actors, are what it costs.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int, heads: int) -> None:
        super().__init__()
        narrow = max(hidden // 4, _NARROWEST)
        summary = heads * max(narrow // heads, 1)
        self.standardise = Standardisation(observation_size)
        self.token = nn.Linear(observation_size + action_size, hidden)
        self.summary = nn.Linear(observation_size + action_size, summary)
        self.attention = Attention(summary, summary, heads, narrow)
        self.inner = nn.Linear(hidden, narrow, bias=False)
        self.building = nn.Linear(narrow, 1)
        self.district = nn.Sequential(nn.Linear(narrow, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.scale = ValueScale()

    def forward(self, observations: Tensor, actions: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``[B, N, D]`` and ``[B, N, A]`` to the buildings' values ``[B, N]`` and the district's ``[B]``."""
        seen = zero_absent(torch.cat([self.standardise(observations), actions], -1), present)
        attended = self.attention(rectified(self.summary, seen), present)
        joined = torch.relu(self.inner(rectified(self.token, seen)) + attended)
        building, district = self.scale(
            exactly(self.building, joined).squeeze(-1), exactly(self.district, masked_mean(joined, present)).squeeze(-1)
        )
        building = zero_absent(building.unsqueeze(-1), present).squeeze(-1)
        if present is not None:
            district = district * present.bool().any(-1)
        return building, district


class IndependentCritic(nn.Module):
    """A building's value of the team's reward from its own observation and action alone; the district has none.

    The ablation that gives centralised training up: independent DDPG (Lillicrap et al. 2016) for every building, with
    weights shared among them.
    """

    def __init__(self, observation_size: int, action_size: int, hidden: int) -> None:
        super().__init__()
        self.standardise = Standardisation(observation_size)
        self.inner = nn.Sequential(
            nn.Linear(observation_size + action_size, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.building = nn.Linear(hidden, 1)
        self.scale = TeamValueScale()

    def forward(self, observations: Tensor, actions: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``[B, N, D]`` and ``[B, N, A]`` to the buildings' values ``[B, N]`` and zeros ``[B]``."""
        seen = zero_absent(torch.cat([self.standardise(observations), actions], -1), present)
        own = exactly(self.building, self.inner(seen)).squeeze(-1)
        none = own.new_zeros(own.shape[:-1])
        building, _ = self.scale(own, none)
        return zero_absent(building.unsqueeze(-1), present).squeeze(-1), none


def team_value(building: Tensor, district: Tensor, present: Tensor | None = None) -> Tensor:
    """The team's value ``[B]``: mean over buildings of ``building`` ``[B, N]``, plus ``district`` ``[B]``."""
    return masked_mean(building.unsqueeze(-1), present).squeeze(-1) + district
