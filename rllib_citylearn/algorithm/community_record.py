"""Whom a checkpoint was trained on: agents, their columns and their actions, written beside the weights and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ray.rllib.utils.checkpoints import Checkpointable

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.modules.layout import JointLayout

_MOST_NAMED = 6

Record = Mapping[str, Mapping[str, Sequence[str]]]
"""By agent, in the order of the joint arrays' rows: its ``columns`` and its ``actions``."""


def record_of(table: CommunityFeatures) -> Record:
    """The record of a community with a feature table."""
    return {
        agent.name: {"columns": list(table.agent_columns(i)), "actions": list(agent.actions)}
        for i, agent in enumerate(table.agents)
    }


def record_of_layout(layout: JointLayout) -> Record:
    """The record of any community; columns and actions are numbered where the environment has no names for them."""
    if layout.community is not None:
        return record_of(layout.community)
    return {
        name: {"columns": _numbered(layout.observation_mask[i]), "actions": _numbered(layout.action_mask[i])}
        for i, name in enumerate(layout.agents)
    }


def _numbered(mask: np.ndarray) -> list[str]:
    return [str(number) for number in np.flatnonzero(mask)]


def differences(theirs: Record, ours: Record) -> str:
    """What keeps a checkpoint of the community ``theirs`` from going on with ``ours``, in words; empty if nothing does."""
    parts = [
        _list("the checkpoint has the buildings {}, which are not here", [n for n in theirs if n not in ours]),
        _list("{} are here, but not in the checkpoint", [n for n in ours if n not in theirs]),
    ]
    both = [name for name in theirs if name in ours]
    for kind, what in (("columns", "columns"), ("actions", "actions")):
        missing, added = _changes([theirs[n][kind] for n in both], [ours[n][kind] for n in both])
        parts += [
            _list(f"the checkpoint knows the {what} {{}}, which are not here", missing),
            _list(f"here are the {what} {{}}, which the checkpoint does not know", added),
        ]
    found = [part for part in parts if part]
    if not found and list(theirs) != list(ours):
        found = ["the buildings stand in another order"]
    if not found and any(dict(theirs[name]) != dict(ours[name]) for name in both):
        found = ["the columns or actions stand in another order"]
    return "; ".join(found)


def _changes(theirs: Sequence[Sequence[str]], ours: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Names that a building lost, and names that it gained, each once."""
    pairs = list(zip(theirs, ours, strict=True))
    lost = dict.fromkeys(name for there, here in pairs for name in there if name not in here)
    gained = dict.fromkeys(name for there, here in pairs for name in here if name not in there)
    return list(lost), list(gained)


def _list(sentence: str, names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return sentence.format(", ".join(listed[:_MOST_NAMED]) + more) if listed else ""


def require_same(theirs: Record, ours: Record, source: str = "") -> None:
    """Refuse a checkpoint of another community.

    Args:
        theirs, ours: the checkpoint's record and the run's.
        source: the checkpoint, named in the sentence.

    Raises:
        CheckpointError: says which buildings, columns or actions differ.
    """
    found = differences(theirs, ours)
    if found:
        raise CheckpointError(
            f"The checkpoint {source}{' ' if source else ''}does not fit this run's data: {found}. Use the data set, the "
            "buildings and the environment's options that it was trained with."
        )


class CommunityRecord(Checkpointable):
    """Part of an algorithm's checkpoint that is restored first, and refuses if the rest would not fit.

    Args:
        records: of the communities that the run plays, in their order; places in replay carry their numbers.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """The first record, whose columns are everybody's, and those of further communities."""
        return {"agents": self.records[0], "further": self.records[1:]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing changes.

        Raises:
            CheckpointError: the state is of other communities.
        """
        theirs = [state["agents"], *state["further"]]
        if len(theirs) != len(self.records):
            raise CheckpointError(
                f"The checkpoint is of a run over {len(theirs)} communities, but this one has {len(self.records)}; its "
                "replay would be taken for others'. Use the communities and variants that it was trained with."
            )
        for k, (there, here) in enumerate(zip(theirs, self.records, strict=True)):
            require_same(there, here, f"of community {k}" if len(theirs) > 1 else "")

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What ``Checkpointable`` needs to build an equal object."""
        return (self.records,), {}
