"""What tables say of a policy's training: its own record, and nothing that a caller asserts."""

from __future__ import annotations

from typing import Any

import pytest

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.evaluation.provenance import Origin, TrainedOn, origin_of, recorded_origin
from rllib_citylearn.evaluation.relation import Judged, Relation, combined, relation
from rllib_citylearn.evaluation.specs import BaselineSpec
from rllib_citylearn.evaluation.standing import standing_label, standing_notes

NAMES = tuple(f"B{n}" for n in range(1, 7))
DATA = {"name": "here", "sha256": "a" * 64}
RECORD = {"data": {"name": "here", "sha256": "a" * 64}}


def judged(*buildings: str, window: tuple[int, int] = (0, 99), data: dict[str, Any] = DATA) -> Judged:
    return Judged(data, NAMES, buildings, window)


def trained(buildings: Any = ("B1", "B2"), sha256: str | None = "a" * 64, data: str | None = "here", **more: Any) -> Origin:
    return Origin((TrainedOn(data, sha256, buildings, **more),))


@pytest.mark.parametrize(
    ("origin", "place", "kind", "words"),
    [
        (trained(), judged("B1", "B2"), "in-sample", "these very buildings and time steps"),
        (trained(("B1", "B2", "B3")), judged("B1"), "in-sample", "these very buildings"),
        (trained(), judged("B3"), "held-out", "saw none of these buildings"),
        (trained(), judged("B2", "B3"), "partly in-sample", "1 of these 2 buildings"),
        (trained("1-3", held_out="2"), judged("B2"), "held-out", "saw none"),
        (trained("1-3", held_out="2"), judged("B1", "B3"), "in-sample", "these very buildings"),
        (trained(None), judged(*NAMES), "in-sample", "these very buildings"),
        (trained(window=(0, 99)), judged("B1"), "in-sample", "these very buildings"),
        (trained(window=(0, 49)), judged("B1", window=(50, 99)), "other time steps", "other time steps (0 to 49)"),
        (trained(window=(0, 49)), judged("B1"), "partly in-sample", "on part of these time steps (0 to 49)"),
        (trained(sha256="b" * 64, data="elsewhere"), judged("B1"), "other data", "other data (elsewhere)"),
        (trained(data="copy"), judged("B1"), "in-sample", "these very buildings"),
        (trained(sha256="b" * 64), judged("B1"), "unknown", "have other content"),
        (trained(("X1",)), judged("B1"), "unknown", "do not have"),
        (Origin(()), judged("B1"), "unknown", "does not say"),
        (None, judged("B1"), "not trained", "was not trained"),
    ],
)
def test_a_policy_is_held_to_its_record(origin: Origin | None, place: Judged, kind: str, words: str) -> None:
    found = relation(origin, place)
    assert found.kind == kind
    assert words in found.clause
    assert ("in-sample" in found.clause) == (kind == "in-sample"), "in-sample is said only where it holds"
    assert ("held out" in found.clause) == (kind == "held-out")


def test_published_data_are_the_same_by_name_whichever_way_they_came() -> None:
    name = "citylearn_challenge_2022_phase_all"
    place = judged("B1", data={"name": name, "sha256": "c" * 64})
    assert relation(trained(sha256="b" * 64, data=name), place).kind == "in-sample"


def test_several_communities_count_together() -> None:
    origin = Origin((TrainedOn("here", "a" * 64, ("B1",)), TrainedOn("far", None, None), TrainedOn("here", None, "2")))
    assert relation(origin, judged("B1", "B2")).kind == "in-sample"
    assert relation(origin, judged("B1", "B3")).kind == "partly in-sample"
    assert relation(origin, judged("B3")).kind == "held-out"


def test_records_of_runs_are_read() -> None:
    assert recorded_origin({}, ["B1"]) == Origin(())
    assert recorded_origin(RECORD, ["B1"]) == trained(("B1",))
    windowed = {**RECORD, "preset": {"environment": {"buildings": "1-3", "window": [0, 49], "communities": None}}}
    assert recorded_origin(windowed, ["B1", "B2"]) == trained(window=(0, 49))
    for drawn in ({"random_buildings": 2}, {"central_agent": True}):
        record = {**RECORD, "preset": {"environment": {"buildings": "1-3", "held_out": ["B2"], **drawn}}}
        assert recorded_origin(record, ["place_1"]) == trained("1-3", held_out=("B2",))
    several = {"dataset": "here", "communities": [{"buildings": "1"}, {"dataset": "/data/far", "window": [0, 9]}]}
    assert recorded_origin({**RECORD, "preset": {"environment": several}}, ["place_1"]) == Origin(
        (TrainedOn("here", "a" * 64, "1"), TrainedOn("far", None, None, window=(0, 9)))
    )


def test_no_baseline_of_rules_and_planners_was_trained() -> None:
    for name in BASELINES:
        assert origin_of(BaselineSpec(name)) is None


IN, OUT, IDLE = Relation("in-sample", "knows them"), Relation("held-out", "saw none"), Relation("not trained", "was not")
UNSAID = Relation("unknown", "does not say")


def test_labels_claim_only_what_holds_for_every_policy() -> None:
    assert standing_label("all", {"bau": IDLE}) == "all"
    assert standing_label("all", {"bau": IDLE, "a": IN, "b": IN}) == "all (in-sample)"
    assert standing_label("all", {"bau": IDLE, "a": OUT}) == "all (held-out)"
    assert standing_label("all", {"a": IN, "b": OUT}) == "all"
    assert standing_label("all", {"a": UNSAID}) == "all"


def test_notes_name_who_was_trained_and_who_was_not() -> None:
    assert standing_notes({"bau": IDLE}) == "Nothing was trained: rules and planners learn nothing from data."
    assert standing_notes({"bau": IDLE, "a": IN, "mpc": IDLE}) == "a knows them. Nothing was trained for bau, mpc."


def test_an_option_that_contradicts_a_record_is_said_to() -> None:
    assert "So --held-out is wrong for a:" in standing_notes({"a": IN}, held_out=True)
    assert "--held-out" not in standing_notes({"a": IN})
    assert "--held-out" not in standing_notes({"a": OUT}, held_out=True)
    assert "Whether they are held out from a, as --held-out says, is not known." in standing_notes(
        {"a": UNSAID}, held_out=True
    )
    assert "holds nothing out" in standing_notes({"bau": IDLE}, held_out=True)


def test_runs_that_were_trained_on_different_things_are_told_apart() -> None:
    assert combined([IN, IN]) == IN
    mixed = combined([IN, OUT])
    assert mixed.kind == "partly in-sample"
    assert mixed.clause == "differs: run 1 knows them; run 2 saw none"
    assert combined([IN, UNSAID]).kind == "unknown"
