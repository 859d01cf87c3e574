"""A training run from preset to checkpoint, with progress a person can read."""

from __future__ import annotations

import csv
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.validation import validate
from rllib_citylearn.env.appliance_features import PREFIX as APPLIANCE
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.thermostats import DEVICES
from rllib_citylearn.export.checkpoint import save_checkpoint
from rllib_citylearn.local_ray import quiet

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

_COLUMNS = (
    "seconds",
    "env_steps",
    "updates",
    "score",
    "validation_score",
    "team_return",
    "env_steps_per_s",
    "updates_per_s",
)
_CHECKPOINT_EVERY_S = 120.0
_LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        last: folder of the last checkpoint.
        best: folder of the checkpoint with the lowest validation score; the last one in runs without validation.
        best_score: its validation score; None without validation.
        best_updates: gradient steps behind it.
        env_steps: environment steps sampled.
        updates: gradient steps.
        seconds: wall-clock seconds of training, without start-up.
        interrupted: whether a signal ended it before its time.
    """

    last: Path
    best: Path
    best_score: float | None
    best_updates: int
    env_steps: int
    updates: int
    seconds: float
    interrupted: bool


def train(preset: Preset, folder: Path, run: Mapping[str, Any], say: Callable[[str], None]) -> TrainingResult:
    """Train until the preset's limits, or until SIGINT or SIGTERM, and leave a checkpoint either way.

    Args:
        preset: the run.
        folder: the run's folder; gets ``last/`` and ``best/`` (checkpoints) and ``progress.csv``.
        run: JSON-ready description of the run, stored with the checkpoints.
        say: called with each line for the user.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _ray_session(preset), _stop_signal() as stopped:
        say("Building environments and networks ...")
        algorithm = preset.config().build_algo()
        try:
            say(
                f"Training for {preset.stop.minutes:g} minutes. Scores are cost, carbon and grid over no control, lower is "
                "better: 'training' on the latest episodes with exploration noise, 'validation' on fixed weeks without."
            )
            return _Training(preset, folder, run, say, algorithm).run(stopped)
        finally:
            algorithm.stop()


def check_data(preset: Preset, say: Callable[[str], None]) -> None:
    """Build the preset's environments once, here, so that what does not fit its data is said before anything starts.

    Args:
        preset: the run; its data set has to be at hand.
        say: called with warnings.

    Raises:
        UserError: buildings, windows, episodes or validation weeks that the data does not have.
    """
    configs = [asdict(preset.environment)]
    if preset.validation.starts:
        configs.append(asdict(preset.stretches()))
    if preset.report.window is not None:
        configs.append({**configs[0], "window": preset.report.window, "episode_steps": None, "starts": None})
    for config in configs:
        env = CityLearnMultiAgentEnv(config)
    weights, actions = env.reward.weights, sorted(env.features.actions)
    unpaid = [name for name in actions if name in DEVICES and not weights.comfort]
    unpaid += [name for name in actions if name.startswith("electric_vehicle") and not weights.departure]
    unpaid += [name for name in actions if name.startswith(APPLIANCE) and not weights.appliance]
    if unpaid:
        say(
            f"Warning: the weights of comfort, of vehicles' departures or of appliances' cycles are zero, but the policy "
            f"controls {', '.join(unpaid)}. It may save by leaving people cold, cars empty or laundry undone; do not deploy "
            "it."
        )


class _Training:
    """The loop of one run and what it remembers."""

    def __init__(
        self,
        preset: Preset,
        folder: Path,
        run: Mapping[str, Any],
        say: Callable[[str], None],
        algorithm: CooperativeMADDPG,
    ) -> None:
        self.preset, self.folder, self.description, self.say = preset, folder, run, say
        self.algorithm = algorithm
        self.best_score: float | None = None
        self.best_updates = 0
        self.validation = math.nan

    def run(self, stopped: Callable[[], bool]) -> TrainingResult:
        """Train, validate and save until the end."""
        self._validate(updates=0)
        start = last_line = last_saved = last_validated = time.monotonic()
        with (self.folder / "progress.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            while True:
                result = self.algorithm.train()
                now = time.monotonic()
                elapsed = now - start
                done = _share(self.preset, elapsed, result) >= 1.0 or stopped()
                if done or now - last_validated >= 60.0 * self.preset.validation.every_minutes:
                    self._validate(result["updates"])
                    last_validated = time.monotonic()
                if now - last_saved >= _CHECKPOINT_EVERY_S:
                    self._save("last")
                    last_saved = time.monotonic()
                values = {key: result[key] for key in _COLUMNS if key in result}
                table.writerow({**values, "seconds": round(elapsed, 1), "validation_score": self.validation})
                file.flush()
                if done or now - last_line >= _LINE_EVERY_S:
                    self.say(progress_line(self.preset, elapsed, result, self.validation))
                    last_line = now
                if done:
                    break
        self._save("last")
        return TrainingResult(
            last=self.folder / "last",
            best=self.folder / ("best" if self.best_score is not None else "last"),
            best_score=self.best_score,
            best_updates=self.best_updates if self.best_score is not None else result["updates"],
            env_steps=result["env_steps"],
            updates=result["updates"],
            seconds=elapsed,
            interrupted=stopped(),
        )

    def _validate(self, updates: int) -> None:
        """Play the validation stretches and keep the policy if none was better."""
        if not self.preset.validation.starts:
            return
        kpis = validate(self.algorithm, self.preset.validation_episodes)
        if kpis is None:
            self.say("A validation runner was lost; this validation is skipped.")
            return
        self.validation = kpis["score"]
        if self.best_score is None or self.validation < self.best_score:
            self.best_score, self.best_updates = self.validation, updates
            self._save("best")

    def _save(self, name: str) -> None:
        save_checkpoint(self.algorithm, self.folder / name, self.description)


def progress_line(preset: Preset, elapsed: float, result: Mapping[str, Any], validation: float) -> str:
    """One line of progress: share done, time left, steps, scores, speed."""
    share = _share(preset, elapsed, result)
    left = elapsed * (1.0 / share - 1.0) if share > 0 else math.inf
    training, validated = (f"{x:.3f}" if math.isfinite(x) else "  -  " for x in (result["score"], validation))
    return (
        f"{share:4.0%}  {int(left) // 60:d}:{int(left) % 60:02d} left  steps {result['env_steps']:>7,}  "
        f"updates {result['updates']:>6,}  training {training}  "
        f"validation {validated}  {result['env_steps_per_s']:6.0f} steps/s"
    )


def _share(preset: Preset, elapsed: float, result: Mapping[str, Any]) -> float:
    shares = [elapsed / (60.0 * preset.stop.minutes)]
    if preset.stop.env_steps is not None:
        shares.append(result["env_steps"] / preset.stop.env_steps)
    return min(1.0, max(shares))


@contextmanager
def _ray_session(preset: Preset) -> Iterator[None]:
    """A local Ray with room for every runner, unless the caller has connected to one already."""
    import ray

    if ray.is_initialized():
        yield
        return
    # Training and validation runners take turns, so that they share the cores; Ray has to count them one by one.
    runners = preset.runners.num_env_runners + (max(1, preset.runners.num_env_runners) if preset.validation.starts else 0)
    ray.init(
        address="local",
        num_cpus=runners + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=500 * 2**20,
    )
    quiet()
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
