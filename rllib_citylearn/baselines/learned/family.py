"""What every family of learning baselines offers, and what passes between it and ``train_learned``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.learned.budget import Budget


@dataclass(frozen=True)
class Task:
    """What to learn on, and for how long.

    Attributes:
        name: the baseline's name.
        folder: of the data set.
        buildings: names of the community's buildings, in the data set's order.
        window: first and last time step of the data, both included.
        seed: of networks, exploration and order of learning.
        random_seed: CityLearn's, for what the schema leaves out; None keeps the schema's.
        settings: the baseline's.
        record: JSON-ready description of all this, with the data's hash, that decides whether a training can be reused.
    """

    name: str
    folder: Path
    buildings: tuple[str, ...]
    window: tuple[int, int]
    seed: int
    random_seed: int | None
    settings: Mapping[str, Any]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Learnt:
    """How far a training got.

    Attributes:
        env_steps: hours of the community that were played.
        updates: gradient steps of each network that was trained.
        training_s: seconds it took.
        reward: which reward it learnt from, in words.
        policy: which of the policies on the way was kept, in words.
        community: what has to be the same where it acts; None where the policy's own files say it.
        facts: whatever else is worth knowing, JSON-ready.
    """

    env_steps: int
    updates: int
    training_s: float
    reward: str
    policy: str
    community: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Family(Protocol):
    """Trains baselines of one kind, and acts with what they learnt."""

    def train(self, task: Task, folder: Path, budget: Budget) -> Learnt:
        """Train until the budget is spent, and write what was learnt to ``folder``.

        Args:
            task: what to learn on.
            folder: an empty one.
            budget: to be started once everything is built, and looked at as often as can be.

        Raises:
            UserError: the baseline can't be trained on this community, or not in this time.
        """
        ...

    def load(self, name: str, folder: Path, record: Mapping[str, Any]) -> Controller:
        """A controller that acts as what was learnt does, without exploration.

        Args:
            name: what tables and figures call it.
            folder: what ``train`` wrote to.
            record: the content of ``learned.json``.

        Raises:
            UserError: what is there can't be used.
        """
        ...
