"""Who plays which part in a report: the policy that is shown, what it is held against, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.baselines.learned import LEARNED
from rllib_citylearn.baselines.registry import BOUND as FORESEES
from rllib_citylearn.baselines.registry import PLANNER, RULE
from rllib_citylearn.evaluation.comparison import BOUND, NO_CONTROL, CommunityComparison, Comparison
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.labels import labels_of
from rllib_citylearn.evaluation.report.style import Look, Palette

PLUG_IN = "plug-in"
MOST_LINES = 5
"""How many contenders a picture with lines shows beside no control."""

SERVED_ALIKE = 0.05
"""Difference in the share of departures met up to which two rules serve drivers alike."""


@dataclass(frozen=True)
class Cast:
    """The parts in one community.

    Attributes:
        community: who took part.
        policies: those that are no baselines, best first; where there are none, the learning baselines.
        rule: the best simple rule; where vehicles leave, among those that serve drivers.
        planner: the best model predictive control that anybody could run.
        bound: who knows the future: perfect foresight, or else the best of those that know some of it.
        plug_in: use without control, where vehicles leave or appliances wait.
        shown: whom pictures of a single contender show.
        labels: short names by full ones.
        looks: how lines and bars look, by full name.
    """

    community: CommunityComparison
    policies: tuple[Contender, ...]
    rule: Contender | None
    planner: Contender | None
    bound: Contender | None
    plug_in: Contender | None
    shown: Contender
    labels: Mapping[str, str]
    looks: Mapping[str, Look]

    @property
    def evaluation(self) -> Evaluation:
        """The one that pictures of a single contender show."""
        return self.shown.shown

    @property
    def lines(self) -> list[Contender]:
        """Whom pictures with lines show beside no control; the one that matters most last, on top."""
        parts = [*self.policies[:1], self.rule, self.plug_in, self.planner, *self.policies[1:2], self.bound]
        wanted = [part for part in [*parts, *self.policies[2:3]] if part is not None][:MOST_LINES]
        if not wanted and self.shown.name != NO_CONTROL:
            wanted = [self.shown]
        ordered = [part for part in (self.plug_in, self.rule, self.planner, self.bound) if part in wanted]
        return ordered + [part for part in reversed(wanted) if part not in ordered]

    def label(self, contender: Contender) -> str:
        """A contender's short name."""
        return self.labels[contender.name]

    def look(self, contender: Contender) -> Look:
        """How its lines and bars look, in every picture."""
        return self.looks[contender.name]

    @property
    def serves(self) -> bool:
        """Whether there are drivers or cycles of appliances to be served, which no control does not."""
        return any(c.shown.departures is not None or c.shown.has_appliances for c in self.community.contenders)


def casts_of(comparison: Comparison) -> list[Cast]:
    """The casts of all communities; a contender has the same name and colour in each."""
    names = list(dict.fromkeys(c.name for community in comparison.communities for c in community.contenders))
    labels = labels_of(names)
    parts = [_parts(community) for community in comparison.communities]
    palette = Palette()
    looks: dict[str, Look] = {NO_CONTROL: palette.no_control}
    for part in parts:
        for kind in ("policy", "rule", "plug-in", "planner", "bound"):
            for contender in part[kind]:
                looks.setdefault(contender.name, palette.take(kind))
    for name in names:
        looks.setdefault(name, palette.other)
    return [_cast(community, part, labels, looks) for community, part in zip(comparison.communities, parts, strict=True)]


def _parts(community: CommunityComparison) -> dict[str, list[Contender]]:
    ranked = community.ranked
    plug_in = community.contender(PLUG_IN)
    if plug_in is not None and plug_in.shown.departures is None and not plug_in.shown.has_appliances:
        plug_in = None
    bound = community.contender(BOUND)
    foreseeing = _of_kind(ranked, FORESEES)[:1] if bound is None else [bound]
    own = [c for c in ranked if c.name not in BASELINES and c.name not in LEARNED]
    return {
        "policy": own or [c for c in ranked if c.name in LEARNED],
        "rule": _serving(_of_kind(ranked, RULE), community)[:1],
        "plug-in": [] if plug_in is None else [plug_in],
        "planner": _of_kind(ranked, PLANNER)[:1],
        "bound": foreseeing,
    }


def _of_kind(contenders: Sequence[Contender], kind: str) -> list[Contender]:
    return [c for c in contenders if c.name in BASELINES and BASELINES[c.name].kind == kind]


def _serving(rules: Sequence[Contender], community: CommunityComparison) -> list[Contender]:
    """Rules under which about as many vehicles leave charged as under the best of them, or charging on arrival."""
    met = {rule.name: rule.served() for rule in [*rules, community.contender(PLUG_IN)] if rule is not None}
    shares = [share for share in met.values() if share is not None]
    if not shares:
        return list(rules)
    return [rule for rule in rules if (met[rule.name] or 0.0) >= max(shares) - SERVED_ALIKE]


def _cast(
    community: CommunityComparison,
    parts: Mapping[str, list[Contender]],
    labels: Mapping[str, str],
    looks: Mapping[str, Look],
) -> Cast:
    def first(kind: str) -> Contender | None:
        return next(iter(parts[kind]), None)

    candidates = [first(kind) for kind in ("policy", "rule", "planner", "plug-in", "bound")]
    others = [c for c in community.ranked if c.name != NO_CONTROL]
    shown = next((c for c in [*candidates, *others] if c is not None), community.contenders[0])
    return Cast(
        community=community,
        policies=tuple(parts["policy"]),
        rule=first("rule"),
        planner=first("planner"),
        bound=first("bound"),
        plug_in=first("plug-in"),
        shown=shown,
        labels=labels,
        looks=looks,
    )
