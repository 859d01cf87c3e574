"""Value expansion: the policy's value from hours that are simulated, with gradients, and the critics' value after them.

Classic MADDPG asks the critic which way an action should move. Here the gradient runs through simulated hours themselves:

    J(s) = sum_{h<H} gamma^h r(s_h, a_h) + gamma^H Q'(s_H, a_H),   a_h = pi(s_h),   s_{h+1} = f(s_h, a_h)

with f and r of ``DifferentiableCommunity``. References:

* Feinberg et al. 2018, "Model-Based Value Estimation for Efficient Model-Free Reinforcement Learning": J as a target for the
  critics (eq. 4), at every simulated hour;
* Xu et al. 2022, "Accelerated Policy Learning with Parallel Differentiable Simulation" (SHAC): J as the policy's objective
  (eq. 5), with gradients cut off after H hours.

Weather, loads and prices of the simulated hours are those of the training data, whose future the policy does not see: an
average over many starts is an average over futures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ray.rllib.core.columns import Columns
from torch import Tensor

from rllib_citylearn.algorithm.forecast_errors import ForecastErrors
from rllib_citylearn.algorithm.losses import Value, returns_to_go, smaller_value
from rllib_citylearn.algorithm.names import COMMUNITY_INDEX, STATES
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.members import Member, members
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import CommunityRLModule
from rllib_citylearn.modules.foresight import Foresight
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, State
from rllib_citylearn.simulator.differentiable.rows import StateRows


@dataclass(frozen=True)
class Expansion:
    """M simulated stretches of H hours.

    Attributes:
        objective: the team's expanded value at their starts, ``[M]``, with gradients to the policy.
        observations: of all their hours, ``[H * M, N, D]``.
        actions: ``[H * M, N, A]``.
        returns: what their values should be, ``[H * M, N]`` and ``[H * M]``.
    """

    objective: Tensor
    observations: Tensor
    actions: Tensor
    returns: Value


@dataclass(frozen=True)
class _Simulated:
    """One of the run's communities, as the learner simulates it.

    ``action_mask`` is ``[N, A]`` of its own N buildings, ``changing`` the columns of observations that the control changes.
    """

    community: DifferentiableCommunity
    rows: StateRows
    latest: int
    action_mask: Tensor
    errors: ForecastErrors | None
    changing: frozenset[int]


class ValueExpansion:
    """Simulates on from the states that a batch of replay carries.

    Args:
        config: the communities that runners play; the learner needs their data, too.
        hours: H.
        starts: number M of rows of a batch to simulate from.
        gamma: discount an hour.
        device: where to simulate.

    Raises:
        EngineError: a community has something that can't be differentiated, named.
        ConfigError: its data are shorter than H hours.
    """

    def __init__(self, config: CommunityEnvConfig, *, hours: int, starts: int, gamma: float, device: torch.device) -> None:
        self._hours = hours
        self._starts = starts
        self._discount = torch.tensor([gamma**h for h in range(hours)], device=device)
        self._gamma = gamma
        # The same numbers as the runners', so that the same communities are drawn.
        self._simulated = [_simulated(member, k, hours, device) for k, member in enumerate(members(config))]

    def __call__(
        self, module: CommunityRLModule, batch: dict[str, Tensor], reward_scale: float, generator: torch.Generator
    ) -> Expansion | None:
        """Expand the policy's value from rows of ``batch``; None if no row has enough data ahead.

        They are of the first row's community, so that all of them can be simulated as one.

        Args:
            module: gradients reach its policy, not its target critics.
            batch: with packed states, as from replay.
            reward_scale: factor on rewards.
            generator: of hint dropout, of vehicles' journeys and of forecasts' errors.
        """
        states, observations = batch[STATES], batch[Columns.OBS]
        k = int(batch[COMMUNITY_INDEX][0]) if COMMUNITY_INDEX in batch else 0
        simulated = self._simulated[k]
        usable = states[:, 0] <= simulated.latest
        if COMMUNITY_INDEX in batch:
            usable = usable & (batch[COMMUNITY_INDEX] == k)
        chosen = usable.nonzero().squeeze(1)[: self._starts]
        if not len(chosen):
            return None
        rows, mask = simulated.rows, simulated.action_mask
        # Rows of replay are as wide as the largest community.
        own, observed = states[chosen, : rows.size], observations[chosen, : len(mask)]
        state = rows.unpack(own, observed, hours=self._hours, generator=generator)
        kept = kept_hints(module, len(chosen), generator, states.device)
        community = simulated.community
        observed = community.foreseen(state, self._hours + 1)
        if simulated.errors is not None:
            simulated.errors.add(observed, community.observer.data_at(state.row), generator)
        rule = module.policy.actor.rule
        # Known without asking the device.
        rule_ahead = rule is None or rule.columns.isdisjoint(simulated.changing)
        ahead = Foresight(module.policy, observed, community.changing, rule_ahead=rule_ahead)
        seen: list[Tensor] = []
        done: list[Tensor] = []

        def policy(values: Tensor, state: State) -> Tensor:
            seen.append(values)
            done.append(ahead.actions(len(done), values, kept) * mask)
            return done[-1]

        end, outcome = community.rollout(state, policy, self._hours, partly=True)
        assert outcome.rewards is not None  # the communities are made with reward tables
        last = policy(end.observations, end)
        # Once for all hours; gradients go on through the last one's alone.
        observed[:-1].index_copy_(3, community.changing, torch.stack(seen[:-1]).detach())
        final = smaller_value(
            list(module.target_critics), observed[-1].index_copy(2, community.changing, end.observations), last
        )
        team = reward_scale * outcome.rewards.team
        objective = (self._discount[:, None] * team).sum(0) + self._gamma**self._hours * final.team()
        rewards = Value(reward_scale * outcome.rewards.building.detach(), reward_scale * outcome.rewards.district.detach())
        returns = returns_to_go(rewards, Value(final.building.detach(), final.district.detach()), self._gamma)
        return Expansion(
            objective=objective,
            observations=observed[:-1].flatten(0, 1),
            actions=torch.cat(done[:-1]).detach(),
            returns=Value(returns.building.flatten(0, 1), returns.district.flatten(0, 1)),
        )


def kept_hints(module: CommunityRLModule, rows: int, generator: torch.Generator, device: torch.device) -> Tensor | None:
    """Which rows, or stretches that begin with them, have hints, ``[rows, 1, 1]``; None is all (``hint_dropout``)."""
    if not (module.settings.hint_dropout and module.policy.hint_size):
        return None
    return (torch.rand(rows, 1, 1, generator=generator, device=device) >= module.settings.hint_dropout).float()


def _simulated(member: Member, k: int, hours: int, device: torch.device) -> _Simulated:
    vector = CommunityVectorEnv(member.config, 1, instance=(k,), site=member.site)
    try:
        description = vector.engine.community.description  # type: ignore[attr-defined]
        community = DifferentiableCommunity(description, reward=vector.reward.tables).to(device)
    finally:
        vector.close()
    latest = community.rows - 1 - hours
    if latest < 0:
        raise ConfigError(
            f"model_horizon is {hours} hours, but the environment's data have {community.rows} rows, of which the last has "
            f"no hour after it; set model_horizon to at most {community.rows - 1}, or widen the window."
        )
    mask = torch.from_numpy(description.features.action_mask).float().to(device)
    noise = member.config.forecast_noise
    return _Simulated(
        community,
        StateRows(description),
        latest=latest,
        action_mask=mask,
        errors=ForecastErrors(description.features, noise, device) if noise else None,
        changing=frozenset(community.changing.tolist()),
    )
