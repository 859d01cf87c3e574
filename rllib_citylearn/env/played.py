"""Whole episodes of a multi-agent environment, recorded and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class PlayedEpisode:
    """What an environment gave back.

    Attributes:
        agents: names of the agents that acted.
        observations: by agent, one more than there are steps unless the first is not wanted.
        rewards, terminated, truncated, infos: by agent, one a step.
    """

    agents: tuple[str, ...]
    observations: list[dict[str, Any]] = field(default_factory=list)
    rewards: list[dict[str, Any]] = field(default_factory=list)
    terminated: list[dict[str, bool]] = field(default_factory=list)
    truncated: list[dict[str, bool]] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, env: Any, *steps: tuple[Any, ...]) -> PlayedEpisode:
        """From what ``env.step`` returned."""
        episode = cls(tuple(env.agents))
        for step in steps:
            episode.add(step)
        return episode

    def add(self, step: tuple[Any, ...]) -> None:
        """Append what one ``env.step`` returned."""
        kept = (self.observations, self.rewards, self.terminated, self.truncated, self.infos)
        for values, value in zip(kept, step, strict=True):
            values.append(value)

    def difference(self, other: PlayedEpisode, tolerance: float = 0.0) -> str:
        """Where ``other`` first differs by more than ``tolerance``, in words; empty where it does not."""
        if self.agents != other.agents or len(self.rewards) != len(other.rewards):
            return f"{len(self.agents)} agents for {len(self.rewards)} steps, {len(other.agents)} for {len(other.rewards)}"
        for what in ("observations", "rewards"):
            for t, (one, two) in enumerate(zip(getattr(self, what), getattr(other, what), strict=True)):
                for agent in self.agents:
                    if not _close(one, two, agent, tolerance):
                        return f"{what} of {agent} in time step {t}"
        return ""


def _close(one: Mapping[str, Any], two: Mapping[str, Any], agent: str, tolerance: float) -> bool:
    a, b = np.asarray(one[agent], float), np.asarray(two[agent], float)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0.0, atol=tolerance))


def play(env: Any, choose: Callable[[], Mapping[str, Any]], *, seed: int | None, start: int | None = None) -> PlayedEpisode:
    """One episode, or as much of it as it should have where it doesn't end.

    Args:
        env: the environment.
        choose: the actions of the next step, by agent.
        seed: of the reset; None goes on after the last one.
        start: time step of the data to start at; None leaves it to the environment.
    """
    observation, _ = env.reset(seed=seed, options=None if start is None else {"start": start})
    episode = PlayedEpisode(tuple(env.agents), [observation])
    for _ in range(env.vector.episode_steps):
        episode.add(env.step(choose()))
        if episode.truncated[-1].get("__all__") or episode.terminated[-1].get("__all__"):
            break
    return episode


def random_actions(env: Any, seed: int) -> Callable[[], dict[str, Any]]:
    """Actions drawn evenly from the action spaces of the agents that act."""
    random = np.random.default_rng(seed)

    def choose() -> dict[str, Any]:
        spaces = {agent: env.action_spaces[agent] for agent in env.agents}
        return {agent: random.uniform(space.low, space.high).astype(space.dtype) for agent, space in spaces.items()}

    return choose
