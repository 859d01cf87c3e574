"""A run as a trial of Ray Tune, on whatever machine has room for it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.result import SHOULD_CHECKPOINT

from rllib_citylearn.algorithm.at_hand import with_folders
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.progress import Progress, append_row, progress_line, start_table
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT, LAST, PROGRESS
from rllib_citylearn.algorithm.rounds import Rounds
from rllib_citylearn.algorithm.stopping import next_save
from rllib_citylearn.algorithm.training import CHECKPOINT_EVERY_S, SAVING_SHARE
from rllib_citylearn.cluster import stored
from rllib_citylearn.dotted import with_values
from rllib_citylearn.errors import TrainingError, UserError, said_by
from rllib_citylearn.export.checkpoint import read_run, save_checkpoint, verify_checkpoint
from rllib_citylearn.local_ray import quiet
from rllib_citylearn.tuning.metrics import metrics_of

TABLE = "progress.csv"

SAMPLED_AT = "sampled_at_"
"""Begins the names of metrics that say how many steps the runners of a machine have sampled, before its address."""

_KPIS = "validated"
"""Key of a checkpoint's ``run.json``: KPIs of the latest validation."""

_TRIES = 3


@dataclass(frozen=True)
class Given:
    """What all trials of a search have in common.

    Attributes:
        preset: plain values of the preset that they start from.
        folders: where its data sets are, in the order of its communities; or what a cluster's nodes get them by.
        description: JSON-ready description of the run, for its checkpoints.
        start: absolute path, or URI, of the folder with the checkpoint to go on from; None begins anew.
        save_every_s: seconds between checkpoints, or more where saving takes a large share of the time.
    """

    preset: Mapping[str, Any]
    folders: tuple[str, ...]
    description: Mapping[str, Any]
    start: str | None = None
    save_every_s: float = CHECKPOINT_EVERY_S


class TrainingTrial(tune.Trainable):
    """Trains a preset with other values for some of its keys; an iteration ends with a validation or a checkpoint.

    Its ``config`` has the values by dotted key (``training.actor_lr``). A checkpoint has ``last`` (the whole state),
    ``best`` and ``best-held-out`` (policies) and ``progress.csv``.
    """

    def setup(self, config: dict[str, Any], given: Given) -> None:
        """Tune's hook: build environments and networks."""
        self._given = given
        self._build(config)

    def _build(self, config: Mapping[str, Any]) -> None:
        quiet()
        self._algorithm: Any = None
        self._refused = ""
        self._kept = Path(self.logdir) / f"kept-{os.getpid()}"
        shutil.rmtree(self._kept, ignore_errors=True)
        self._kept.mkdir(parents=True)
        try:
            self._begin(config)
        except UserError as error:  # which another try would meet again
            self._refused = str(error)

    def _begin(self, config: Mapping[str, Any]) -> None:
        given = self._given
        preset = Preset.from_dict(with_values(given.preset, config))
        self._description = {**given.description, "preset": preset.to_dict(), "seed": preset.seed}
        local = replace(preset, environment=with_folders(preset.environment, given.folders))
        self._algorithm = local.config().build_algo()
        self._rounds = Rounds(local, self._algorithm, print)
        self._saved, self._save_cost = time.monotonic(), 0.0
        start_table(self._kept / TABLE, Progress())
        if given.start is not None:
            with tempfile.TemporaryDirectory(dir=self._kept) as fetched:
                stored.fetch(given.start, (LAST, BEST, BEST_HELD_OUT, TABLE), Path(fetched))
                self.load_checkpoint(fetched)

    def step(self) -> dict[str, Any]:
        """Rounds until there is something to tell or to save; the last time when a limit is reached."""
        if self._refused:
            return {"ended": self._refused, "fault": self._refused, "done": True}
        rounds = self._rounds
        try:
            ended = self._until_due() if not rounds.limit else rounds.limit
        except UserError as error:  # nothing is saved any more: the checkpoint before it is the last good one
            return metrics_of(rounds) | {"ended": said_by(error), "fault": said_by(error), "done": True}
        told = {"line": progress_line(rounds.share_done, rounds.progress, rounds.result)} if rounds.result else {}
        return (
            metrics_of(rounds)
            | self._sampled()
            | told
            | {
                "ended": ended,
                "done": bool(ended),
                SHOULD_CHECKPOINT: bool(ended) or self._save_is_due(),
            }
        )

    def _until_due(self) -> str:
        rounds = self._rounds
        if rounds.preset.validation.starts:
            self._validate_first()
        while True:
            rounds.round()
            ended = rounds.limit
            due = bool(rounds.preset.validation.starts) and rounds.validation_is_due
            if ended or due:
                self._rounds.validate_and_keep(self._keep)
                ended = ended or rounds.enough
            append_row(self._kept / TABLE, rounds.progress, rounds.result)
            if ended or due or self._save_is_due():
                return ended

    def _validate_first(self) -> None:
        for _ in range(_TRIES):
            if self._rounds.progress.validations:
                return
            self._rounds.validate_and_keep(self._keep)
        raise TrainingError(f"A validation runner was lost in each of {_TRIES} validations; look at the machines' memory.")

    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved >= next_save(self._save_cost, self._given.save_every_s, SAVING_SHARE)

    def _keep(self, name: str) -> bool:
        try:
            save_checkpoint(self._algorithm, self._kept / name, self._described(), replay=False)
        except OSError as error:
            print(f"{self._kept / name} could not be written ({error}).")
            return False
        return True

    def _described(self) -> dict[str, Any]:
        return {**self._description, PROGRESS: self._rounds.progress.to_dict(), _KPIS: dict(self._rounds.kpis)}

    def _sampled(self) -> dict[str, Any]:
        """Steps that the runners of each machine have sampled since these runners started, by its address."""
        group = self._algorithm.env_runner_group
        counts: dict[str, Any] = {}
        for address, steps in group.foreach_env_runner(_sampled, local_env_runner=not group.num_remote_env_runners()):
            counts[f"{SAMPLED_AT}{address}"] = counts.get(f"{SAMPLED_AT}{address}", 0) + steps
        return counts

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Tune's hook."""
        folder, begun = Path(checkpoint_dir), time.monotonic()
        save_checkpoint(self._algorithm, folder / LAST, self._described())
        for name in (BEST, BEST_HELD_OUT):
            if (self._kept / name).is_dir():
                shutil.copytree(self._kept / name, folder / name)
        shutil.copy(self._kept / TABLE, folder / TABLE)
        self._saved = time.monotonic()
        self._save_cost = self._saved - begun

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Tune's hook; also of trials that go on from another's checkpoint."""
        folder = Path(checkpoint_dir)
        verify_checkpoint(folder / LAST)
        if self._refused:
            return
        run = read_run(folder / LAST)
        self._rounds.go_on(folder / LAST, Progress.from_dict(run[PROGRESS]))
        self._rounds.kpis = run.get(_KPIS, {})
        for name in (BEST, BEST_HELD_OUT):
            shutil.rmtree(self._kept / name, ignore_errors=True)
            if (folder / name).is_dir():
                shutil.copytree(folder / name, self._kept / name)
        shutil.copy(folder / TABLE, self._kept / TABLE)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Tune's hook: another trial in this process, which saves the seconds that a process takes to start."""
        self.cleanup()
        self._build(new_config)
        return True

    def cleanup(self) -> None:
        """Tune's hook: end runners and learners."""
        if self._algorithm is not None:
            self._rounds.close()
            self._algorithm.stop()
        shutil.rmtree(self._kept, ignore_errors=True)


def _sampled(runner: Any) -> tuple[str, int]:
    """Address of a runner's machine, and the environment steps it has sampled."""
    import ray

    return ray.util.get_node_ip_address(), runner.counts.env_steps_ever
