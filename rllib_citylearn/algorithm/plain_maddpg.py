"""MADDPG as the paper has it, to measure ours against: an actor and a critic for each agent, one agent after the other.

Lowe et al. 2017, "Multi-Agent Actor-Critic for Mixed Cooperative-Competitive Environments", algorithm 1. It lies in the
package because ``bench learner`` has to find it wherever the package is installed; nothing trains with it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

Arrays = dict[str, npt.NDArray[np.float32]]


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


@dataclass(frozen=True)
class _Batch:
    """``joint`` and ``next_joint`` ``[B, N * (D + A)]`` are what critics see, the latter with the target actors' actions."""

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    joint: Tensor
    next_joint: Tensor


class PlainMADDPG:
    """N actors on their own observations, N critics on everybody's observations and actions, without twins.

    Args:
        agents, observation_size, action_size: N, D, A.
        hidden: width of the two hidden layers of all networks.
        device: where to learn.
        gamma: discount a step.
        tau: share by which targets move in an update.
        actor_lr, critic_lr: learning rates of Adam.
    """

    def __init__(
        self,
        agents: int,
        observation_size: int,
        action_size: int,
        hidden: int,
        device: Any = "cpu",
        *,
        gamma: float = 0.98,
        tau: float = 0.005,
        actor_lr: float = 3e-4,
        critic_lr: float = 1e-3,
    ) -> None:
        self._device, self._gamma, self._tau = torch.device(device), gamma, tau
        joint = agents * (observation_size + action_size)
        self.actors = nn.ModuleList(_mlp(observation_size, hidden, action_size) for _ in range(agents)).to(self._device)
        self.critics = nn.ModuleList(_mlp(joint, hidden, 1) for _ in range(agents)).to(self._device)
        self._targets = copy.deepcopy(nn.ModuleList([self.actors, self.critics])).requires_grad_(False)
        self._actor_steps = [torch.optim.Adam(actor.parameters(), lr=actor_lr, fused=True) for actor in self.actors]
        self._critic_steps = [torch.optim.Adam(critic.parameters(), lr=critic_lr, fused=True) for critic in self.critics]

    def act(self, observations: Tensor) -> Tensor:
        """Observations ``[B, N, D]`` to actions ``[B, N, A]`` within [-1, 1]."""
        return self._all(self.actors, observations)

    @staticmethod
    def _all(actors: Any, observations: Tensor) -> Tensor:
        return torch.stack([torch.tanh(actor(observations[:, i])) for i, actor in enumerate(actors)], 1)

    def update(self, *batches: Arrays) -> list[float]:
        """One gradient step of every critic and every actor, then of the targets.

        Args:
            batches: a batch an agent, as algorithm 1 draws them, or one for all, which spares the target actors N - 1 of N
                passes; of ``obs``, ``new_obs`` ``[B, N, D]``, ``actions`` ``[B, N, A]`` and every agent's ``rewards``
                ``[B, N]``.

        Returns:
            the critics' losses, ``[N]``.

        Raises:
            ValueError: another number of batches.
        """
        if len(batches) not in (1, len(self.actors)):
            raise ValueError(f"There are {len(batches)} batches for {len(self.actors)} agents; give one, or one each.")
        _, target_critics = self._targets
        shared = self._prepare(batches[0]) if len(batches) == 1 else None
        losses = []
        for i in range(len(self.actors)):
            batch = shared or self._prepare(batches[i])
            with torch.no_grad():
                target = batch.rewards[:, i : i + 1] + self._gamma * target_critics[i](batch.next_joint)
            loss = functional.mse_loss(self.critics[i](batch.joint), target)  # eq. 6
            self._descend(loss, self.critics[i], self._critic_steps[i])
            own = torch.tanh(self.actors[i](batch.observations[:, i]))  # the others' actions are those of the batch, eq. 5
            chosen = [batch.actions[:, :i].flatten(1), own, batch.actions[:, i + 1 :].flatten(1)]
            objective = self.critics[i](torch.cat([batch.observations.flatten(1), *chosen], 1)).mean()
            self._descend(-objective, self.actors[i], self._actor_steps[i])
            losses.append(loss.detach())
        with torch.no_grad():
            networks = [*self.actors.parameters(), *self.critics.parameters()]
            torch._foreach_lerp_(list(self._targets.parameters()), networks, self._tau)
        found: list[float] = torch.stack(losses).tolist()
        return found

    @torch.no_grad()
    def _prepare(self, batch: Arrays) -> _Batch:
        observations, following, actions, rewards = (
            torch.from_numpy(batch[name]).to(self._device) for name in ("obs", "new_obs", "actions", "rewards")
        )
        next_actions = self._all(self._targets[0], following)
        return _Batch(
            observations=observations,
            actions=actions,
            rewards=rewards,
            joint=torch.cat([observations.flatten(1), actions.flatten(1)], 1),
            next_joint=torch.cat([following.flatten(1), next_actions.flatten(1)], 1),
        )

    @staticmethod
    def _descend(loss: Tensor, network: nn.Module, step: torch.optim.Optimizer) -> None:
        """A step of ``network`` alone: gradients of other networks that the loss went through are not computed."""
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        step.step()
