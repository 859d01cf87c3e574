"""Where a runner writes the hours of a stretch, and the fragments that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.env.lockstep import LockstepCommunities, LockstepHour


class Recording:
    """Room for T hours of E copies; it begins with what the copies see now.

    Args:
        env: the communities.
        hours: number T.
        state_size: numbers S of a packed state of the engine; 0 keeps none.

    Attributes:
        observations: ``[T + 1, E, N, D]``.
        actions: ``[T, E, N, A]``.
        states: ``[T, E, S]``.
    """

    def __init__(self, env: LockstepCommunities, hours: int, state_size: int) -> None:
        copies = env.num_envs
        self._slices, self._sizes = env.slices, env.sizes
        self.observations = np.empty((hours + 1, copies, *env.shape), np.float32)
        self.actions = np.empty((hours, copies, *env.action_shape), np.float32)
        self.states = np.zeros((hours, copies, state_size), np.float32)
        self._building_rewards = np.empty((hours, copies, len(env.agents)), np.float32)
        self._district_reward = np.empty((hours, copies), np.float32)
        self.observations[0] = env.observations

    def put(self, t: int, actions: npt.NDArray[Any], hour: LockstepHour) -> None:
        """Write hour ``t``: what was done in it and what came of it."""
        self.actions[t] = actions
        self.observations[t + 1] = hour.observations
        self._building_rewards[t], self._district_reward[t] = hour.building_rewards, hour.district_reward

    def put_states(self, t: int, states: Sequence[npt.NDArray[np.float32]]) -> None:
        """Write where each community's engine stands before hour ``t``."""
        for at, packed in zip(self._slices, states, strict=True):
            self.states[t, at, : packed.shape[1]] = packed

    def fragments(self) -> list[JointFragment]:
        """One fragment a community; views of this recording."""
        return [
            JointFragment(
                observations=self.observations[:, at, :size],
                actions=self.actions[:, at, :size],
                building_rewards=self._building_rewards[:, at, :size],
                district_reward=self._district_reward[:, at],
                terminated=np.zeros(self._district_reward[:, at].shape, bool),
                states=self.states[:, at],
                community=k,
            )
            for k, (at, size) in enumerate(zip(self._slices, self._sizes, strict=True))
        ]
