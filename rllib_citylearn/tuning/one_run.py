"""A training run on a cluster: one trial of Ray Tune, which goes on elsewhere when its machine is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.logger import JsonLoggerCallback, TBXLoggerCallback
from ray.tune.result import NODE_IP

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT, LAST, Stopped, progress_of, read_stopped
from rllib_citylearn.algorithm.training import TrainingResult
from rllib_citylearn.cluster import stored
from rllib_citylearn.errors import CheckpointError, TrainingError
from rllib_citylearn.export.checkpoint import verify_checkpoint
from rllib_citylearn.tuning.fitting import TRIALS, fit, tuner_of
from rllib_citylearn.tuning.outcome import cause_of
from rllib_citylearn.tuning.resources import bundles, placement, room
from rllib_citylearn.tuning.trial import TABLE, Given, TrainingTrial

MOST_LOSSES = 20
"""How often a run goes on from its last checkpoint after its process or machine was lost, before it is given up."""

START = "start"
"""Folder in a run's storage with the checkpoint that a run on another machine had left."""

_KEPT = 2
"""Checkpoints in storage: the one before the last is whole, whatever happened to the last."""


class Lines(tune.Callback):
    """Prints how the run goes.

    Args:
        say: called with each line for the user.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._places: tuple[list[str], str] = ([], "")

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any) -> None:
        """Tune's hook."""
        places = (
            sorted(name.removeprefix("sampled_at_") for name in result if name.startswith("sampled_at_")),
            result[NODE_IP],
        )
        if places != self._places:
            self._places = places
            self._say(f"Runners sample on {', '.join(places[0])}; the learner is on {places[1]}.")
        if "line" in result:
            self._say(result["line"])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook."""
        self._say("The learner's process or machine was lost; the run goes on from its last checkpoint.")


def on_cluster(preset: Preset, gpus: float) -> Preset:
    """The preset, learning on a GPU if the cluster has one and the preset does not say otherwise."""
    runners = preset.runners
    if not gpus or runners.num_gpus_per_learner or runners.num_learners:
        return preset
    return replace(preset, runners=replace(runners, num_gpus_per_learner=1))


def train_as_trial(
    preset: Preset, folder: Path, storage: str, given: Given, say: Callable[[str], None], *, resume: bool
) -> TrainingResult:
    """Train on the machines of this Ray until a limit of the preset's or a signal.

    Args:
        preset: the run.
        folder: the run's folder on this machine; gets ``last/``, ``best/`` and ``progress.csv`` at the end.
        storage: absolute path, or URI, of the run's folder that all machines see.
        given: the preset as trials get it, the data and the run's description.
        say: called with each line for the user.
        resume: go on with the run in ``storage``, if there is one.

    Raises:
        ConfigError: the run has no room on these machines.
        TrainingError: it failed before there was anything to keep.
    """
    room(bundles(preset))
    trainable = tune.with_resources(tune.with_parameters(TrainingTrial, given=given), placement(preset))

    def begin() -> tune.Tuner:
        return tune.Tuner(
            trainable,
            param_space={},
            tune_config=tune.TuneConfig(trial_dirname_creator=_dirname),
            run_config=tune.RunConfig(
                name=TRIALS,
                storage_path=storage,
                failure_config=tune.FailureConfig(max_failures=MOST_LOSSES),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=_KEPT, checkpoint_at_end=True),
                callbacks=[JsonLoggerCallback(), TBXLoggerCallback(), Lines(say)],
                verbose=0,
            ),
        )

    (trial,), _, interrupted = fit(lambda: tuner_of(storage, trainable, begin, resume=resume, finished=True))
    last = trial.last_result or {}
    if not fetch_last(storage, folder):
        why = cause_of(trial) if trial.status == "ERROR" else "it was stopped before its first one"
        raise TrainingError(f"The run has left no checkpoint: {why}.")
    fault = last.get("fault") or (f"The run was given up: {cause_of(trial)}" if trial.status == "ERROR" else None)
    ended = "because it went wrong" if fault else last.get("ended") or "because a signal asked for it"
    return TrainingResult(folder, read_stopped(folder).progress, ended, interrupted, fault)


def _dirname(trial: Any) -> str:
    return "run"


def fetch_last(storage: str, folder: Path) -> bool:
    """Copy the newest whole checkpoint of a run from its storage to its folder, unless that has a later one.

    Args:
        storage: absolute path, or URI, of the run's folder that all machines see.
        folder: the run's folder on this machine.

    Returns:
        whether the storage has one.
    """
    run = f"{storage.rstrip('/')}/{TRIALS}/run"
    for name in reversed([name for name in stored.folders(run) if name.startswith("checkpoint_")]):
        fetched = folder / ".fetched"
        stored.download(f"{run}/{name}", fetched)
        try:
            verify_checkpoint(fetched / LAST)
        except CheckpointError:
            continue  # its writer was ended in the middle
        if _seconds(fetched / LAST) >= _seconds(folder / LAST):
            _place(fetched, folder)
        shutil.rmtree(fetched, ignore_errors=True)
        return True
    return False


def _seconds(checkpoint: Path) -> float:
    """Of training behind a checkpoint; less than none where there is no checkpoint."""
    progress = progress_of(checkpoint)
    return -1.0 if progress is None else progress.seconds


def hand_over(stopped: Stopped, storage: str) -> str | None:
    """Where trials find the checkpoint of a run that has not been on a cluster yet; None if the storage has a later one.

    Args:
        stopped: the run.
        storage: absolute path, or URI, of the run's folder that all machines see.
    """
    if TRIALS in stored.folders(storage) and "run" in stored.folders(f"{storage}/{TRIALS}"):
        return None
    if storage != str(stopped.folder.resolve()):
        parts = [stopped.folder / name for name in (LAST, BEST, BEST_HELD_OUT, TABLE)]
        stored.upload([part for part in parts if part.exists()], f"{storage}/{START}")
        return f"{storage}/{START}"
    return storage


def _place(fetched: Path, folder: Path) -> None:
    for name in (BEST, BEST_HELD_OUT, LAST, TABLE):
        if (fetched / name).exists():
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            (fetched / name).rename(folder / name)
