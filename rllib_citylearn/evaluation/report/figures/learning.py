"""Learning curves of the run behind a policy, from its ``progress.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.style import Look, Size, dress, legend, new_figure, stroke
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import amount, number

TRAINING, VALIDATION, HELD_OUT = "score", "validation_score", "held_out_score"
_CURVES = {
    TRAINING: ("training (exploring)", Look("#9fb3c8", "-", 1.0)),
    VALIDATION: ("validation weeks", Look("#0072b2")),
    HELD_OUT: ("held-out buildings", Look("#009e73", (0, (6, 1.5)))),
}
_AXES = {"updates": "updates of the networks", "env_steps": "environment steps", "seconds": "minutes of training"}


@dataclass(frozen=True)
class Curves:
    """Columns of ``progress.csv``, each ``[R]``; NaN where nothing was measured yet."""

    columns: dict[str, FloatArray]

    @classmethod
    def read(cls, file: Path) -> Curves:
        """From the file, as ``algorithm.progress`` writes it; what is empty or no number is not measured."""
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        return cls({name: np.array([_number(row.get(name)) for row in rows]) for name in (*_AXES, *_CURVES)})

    def known(self, axis: str, curve: str) -> tuple[FloatArray, FloatArray]:
        """Places and values of what was measured."""
        x, y = self.columns[axis], self.columns[curve]
        there = np.isfinite(x) & np.isfinite(y)
        return x[there], y[there]

    @property
    def measured(self) -> list[str]:
        """Curves with anything in them."""
        return [name for name in _CURVES if len(self.known("updates", name)[0])]


def learning_picture(progress_csv: Path | None) -> Picture | Absent:
    """The curves over updates, environment steps and time, or why there are none."""
    if progress_csv is None or not progress_csv.is_file():
        return Absent("This report was not given the progress of a training run, so there are no learning curves.")
    curves = Curves.read(progress_csv)
    if not curves.measured:
        return Absent(f"{progress_csv.name} has no score in it: the run ended before anything was measured.")

    def draw(size: Size) -> Any:
        figure = new_figure(size, 620 if size.narrow else 310)
        panels = figure.subplots(3, 1) if size.narrow else figure.subplots(1, 3, sharey=True)
        for axes, (axis, title) in zip(panels, _AXES.items(), strict=True):
            dress(axes, "Score" if axis == "updates" or size.narrow else "")
            for name in curves.measured:
                x, y = curves.known(axis, name)
                look = _CURVES[name][1]
                scaled = x / 60.0 if axis == "seconds" else x
                held = "default" if name == TRAINING else "steps-post"  # a validation holds until the next one
                axes.plot(scaled, y, **look.line, drawstyle=held)
            axes.set_xlabel(title, fontsize=size.small_pt)
            axes.locator_params(axis="x", nbins=5)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        legend(figure, [(_CURVES[name][0], stroke(_CURVES[name][1])) for name in curves.measured], size)
        return figure

    return Picture(
        name="learning",
        title="Learning curves",
        caption=_caption(curves),
        alt="Lines of the training and validation scores over updates, environment steps and minutes.",
        draw=draw,
    )


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _caption(curves: Curves) -> str:
    parts = ["Lower is better; 1 is no control."]
    updates, scores = curves.known("updates", VALIDATION)
    if len(scores):
        best = int(scores.argmin())
        minutes = float(curves.known("seconds", VALIDATION)[0][best]) / 60.0
        if scores[best] < scores[0]:
            parts.append(
                f"On the validation weeks the score falls from {number(float(scores[0]), 3)} after {amount(updates[0])} "
                f"updates to {number(float(scores[best]), 3)} after {number(float(updates[best]), 0)} ({amount(minutes)} "
                "minutes)."
            )
        else:
            parts.append(f"On the validation weeks no policy was better than the first, {number(float(scores[0]), 3)}.")
    else:
        parts.append("The run had no validation.")
    if TRAINING in curves.measured:
        last = float(curves.known("updates", TRAINING)[1][-1])
        parts.append(
            f"In training it ends at {number(last, 3)}, with noise on the actions and over other weeks, so the two can't be "
            "compared."
        )
    return " ".join(parts)
