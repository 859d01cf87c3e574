"""What the competitors have in common, in one place: sizes of the networks, replay, updates, exploration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One set for all.

    Attributes:
        hidden: width of the two hidden layers of actors and of the peer's critic, and of the first of our critics.
        learning_rate: Adam's, of actor and critic.
        gamma: discount a step.
        tau: share by which targets move towards their networks with every update.
        batch: joint transitions an update.
        replay: joint transitions kept; all of a run's.
        warmup_steps: environment steps before the first update.
        updates_per_step: gradient steps of the critic per environment step.
        envs: environments stepped side by side.
        round_steps: environment steps between two rounds of updates.
        noise, noise_final: standard deviation of the white noise on actions, in their units ([0, 1]), at the start and after
        noise_anneal_share: that share of a run.
    """

    hidden: int = 64
    learning_rate: float = 2e-3
    gamma: float = 0.95
    tau: float = 0.05
    batch: int = 256
    replay: int = 1_000_000
    warmup_steps: int = 1_000
    updates_per_step: float = 0.2
    envs: int = 10
    round_steps: int = 500
    noise: float = 0.4
    noise_final: float = 0.05
    noise_anneal_share: float = 0.5


SETTINGS = Settings()
