"""Joint replay: a ring of rows that hold the whole community at one time step.

A fragment of T steps is stored as T + 1 rows of observations; row t + 1 is the next observation of row t, so that nothing is
stored twice. A fragment's last row has no action and is never drawn as a start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.rllib.core.columns import Columns
from ray.rllib.utils.checkpoints import Checkpointable

from rllib_citylearn.algorithm.names import BUILDING_REWARDS, DISCOUNT, DISTRICT_REWARD
from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.modules.layout import JointLayout

_ARRAYS = ("observations", "actions", "building_rewards", "district_reward", "terminated", "startable")


class JointReplay(Checkpointable):
    """Uniform replay of joint transitions.

    Args:
        capacity: number of rows kept.
        layout: rows and columns of the joint arrays.
        seed: seed of the draws.

    Attributes:
        observations: float32 ``[capacity, N, D]``.
        actions: float32 ``[capacity, N, A]``, normalised to [-1, 1].
        building_rewards: float32 ``[capacity, N]``; their mean over buildings plus
        district_reward: float32 ``[capacity]`` is the team reward.
        terminated: bool ``[capacity]``, whether the episode terminated with this step.
        startable: bool ``[capacity]``, whether the row has an action and a next row.
        added: transitions added so far.
    """

    def __init__(self, capacity: int, layout: JointLayout, seed: int) -> None:
        self._ctor: tuple[tuple[Any, ...], dict[str, Any]] = ((capacity, layout, seed), {})
        self.capacity = capacity
        self.layout = layout
        n, d = layout.observation_mask.shape
        self.observations = np.zeros((capacity, n, d), np.float32)
        self.actions = np.zeros((capacity, n, layout.action_mask.shape[1]), np.float32)
        self.building_rewards = np.zeros((capacity, n), np.float32)
        self.district_reward = np.zeros(capacity, np.float32)
        self.terminated = np.zeros(capacity, bool)
        self.startable = np.zeros(capacity, bool)
        self.added = 0
        self._head = 0
        self._size = 0
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Number of transitions that can be drawn."""
        return int(self.startable.sum())

    def add(self, episodes: Sequence[Any]) -> int:
        """Store the steps of RLlib multi-agent episode fragments; returns how many there were."""
        before = self.added
        for episode in episodes:
            for start in range(0, len(episode), self.capacity - 1):
                self._add_fragment(episode, start, min(len(episode), start + self.capacity - 1))
        return self.added - before

    def _add_fragment(self, episode: Any, start: int, stop: int) -> None:
        steps = stop - start
        rows = (self._head + np.arange(steps + 1)) % self.capacity
        observations = np.zeros((steps + 1, *self.layout.observation_mask.shape), np.float32)
        actions = np.zeros((steps, *self.layout.action_mask.shape), np.float32)
        for i, agent in enumerate(self.layout.agents):
            of_agent = episode.agent_episodes[agent]
            if len(of_agent) != len(episode):
                raise ValueError(
                    f"{agent} acted in {len(of_agent)} of {len(episode)} steps; joint replay needs every agent to act "
                    "in every step. Give agents that rest a zero observation instead."
                )
            self.layout.place_observation(
                agent, i, np.stack(of_agent.get_observations(slice(start, stop + 1))), observations
            )
            self.layout.place_action(agent, i, np.stack(of_agent.get_actions(slice(start, stop))), actions)
        building, district = self._rewards(episode, start, stop)
        if not (np.isfinite(building).all() and np.isfinite(district).all() and np.isfinite(observations).all()):
            raise ValueError(
                "The environment gave a reward or observation that is not finite; look for gaps in the data set's columns "
                "before training on it."
            )
        self.observations[rows] = observations
        self.actions[rows[:-1]] = actions
        self.building_rewards[rows[:-1]] = building
        self.district_reward[rows[:-1]] = district
        self.terminated[rows] = False
        self.terminated[rows[-2]] = bool(episode.is_terminated) and stop == len(episode)
        self.startable[rows] = True
        self.startable[rows[-1]] = False
        self._head = int(rows[-1] + 1) % self.capacity
        self._size = min(self._size + steps + 1, self.capacity)
        self.added += steps

    def _rewards(self, episode: Any, start: int, stop: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Buildings' ``[T, N]`` and district's ``[T]`` rewards; an environment that names no parts has only the latter."""
        agents = [episode.agent_episodes[agent] for agent in self.layout.agents]
        infos = [agent.get_infos(slice(start + 1, stop + 1)) for agent in agents]
        if all("building_reward" in info and "district_reward" in info for info in infos[0]):
            building = np.array([[info["building_reward"] for info in of_agent] for of_agent in infos], np.float32).T
            return building, np.array([info["district_reward"] for info in infos[0]], np.float32)
        rewards = np.array([agent.get_rewards(slice(start, stop)) for agent in agents], np.float32)
        return np.zeros(rewards.T.shape, np.float32), rewards.mean(0)

    def sample(self, batch_size: int, n_step: int, gamma: float) -> dict[str, npt.NDArray[Any]]:
        """Draw transitions uniformly.

        Args:
            batch_size: number of transitions B.
            n_step: rewards summed (discounted) before the value of the next observation; fewer at a fragment's end.
            gamma: discount a step.

        Returns:
            ``obs`` and ``new_obs`` ``[B, N, D]``, ``actions`` ``[B, N, A]``, ``building_rewards`` ``[B, N]``,
            ``district_reward`` ``[B]``, ``discount`` ``[B]`` (gamma to the number of steps; zero after a termination).
        """
        first = self._draw(batch_size)
        building, district = self.building_rewards[first].copy(), self.district_reward[first].copy()
        discount = np.full(batch_size, gamma, np.float32)
        last = first.copy()
        running = ~self.terminated[first]
        for _ in range(1, n_step):
            following = (last + 1) % self.capacity
            running = running & self.startable[following]
            building += np.where(running, discount, 0.0)[:, None] * self.building_rewards[following]
            district += np.where(running, discount, 0.0) * self.district_reward[following]
            last = np.where(running, following, last)
            discount = np.where(running, discount * np.float32(gamma), discount)
            running = running & ~self.terminated[last]
        return {
            Columns.OBS: self.observations[first],
            Columns.ACTIONS: self.actions[first],
            BUILDING_REWARDS: building,
            DISTRICT_REWARD: district,
            DISCOUNT: np.where(self.terminated[last], np.float32(0.0), discount),
            Columns.NEXT_OBS: self.observations[(last + 1) % self.capacity],
        }

    def _draw(self, batch_size: int) -> npt.NDArray[np.int64]:
        if not self.startable[: self._size].any():
            raise ValueError("The replay holds no transition yet; add episodes before sampling.")
        rows = np.empty(0, np.int64)
        while len(rows) < batch_size:
            candidates = self._random.integers(0, self._size, 2 * batch_size)
            rows = np.concatenate([rows, candidates[self.startable[candidates]]])
        return rows[:batch_size]

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Content and random state."""
        return {
            **{name: getattr(self, name)[: self._size].copy() for name in _ARRAYS},
            "head": self._head,
            "added": self.added,
            "random": self._random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``, also into a larger ring; refuses rows of another shape."""
        size, head = len(state["observations"]), int(state["head"])
        for name in _ARRAYS:
            here, there = getattr(self, name), state[name]
            if there.shape[1:] != here.shape[1:] or size > self.capacity:
                raise CheckpointError(
                    f"The checkpoint's replay holds {name} of shape {there.shape}, but this run has room for "
                    f"{here.shape}. Use the same buildings and features, and a capacity that is not smaller."
                )
        # A ring that had wrapped around starts at its head; in a larger one its oldest row has to come first.
        shift = head if size < self.capacity and head < size else 0
        for name in _ARRAYS:
            getattr(self, name)[:size] = np.roll(state[name], -shift, axis=0)
            getattr(self, name)[size:] = 0
        self._size = size
        self._head = size if size < self.capacity else head
        self.added = int(state["added"])
        self._random.bit_generator.state = state["random"]

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What ``Checkpointable`` needs to build an equal object."""
        return self._ctor
