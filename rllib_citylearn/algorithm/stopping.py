"""When a run ends. Pure functions of how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.algorithm.progress import Progress

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.preset import StopConfig


def share_done(stop: StopConfig, progress: Progress) -> float:
    """How much of the run is done by its limits of time, steps and updates, 0 to 1."""
    shares = [progress.seconds / (60.0 * stop.minutes)]
    if stop.env_steps is not None:
        shares.append(progress.env_steps / stop.env_steps)
    if stop.updates is not None:
        shares.append(progress.updates / stop.updates)
    return min(1.0, max(shares))


def limit_reached(stop: StopConfig, progress: Progress) -> str:
    """Which limit of time, steps or updates ends the run, as a sentence's end; empty if none does."""
    if progress.seconds >= 60.0 * stop.minutes:
        return f"after its {stop.minutes:g} minutes"
    if stop.env_steps is not None and progress.env_steps >= stop.env_steps:
        return f"after {progress.env_steps:,} environment steps (stop.env_steps)"
    if stop.updates is not None and progress.updates >= stop.updates:
        return f"after {progress.updates:,} updates (stop.updates)"
    return ""


def validation_says_stop(stop: StopConfig, progress: Progress) -> str:
    """Why validation ends the run, as a sentence's end; empty if it does not."""
    best = progress.best
    if best is None:
        return ""
    if stop.target_score is not None and best.objective <= stop.target_score:
        return f"because validation reached {best.objective:.4f}, at or below stop.target_score ({stop.target_score:g})"
    waited = (progress.seconds - best.seconds) / 60.0
    if stop.patience_minutes is not None and waited >= stop.patience_minutes:
        return f"because validation was no better for {waited:.1f} minutes (stop.patience_minutes)"
    since = progress.validations - 1 - best.number
    if stop.patience_validations is not None and since >= stop.patience_validations:
        return f"because {since} validations in a row were no better (stop.patience_validations)"
    return ""


def next_save(cost_s: float, every_s: float, most: float) -> float:
    """Seconds until the next checkpoint: ``every_s``, or more where saving takes more than a share ``most`` of the time.

    Args:
        cost_s: seconds that the latest one took.
        every_s: seconds between two that cost nothing to speak of.
        most: share of the time that saving may take, (0, 1).
    """
    return max(every_s, cost_s * (1.0 - most) / most)
