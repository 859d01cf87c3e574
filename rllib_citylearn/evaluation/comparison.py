"""Controllers side by side on one community or several, over random seeds and training runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.bootstrap import Interval, drawn_scores
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.trajectory import FloatArray

NO_CONTROL, BOUND = "no-control", "foresight"


@dataclass(frozen=True)
class Contender:
    """One controller, or several training runs of the same, on one community.

    Attributes:
        name: what tables and figures call it.
        evaluations: for each random seed of the community one a training run; all have the same length.
    """

    name: str
    evaluations: tuple[tuple[Evaluation, ...], ...]

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
    def draws(self) -> FloatArray | None:
        """Scores over bootstrap draws, paired with other contenders'; None where there is too little to draw from."""
        if self.score is None:
            return None
        return drawn_scores([[e.stretches for e in of_seed] for of_seed in self.evaluations], name=self.name)

    @property
    def interval(self) -> Interval | None:
        """Of the score; None where there is too little to draw from."""
        return None if self.draws is None else Interval.of(self.draws)

    def mean_kpi(self, name: str) -> float | None:
        """Mean of a district's KPI; None unless every evaluation has it."""
        values = [e.kpis.get(name) for e in self.all]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known and len(known) == len(values) else None

    def mean_index5(self) -> float | None:
        """Mean five-KPI index; None unless every evaluation has it."""
        known = [e.score.index5 for e in self.all if e.score.index5 is not None]
        return float(np.mean(known)) if len(known) == len(self.all) else None


@dataclass(frozen=True)
class Difference:
    """A contender's score less another's, over the same episodes.

    Attributes:
        mean: of the scores; negative is better.
        interval: paired; None where there is too little to draw from.
        share_better: share of the draws in which it is better; None likewise.
    """

    mean: float
    interval: Interval | None
    share_better: float | None


@dataclass(frozen=True)
class CommunityComparison:
    """Contenders on one community.

    Attributes:
        label: what tables call the community, as ``in-sample``.
        note: how the buildings relate to those that policies were trained on, in words; empty where nothing is known.
        seeds: CityLearn's random seeds.
        contenders: in the order they were asked for.
        refused: name and reason, in words, of those that can't control this community.
    """

    label: str
    note: str
    seeds: tuple[int, ...]
    contenders: tuple[Contender, ...]
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def ranked(self) -> list[Contender]:
        """Best mean score first, those without a score last."""
        return sorted(self.contenders, key=lambda c: np.inf if c.score is None else c.score)

    def contender(self, name: str) -> Contender | None:
        """The one of that name, if it took part."""
        return next((c for c in self.contenders if c.name == name), None)

    def difference(self, one: str, other: str) -> Difference | None:
        """Score of one less that of another; None unless both have one."""
        first, second = self.contender(one), self.contender(other)
        if first is None or second is None or first.score is None or second.score is None:
            return None
        if first.draws is None or second.draws is None:
            return Difference(first.score - second.score, None, None)
        draws = first.draws - second.draws
        return Difference(first.score - second.score, Interval.of(draws), float((draws < 0.0).mean()))

    def share_of_possible(self, name: str) -> float | None:
        """Saving over that of perfect foresight; None without both, or where foresight saves nothing."""
        contender, bound = self.contender(name), self.contender(BOUND)
        if contender is None or bound is None or contender.score is None or bound.score is None or bound.score >= 1.0:
            return None
        return (1.0 - contender.score) / (1.0 - bound.score)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "label": self.label,
            "note": self.note,
            "seeds": list(self.seeds),
            "buildings": list(self.contenders[0].shown.trajectory.buildings),
            "window": list(self.contenders[0].shown.trajectory.window),
            "contenders": [self._contender(contender) for contender in self.ranked],
            "refused": [{"policy": name, "reason": reason} for name, reason in self.refused],
        }

    def _contender(self, contender: Contender) -> dict[str, Any]:
        interval = contender.interval
        result: dict[str, Any] = {
            "policy": contender.name,
            "score": contender.score,
            "worst": contender.worst,
            "interval": None if interval is None else interval.to_list(),
            "index5": contender.mean_index5(),
            "share_of_possible": self.share_of_possible(contender.name),
            "evaluations": [evaluation.to_dict() for evaluation in contender.all],
        }
        if contender.reason is not None:
            result["reason"] = contender.reason
        return result


@dataclass(frozen=True)
class Comparison:
    """Contenders on one community or several, never mixed.

    Attributes:
        communities: the first is what the command asks about; the others are held out.
    """

    communities: tuple[CommunityComparison, ...]

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], *, label: str = "", note: str = "") -> Comparison:
        """Of evaluations of different controllers on the same community, one each.

        Raises:
            ConfigError: none, equal names, or different communities.
        """
        if not evaluations:
            raise ConfigError("There is nothing to compare: give at least one evaluation.")
        names = [evaluation.policy for evaluation in evaluations]
        if len(set(names)) < len(names):
            raise ConfigError(f"A comparison needs different names, but these are {', '.join(names)}; evaluate each once.")
        if len({(e.trajectory.buildings, e.trajectory.window, e.seed) for e in evaluations}) > 1:
            raise ConfigError(
                "These evaluations are of different buildings, windows or seeds, so they can't stand in one table. "
                "Compare each by itself."
            )
        contenders = tuple(Contender(evaluation.policy, ((evaluation,),)) for evaluation in evaluations)
        return cls((CommunityComparison(label, note, (evaluations[0].seed,), contenders),)).with_shares()

    def with_shares(self) -> Comparison:
        """The same, each evaluation with its share of the possible."""
        return replace(self, communities=tuple(_with_shares(community) for community in self.communities))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"communities": [community.to_dict() for community in self.communities]}


def _with_shares(community: CommunityComparison) -> CommunityComparison:
    """Shares against perfect foresight of the same random seed."""
    bound = community.contender(BOUND)
    if bound is None:
        return community

    def shared(evaluation: Evaluation, place: int) -> Evaluation:
        least, score = bound.evaluations[place][0].score.score, evaluation.score.score
        if least is None or score is None or least >= 1.0:
            return evaluation
        return replace(evaluation, share_of_possible=(1.0 - score) / (1.0 - least))

    contenders = tuple(
        Contender(c.name, tuple(tuple(shared(e, place) for e in runs) for place, runs in enumerate(c.evaluations)))
        for c in community.contenders
    )
    return replace(community, contenders=contenders)
