"""Small environments whose every number says where it came from."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.env.multi_agent_env import MultiAgentEnv

NUMBERS = {"Building_2": 2, "Building_10": 10, "Building_1": 1}
"""Agents in the environment's own order, which is not the sorted one."""

WIDTH = {"Building_2": 4, "Building_10": 3, "Building_1": 5}
ACTIONS = {"Building_2": 1, "Building_10": 2, "Building_1": 1}
HIGH = {"Building_2": 2.0, "Building_10": 10.0, "Building_1": 1.0}


def numbered(agent: str, episode: int, t: int) -> np.ndarray:
    """The observation of an agent: its number, the episode, the time step, then its number times the step."""
    return np.array([NUMBERS[agent], episode, t, NUMBERS[agent] * t, 7.0][: WIDTH[agent]], np.float32)


class NumberedEnv(MultiAgentEnv):
    """Observations carry agent, episode and time step; building rewards do too. Keeps the actions it was given."""

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.length = int((config or {}).get("length", 7))
        self.possible_agents = list(NUMBERS)
        self.agents = list(NUMBERS)
        self.observation_spaces = {a: gym.spaces.Box(-1e4, 1e4, (WIDTH[a],), np.float32) for a in NUMBERS}
        self.action_spaces = {a: gym.spaces.Box(-HIGH[a] / 2, HIGH[a], (ACTIONS[a],), np.float32) for a in NUMBERS}
        self.episode = -1
        self.received: dict[tuple[int, int], dict[str, np.ndarray]] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        self.episode += 1
        self.t = 0
        return {a: numbered(a, self.episode, 0) for a in NUMBERS}, {}

    def step(self, actions: dict[str, np.ndarray]) -> tuple[dict, dict, dict, dict, dict]:
        self.received[self.episode, self.t] = {a: np.array(x) for a, x in actions.items()}
        infos = {a: {"building_reward": NUMBERS[a] * 1000.0 + self.t, "district_reward": -float(self.t)} for a in NUMBERS}
        team = float(np.mean([info["building_reward"] for info in infos.values()]) - self.t)
        self.t += 1
        observations = {a: numbered(a, self.episode, self.t) for a in NUMBERS}
        done = {"__all__": self.t >= self.length}
        return observations, dict.fromkeys(NUMBERS, team), {"__all__": False}, done, infos


class MeetingEnv(MultiAgentEnv):
    """Agents see a target each and share one reward: minus the squared gap of each to its target and of their sum to 0.

    The best joint action is known: ``u_i = x_i - sum(x) / (N + 1)`` (see ``best``), so a controller that ignores the
    others can be told from one that does not.
    """

    N = 3

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.length = 20
        self.possible_agents = [f"Building_{k}" for k in range(1, self.N + 1)]
        self.agents = list(self.possible_agents)
        self.observation_spaces = {a: gym.spaces.Box(-1, 1, (1,), np.float32) for a in self.agents}
        self.action_spaces = {a: gym.spaces.Box(-1, 1, (1,), np.float32) for a in self.agents}
        self.random = np.random.default_rng((config or {}).get("seed", 0))

    @classmethod
    def reward(cls, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Team reward of targets and actions ``[..., N]``."""
        return -((u - x) ** 2).mean(-1) - u.sum(-1) ** 2 / cls.N

    @classmethod
    def best(cls, x: np.ndarray) -> np.ndarray:
        """The best joint action: the gradient of ``reward`` vanishes there."""
        return x - x.sum(-1, keepdims=True) / (cls.N + 1)

    def _observe(self) -> dict[str, np.ndarray]:
        self.x = self.random.uniform(-0.8, 0.8, self.N).astype(np.float32)
        return {a: self.x[i : i + 1] for i, a in enumerate(self.agents)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        self.t = 0
        return self._observe(), {}

    def step(self, actions: dict[str, np.ndarray]) -> tuple[dict, dict, dict, dict, dict]:
        u = np.array([float(np.asarray(actions[a]).reshape(-1)[0]) for a in self.agents])
        reward = float(self.reward(self.x.astype(float), u))
        self.t += 1
        done = {"__all__": self.t >= self.length}
        return self._observe(), dict.fromkeys(self.agents, reward), {"__all__": False}, done, {}
