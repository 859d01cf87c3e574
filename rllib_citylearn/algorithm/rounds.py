"""Rounds of training and validations of one run; whoever drives it saves and shows what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.held_out import HeldOutCommunity
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.progress import Progress
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT
from rllib_citylearn.algorithm.stopping import limit_reached, share_done, validation_says_stop
from rllib_citylearn.algorithm.validation import validate

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG


class Rounds:
    """A run in rounds: each samples and learns, and some end with a validation.

    Args:
        preset: the run.
        algorithm: built from the preset.
        say: called with each line for the user.

    Attributes:
        progress: how far the run has come.
        result: what RLlib said of the latest round.
        kpis: the latest validation's on the training buildings.
    """

    def __init__(self, preset: Preset, algorithm: CooperativeMADDPG, say: Callable[[str], None]) -> None:
        self.preset, self.algorithm, self._say = preset, algorithm, say
        self.progress = Progress()
        self.result: Mapping[str, Any] = {}
        self.kpis: Mapping[str, float] = {}
        self._held_out = self._held_out_community()
        self._begun: float | None = None
        self._before = 0.0
        self._validated = 0.0

    def _held_out_community(self) -> HeldOutCommunity | None:
        if self.preset.environment.held_out is not None and self.preset.model.actors == "separate":
            self._say("Separate actors fit no other buildings than their own, so the held-out ones are not validated.")
            return None
        stretches = self.preset.held_out_stretches()
        return None if stretches is None else HeldOutCommunity(stretches, self.algorithm, self.preset.seed)

    def go_on(self, checkpoint: Path, progress: Progress) -> None:
        """Go on from where a run stood.

        Args:
            checkpoint: whole state of its algorithm.
            progress: how far it had come.
        """
        self.algorithm.restore_from_path(str(checkpoint.resolve()))
        self.progress = progress

    def round(self) -> None:
        """Sample, and learn what that has earned."""
        if self._begun is None:
            self._begun = self._validated = time.monotonic()
            self._before = self.progress.seconds
        self.algorithm.share_done = self.share_done
        self.result = self.algorithm.train()
        self.progress = self.progress.at(self._before + time.monotonic() - self._begun, self.result)

    @property
    def share_done(self) -> float:
        """How much of the run is done by its limits, 0 to 1."""
        return share_done(self.preset.stop, self.progress)

    @property
    def limit(self) -> str:
        """Which limit ends the run, as a sentence's end; empty if none does."""
        return limit_reached(self.preset.stop, self.progress)

    @property
    def enough(self) -> str:
        """Why validations end the run, as a sentence's end; empty if they don't."""
        return validation_says_stop(self.preset.stop, self.progress)

    @property
    def validation_is_due(self) -> bool:
        """Whether the preset wants a validation by now."""
        return time.monotonic() - self._validated >= 60.0 * self.preset.validation.every_minutes

    def validate(self) -> None:
        """Play the validation stretches, if there are any; ``progress`` knows afterwards whether a policy was better."""
        if not self.preset.validation.starts:
            return
        kpis = validate(self.algorithm, self.preset.validation_episodes)
        if kpis is None:
            self._say("A validation runner was lost; this validation is skipped.")
        else:
            held_out = None if self._held_out is None else self._held_out.validate(self.algorithm)
            self.kpis = kpis
            self.progress = self.progress.validated(kpis, held_out)
        self._validated = time.monotonic()

    def validate_and_keep(self, keep: Callable[[str], bool]) -> None:
        """Validate, and keep the policy if none was better; one that can't be kept is no best one.

        Args:
            keep: saves the policy under the name of a checkpoint (``BEST``, ``BEST_HELD_OUT``); whether that could be done.
        """
        before = self.progress
        self.validate()
        for name, attribute in ((BEST, "best"), (BEST_HELD_OUT, "best_held_out")):
            kept = getattr(before, attribute)
            if getattr(self.progress, attribute) is not kept and not keep(name):
                self.progress = replace(self.progress, **{attribute: kept})

    def close(self) -> None:
        """Release the held-out buildings."""
        if self._held_out is not None:
            self._held_out.close()
