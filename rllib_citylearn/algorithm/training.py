"""A training run from preset to checkpoint, with progress a person can read."""

from __future__ import annotations

import csv
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rllib_citylearn.algorithm.preset import Preset

_COLUMNS = ("seconds", "env_steps", "updates", "score", "team_return", "env_steps_per_s", "updates_per_s")
_CHECKPOINT_EVERY_S = 120.0
_LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        checkpoint: folder of the last checkpoint.
        env_steps: environment steps sampled.
        updates: gradient steps.
        seconds: wall-clock seconds of training, without start-up.
        interrupted: whether a signal ended it before its time.
    """

    checkpoint: Path
    env_steps: int
    updates: int
    seconds: float
    interrupted: bool


def train(preset: Preset, folder: Path, run: Mapping[str, Any], say: Callable[[str], None]) -> TrainingResult:
    """Train until the preset's limits, or until SIGINT or SIGTERM, and leave a checkpoint either way.

    Args:
        preset: the run.
        folder: the run's folder; gets ``checkpoint/`` and ``progress.csv``.
        run: JSON-ready description of the run, stored with the checkpoint.
        say: called with each line for the user.
    """
    from rllib_citylearn.export.checkpoint import save_checkpoint

    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint"
    with _ray_session(preset.runners.num_env_runners), _stop_signal() as stopped:
        say("Building environments and networks ...")
        algorithm = preset.config().build_algo()
        try:
            say(
                f"Training for {preset.stop.minutes:g} minutes on {max(1, preset.runners.num_env_runners)} runner(s). "
                "score: cost, carbon and grid over no control in the latest training weeks, with exploration noise; "
                "lower is better."
            )
            start = last_line = last_checkpoint = time.monotonic()
            with (folder / "progress.csv").open("w", newline="") as file:
                table = _table(file)
                while True:
                    result = algorithm.train()
                    now = time.monotonic()
                    elapsed = now - start
                    table.writerow({**{key: result[key] for key in _COLUMNS[1:]}, "seconds": round(elapsed, 1)})
                    file.flush()
                    done = _done(preset, elapsed, result)
                    if done or stopped() or now - last_line >= _LINE_EVERY_S:
                        say(progress_line(preset, elapsed, result))
                        last_line = now
                    if done or stopped():
                        break
                    if now - last_checkpoint >= _CHECKPOINT_EVERY_S:
                        save_checkpoint(algorithm, checkpoint, run)
                        last_checkpoint = now
            save_checkpoint(algorithm, checkpoint, run)
            return TrainingResult(checkpoint, result["env_steps"], result["updates"], elapsed, stopped())
        finally:
            algorithm.stop()


def progress_line(preset: Preset, elapsed: float, result: Mapping[str, Any]) -> str:
    """One line of progress: share done, time left, steps, score, speed."""
    share = _share(preset, elapsed, result)
    left = elapsed * (1.0 / share - 1.0) if share > 0 else math.inf
    score = f"{result['score']:.3f}" if math.isfinite(result["score"]) else "  -  "
    return (
        f"{share:4.0%}  {int(left) // 60:d}:{int(left) % 60:02d} left  steps {result['env_steps']:>7,}  "
        f"updates {result['updates']:>6,}  score {score}  {result['env_steps_per_s']:6.0f} steps/s"
    )


def _share(preset: Preset, elapsed: float, result: Mapping[str, Any]) -> float:
    shares = [elapsed / (60.0 * preset.stop.minutes)]
    if preset.stop.env_steps is not None:
        shares.append(result["env_steps"] / preset.stop.env_steps)
    return min(1.0, max(shares))


def _done(preset: Preset, elapsed: float, result: Mapping[str, Any]) -> bool:
    return _share(preset, elapsed, result) >= 1.0


def _table(file: TextIO) -> csv.DictWriter[str]:
    table = csv.DictWriter(file, _COLUMNS)
    table.writeheader()
    return table


@contextmanager
def _ray_session(num_env_runners: int) -> Iterator[None]:
    """A local Ray with a core a runner, unless the caller has connected to one already."""
    import ray

    for name in ("ray.rllib", "ray.tune", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if ray.is_initialized():
        yield
        return
    ray.init(
        num_cpus=num_env_runners + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=500 * 2**20,
    )
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for an orderly end; a second one ends at once."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
