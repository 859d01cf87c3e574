"""The community's RLModule: all buildings' actors, their coordinator, and the critics that train them.

One module for the whole community, not one an agent: a forward pass is one batch ``[B, N, D]``, and weights, device moves,
checkpoints and synchronisation go through RLlib's ordinary single-module paths.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, TargetNetworkAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor, nn

from rllib_citylearn.algorithm.names import ACTION_MASK, PRESENT
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.exploration import ExplorationNoise
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.networks import Critic, IndependentCritic, zero_absent
from rllib_citylearn.modules.policy import Policy
from rllib_citylearn.modules.standardisation import Standardisation, ValueScale

__all__ = ["RESET", "CommunityModuleConfig", "CommunityRLModule", "Policy"]

_Network = TypeVar("_Network", bound=nn.Module)

RESET = "reset"
"""Batch column, bool ``[B]``: True where an episode has just begun."""


class CommunityRLModule(TorchRLModule, InferenceOnlyAPI, TargetNetworkAPI):
    """RLModule over joint observations; its spaces are the community's Dict spaces, its batch is joint.

    Batches carry ``obs`` ``[B, N, D]`` and give ``actions`` ``[B, N, A]`` within [-1, 1], zero where a building lacks the
    action. They can carry ``present`` ``[B, N]``, which buildings are there, and ``action_mask`` ``[B, N, A]``, for other
    communities than the module's own.
    """

    def setup(self) -> None:
        """Build the networks; the critics only where there is a learner."""
        self.settings = CommunityModuleConfig.from_dict(dict(self.model_config or {}))
        self.layout = JointLayout(self.observation_space, self.action_space)
        self.action_mask: Tensor
        self.register_buffer("action_mask", torch.from_numpy(self.layout.action_mask).float(), persistent=False)
        self.policy = Policy(self.layout, self.settings)
        if self.settings.average_policy:
            self.target_policy = self._target(self.policy)
        if not self.inference_only:
            self.critics = nn.ModuleList(self._critic() for _ in range(2))
        self._exploration = ExplorationNoise(self.settings)

    def _critic(self) -> nn.Module:
        observation_size, action_size = self.layout.observation_mask.shape[1], self.layout.action_mask.shape[1]
        if self.settings.critic == "independent":
            return IndependentCritic(observation_size, action_size, self.settings.hidden)
        return Critic(observation_size, action_size, self.settings.hidden, self.settings.heads)

    def get_non_inference_attributes(self) -> list[str]:
        """Names of what only a learner holds."""
        return ["critics", "target_critics", *([] if self.settings.average_policy else ["target_policy"])]

    def make_target_networks(self) -> None:
        """Create the slowly following copies of policy and critics."""
        self.target_policy = self._target(self.policy)
        self.target_critics = self._target(self.critics)

    @staticmethod
    def _target(network: _Network) -> _Network:
        return copy.deepcopy(network).requires_grad_(False)

    @property
    def acting(self) -> Policy:
        """The policy that acts where nothing is explored: in validation, evaluation and bundles (``average_policy``)."""
        return self.target_policy if self.settings.average_policy else self.policy

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """(network, target) pairs."""
        return [(self.policy, self.target_policy), (self.critics, self.target_critics)]

    def act(
        self,
        observations: Tensor,
        present: Tensor | None = None,
        action_mask: Tensor | None = None,
        kept: Tensor | None = None,
        *,
        policy: Policy | None = None,
    ) -> Tensor:
        """Joint observations ``[B, N, D]`` to joint actions ``[B, N, A]`` without noise.

        Args:
            observations: encoded.
            present: bool ``[B, N]``: which buildings are there; None is all.
            action_mask: ``[B, N, A]``: 1 where a building has the action; None is the module's own community.
            kept: as in ``Policy.forward``.
            policy: whose actions; None is the one that is ``acting``.
        """
        mask = self.action_mask if action_mask is None else action_mask
        actions: Tensor = (self.acting if policy is None else policy)(observations, present, kept) * mask
        return actions

    @torch.no_grad()
    def _forward_inference(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {Columns.ACTIONS: self.act(batch[Columns.OBS], batch.get(PRESENT), batch.get(ACTION_MASK))}

    @torch.no_grad()
    def _forward_exploration(self, batch: dict[str, Any], t: int = 0, **kwargs: Any) -> dict[str, Any]:
        """Add noise that restarts from zero with each episode."""
        present, action_mask = batch.get(PRESENT), batch.get(ACTION_MASK)
        actions = self.act(batch[Columns.OBS], present, action_mask, policy=self.policy)
        noise = self._exploration.step(actions, t, batch.get(RESET))
        noise = zero_absent(noise * (self.action_mask if action_mask is None else action_mask), present)
        return {Columns.ACTIONS: (actions + noise).clamp(-1.0, 1.0)}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The deterministic actions; losses need more than one forward pass and call the networks themselves."""
        present, action_mask = batch.get(PRESENT), batch.get(ACTION_MASK)
        return {Columns.ACTIONS: self.act(batch[Columns.OBS], present, action_mask, policy=self.policy)}

    def forward_target(self, batch: dict[str, Any]) -> Tensor:
        """The target policy's actions ``[B, N, A]`` in the next observations."""
        mask = batch.get(ACTION_MASK, self.action_mask)
        actions: Tensor = self.target_policy(batch[Columns.NEXT_OBS], batch.get(PRESENT)) * mask
        return actions

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Give all networks the means and standard deviations ``[D]`` of the observation columns."""
        for part in self.modules():
            if isinstance(part, Standardisation):
                part.fit(mean, deviation)

    def scale_values(self, mean: Tensor, deviation: Tensor) -> None:
        """Give all critics the means and standard deviations ``[2]`` of buildings' values and of the district's."""
        for part in self.modules():
            if isinstance(part, ValueScale):
                part.fit(mean, deviation)

    def seed_exploration(self, seed: int) -> None:
        """Make the noise from here on the same as after the same seed before."""
        self._exploration.seed(seed)

    def exploration_state(self) -> dict[str, Any]:
        """Where the noise and its random generator stand, for a checkpoint."""
        return self._exploration.state()

    def set_exploration_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``exploration_state``; with another number of environments, noise starts from zero."""
        self._exploration.set_state(state)
