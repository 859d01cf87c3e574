"""Independent DDPG: this project's own algorithm without what makes it cooperative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.training import TrainingResult, train
from rllib_citylearn.baselines.controller import Controller
from rllib_citylearn.baselines.learned.budget import Budget
from rllib_citylearn.baselines.learned.community import described_reward, stretches, training_env
from rllib_citylearn.baselines.learned.family import Family, Learnt, Task
from rllib_citylearn.errors import TrainingError

BUNDLE = "bundle"
"""Folder of the policy, as a policy bundle."""


class _DDPGFamily:
    """See ``Family``. What is learnt is a policy like the project's own, and is exported like it."""

    def train(self, task: Task, folder: Path, budget: Budget) -> Learnt:
        """See ``Family.train``."""
        from rllib_citylearn.export.checkpoint import export_checkpoint

        preset = ddpg_preset(task, budget.minutes)
        with TemporaryDirectory(dir=folder) as run:
            result = trained(preset, task, Path(run), budget)
            _require_learnt(result, task, budget)
            export_checkpoint(result.best, folder / BUNDLE, name=task.name)
        progress = result.progress
        return Learnt(
            env_steps=progress.env_steps,
            updates=progress.updates,
            training_s=progress.seconds,
            reward=described_reward(preset.environment),
            policy="the one with the lowest validation objective, on stretches of the training data",
            facts={"updates_of_the_policy": result.policy_updates},
        )

    def load(self, name: str, folder: Path, record: Mapping[str, Any]) -> Controller:
        """See ``Family.load``."""
        from rllib_citylearn.evaluation.bundle_controller import BundleController

        return BundleController(name, folder / BUNDLE)


FAMILY: Family = _DDPGFamily()


def ddpg_preset(task: Task, minutes: float) -> Preset:
    """The run, as the command ``train`` would make it."""
    starts, hours = stretches(task)
    settings = task.settings
    return Preset.from_dict(
        {
            "name": task.name,
            "seed": task.seed,
            "model": settings["model"],
            "training": settings["training"],
            "runners": settings["runners"],
            "stop": {"minutes": minutes},
            "validation": {**settings["validation"], "starts": list(starts), "episode_steps": hours},
            "environment": asdict(training_env(task, settings["environment"], padded=False)),
        }
    )


def trained(preset: Preset, task: Task, run: Path, budget: Budget) -> TrainingResult:
    """The run in the folder ``run``; it looks at the clock by itself.

    Raises:
        TrainingError: it went wrong.
        KeyboardInterrupt: a signal ended it before its time.
    """
    result = train(preset, run, task.record, _say_nothing, watch=lambda progress: budget.report(progress.seconds))
    if result.fault is not None:
        raise TrainingError(
            f"{task.name} went wrong after {result.progress.updates:,} updates: a loss or gradient was no number. Try "
            "another training seed."
        )
    if result.interrupted:
        raise KeyboardInterrupt
    return result


def _require_learnt(result: TrainingResult, task: Task, budget: Budget) -> None:
    """Refuse what is still the rule that training starts from."""
    if not result.policy_updates:
        raise TrainingError(
            f"Of what {task.name} learnt in {budget.minutes:g} minutes ({result.progress.updates:,} updates) nothing beat "
            f"the rule it starts from, {task.settings['model']['rule']!r}, on the stretches it is validated on. Give it "
            "more time, or name that rule."
        )


def _say_nothing(line: str) -> None:
    """The budget's report says how much is done."""
