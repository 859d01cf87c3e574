"""How what a policy is judged on relates to what it was trained on, by its own record and not by what a caller says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rllib_citylearn.datasets.names import known_names
from rllib_citylearn.env.citylearn_env import building_names, read_schema
from rllib_citylearn.env.selection import community_buildings
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.provenance import Origin, TrainedOn

Window = tuple[int, int]

NOT_TRAINED, IN_SAMPLE, HELD_OUT = "not trained", "in-sample", "held-out"
PARTLY, OTHER_TIME, OTHER_DATA, UNKNOWN = "partly in-sample", "other time steps", "other data", "unknown"
"""Kinds of relations."""


@dataclass(frozen=True)
class Relation:
    """How a policy's training relates to what it is judged on.

    Attributes:
        kind: ``NOT_TRAINED``, ``IN_SAMPLE``, ``HELD_OUT``, ``PARTLY``, ``OTHER_TIME``, ``OTHER_DATA`` or ``UNKNOWN``.
        clause: the same in words, to follow the policy's name.
        effort: how long it was trained and how far it got, in words; empty where that is not known.
    """

    kind: str
    clause: str
    effort: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"kind": self.kind, "clause": self.clause, "effort": self.effort}


@dataclass(frozen=True)
class Judged:
    """What policies are judged on.

    Attributes:
        data: description of the data set (``DatasetSource.describe``).
        names: names of all its buildings.
        buildings: names of those that are judged.
        window: first and last time step, both included.
    """

    data: Mapping[str, Any]
    names: tuple[str, ...]
    buildings: tuple[str, ...]
    window: Window

    @classmethod
    def of(
        cls,
        schema: str | Path,
        data: Mapping[str, Any],
        buildings: Sequence[str] | None,
        window: Window | None,
    ) -> Judged:
        """Before anything is simulated; None takes all buildings, or all time steps."""
        description = read_schema(schema)
        names = tuple(building_names(description))
        whole = (int(description.get("simulation_start_time_step") or 0), int(description["simulation_end_time_step"]))
        return cls(data, names, names if buildings is None else tuple(buildings), whole if window is None else window)


def relation(origin: Origin | None, judged: Judged) -> Relation:
    """How a policy of that origin relates to what it is judged on; None is a controller that was not trained."""
    if origin is None:
        return Relation(NOT_TRAINED, "was not trained")
    found = _relation(origin, judged)
    return replace(found, effort=origin.effort)


def _relation(origin: Origin, judged: Judged) -> Relation:
    if not origin.communities:
        return Relation(UNKNOWN, "does not say what it was trained on")
    same = [one for one in origin.communities if _same(one, judged.data)]
    namesakes = [one for one in origin.communities if one not in same and one.data == judged.data.get("name")]
    if namesakes:
        return Relation(
            UNKNOWN,
            f"was trained on data that are called {namesakes[0].data} too but have other content, so nobody can tell "
            "whether it knows these buildings",
        )
    if not same:
        others = ", ".join(dict.fromkeys(one.data or "without a name" for one in origin.communities))
        return Relation(OTHER_DATA, f"was trained on other data ({others})")
    try:
        seen = [(set(community_buildings(one.buildings, one.held_out, judged.names)), one.window) for one in same]
    except ConfigError:
        return Relation(UNKNOWN, "was trained on buildings that these data do not have, though their name is the same")
    return _within(seen, judged)


def combined(relations: Sequence[Relation]) -> Relation:
    """Of several training runs of the same policy."""
    different = list(dict.fromkeys(replace(one, effort="") for one in relations))
    if len(different) == 1:
        return replace(different[0], effort="; ".join(one.effort for one in relations if one.effort))
    clauses = "; ".join(f"run {place} {one.clause}{_told(one)}" for place, one in enumerate(relations, 1))
    kinds = {one.kind for one in different}
    return Relation(kinds.pop() if len(kinds) == 1 else UNKNOWN if UNKNOWN in kinds else PARTLY, f"differs: {clauses}")


def _told(one: Relation) -> str:
    return f" ({one.effort})" if one.effort else ""


def _within(seen: Sequence[tuple[set[str], Window | None]], judged: Judged) -> Relation:
    """Of a policy that was trained on these data, given the buildings and the windows of its communities."""

    def trained(test: Callable[[Window, Window], bool] | None = None) -> list[str]:
        """Buildings in a community whose window is all of the data or passes a test."""
        fit = [names for names, window in seen if window is None or test is None or test(window, judged.window)]
        return [name for name in judged.buildings if any(name in names for names in fit)]

    known, met, whole = trained(), trained(_meets), trained(_covers)
    if not known:
        return Relation(HELD_OUT, "saw none of these buildings in training (held out)")
    if len(whole) == len(judged.buildings):
        return Relation(IN_SAMPLE, "was trained on these very buildings and time steps (in-sample)")
    count = (
        "these buildings"
        if len(known) == len(judged.buildings)
        else f"{len(known)} of these {len(judged.buildings)} buildings"
    )
    windows = " and ".join(dict.fromkeys(f"{first} to {last}" for first, last in (w for _, w in seen if w is not None)))
    if not met:
        return Relation(OTHER_TIME, f"was trained on {count}, but on other time steps ({windows})")
    if len(whole) < len(met):
        return Relation(PARTLY, f"was trained on {count}, on part of these time steps ({windows})")
    return Relation(PARTLY, f"was trained on {count}")


def _meets(window: Window, judged: Window) -> bool:
    return window[0] < judged[1] and judged[0] < window[1]


def _covers(window: Window, judged: Window) -> bool:
    return window[0] <= judged[0] and judged[1] <= window[1]


def _same(one: TrainedOn, data: Mapping[str, Any]) -> bool:
    """Whether a policy was trained on these data, by hash, or by the name of a published set.

    The archive's files differ from the official ones in the last places of some numbers: by name they are the same.
    """
    if one.sha256 is not None and one.sha256 == data.get("sha256"):
        return True
    named = one.data is not None and one.data == data.get("name")
    return named and (one.data in known_names() or one.sha256 is None or data.get("sha256") is None)
