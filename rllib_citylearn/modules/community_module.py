"""The community's RLModule: all buildings' actors, their coordinator, and the critics that train them.

One module for the whole community, not one an agent: a forward pass is one batch ``[B, N, D]``, and weights, device moves,
checkpoints and synchronisation go through RLlib's ordinary single-module paths.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, TargetNetworkAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor, nn

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.networks import Actor, Coordinator, Critic
from rllib_citylearn.modules.rule import NetZeroRule

RESET = "reset"
"""Batch column, bool ``[B]``: True where an episode has just begun."""


@dataclass(frozen=True)
class CommunityModuleConfig:
    """Sizes of the networks and the exploration noise; the keys of ``model_config``.

    Attributes:
        hidden: width of the actor's and the critic's hidden layers.
        hint_size: numbers in a hint; 0 leaves the coordinator out.
        coordinator_width: width of the coordinator's embedding.
        heads: attention heads; divides ``hidden`` and ``coordinator_width``.
        residual: start from the net-zero rule where the community has batteries (True), or from zero (False).
        reach: how far the actor can move an action from the rule's, in units of the action's half range, in (0, 2].
        hint_dropout: share of training samples whose hints are zeroed, so that actors manage without coordinator, [0, 1).
        ou_theta: pull of the Ornstein-Uhlenbeck noise towards zero, per time step, (0, 1].
        ou_sigma: standard deviation added per time step at the start of training, in action units (>= 0).
        ou_sigma_final: the same after ``ou_anneal_steps``.
        ou_anneal_steps: environment steps over which the noise falls from ``ou_sigma`` to ``ou_sigma_final``.
    """

    hidden: int = 64
    hint_size: int = 8
    coordinator_width: int = 32
    heads: int = 2
    residual: bool = True
    reach: float = 1.0
    hint_dropout: float = 0.1
    ou_theta: float = 0.15
    ou_sigma: float = 0.1
    ou_sigma_final: float = 0.02
    ou_anneal_steps: int = 20_000

    def __post_init__(self) -> None:
        checks = {
            "hidden": self.hidden >= 1 and self.hidden % max(self.heads, 1) == 0,
            "coordinator_width": self.coordinator_width >= 1 and self.coordinator_width % max(self.heads, 1) == 0,
            "heads": self.heads >= 1,
            "hint_size": self.hint_size >= 0,
            "reach": 0 < self.reach <= 2,
            "hint_dropout": 0 <= self.hint_dropout < 1,
            "ou_theta": 0 < self.ou_theta <= 1,
            "ou_sigma": self.ou_sigma >= 0,
            "ou_sigma_final": self.ou_sigma_final >= 0,
            "ou_anneal_steps": self.ou_anneal_steps >= 1,
        }
        wrong = [f"{name}={getattr(self, name)}" for name, fine in checks.items() if not fine]
        if wrong:
            raise ConfigError(f"The model config has {', '.join(wrong)}; see CommunityModuleConfig for the ranges.")

    @classmethod
    def from_dict(cls, config: dict[str, Any]) -> CommunityModuleConfig:
        """The config in RLlib's ``model_config``; keys that RLlib itself adds are left aside, others are refused."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(key for key in config if key not in known and not key.startswith(("vf_", "fcnet_")))
        if unknown:
            raise ConfigError(
                f"model_config has no key {', '.join(map(repr, unknown))}; it knows {', '.join(sorted(known))}."
            )
        return cls(**{key: value for key, value in config.items() if key in known})


class Policy(nn.Module):
    """Coordinator and actor: everything that acting needs."""

    def __init__(self, layout: JointLayout, config: CommunityModuleConfig) -> None:
        super().__init__()
        observation_size = layout.observation_mask.shape[1]
        self.hint_size = config.hint_size
        self.coordinator = (
            Coordinator(observation_size, config.hint_size, config.coordinator_width, config.heads)
            if config.hint_size
            else None
        )
        rule = NetZeroRule(layout) if config.residual and NetZeroRule.applies(layout) else None
        self.actor = Actor(
            observation_size, config.hint_size, layout.action_mask.shape[1], config.hidden, rule, config.reach
        )

    def hints(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to hints ``[B, N, H]``; H = 0 without a coordinator."""
        if self.coordinator is None:
            return observations[..., :0]
        hints: Tensor = self.coordinator(observations, present)
        return hints

    def forward(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to actions ``[B, N, A]`` within [-1, 1]."""
        actions: Tensor = self.actor(observations, self.hints(observations, present))
        return actions


class CommunityRLModule(TorchRLModule, InferenceOnlyAPI, TargetNetworkAPI):
    """RLModule over joint observations; its spaces are the community's Dict spaces, its batch is joint.

    Batches carry ``obs`` ``[B, N, D]`` and give ``actions`` ``[B, N, A]`` within [-1, 1], zero where a building lacks the
    action.
    """

    def setup(self) -> None:
        """Build the networks; the critics only where there is a learner."""
        self.settings = CommunityModuleConfig.from_dict(dict(self.model_config or {}))
        self.layout = JointLayout(self.observation_space, self.action_space)
        self.action_mask: Tensor
        self.register_buffer("action_mask", torch.from_numpy(self.layout.action_mask).float(), persistent=False)
        self.policy = Policy(self.layout, self.settings)
        if not self.inference_only:
            sizes = (self.layout.observation_mask.shape[1], self.layout.action_mask.shape[1])
            self.critics = nn.ModuleList(Critic(*sizes, self.settings.hidden, self.settings.heads) for _ in range(2))
        self._noise: Tensor | None = None

    def get_non_inference_attributes(self) -> list[str]:
        """Names of what only a learner holds."""
        return ["critics", "target_policy", "target_critics"]

    def make_target_networks(self) -> None:
        """Create the slowly following copies of policy and critics."""
        self.target_policy = copy.deepcopy(self.policy).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """(network, target) pairs."""
        return [(self.policy, self.target_policy), (self.critics, self.target_critics)]

    def act(self, observations: Tensor) -> Tensor:
        """Joint observations ``[B, N, D]`` to joint actions ``[B, N, A]`` without noise."""
        actions: Tensor = self.policy(observations) * self.action_mask
        return actions

    @torch.no_grad()
    def _forward_inference(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {Columns.ACTIONS: self.act(batch[Columns.OBS])}

    @torch.no_grad()
    def _forward_exploration(self, batch: dict[str, Any], t: int = 0, **kwargs: Any) -> dict[str, Any]:
        """Add Ornstein-Uhlenbeck noise (Lillicrap et al. 2016, sec. 3) that restarts from zero with each episode."""
        settings = self.settings
        actions = self.act(batch[Columns.OBS])
        done = min(1.0, t / settings.ou_anneal_steps)
        sigma = settings.ou_sigma + (settings.ou_sigma_final - settings.ou_sigma) * done
        if self._noise is None or self._noise.shape != actions.shape:
            self._noise = torch.zeros_like(actions)
        if RESET in batch:
            self._noise[batch[RESET]] = 0.0
        self._noise += -settings.ou_theta * self._noise + sigma * torch.randn_like(actions)
        return {Columns.ACTIONS: (actions + self._noise * self.action_mask).clamp(-1.0, 1.0)}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The deterministic actions; losses need more than one forward pass and call the networks themselves."""
        return {Columns.ACTIONS: self.act(batch[Columns.OBS])}

    def forward_target(self, batch: dict[str, Any]) -> Tensor:
        """The target policy's actions ``[B, N, A]`` in the next observations."""
        actions: Tensor = self.target_policy(batch[Columns.NEXT_OBS]) * self.action_mask
        return actions
