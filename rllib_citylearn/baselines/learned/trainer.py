"""Trains a learning baseline for a given time and leaves a folder to evaluate it from."""

from __future__ import annotations

import errno
import json
import math
import time
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines.learned.budget import Budget, Report
from rllib_citylearn.baselines.learned.family import Task
from rllib_citylearn.baselines.learned.record import RECORD, read_record, write_record
from rllib_citylearn.baselines.learned.registry import learned
from rllib_citylearn.env.limits import is_seed
from rllib_citylearn.errors import CheckpointError, ConfigError
from rllib_citylearn.files import cache_folder, locked, new_directory
from rllib_citylearn.local_ray import prepare_environment, quiet, quiet_core

REVISION = 2
"""Goes up with every change of what training does, so that what an older code learnt is not taken for it."""


def train_learned(
    name: str,
    *,
    schema: str | Path,
    buildings: Sequence[str] | None = None,
    window: tuple[int, int] | None = None,
    seed: int,
    minutes: float,
    folder: Path | None = None,
    random_seed: int | None = None,
    report: Report | None = None,
) -> Path:
    """Train a learning baseline, unless this very training is there already.

    Networks learn on one thread, and everything on this machine: the same time is the same for all baselines only on the
    same machine with nothing else to do. Training that needs Ray starts one with two cores, or uses the one that is there.

    Args:
        name: one of ``LEARNED``.
        schema: path of a data set's ``schema.json``, or of its folder.
        buildings: names of the buildings to keep; None keeps all.
        window: first and last time step of the data, both included; None is all of it.
        seed: of networks, exploration and order of learning; the same one starts from the same networks.
        minutes: wall-clock time of training; building and saving come on top.
        folder: to make; it appears when training is over, whole. None takes one among those that can be made again, in the
            user's cache folder.
        random_seed: replaces the schema's seed, from which CityLearn draws what the schema leaves out.
        report: called now and then with the seconds of training done and those in all.

    Returns:
        The folder, for a ``LearnedSpec``.

    Raises:
        ConfigError: an unknown name, building or window, no time at all, or ``folder`` holds something else.
        CheckpointError: ``folder`` holds a damaged training.
        UserError: the baseline can't be trained on this community, or not in this time.
    """
    prepare_environment()  # before anything imports Ray
    quiet_core()
    if not (math.isfinite(minutes) and minutes > 0):
        raise ConfigError(f"minutes is {minutes}; give training a time above 0.")
    if not is_seed(seed):
        raise ConfigError(f"seed is {seed}; give a whole number from 0 to 2,147,483,647.")
    task = _task(name, Path(schema), buildings, window, seed, minutes, random_seed)
    cached, folder = folder is None, _kept_in(task) if folder is None else folder
    if _is_finished(folder, task, cached=cached):
        return folder
    with locked(_lock_of(folder)):  # another process may be training it: its time is not shared, and its result is used
        if _is_finished(folder, task, cached=cached):
            return folder
        try:
            return _trained(task, minutes, folder, report)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            raise ConfigError(
                f"{folder} can't be written ({error.strerror}). Make room there, or name another folder; for what is kept "
                "in the cache that is RLLIB_CITYLEARN_CACHE."
            ) from error


def _trained(task: Task, minutes: float, folder: Path, report: Report | None) -> Path:
    """The folder, after training."""
    from rllib_citylearn.baselines.learned.threads import one_torch_thread

    family = learned(task.name).family()
    quiet()  # after Ray was imported
    budget = Budget(minutes, report)
    begun = time.monotonic()
    with new_directory(folder) as unfinished:
        with one_torch_thread():
            learnt = family.train(task, unfinished, budget)
        reached = {
            "env_steps": learnt.env_steps,
            "updates": learnt.updates,
            "training_s": round(learnt.training_s, 1),
            "reward": learnt.reward,
            "policy": learnt.policy,
            "wall_s": round(time.monotonic() - begun, 1),
            **learnt.facts,
        }
        write_record(unfinished, task.record, reached, learnt.community)
    return folder


def _task(
    name: str,
    schema: Path,
    buildings: Sequence[str] | None,
    window: tuple[int, int] | None,
    seed: int,
    minutes: float,
    random_seed: int | None,
) -> Task:
    """The task, with everything spelt out that was left open.

    Raises:
        ConfigError: an unknown name or building.
        DatasetError: the data set can't be read.
    """
    from rllib_citylearn.datasets.content import folder_sha256
    from rllib_citylearn.env.citylearn_env import building_names, read_schema
    from rllib_citylearn.env.selection import named_buildings
    from rllib_citylearn.versions import installed_versions

    settings = learned(name).settings
    description = read_schema(schema)
    folder = Path(description["root_directory"])
    names = building_names(description)
    kept = tuple(names if buildings is None else named_buildings(buildings, names))
    if window is None:
        window = (int(description.get("simulation_start_time_step") or 0), int(description["simulation_end_time_step"]))
    if random_seed is None:
        random_seed = description.get("random_seed")
    record: dict[str, Any] = {
        "name": name,
        "settings": dict(settings),
        "data": {"name": folder.name, "sha256": folder_sha256(folder)},
        "buildings": list(kept),
        "window": list(window),
        "seed": seed,
        "random_seed": random_seed,
        "minutes": float(minutes),
        "versions": {**installed_versions(), "scikit-learn": version("scikit-learn")},
        "revision": REVISION,
    }
    return Task(name, folder, kept, window, seed, random_seed, settings, json.loads(json.dumps(record)))


def _kept_in(task: Task) -> Path:
    """The folder in the cache for a task: another one for each."""
    digest = sha256(json.dumps(task.record, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "learned" / f"{task.name}-{digest[:16]}"


def _lock_of(folder: Path) -> Path:
    """A lock file for a folder, in the cache, so that nothing is left beside what users name.

    Raises:
        ConfigError: the cache can't be written to.
    """
    cache = cache_folder() / "learned"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The cache {cache} can't be written to ({error.strerror}). Set RLLIB_CITYLEARN_CACHE to a folder that can."
        ) from error
    return cache / f".{sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.lock"


def _is_finished(folder: Path, task: Task, *, cached: bool) -> bool:
    """Whether ``folder`` holds this very training; an empty folder holds nothing, nor does a damaged one in the cache.

    Raises:
        ConfigError: it holds another one, or something else.
        CheckpointError: it holds a damaged one.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if cached:
        try:
            return bool(read_record(folder)["task"] == task.record)
        except CheckpointError:
            return False
    if not (folder / RECORD).is_file():
        raise ConfigError(
            f"{folder} exists and holds no learnt baseline; name a new folder, so that nothing is overwritten."
        )
    found = read_record(folder)["task"]
    if found == task.record:
        return True
    different = [key for key in task.record if found.get(key) != task.record[key]]
    told = "; ".join(f"{key} {_shown(found.get(key))} instead of {_shown(task.record[key])}" for key in different)
    raise ConfigError(f"{folder} holds another training: {told}. Name a new folder, or remove this one to train anew.")


def _shown(value: Any) -> str:
    """A value as it may stand in a sentence."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
