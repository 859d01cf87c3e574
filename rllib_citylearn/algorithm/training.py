"""A training run from preset to checkpoint, with progress a person can read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.progress import Progress, append_row, progress_line, start_table
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT, LAST, PROGRESS, Stopped
from rllib_citylearn.algorithm.rounds import Rounds
from rllib_citylearn.algorithm.session import ray_session, stop_signal
from rllib_citylearn.algorithm.stopping import next_save
from rllib_citylearn.errors import TrainingError, said_by
from rllib_citylearn.export.checkpoint import save_checkpoint

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

CHECKPOINT_EVERY_S = 60.0
SAVING_SHARE = 0.05
"""Checkpoints are a minute apart, or more where saving them takes a larger share of the time than this."""

_LINE_EVERY_S = 10.0


@dataclass(frozen=True)
class TrainingResult:
    """What a training run came to.

    Attributes:
        folder: of the run.
        progress: how far it came.
        ended: why it ended, as a sentence's end.
        interrupted: whether a signal ended it before its time.
        fault: what went wrong, with the checkpoint to go on from; None if nothing did.
    """

    folder: Path
    progress: Progress
    ended: str
    interrupted: bool
    fault: str | None = None

    @property
    def best(self) -> Path:
        """The run's policy: the one with the lowest validation objective; the last one in runs without validation."""
        return self.folder / (BEST if self.progress.best is not None else LAST)

    @property
    def best_held_out(self) -> Path | None:
        """The policy that was best on the held-out buildings, if there are any."""
        return self.folder / BEST_HELD_OUT if self.progress.best_held_out is not None else None

    @property
    def policy_updates(self) -> int:
        """Gradient steps behind the run's policy."""
        return self.progress.updates if self.progress.best is None else self.progress.best.updates


def train(
    preset: Preset,
    folder: Path,
    run: Mapping[str, Any],
    say: Callable[[str], None],
    *,
    stopped: Stopped | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train until a limit of the preset's, or until SIGINT or SIGTERM, and leave a checkpoint either way.

    Args:
        preset: the run.
        folder: the run's folder; gets ``last/``, ``best/`` and ``best-held-out/`` (checkpoints) and ``progress.csv``.
        run: JSON-ready description of the run, stored with the checkpoints.
        say: called with each line for the user.
        stopped: the run that goes on; None begins one.
        watch: called after every round of training with how far the run has come.

    Raises:
        TrainingError: training went wrong before there was anything to keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ray_session(preset), stop_signal() as asked:
        say("Building environments and networks ...")
        algorithm = preset.config().build_algo()
        try:
            training = _Training(preset, folder, run, say, algorithm, watch)
            if stopped is not None:
                training.resume(stopped)
            say(
                f"Training for {preset.stop.minutes:g} minutes. Scores are cost, carbon and grid over no control, lower is "
                "better: 'training' on the latest episodes with exploration noise, 'validation' on fixed weeks without."
            )
            return training.run(asked)
        finally:
            algorithm.stop()


class _Training:
    """The loop of one run on this machine, and what it remembers."""

    def __init__(
        self,
        preset: Preset,
        folder: Path,
        run: Mapping[str, Any],
        say: Callable[[str], None],
        algorithm: CooperativeMADDPG,
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self.folder, self.description, self.say = folder, run, say
        self.watch = watch
        self.rounds = Rounds(preset, algorithm, say)
        self.saved: dict[str, int] = {}  # gradient steps behind each checkpoint
        self.save_cost = 0.0

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self.rounds.progress

    def resume(self, stopped: Stopped) -> None:
        """Go on from where a run stood."""
        self.rounds.go_on(stopped.checkpoint, stopped.progress)
        self.saved[LAST] = self.progress.updates
        self.say(
            f"Going on from {stopped.checkpoint}: {self.progress.updates:,} updates, {self.progress.env_steps:,} steps and "
            f"{self.progress.seconds / 60.0:.1f} minutes so far."
        )

    def run(self, asked: Callable[[], bool]) -> TrainingResult:
        """Train, validate and save until the end."""
        try:
            if not self.progress.validations:
                self.rounds.validate_and_keep(self._save)
            ended = self._loop(asked)
        except TrainingError as error:
            return self._failed(error)
        finally:
            self.rounds.close()
        self._save(LAST)
        fault = None
        if self.saved.get(LAST) != self.progress.updates:
            fault = f"The end of the run could not be saved. {self._advice()}"
        return TrainingResult(self.folder, self.progress, ended, asked(), fault)

    def _loop(self, asked: Callable[[], bool]) -> str:
        """Rounds of training until something ends them; returns what."""
        last_line = last_saved = time.monotonic()
        table = self.folder / "progress.csv"
        start_table(table, self.progress)
        while True:
            self.rounds.round()
            now = time.monotonic()
            if self.watch is not None:
                self.watch(self.progress)
            ended = self.rounds.limit
            if not ended and asked():
                ended = "because a signal asked for it"
                self._save(LAST)  # who sends one may not wait for a validation
            if ended or self.rounds.validation_is_due:
                self.rounds.validate_and_keep(self._save)
                ended = ended or self.rounds.enough
            if time.monotonic() - last_saved >= next_save(self.save_cost, CHECKPOINT_EVERY_S, SAVING_SHARE):
                self._save(LAST)
                last_saved = time.monotonic()
            append_row(table, self.progress, self.rounds.result)
            if ended or now - last_line >= _LINE_EVERY_S:
                self.say(progress_line(self.rounds.share_done, self.progress, self.rounds.result))
                last_line = now
            if ended:
                return ended

    def _save(self, name: str) -> bool:
        """Write a checkpoint; whether that could be done."""
        begun = time.monotonic()
        description = {**self.description, PROGRESS: self.progress.to_dict()}
        try:
            save_checkpoint(self.rounds.algorithm, self.folder / name, description, replay=name == LAST)
        except OSError as error:  # hours of training are not given up for a disk that may have room again
            self.say(f"{self.folder / name} could not be written ({error.strerror or error}); what was there before stays.")
            return False
        if name == LAST:
            self.save_cost = time.monotonic() - begun
        self.saved[name] = self.progress.updates
        return True

    def _failed(self, error: TrainingError) -> TrainingResult:
        """What is left of a run that went wrong: nothing is saved any more.

        Raises:
            TrainingError: nothing was saved before.
        """
        sentence = said_by(error)
        if not self.saved:
            raise TrainingError(f"{sentence} Nothing had been saved yet; start the run anew.") from error
        fault = f"{sentence} {self._advice(' and a preset with lower learning rates', ' with lower learning rates')}"
        return TrainingResult(self.folder, self.progress, "because it went wrong", interrupted=False, fault=fault)

    def _advice(self, onward: str = "", anew: str = "") -> str:
        """What there is to go on from, with what to change then."""
        name = next((name for name in (LAST, BEST) if name in self.saved), None)
        if name is None:
            return f"Nothing had been saved; start anew{anew}."
        how = f"go on with --resume {self.folder}{onward}" if name == LAST else f"start anew{anew}"
        return f"The last good checkpoint is {self.folder / name} ({self.saved[name]:,} updates); {how}."
