"""The best policy of a search and the preset's, judged by CityLearn's own evaluation."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.resuming import BEST, BEST_HELD_OUT, LAST
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.tuning.outcome import Outcome, TrialRow
from rllib_citylearn.tuning.search import Search

FOUND, START = "best", "preset"
"""Names of both policies, and of their folders."""


@dataclass(frozen=True)
class Verdict:
    """What the best trial's policy is worth beside that of the preset, trained as long.

    Attributes:
        found, start: scores over the report's data; None where there is no such policy.
        minutes: of training behind both.
    """

    found: float | None
    start: float | None
    minutes: tuple[float, float] = (0.0, 0.0)

    @property
    def sentence(self) -> str:
        """In words."""
        if self.found is None:
            return "No trial has left a policy."
        if self.start is None:
            return f"The best trial's policy reaches a score of {self.found:.4f}; no trial had the preset's own values."
        found, start = self.minutes
        both = f"{self.found:.4f} after {found:.1f} minutes against {self.start:.4f} after {start:.1f}"
        if self.found == self.start:
            return f"No trial was better than the preset's own values ({self.start:.4f})."
        if self.found > self.start:
            return f"The best trial does not beat the preset's own values: {both}."
        return (
            f"The best trial beats the preset's own values: {both}. Each is one seed; train both on several before you "
            "believe it."
        )


def judge(
    outcome: Outcome, search: Search, local: Preset, folder: Path, data: Mapping[str, Any], command: str
) -> tuple[Verdict, list[Evaluation]]:
    """Export both policies and run them, with the preset's baselines, through the report's data.

    Args:
        outcome: of the search.
        search: the search.
        local: its preset, with the folders of its data sets in place of their names.
        folder: of the search; gets ``best/`` and ``preset/``, each a checkpoint and a bundle, and a report.
        data: JSON-ready description of the data.
        command: the command line that repeats the search.
    """
    from rllib_citylearn.env.building import Site
    from rllib_citylearn.evaluation import BaselineSpec, BundleSpec, Comparison, evaluate, write_report
    from rllib_citylearn.export import export_checkpoint

    best, reference = outcome.best, outcome.reference
    trials = {FOUND: best} | ({START: reference} if reference is not best else {})
    made: dict[str, str] = {}
    for name, row in trials.items():
        if row is not None:
            fetch(row, folder / name)
            bundle = folder / name / "bundle"
            export_checkpoint(_policy(folder / name, outcome.metric), bundle, name=f"{search.config.name}-{name}")
            made[name] = str(bundle)
    if not made:
        return Verdict(None, None), []
    environment = local.environment.each()[0]
    evaluations = evaluate(
        [
            *(BundleSpec(bundle, name) for name, bundle in made.items()),
            *(BaselineSpec(name) for name in local.report.baselines),
        ],
        Path(environment.dataset),
        buildings=Site.of(environment).buildings,
        window=local.report.window,
        seed=environment.random_seed,
        engine=local.environment.engine,
        processes=local.report.processes,
        data=data,
        progress=sys.stderr,
        trajectories=False,
    )
    note = "The policies were trained on these buildings, and chosen by validation on them."
    write_report(folder, Comparison.of(evaluations, note=note), command=command, data=data)
    scores = dict(zip(made, (evaluation.score.score for evaluation in evaluations), strict=False))
    found = scores.get(FOUND)
    minutes = tuple(0.0 if row is None else row.metrics.get("minutes", 0.0) for row in (best, reference))
    start = found if reference is best and reference is not None else scores.get(START)
    return Verdict(found, start, (minutes[0], minutes[1])), evaluations


def _policy(folder: Path, metric: str) -> Path:
    """The policy of a trial's checkpoint that the metric is about."""
    wanted = {"best_held_out_score": BEST_HELD_OUT}.get(metric, BEST if metric.startswith("best_") else LAST)
    return folder / wanted if (folder / wanted).is_dir() else folder / LAST


def fetch(row: TrialRow, folder: Path) -> None:
    """Copy a trial's checkpoint to ``folder``, from wherever it is kept."""
    shutil.rmtree(folder, ignore_errors=True)
    row.checkpoint.to_directory(str(folder))
