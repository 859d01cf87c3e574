"""How the learners on this project's environment see the community, and the stretches that they are validated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rllib_citylearn.baselines.learned.family import Task
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.errors import ConfigError

_MONTH = 730
"""Hours."""


def training_env(task: Task, settings: Mapping[str, Any], *, padded: bool) -> CommunityEnvConfig:
    """The environment to learn on; episodes are as long as the settings say, or as the window allows.

    Args:
        task: whose community it is.
        settings: keys of ``CommunityEnvConfig``.
        padded: whether all agents have the same spaces.

    Raises:
        ConfigError: the window is too short for an episode.
    """
    steps = min(int(settings["episode_steps"]), hours_of(task))
    return CommunityEnvConfig(
        dataset=str(task.folder),
        buildings=list(task.buildings),
        window=task.window,
        random_seed=task.random_seed,
        padded=padded,
        **{**settings, "episode_steps": steps},
    )


def hours_of(task: Task) -> int:
    """Hours of the window that can be played: the last two time steps are seen only.

    Raises:
        ConfigError: less than a day.
    """
    hours = task.window[1] - task.window[0] - 1
    if hours < 24:
        raise ConfigError(
            f"The window {task.window[0]}..{task.window[1]} has {max(hours, 0)} hours to learn in; give it a day, 26 time "
            "steps, or more."
        )
    return hours


def stretches(task: Task) -> tuple[tuple[int, ...], int]:
    """Where the stretches start that policies are validated on, and their length in hours: about the window's months."""
    hours = hours_of(task)
    length = min(hours, _MONTH - 2)
    count = max(1, round(hours / _MONTH))
    latest = task.window[0] + hours - length
    gaps = max(count - 1, 1)
    return tuple(task.window[0] + (latest - task.window[0]) * i // gaps for i in range(count)), length


def validation_env(config: CommunityEnvConfig, task: Task) -> CommunityEnvConfig:
    """The environment that policies are validated on: nothing in it is drawn."""
    starts, length = stretches(task)
    return replace(config, starts=starts, episode_steps=length, random_start=False, random_initial_soc=False)


def described_reward(env: CommunityEnvConfig) -> str:
    """What the agents of an environment are paid for, in words."""
    terms = ", ".join(f"{name} {weight:.3g}" for name, weight in env.reward_weights.items() if weight)
    if env.team_share == 1.0:
        return f"this project's team reward ({terms}), the same for all buildings"
    share = f", {env.team_share:g} of it the team's" if env.team_share else ""
    return f"this project's reward ({terms}): for a building what it earned itself and what the district earned{share}"
