"""The rows of a replay: arrays, how runs are written into them and how batches are read from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.rllib.core.columns import Columns

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import (
    ACTION_MASK,
    BUILDING_REWARDS,
    COMMUNITY_INDEX,
    DISCOUNT,
    DISTRICT_REWARD,
    PRESENT,
    STATES,
)
from rllib_citylearn.algorithm.replay.room import require_room, row_bytes

Batch = dict[str, npt.NDArray[Any]]
Rows = npt.NDArray[np.int64]

ARRAYS = (
    "observations",
    "actions",
    "building_rewards",
    "district_reward",
    "states",
    "community",
    "terminated",
    "startable",
)
"""Names of the arrays of ``JointRows``, whose first axis counts rows."""


class JointRows:
    """Rows that hold a whole community at one hour each.

    Args:
        capacity: number of rows.
        columns: number D of a building's observed columns.
        states: numbers S of the engine's state that every row carries.
        action_masks: bool ``[N_c, A]`` of each community. Buildings that a community lacks to the largest number N are rows
            of zeros.
        padded: whether batches say which buildings and actions a row has.

    Attributes:
        observations: float32 ``[capacity, N, D]``.
        actions: float32 ``[capacity, N, A]``, normalised to [-1, 1].
        building_rewards: float32 ``[capacity, N]``; their mean over buildings plus
        district_reward: float32 ``[capacity]`` is the team reward.
        states: float32 ``[capacity, S]``, where the engine stood.
        community: int32 ``[capacity]``, which community a row is of.
        terminated: bool ``[capacity]``, whether the episode terminated with this step.
        startable: bool ``[capacity]``, whether the row has an action and a next row.
        present: bool ``[communities, N]``, which rows of the arrays hold a building of each community.
        ring_start: the row that follows the last one.

    Raises:
        ConfigError: the machine's memory does not hold so many rows.
    """

    def __init__(
        self, capacity: int, columns: int, states: int, action_masks: Sequence[npt.NDArray[np.bool_]], *, padded: bool
    ) -> None:
        n, a = max(map(len, action_masks)), action_masks[0].shape[1]
        require_room(capacity, row_bytes(n, columns, a, states))
        # Pages of zeros take no memory until they are written to.
        self.observations = np.zeros((capacity, n, columns), np.float32)
        self.actions = np.zeros((capacity, n, a), np.float32)
        self.building_rewards = np.zeros((capacity, n), np.float32)
        self.district_reward = np.zeros(capacity, np.float32)
        self.states = np.zeros((capacity, states), np.float32)
        self.community = np.zeros(capacity, np.int32)
        self.terminated = np.zeros(capacity, bool)
        self.startable = np.zeros(capacity, bool)
        self.ring_start = 0
        self._padded = padded
        self.present = np.arange(n) < np.array([len(mask) for mask in action_masks])[:, None]
        self._action_mask = np.zeros((len(action_masks), n, a), np.float32)
        for c, mask in enumerate(action_masks):
            self._action_mask[c, : len(mask)] = mask

    def write(self, fragment: JointFragment, rows: Rows) -> None:
        """Write E runs of T hours into ``rows`` ``[E, T + 1]``."""
        n = fragment.actions.shape[2]
        begun = rows[:, :-1]
        for into, at, values in (
            (self.observations, rows, fragment.observations),
            (self.actions, begun, fragment.actions),
            (self.building_rewards, begun, fragment.building_rewards),
        ):
            into[at, :n] = values.swapaxes(0, 1)
            into[at, n:] = 0.0
        self.district_reward[begun] = fragment.district_reward.T
        self.states[begun] = fragment.states.swapaxes(0, 1)
        self.community[rows] = fragment.community
        self.terminated[begun] = fragment.terminated.T
        self.startable[rows] = True
        self.startable[rows[:, -1]] = False

    def batch(self, first: Rows, n_step: int, gamma: float) -> Batch:
        """The batch whose transitions start at the rows ``first`` ``[B]``; see ``JointReplay.sample``."""
        building, district = self.building_rewards[first], self.district_reward[first]
        discount = np.full(len(first), gamma, np.float32)
        last = first
        running = self.startable[first]
        for _ in range(1, n_step):  # a run ends with its episode, so that what follows a termination can't be started from
            following = self._next(last)
            running = running & self.startable[following]
            factor = np.where(running, discount, np.float32(0.0))
            building += factor[:, None] * self.building_rewards[following]
            district += factor * self.district_reward[following]
            last = np.where(running, following, last)
            discount = np.where(running, discount * np.float32(gamma), discount)
        batch: Batch = {
            Columns.OBS: self.observations.take(first, 0),
            Columns.ACTIONS: self.actions.take(first, 0),
            BUILDING_REWARDS: building,
            DISTRICT_REWARD: district,
            DISCOUNT: np.where(self.terminated[last], np.float32(0.0), discount),
            Columns.NEXT_OBS: self.observations.take(self._next(last), 0),
        }
        if self.states.shape[1]:
            batch[STATES] = self.states.take(first, 0)
        community = self.community[first]
        if len(self.present) > 1:
            batch[COMMUNITY_INDEX] = community.astype(np.int64)
        if self._padded:
            batch[PRESENT] = self.present[community]
            batch[ACTION_MASK] = self._action_mask[community]
        return batch

    def _next(self, rows: Rows) -> Rows:
        following = rows + 1
        following[following == len(self.startable)] = self.ring_start
        return following
