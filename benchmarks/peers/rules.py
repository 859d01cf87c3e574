"""Controllers that learn nothing: where learners start, and what could be reached."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import numpy.typing as npt

from benchmarks.peers.spread import ACTION_SIZE, AGENTS, Act, Joint, evaluate

_ORDERS = np.array(list(permutations(range(AGENTS))))
_VELOCITY, _LANDMARKS = slice(0, 2), slice(4, 4 + 2 * AGENTS)
"""Columns of an agent's observation: its velocity, and where each landmark lies as seen from it."""


def still(observations: Joint) -> Joint:
    """Nobody moves."""
    return np.zeros((*observations.shape[:2], ACTION_SIZE), np.float32)


def nearest(observations: Joint) -> Joint:
    """Every agent goes to the landmark that is nearest to it, whatever the others do."""
    return _go(observations, _distances(observations).argmin(-1))


def dispatched(observations: Joint) -> Joint:
    """Every agent goes to a landmark of its own, so that the ways are shortest in all; sees everything."""
    distances = _distances(observations)
    lengths = np.stack([distances[:, np.arange(AGENTS), order].sum(-1) for order in _ORDERS], -1)
    return _go(observations, _ORDERS[lengths.argmin(-1)])


def _landmarks(observations: Joint) -> Joint:
    """Where the landmarks lie as seen from each agent, ``[B, N, N, 2]``."""
    return observations[..., _LANDMARKS].reshape(*observations.shape[:2], AGENTS, 2)


def _distances(observations: Joint) -> Joint:
    return np.linalg.norm(_landmarks(observations), axis=-1).astype(np.float32)


def _go(observations: Joint, target: npt.NDArray[np.int64]) -> Joint:
    """Push towards landmark ``target`` ``[B, N]``, less the more of the way the speed will make by itself."""
    way = np.take_along_axis(_landmarks(observations), target[..., None, None], 2)[..., 0, :]
    push = np.clip(4.0 * way - 2.0 * observations[..., _VELOCITY], -1.0, 1.0)
    right, up = push[..., 0], push[..., 1]
    parts = (np.zeros_like(right), np.maximum(-right, 0), np.maximum(right, 0), np.maximum(-up, 0), np.maximum(up, 0))
    return np.stack(parts, -1).astype(np.float32)


def drawn(observations: Joint) -> Joint:
    """Uniformly drawn actions; the same for the same observations."""
    random = np.random.default_rng(np.frombuffer(observations.tobytes(), np.uint32))
    return random.random((*observations.shape[:2], ACTION_SIZE), np.float32)


RULES: Mapping[str, Act] = {
    "a landmark of its own for each agent, assigned from above": dispatched,
    "every agent to its nearest landmark": nearest,
    "no movement": still,
    "actions drawn at random": drawn,
}


def rule_returns() -> dict[str, float]:
    """Each rule's team return, by its name."""
    return {name: float(evaluate(rule).mean()) for name, rule in RULES.items()}
