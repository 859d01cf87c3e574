"""A run that goes on: where it stands, and what may be different from now on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rllib_citylearn.algorithm.community_record import record_of, require_same
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.progress import Progress, better
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import CheckpointError, ConfigError
from rllib_citylearn.export.checkpoint import RUN, read_record, read_run, verify_checkpoint

LAST, BEST, BEST_HELD_OUT = "last", "best", "best-held-out"
"""Names of a run's checkpoints: the latest, the best on validation and the best on held-out buildings."""

PROGRESS = "progress"
"""Key of a checkpoint's ``run.json``: how far the run had come."""

FIXED = ("name", "seed", "environment", "model")
"""Sections of a preset that stay as they are when a run goes on."""


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped.

    Attributes:
        folder: of the run.
        preset: what it was started with.
        description: its ``run.json``.
        progress: how far it had come when it was last saved, with the best policies there are.
    """

    folder: Path
    preset: Preset
    description: Mapping[str, Any]
    progress: Progress

    @property
    def checkpoint(self) -> Path:
        """What to go on from."""
        return self.folder / LAST


def read_stopped(folder: Path) -> Stopped:
    """The run in ``folder``, as far as its checkpoints tell.

    Raises:
        CheckpointError: no run, none that was saved, or a damaged checkpoint.
    """
    if not (folder / RUN).is_file():
        raise CheckpointError(f"There is no run at {folder}; give the folder of a run, which holds {RUN} and {LAST}.")
    if not (folder / LAST).is_dir():
        raise CheckpointError(f"The run {folder} was stopped before it was saved to {folder / LAST}; start it anew.")
    verify_checkpoint(folder / LAST)
    description = json.loads((folder / RUN).read_text())
    saved = read_run(folder / LAST).get(PROGRESS)
    if saved is None:
        raise CheckpointError(f"The checkpoint {folder / LAST} does not say how far its run had come; start the run anew.")
    progress = Progress.from_dict(saved)
    # The best policies are saved apart, and maybe later than the last one was.
    best, held_out = (progress_of(folder / name) for name in (BEST, BEST_HELD_OUT))
    progress = replace(
        progress,
        best=None if best is None else better(best.best, progress.best),
        best_held_out=None if held_out is None else better(held_out.best_held_out, progress.best_held_out),
    )
    return Stopped(folder, Preset.from_dict(description["preset"]), description, progress)


def progress_of(checkpoint: Path) -> Progress | None:
    """How far the run of a checkpoint had come, if there is that checkpoint."""
    saved = read_run(checkpoint).get(PROGRESS)
    return None if saved is None else Progress.from_dict(saved)


def require_resumable(stopped: Stopped, preset: Preset) -> None:
    """Refuse a preset with which the run would be another one.

    Learning, runners, limits and the report may change, and where the data lie; who learns on what, and by what policies
    are chosen, may not.

    Raises:
        ConfigError: names the keys.
    """
    old, new = stopped.preset.to_dict(), preset.to_dict()
    old["environment"].pop("dataset")
    new["environment"].pop("dataset")
    changed = [key for section in FIXED for key in _changed(section, old[section], new[section])]
    changed += [
        f"validation.{key}" for key in ("starts", "episode_steps") if old["validation"][key] != new["validation"][key]
    ]
    if changed:
        raise ConfigError(
            f"{', '.join(changed)} can't change when a run goes on: the run {stopped.folder} was started with other values. "
            "Leave them as they are in its run.json, or start a new run."
        )


def _changed(section: str, old: Any, new: Any) -> list[str]:
    if not isinstance(old, Mapping):
        return [] if old == new else [section]
    return [f"{section}.{key}" for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


def require_community(stopped: Stopped, table: CommunityFeatures) -> None:
    """Refuse data with other buildings, columns or actions than the checkpoint's, before anything is built.

    Raises:
        CheckpointError: says which.
    """
    record = read_record(stopped.checkpoint)
    if record is not None:
        require_same(record, record_of(table), str(stopped.checkpoint))
