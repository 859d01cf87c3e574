"""A preset that trains in seconds, on a window of two buildings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.small_data import short

BUILDINGS = ("Building_1", "Building_10")

TRAINING: dict[str, Any] = {
    "warmup_steps": 100,
    "critic_warmup_updates": 0,
    "train_batch_size_per_learner": 16,
    "replay_capacity": 5000,
    "updates_per_env_step": 0.05,
}


def tiny(dataset: Path, **sections: Any) -> dict[str, Any]:
    """A preset on ``dataset``, one that ``tiny_data`` made, with further sections or others in place of its own."""
    preset: dict[str, Any] = {
        "name": "tiny",
        "seed": 1,
        "environment": {"dataset": str(dataset), "window": [700, 900], "episode_steps": 24, "random_start": True},
        "model": {"hidden": 16, "hint_size": 4, "coordinator_width": 8},
        "training": TRAINING,
        "runners": {"num_env_runners": 0, "num_envs_per_env_runner": 4, "rollout_fragment_length": 10},
        "stop": {"minutes": 5},
        "report": {"baselines": ["no-control"], "window": [700, 900], "processes": 1},
    }
    return {**preset, **sections}


def tiny_data(challenge_2022: Path, folder: Path) -> Path:
    """Two buildings' first thousand hours, made in ``folder``."""
    return short(challenge_2022, folder, BUILDINGS)
