"""Learning baselines trained for a number of rounds instead of minutes, so that tests hang on no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.learned import LearnedSpec, trainer
from rllib_citylearn.baselines.learned.budget import Budget
from rllib_citylearn.env.citylearn_env import make_citylearn_env

Rows = list[list[float]]


def budget_of(rounds: int) -> Callable[..., Budget]:
    """Makes budgets that are spent when they have been asked so many times."""

    class Rounds(Budget):
        asked = 0

        def spent(self) -> bool:
            self.asked += 1
            return self.asked >= rounds

    return Rounds


def train_rounds(monkeypatch: pytest.MonkeyPatch, name: str, rounds: int, **task: Any) -> LearnedSpec:
    """``train_learned`` for so many rounds: hours of CityLearn's agents, iterations of RLlib's."""
    monkeypatch.setattr(trainer, "Budget", budget_of(rounds))
    return LearnedSpec(name, str(trainer.train_learned(name, **{"seed": 1, "minutes": 1.0, **task})))


def played(controller: Controller, schema: Path, hours: int, **community: Any) -> Iterator[tuple[Any, Rows, Rows]]:
    """CityLearn's environment, what is observed and what the controller does, hour by hour; everything is within limits."""
    env = make_citylearn_env(schema, **community)
    env.reset()
    controller.reset(env)
    for _ in range(hours):
        observations = [[float(value) for value in row] for row in env.observations]
        actions = controller.act(observations)
        for space, row in zip(env.action_space, actions, strict=True):
            assert all(type(value) is float for value in row)
            assert np.isfinite(row).all()
            assert (space.low <= row).all()
            assert (row <= space.high).all()
        yield env, observations, actions
        env.step(actions)
