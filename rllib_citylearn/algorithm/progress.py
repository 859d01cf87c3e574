"""How far a run has come: what stops it, what its lines say and what a resumed one has to know."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, Self

from rllib_citylearn.algorithm.objective import OBJECTIVE, SCORE
from rllib_citylearn.files import write_text

COLUMNS = (
    "seconds",
    "env_steps",
    "updates",
    "score",
    "validation_score",
    "validation_objective",
    "held_out_score",
    "team_return",
    "env_steps_per_s",
    "updates_per_s",
)
"""Columns of ``progress.csv``."""


@dataclass(frozen=True)
class Validated:
    """What a policy was worth when it was validated.

    Attributes:
        score: mean of cost, carbon and grid over no control.
        objective: what policies are chosen by (``algorithm.objective``).
        updates: gradient steps behind the policy.
        seconds: of training until then.
        number: how many validations came before this one.
    """

    score: float
    objective: float
    updates: int
    seconds: float
    number: int


@dataclass(frozen=True)
class Progress:
    """How far a run has come, from its first start on.

    Attributes:
        seconds: wall-clock seconds of training, without start-up, over all starts.
        env_steps: environment steps.
        updates: gradient steps.
        validations: number of validations.
        latest, best: the latest validation on the training buildings, and the one with the lowest objective.
        held_out, best_held_out: likewise on the held-out buildings.
    """

    seconds: float = 0.0
    env_steps: int = 0
    updates: int = 0
    validations: int = 0
    latest: Validated | None = None
    best: Validated | None = None
    held_out: Validated | None = None
    best_held_out: Validated | None = None

    def at(self, seconds: float, result: Mapping[str, Any]) -> Self:
        """The same run after another round of training, whose ``result`` is RLlib's."""
        return replace(self, seconds=seconds, env_steps=int(result["env_steps"]), updates=int(result["updates"]))

    def validated(self, kpis: Mapping[str, float], held_out: Mapping[str, float] | None = None) -> Self:
        """The same run after a validation; what is as good as the best before does not replace it."""
        latest = self._validated(kpis)
        apart = None if held_out is None else self._validated(held_out)
        return replace(
            self,
            validations=self.validations + 1,
            latest=latest,
            best=better(latest, self.best),
            held_out=apart,
            best_held_out=better(apart, self.best_held_out),
        )

    def _validated(self, kpis: Mapping[str, float]) -> Validated:
        return Validated(kpis[SCORE], kpis[OBJECTIVE], self.updates, self.seconds, self.validations)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_dict``."""
        known: dict[str, Any] = {
            name: Validated(**value) if isinstance(value, Mapping) else value for name, value in values.items()
        }
        return cls(**known)


def better(new: Validated | None, old: Validated | None) -> Validated | None:
    """The one with the lower objective; the old one if they are equal."""
    if new is None or old is None:
        return old if new is None else new
    return new if new.objective < old.objective else old


def progress_row(progress: Progress, result: Mapping[str, Any]) -> dict[str, Any]:
    """A row of ``progress.csv``; empty where nothing was validated yet."""
    latest, held_out = progress.latest, progress.held_out
    return {
        **{key: result[key] for key in COLUMNS if key in result},
        "seconds": round(progress.seconds, 1),
        "validation_score": math.nan if latest is None else latest.score,
        "validation_objective": math.nan if latest is None else latest.objective,
        "held_out_score": math.nan if held_out is None else held_out.score,
    }


def progress_line(share: float, progress: Progress, result: Mapping[str, Any]) -> str:
    """One line of progress: share done, time left, steps, scores, speed."""
    left = progress.seconds * (1.0 / share - 1.0) if share > 0 else 0.0
    scores = f"training {_shown(result['score'])}  validation {_shown(progress.latest)}"
    if progress.held_out is not None:
        scores += f"  held-out {_shown(progress.held_out)}"
    return (
        f"{share:4.0%}  {int(left) // 60:d}:{int(left) % 60:02d} left  steps {progress.env_steps:>7,}  "
        f"updates {progress.updates:>6,}  {scores}  {result['env_steps_per_s']:6.0f} steps/s"
    )


def _shown(score: float | Validated | None) -> str:
    number = score.score if isinstance(score, Validated) else score
    return "  -  " if number is None or not math.isfinite(number) else f"{number:.3f}"


def start_table(path: Path, progress: Progress) -> None:
    """Make ``progress.csv`` end where ``progress`` stands, so that rows can be appended.

    A run that was killed has written rows after its last checkpoint; what they tell is done again, and they go.
    """
    rows: list[dict[str, str]] = []
    if progress.env_steps and path.is_file():
        with path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["env_steps"] or 0) <= progress.env_steps]
    text = StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def append_row(path: Path, progress: Progress, result: Mapping[str, Any]) -> None:
    """Add the row of a round to ``progress.csv``, which ``start_table`` has begun."""
    with path.open("a", newline="") as file:
        csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(progress_row(progress, result))
