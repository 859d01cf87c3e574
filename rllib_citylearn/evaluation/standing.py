"""What tables say of a community: whether policies were trained on it."""

from __future__ import annotations

from collections.abc import Mapping

from rllib_citylearn.evaluation.relation import HELD_OUT, IN_SAMPLE, NOT_TRAINED, OTHER_DATA, UNKNOWN, Relation


def standing_label(label: str, relations: Mapping[str, Relation]) -> str:
    """A community's label, with ``in-sample`` or ``held-out`` only where that holds for every policy that was trained.

    Args:
        label: what the community is called.
        relations: of the contenders, by name.
    """
    kinds = {one.kind for one in relations.values()} - {NOT_TRAINED}
    (kind,) = kinds if len(kinds) == 1 else (None,)
    return f"{label} ({kind})" if kind in (IN_SAMPLE, HELD_OUT) else label


def standing_notes(relations: Mapping[str, Relation], *, held_out: bool = False) -> str:
    """Sentences on every policy that was trained, on those that were not, and where a caller says otherwise.

    Args:
        relations: of the contenders, by name.
        held_out: whether the caller named these buildings as held out (``compare --held-out``).
    """
    trained = {name: one for name, one in relations.items() if one.kind != NOT_TRAINED}
    notes = [f"{name} {one.clause}{': ' if one.effort else ''}{one.effort}." for name, one in trained.items()]
    if not trained:
        notes.append("Nothing was trained: rules and planners learn nothing from data.")
    elif len(trained) < len(relations):
        others = ", ".join(name for name in relations if name not in trained)
        notes.append(f"Nothing was trained for {others}.")
    if held_out:
        notes += _contradictions(trained)
    return " ".join(notes)


def _contradictions(trained: Mapping[str, Relation]) -> list[str]:
    """Where ``--held-out`` promises more than records say."""
    if not trained:
        return ["So --held-out only picks buildings here, and holds nothing out."]
    notes = []
    for name, one in trained.items():
        if one.kind == UNKNOWN:
            notes.append(f"Whether they are held out from {name}, as --held-out says, is not known.")
        elif one.kind not in (HELD_OUT, OTHER_DATA):
            notes.append(f"So --held-out is wrong for {name}: its score here is not that of held-out buildings.")
    return notes
