"""A training run on a cluster: one trial of Ray Tune, which goes on elsewhere when its machine is lost."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.logger import JsonLoggerCallback, TBXLoggerCallback
from ray.tune.result import NODE_IP

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT, LAST, PROGRESS, Stopped, progress_of, read_stopped
from rllib_citylearn.algorithm.training import TrainingResult
from rllib_citylearn.cluster import stored
from rllib_citylearn.errors import CheckpointError, TrainingError
from rllib_citylearn.export.checkpoint import RUN, verify_checkpoint
from rllib_citylearn.tuning.fitting import Heed, fit
from rllib_citylearn.tuning.outcome import cause_of
from rllib_citylearn.tuning.resources import bundles, placement, room
from rllib_citylearn.tuning.trial import SAMPLED_AT, TABLE, Given, TrainingTrial

MOST_LOSSES = 20
"""How often a run goes on from its last checkpoint after its process or machine was lost, before it is given up."""

_KEPT = 2
"""Checkpoints in storage: the one before the last is whole, whatever happened to the last."""

_START = "start-"
"""Folders in a run's storage begin so, one for each time that its command was started, with a number."""

_HANDED = "handed-over"
"""Folder in a run's storage with the checkpoint that it had left on one machine."""

_WAITING_S = 30.0


class Lines(tune.Callback):
    """Prints how the run goes.

    Args:
        say: called with each line for the user.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._places: tuple[list[str], str] = ([], "")
        self._waiting_since = time.monotonic()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune's hook."""
        if any(trial.status == "RUNNING" for trial in trials):
            self._waiting_since = math.inf
        elif time.monotonic() - self._waiting_since > _WAITING_S:
            self._waiting_since = time.monotonic()
            self._say("Waiting for cores that the run asks for; `ray status` says who has them.")

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Tune's hook."""
        nodes = sorted(name.removeprefix(SAMPLED_AT) for name in result if name.startswith(SAMPLED_AT))
        if nodes and (nodes, result[NODE_IP]) != self._places:
            self._places = nodes, result[NODE_IP]
            self._say(f"Runners sample on {', '.join(nodes)}; the learner is on {result[NODE_IP]}.")
        if "line" in result:
            self._say(result["line"])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._waiting_since = time.monotonic()
        self._say(f"The learner was lost ({cause_of(trial)}); the run goes on from its last checkpoint.")


def on_cluster(preset: Preset, gpus: float) -> Preset:
    """The preset, with a GPU for every learner if the cluster has as many and the preset does not say otherwise."""
    runners = preset.runners
    if runners.num_gpus_per_learner or gpus < max(1, runners.num_learners):
        return preset
    return replace(preset, runners=replace(runners, num_gpus_per_learner=1))


def train_as_trial(preset: Preset, folder: Path, storage: str, given: Given, say: Callable[[str], None]) -> TrainingResult:
    """Train on the machines of this Ray until a limit of the preset's or a signal.

    Args:
        preset: the run.
        folder: the run's folder on this machine; gets ``last/``, ``best/`` and ``progress.csv`` at the end.
        storage: absolute path, or URI, of the run's folder that all machines see.
        given: the preset as trials get it, the data, the run's description and what it starts from.
        say: called with each line for the user.

    Raises:
        ConfigError: the run has no room on these machines.
        TrainingError: it failed before there was anything to keep.
    """
    room(bundles(preset))
    trainable = tune.with_resources(tune.with_parameters(TrainingTrial, given=given), placement(preset))
    earlier = _starts(storage)
    this = f"{_START}{int(earlier[-1].removeprefix(_START)) + 1 if earlier else 0:03d}"

    def begin() -> tune.Tuner:
        return tune.Tuner(
            trainable,
            param_space={},
            tune_config=tune.TuneConfig(trial_dirname_creator=_dirname),
            run_config=tune.RunConfig(
                name=this,
                storage_path=storage,
                failure_config=tune.FailureConfig(max_failures=MOST_LOSSES),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=_KEPT),
                callbacks=[JsonLoggerCallback(), TBXLoggerCallback(), Lines(say), Heed()],
                verbose=0,
            ),
        )

    (trial,), _, interrupted, _ = fit(begin)
    last = trial.last_result or {}
    newest = fetch_last(storage, folder)
    if newest is None and not (folder / LAST).is_dir():
        why = last.get("fault") or (cause_of(trial) if trial.status == "ERROR" else "it was stopped before its first one")
        raise TrainingError(f"The run has left no checkpoint: {why}.")
    progress = read_stopped(folder).progress
    for name in earlier if newest in _checkpoints_of(storage, this) else ():  # whose checkpoints are behind
        stored.remove(stored.join(storage, name))
    fault = last.get("fault") or (f"The run was given up: {cause_of(trial)}." if trial.status == "ERROR" else None)
    if fault is not None:
        kept = f"The last good checkpoint is {folder / LAST} ({progress.updates:,} updates)"
        fault = f"{fault} {kept}; go on with --resume {folder}."
    ended = "because it went wrong" if fault else last.get("ended") or "because a signal asked for it"
    return TrainingResult(folder, progress, ended, interrupted, fault)


def _dirname(trial: Any) -> str:
    return "run"


def _starts(storage: str) -> list[str]:
    return [name for name in stored.folders(storage) if name.startswith(_START)]


def _checkpoints(storage: str) -> list[str]:
    """Places of a run's checkpoints in its storage, the newest first."""
    return [place for start in reversed(_starts(storage)) for place in _checkpoints_of(storage, start)]


def _checkpoints_of(storage: str, start: str) -> list[str]:
    run = stored.join(storage, start, "run")
    names = [name for name in stored.folders(run) if name.startswith("checkpoint_")]
    return [stored.join(run, name) for name in reversed(names)]


def fetch_last(storage: str, folder: Path) -> str | None:
    """Copy the newest whole checkpoint of a run from its storage to its folder, unless that has a later one.

    Args:
        storage: absolute path, or URI, of the run's folder that all machines see.
        folder: the run's folder on this machine.

    Returns:
        its place in the storage; None if there is none.
    """
    fetched = folder / ".fetched"
    for place in _checkpoints(storage):
        stored.download(place, fetched)
        try:
            verify_checkpoint(fetched / LAST)
            progress = progress_of(fetched / LAST)
            for name, kept in ((BEST, progress and progress.best), (BEST_HELD_OUT, progress and progress.best_held_out)):
                if kept is not None:
                    verify_checkpoint(fetched / name)
        except CheckpointError:
            continue  # its writer was ended in the middle
        else:
            if _seconds(fetched / LAST) >= _seconds(folder / LAST):
                _place(fetched, folder)
            return place
        finally:
            shutil.rmtree(fetched, ignore_errors=True)
    return None


def _seconds(checkpoint: Path) -> float:
    """Of training behind a checkpoint; less than none where there is no checkpoint."""
    progress = progress_of(checkpoint)
    return -1.0 if progress is None else progress.seconds


def start_of(stopped: Stopped, storage: str) -> str:
    """Where trials find the checkpoint that a run goes on from.

    Args:
        stopped: the run, after ``fetch_last``.
        storage: absolute path, or URI, of the run's folder that all machines see.
    """
    for place in _checkpoints(storage):
        if _stored_seconds(place) == stopped.progress.seconds:  # the one that was fetched
            return place
    if storage == str(stopped.folder.resolve()):
        return storage
    parts = [stopped.folder / name for name in (LAST, BEST, BEST_HELD_OUT, TABLE)]
    handed = stored.join(storage, _HANDED)
    stored.remove(handed)
    stored.upload([part for part in parts if part.exists()], handed)
    return handed


def _stored_seconds(place: str) -> float:
    """Of training behind a checkpoint in a storage."""
    content = stored.read(stored.join(place, LAST, RUN))
    return -1.0 if content is None else float(json.loads(content)[PROGRESS]["seconds"])


def _place(fetched: Path, folder: Path) -> None:
    for name in (BEST, BEST_HELD_OUT, LAST, TABLE):
        if (fetched / name).exists():
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            (fetched / name).rename(folder / name)
