"""A controller that takes part in a comparison: its evaluations, their means and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rllib_citylearn.evaluation.bootstrap import FEWEST, Interval, drawn_terms
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.relation import Relation
from rllib_citylearn.evaluation.stretches import TERMS, score_of
from rllib_citylearn.evaluation.trajectory import FloatArray


@dataclass(frozen=True)
class Contender:
    """One controller, or several training runs of the same, on one community.

    Attributes:
        name: what tables and figures call it.
        evaluations: for each random seed of the community one a training run; all have the same length.
        relation: how it relates to what it was trained on; None where nobody looked.
    """

    name: str
    evaluations: tuple[tuple[Evaluation, ...], ...]
    relation: Relation | None = None

    @property
    def all(self) -> list[Evaluation]:
        """Every evaluation."""
        return [evaluation for of_seed in self.evaluations for evaluation in of_seed]

    @property
    def scores(self) -> list[float]:
        """Scores of the evaluations that have one."""
        return [e.score.score for e in self.all if e.score.score is not None]

    @property
    def score(self) -> float | None:
        """Mean score; None unless every evaluation has one."""
        return float(np.mean(self.scores)) if len(self.scores) == len(self.all) else None

    @property
    def worst(self) -> float | None:
        """Worst score; None likewise."""
        return None if self.score is None else max(self.scores)

    @property
    def reason(self) -> str | None:
        """Why there is no score, in words."""
        return next((e.score.reason for e in self.all if e.score.score is None), None)

    @property
    def shown(self) -> Evaluation:
        """The evaluation that pictures show: of the first seed, the run whose score is in the middle."""
        runs = sorted(self.evaluations[0], key=lambda e: np.inf if e.score.score is None else e.score.score)
        return runs[(len(runs) - 1) // 2]

    @cached_property
    def drawn_terms(self) -> FloatArray | None:
        """The score's terms over bootstrap draws ``[draws, 4]``, paired between contenders; None with too few stretches."""
        return drawn_terms([[e.stretches for e in of_seed] for of_seed in self.evaluations], name=self.name)

    @cached_property
    def draws(self) -> FloatArray | None:
        """Scores over the same draws, ``[draws]``; None where there is too little to draw from."""
        if self.score is None or self.drawn_terms is None:
            return None
        scores = score_of(self.drawn_terms)
        return scores if np.isfinite(scores).all() else None

    @property
    def no_interval(self) -> str | None:
        """Why a score has no interval, in words; None where it has one, or there is no score."""
        if self.score is None or self.draws is not None:
            return None
        if self.drawn_terms is None:
            return f"intervals take at least {FEWEST} stretches of 730 hours, and this window has fewer"
        return "among the made-up years of the bootstrap are some without a finite score, so that there is no interval"

    @property
    def interval(self) -> Interval | None:
        """Of the score; None where there is too little to draw from."""
        return None if self.draws is None else Interval.of(self.draws)

    @cached_property
    def term_intervals(self) -> dict[str, Interval | None]:
        """Of the score's terms, by the names in ``TERMS``; None where there is too little to draw from, or no ratio."""
        drawn = self.drawn_terms
        known = [drawn is not None and bool(np.isfinite(drawn[:, k]).all()) for k in range(len(TERMS))]
        return {term: Interval.of(drawn[:, k]) if known[k] and drawn is not None else None for k, term in enumerate(TERMS)}

    def building_scores(self) -> dict[str, dict[str, float | None]]:
        """By building the score and its terms over no control, as if it were a community by itself; means over all runs.

        None where a building has nothing without control to divide by.
        """
        terms = np.mean([e.course.building_terms for e in self.all], axis=0)  # [N, 4]
        values = np.column_stack([score_of(terms), terms])
        return {
            name: {
                title: float(value) if np.isfinite(value) else None
                for title, value in zip(("score", *TERMS), row, strict=True)
            }
            for name, row in zip(self.shown.course.buildings, values, strict=True)
        }

    def served(self) -> float | None:
        """Share of the departures met over all its evaluations; None where no vehicle left."""
        judged = [e.departures.judge() for e in self.all if e.departures is not None]
        if not judged:
            return None
        return sum(one.departures_met * one.departures for one in judged) / sum(one.departures for one in judged)

    def mean_kpi(self, name: str) -> float | None:
        """Mean of a district's KPI; None unless every evaluation has it."""
        values = [e.kpis.get(name) for e in self.all]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known and len(known) == len(values) else None

    def mean_index5(self) -> float | None:
        """Mean five-KPI index; None unless every evaluation has it."""
        known = [e.score.index5 for e in self.all if e.score.index5 is not None]
        return float(np.mean(known)) if len(known) == len(self.all) else None
