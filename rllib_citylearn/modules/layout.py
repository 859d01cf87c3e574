"""Where every agent's numbers stand on the joint arrays ``[N, D]`` (observations) and ``[N, A]`` (actions).

RLlib hands out dictionaries of per-agent vectors of unequal length; the networks want one array whose columns mean the
same for every agent. Everything is placed by name: the order of dictionaries (``gymnasium.spaces.Dict`` sorts its keys:
Building_1, Building_10, Building_2, ...) never matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.spaces import FeatureBox, PlaceBox
from rllib_citylearn.errors import ConfigError


class JointLayout:
    """Rows and columns of the joint arrays of one community.

    With ``FeatureBox`` observation spaces the rows are in the feature table's order and the columns are its grid. With
    ``PlaceBox`` ones the rows are places that buildings of several communities take, and the columns are the communities'
    common grid. Other environments have no names for their components; their agents keep the space's order and are padded
    at the end.

    Args:
        observation_space: per-agent ``Box`` spaces of shape ``[d_i]``.
        action_space: per-agent ``Box`` spaces of shape ``[a_i]``, for the same agents.

    Attributes:
        agents: names of the N agents, in row order.
        communities: the feature tables, if the environment has any: several where rows are places.
        community: the first of them, or None.
        observation_mask: bool ``[N, D]``; of a place, what a building in it can have.
        action_mask: bool ``[N, A]``, likewise.
        action_low, action_high: float32 ``[N, A]``; limits of the environment's actions, -1 and 1 where masked.
    """

    def __init__(self, observation_space: gym.spaces.Dict, action_space: gym.spaces.Dict) -> None:
        observations: Mapping[str, Any] = observation_space.spaces
        actions: Mapping[str, Any] = action_space.spaces
        self._check(observations, actions)
        boxes = list(observations.values())
        self.communities: tuple[CommunityFeatures, ...] = ()
        if all(isinstance(box, FeatureBox) for box in boxes):
            table = boxes[0].community
            self.communities = (table,)
            self.agents = tuple(sorted(observations, key=lambda name: observations[name].index))
            columns, action_names = table.columns, table.actions
            self._columns = {name: np.array([columns.index(c) for c in observations[name].columns]) for name in self.agents}
            self._action_columns = {
                agent.name: np.array([action_names.index(a) for a in agent.actions], int) for agent in table.agents
            }
            width, action_width = len(columns), len(action_names)
        elif all(isinstance(box, PlaceBox) for box in boxes):
            self.communities = boxes[0].communities
            self.agents = tuple(sorted(observations, key=lambda name: observations[name].index))
            width, action_width = len(self.communities[0].columns), len(self.communities[0].actions)
            self._columns = dict.fromkeys(self.agents, np.arange(width))
            self._action_columns = dict.fromkeys(self.agents, np.arange(action_width))
        else:
            self.agents = tuple(observations)
            self._columns = {name: np.arange(observations[name].shape[0]) for name in self.agents}
            self._action_columns = {name: np.arange(actions[name].shape[0]) for name in self.agents}
            width = max(len(c) for c in self._columns.values())
            action_width = max(len(c) for c in self._action_columns.values())
        self.community = self.communities[0] if self.communities else None
        n = len(self.agents)
        self.observation_mask = np.zeros((n, width), bool)
        self.action_mask = np.zeros((n, action_width), bool)
        self.action_low = -np.ones((n, action_width), np.float32)
        self.action_high = np.ones((n, action_width), np.float32)
        for i, name in enumerate(self.agents):
            box = observations[name]
            self.observation_mask[i, self._columns[name]] = box.mask if isinstance(box, PlaceBox) else True
            self.action_mask[i, self._action_columns[name]] = box.action_mask if isinstance(box, PlaceBox) else True
            self.action_low[i, self._action_columns[name]] = actions[name].low
            self.action_high[i, self._action_columns[name]] = actions[name].high

    @staticmethod
    def _check(observations: Mapping[str, Any], actions: Mapping[str, Any]) -> None:
        if set(observations) != set(actions) or not observations:
            raise ConfigError(
                f"Observation spaces are given for {sorted(observations)} but action spaces for {sorted(actions)}; "
                "give both for the same agents, at least one."
            )
        for what, spaces in (("observation", observations), ("action", actions)):
            for name, space in spaces.items():
                if not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
                    raise ConfigError(f"The {what} space of {name} is {space}; CooperativeMADDPG needs a flat Box.")
                if what == "action" and not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
                    raise ConfigError(f"The action space of {name} has no limits ({space}); give it finite ones.")

    def place_observation(self, agent: str, row: int, observation: npt.ArrayLike, into: npt.NDArray[np.float32]) -> None:
        """Write one agent's observation(s) ``[..., d_i]`` into ``into[..., row, :]``, shape ``[..., N, D]``."""
        into[..., row, self._columns[agent]] = observation

    def place_action(self, agent: str, row: int, action: npt.ArrayLike, into: npt.NDArray[np.float32]) -> None:
        """Write one agent's normalised action(s) ``[..., a_i]`` into ``into[..., row, :]``, shape ``[..., N, A]``."""
        into[..., row, self._action_columns[agent]] = action

    def take_action(self, agent: str, row: int, joint: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """One agent's own action ``[a_i]`` from a joint one ``[N, A]``."""
        taken: npt.NDArray[np.float32] = joint[row, self._action_columns[agent]]
        return taken

    def unsquash(self, joint: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Actions within [-1, 1] mapped linearly onto the environment's limits, ``[..., N, A]``."""
        scaled: npt.NDArray[np.float32] = self.action_low + (joint + 1.0) * 0.5 * (self.action_high - self.action_low)
        return scaled
