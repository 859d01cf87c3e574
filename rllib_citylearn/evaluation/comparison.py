"""Controllers side by side on one community or several, over random seeds and training runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.bootstrap import Interval
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.relation import Relation

NO_CONTROL, BOUND = "no-control", "foresight"

LEAST_SAVING = 0.01
"""Saving of perfect foresight, as a share of no control's score, below which a share of it would be noise over noise."""


def share_of(score: float | None, bound: float | None) -> float | None:
    """Saving over that of perfect foresight.

    Args:
        score: of a contender.
        bound: of perfect foresight.

    Returns:
        None without both, or where foresight saves less than ``LEAST_SAVING``.
    """
    if score is None or bound is None or 1.0 - bound < LEAST_SAVING:
        return None
    return (1.0 - score) / (1.0 - bound)


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

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        interval = None if self.interval is None else self.interval.to_list()
        return {"mean": self.mean, "interval": interval, "share_better": self.share_better}


@dataclass(frozen=True)
class CommunityComparison:
    """Contenders on one community.

    Attributes:
        label: what tables call the community, as ``buildings 1-5 (in-sample)``.
        note: how the buildings relate to those that policies were trained on, in words; empty where nobody looked.
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
        """Saving over that of perfect foresight; None without both, or where foresight saves next to nothing."""
        contender, bound = self.contender(name), self.contender(BOUND)
        return None if contender is None or bound is None else share_of(contender.score, bound.score)

    @property
    def no_share(self) -> str | None:
        """Why there is no share of the possible although perfect foresight took part, in words."""
        bound = self.contender(BOUND)
        if bound is None or share_of(1.0, bound.score) is not None:
            return None
        if bound.score is None:
            return "There is no share of the possible, because perfect foresight has no score."
        saves = "nothing here" if bound.score >= 1.0 else f"less than {100.0 * LEAST_SAVING:.0f}% here"
        return f"There is no share of the possible, because perfect foresight saves {saves} (score {bound.score:.4f})."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "label": self.label,
            "note": self.note,
            "seeds": list(self.seeds),
            "buildings": list(self.contenders[0].shown.course.buildings),
            "window": list(self.contenders[0].shown.course.window),
            "contenders": [self._contender(contender) for contender in self.ranked],
            "differences": [
                {"policy": one.name, "less": other.name, **difference.to_dict()}
                for one in self.ranked
                for other in self.ranked
                if one is not other and (difference := self.difference(one.name, other.name)) is not None
            ],
            "refused": [{"policy": name, "reason": reason} for name, reason in self.refused],
        }

    def _contender(self, contender: Contender) -> dict[str, Any]:
        interval = contender.interval
        result: dict[str, Any] = {
            "policy": contender.name,
            "score": contender.score,
            "worst": contender.worst,
            "interval": None if interval is None else interval.to_list(),
            "term_intervals": {
                term: None if one is None else one.to_list() for term, one in contender.term_intervals.items()
            },
            "index5": contender.mean_index5(),
            "share_of_possible": self.share_of_possible(contender.name),
            "training": None if contender.relation is None else contender.relation.to_dict(),
            "building_scores": contender.building_scores(),
            "evaluations": [evaluation.to_dict() for evaluation in contender.all],
        }
        if contender.reason is not None:
            result["reason"] = contender.reason
        return result


@dataclass(frozen=True)
class Comparison:
    """Contenders on one community or several, never mixed.

    Attributes:
        communities: the first is what the command asks about.
    """

    communities: tuple[CommunityComparison, ...]

    @classmethod
    def of(
        cls,
        evaluations: Sequence[Evaluation],
        *,
        label: str = "",
        note: str = "",
        relations: Mapping[str, Relation] | None = None,
    ) -> Comparison:
        """Of evaluations of different controllers on the same community, one each.

        Args:
            evaluations: best kept without trajectories, where there are many.
            label, note: see ``CommunityComparison``.
            relations: of controllers to what they were trained on, by name; None where nobody looked.

        Raises:
            ConfigError: none, equal names, or different communities.
        """
        if not evaluations:
            raise ConfigError("There is nothing to compare: give at least one evaluation.")
        names = [evaluation.policy for evaluation in evaluations]
        if len(set(names)) < len(names):
            raise ConfigError(f"A comparison needs different names, but these are {', '.join(names)}; evaluate each once.")
        if len({(e.course.buildings, e.course.window, e.seed) for e in evaluations}) > 1:
            raise ConfigError(
                "These evaluations are of different buildings, windows or seeds, so they can't stand in one table. "
                "Compare each by itself."
            )
        contenders = tuple(Contender(e.policy, ((e,),), (relations or {}).get(e.policy)) for e in evaluations)
        return cls((CommunityComparison(label, note, (evaluations[0].seed,), contenders),)).related()

    def related(self) -> Comparison:
        """The same, each evaluation with its share of the possible, and beside the same community without control."""
        return replace(self, communities=tuple(_with_shares(_beside_no_control(one)) for one in self.communities))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"communities": [community.to_dict() for community in self.communities]}


def _beside_no_control(community: CommunityComparison) -> CommunityComparison:
    """Totals and loads without control of every evaluation are those of the contender that does nothing, if it took part.

    CityLearn's own have the cycles of appliances that each policy ran, so that they differ between policies.
    """
    idle = community.contender(NO_CONTROL)
    if idle is None:
        return community

    def beside(evaluation: Evaluation, place: int) -> Evaluation:
        reference = idle.evaluations[place][0]
        course = replace(evaluation.course, no_control_kw=reference.course.net_kw)
        return replace(evaluation, no_control=reference.totals, course=course)

    return _changed(community, beside)


def _changed(community: CommunityComparison, change: Callable[[Evaluation, int], Evaluation]) -> CommunityComparison:
    """With every evaluation changed, given the place of its random seed."""
    contenders = tuple(
        replace(c, evaluations=tuple(tuple(change(e, k) for e in runs) for k, runs in enumerate(c.evaluations)))
        for c in community.contenders
    )
    return replace(community, contenders=contenders)


def _with_shares(community: CommunityComparison) -> CommunityComparison:
    """Shares against perfect foresight of the same random seed."""
    bound = community.contender(BOUND)
    if bound is None:
        return community

    def shared(evaluation: Evaluation, place: int) -> Evaluation:
        least = bound.evaluations[place][0].score.score
        return replace(evaluation, share_of_possible=share_of(evaluation.score.score, least))

    return _changed(community, shared)
