"""The task and the measure that every competitor shares.

The task is ``simple_spread_v3`` of ``mpe2`` (Lowe et al. 2017, sec. 5.1, "cooperative navigation"): three agents cover three
landmarks without running into each other. The measure is the team return: the rewards of an episode's 25 steps summed, the
mean over its agents, the mean over 200 episodes whose starts are the same for everybody, without exploration noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

AGENTS = 3
EPISODE_STEPS = 25
ACTION_SIZE = 5
"""No movement, left, right, down, up; each within [0, 1]."""

EVALUATION_SEEDS = tuple(range(10_000, 10_200))
"""One an episode; training seeds are single digits."""

Joint = npt.NDArray[np.float32]
Act = Callable[[Joint], Joint]
"""Joint observations ``[B, 3, 18]`` to joint actions ``[B, 3, 5]`` in the environment's units."""


def make_env() -> Any:
    """A parallel PettingZoo environment with the task's own settings: ``local_ratio`` 0.5, full observations."""
    from mpe2 import simple_spread_v3

    return simple_spread_v3.parallel_env(N=AGENTS, max_cycles=EPISODE_STEPS, continuous_actions=True)


def evaluate(act: Act, seeds: tuple[int, ...] = EVALUATION_SEEDS, together: int = 20) -> Joint:
    """Team return of one episode a seed, ``[len(seeds)]``; ``together`` of them are stepped with one call of ``act``."""
    envs = [make_env() for _ in range(min(together, len(seeds)))]
    returns = [_play(act, envs, seeds[first : first + together]) for first in range(0, len(seeds), together)]
    for env in envs:
        env.close()
    return np.concatenate(returns)


def _play(act: Act, envs: list[Any], seeds: tuple[int, ...]) -> Joint:
    playing = envs[: len(seeds)]
    agents = playing[0].possible_agents
    observations = [env.reset(seed=seed)[0] for env, seed in zip(playing, seeds, strict=True)]
    returns = np.zeros(len(seeds), np.float32)
    for _ in range(EPISODE_STEPS):
        joint = np.array([[one[agent] for agent in agents] for one in observations], np.float32)
        actions = np.clip(act(joint), 0.0, 1.0).astype(np.float32)
        for e, env in enumerate(playing):
            observations[e], rewards, *_ = env.step(dict(zip(agents, actions[e], strict=True)))
            returns[e] += np.mean([rewards[agent] for agent in agents])
    return returns
