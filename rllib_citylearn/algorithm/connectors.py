"""Connectors between RLlib's per-agent dictionaries and the module's joint arrays.

They stand in for RLlib's default pipelines, which build one batch an agent: here a step of E communities is one array
``[E, N, D]`` into one module, and one dictionary an environment out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns

from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.modules.community_module import RESET
from rllib_citylearn.modules.layout import JointLayout


class JointObservations(ConnectorV2):
    """Environment to module: ``{"community": {"obs": [E, N, D], "reset": [E]}}``, on the module's device."""

    def __init__(self, *args: Any, device: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._device = device
        self._layout: JointLayout | None = None
        self._episode_ids: list[str | None] = []

    def recompute_output_observation_space(self, input_observation_space: Any, input_action_space: Any) -> Any:
        """The module's observation space: the community's whole dictionary."""
        return gym.spaces.Dict({COMMUNITY: input_observation_space})

    def recompute_output_action_space(self, input_observation_space: Any, input_action_space: Any) -> Any:
        """The module's action space: the community's whole dictionary."""
        return gym.spaces.Dict({COMMUNITY: input_action_space})

    def __call__(self, *, rl_module: Any, batch: dict[str, Any], episodes: Sequence[Any], **kwargs: Any) -> dict[str, Any]:
        """Stack the last observations of all environments; those between two episodes have a row of zeros."""
        # RLlib calls the pipeline once more with the episodes that have just ended; they need no action.
        if not any(_acts(episode) for episode in episodes):
            return batch
        if self._layout is None:
            self._layout = JointLayout(self.input_observation_space, self.input_action_space)
        layout = self._layout
        joint = np.zeros((len(episodes), *layout.observation_mask.shape), np.float32)
        for e, episode in enumerate(episodes):
            if _acts(episode):
                for row, agent in enumerate(layout.agents):
                    layout.place_observation(agent, row, episode.agent_episodes[agent].get_observations(-1), joint[e])
        # An episode counts as known once it acts, so that its noise restarts with its first action.
        ids = [episode.id_ if _acts(episode) else None for episode in episodes]
        known = self._episode_ids or [None] * len(ids)
        reset = [new != old for new, old in zip(ids, known, strict=True)]
        self._episode_ids = list(ids)
        batch[COMMUNITY] = {
            Columns.OBS: torch.from_numpy(joint).to(self._device),
            RESET: torch.tensor(reset, device=self._device),
        }
        return batch


def _acts(episode: Any) -> bool:
    """Whether the episode has begun and goes on."""
    return bool(episode.is_reset and not episode.is_done)


class JointActions(ConnectorV2):
    """Module to environment: joint actions within [-1, 1] to each agent's own action within its limits.

    Episodes keep the normalised action (what the critic learns from), the environment gets its own units.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._layout: JointLayout | None = None

    def __call__(self, *, rl_module: Any, batch: dict[str, Any], episodes: Sequence[Any], **kwargs: Any) -> dict[str, Any]:
        """One dictionary of actions an environment; empty between two episodes."""
        if self._layout is None:
            self._layout = JointLayout(self.input_observation_space, self.input_action_space)
        layout = self._layout
        joint = batch.pop(COMMUNITY)[Columns.ACTIONS].cpu().numpy()
        native = layout.unsquash(joint)
        normalised_by_env: list[dict[str, Any]] = []
        native_by_env: list[dict[str, Any]] = []
        for e, episode in enumerate(episodes):
            acting = list(enumerate(layout.agents)) if _acts(episode) else []
            normalised_by_env.append({agent: layout.take_action(agent, row, joint[e]) for row, agent in acting})
            native_by_env.append({agent: layout.take_action(agent, row, native[e]) for row, agent in acting})
        return {Columns.ACTIONS: normalised_by_env, Columns.ACTIONS_FOR_ENV: native_by_env}


def joint_env_to_module(env: Any = None, spaces: Any = None, device: Any = None) -> list[ConnectorV2]:
    """RLlib's hook for the env-to-module pipeline."""
    return [JointObservations(device=device)]


def joint_module_to_env(env: Any = None, spaces: Any = None) -> list[ConnectorV2]:
    """RLlib's hook for the module-to-env pipeline."""
    return [JointActions()]
