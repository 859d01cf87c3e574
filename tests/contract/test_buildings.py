"""Buildings that act for themselves: the coordinator's hints and their own actor make what the whole would do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.export import PolicyRuntime
from rllib_citylearn.export.gateway import LARGEST_HINT
from serve.asgi import PolicyApp
from tests.bundles import observations
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, by_name, own, post, require_problem, runtime_of


@pytest.mark.parametrize("bundle", ["plain", "remembering"])
@pytest.mark.parametrize("named", [True, False])
def test_hints_and_each_buildings_own_actor_make_the_whole(bundles: Path, bundle: str, named: bool) -> None:
    """Hour by hour, with one state for the community and one for each building; some are silent for the coordinator."""
    app, runtime = app_of(bundles / bundle), runtime_of(bundles / bundle)
    chance = random.Random(2)
    names = runtime.building_names
    of_all: dict[str, Any] = {}
    of_one: dict[str, dict[str, Any]] = {name: {} for name in names}
    for hour in range(30):
        rows: list[Any] = observations(runtime.community, hour)
        given: Any = by_name(runtime, rows) if named else rows
        hints = answer(app, HINTS, observations=given, **of_all)
        whole = answer(app, ACTIONS, observations=given, **of_all)
        assert hints.get("state") == whole.get("state")
        of_all = {"state": whole["state"]} if "state" in whole else {}
        for place in chance.sample(range(3), 3):
            key: Any = names[place] if named else place
            content = answer(
                app, own(names[place]), observation=given[key], hint=hints["hints"][key], **of_one[names[place]]
            )
            assert content["actions"] == pytest.approx(whole["actions"][key], abs=1e-5)
            assert content["model"] == whole["model"]
            assert "degraded" not in content
            of_one[names[place]] = {"state": content["state"]} if "state" in content else {}


def test_without_a_hint_a_building_acts_all_the_same_and_says_so(app: PolicyApp, plain: PolicyRuntime) -> None:
    rows = observations(plain.community, 1)
    hints = answer(app, HINTS, observations=rows)["hints"]
    for name, row, hint in zip(plain.building_names, rows, hints, strict=True):
        bare = answer(app, own(name), observation=row)
        assert bare == answer(app, own(name), observation=row, hint=None)
        assert list(bare["degraded"]) == [name]
        assert "no hint" in bare["degraded"][name]
        assert bare["actions"] == answer(app, own(name), observation=row, hint=[0.0] * len(hint))["actions"]
        assert bare["actions"] != answer(app, own(name), observation=row, hint=hint)["actions"]


def test_hints_are_the_runtimes_and_none_for_silent_buildings(app: PolicyApp, plain: PolicyRuntime) -> None:
    batch: list[list[Any]] = [observations(plain.community, seed) for seed in range(4)]
    batch[2][1] = None
    content = answer(app, HINTS, observations=batch)
    assert content["hints"] == plain.hints(batch).values
    assert content["hints"][2][1] == [0.0] * 3
    assert content["degraded"] == {"Building_2": "not heard of: no hint for it"}
    named = answer(app, HINTS, observations=[by_name(plain, rows) for rows in batch])
    assert [list(hints.values()) for hints in named["hints"]] == content["hints"]
    assert {tuple(hints) for hints in named["hints"]} == {plain.building_names}


def test_a_policy_without_coordinator_gives_no_hints_and_needs_none(bundles: Path) -> None:
    app, runtime = app_of(bundles / "without-hints"), runtime_of(bundles / "without-hints")
    rows = observations(runtime.community, 0)
    assert "gives no hints" in require_problem(post(app, HINTS, {"observations": rows}), 422)["detail"]
    whole = answer(app, ACTIONS, observations=rows)["actions"]
    for name, row, actions in zip(runtime.building_names, rows, whole, strict=True):
        content = answer(app, own(name), observation=row)
        assert content["actions"] == pytest.approx(actions, abs=1e-5)
        assert "degraded" not in content
        problem = require_problem(post(app, own(name), {"observation": row, "hint": [1.0]}), 422)
        assert "expected 0 numbers" in problem["detail"]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "too short a hint": ({"hint": [1, 2]}, "hint is a list of 2; expected 3 numbers"),
    "too long a hint": ({"hint": [1, 2, 3, 4]}, "hint is a list of 4; expected 3 numbers"),
    "a text in a hint": ({"hint": [1, 2, "3"]}, "hint is a list of 3; expected 3 numbers"),
    "a truth value in a hint": ({"hint": [1, 2, True]}, "expected 3 numbers"),
    "a hint that is a number": ({"hint": 0}, "hint is 0; expected 3 numbers"),
    "a hint that is an object": ({"hint": {}}, "hint is an object"),
    "a number that networks can't compute with": ({"hint": [0, 1e300, 0]}, "hint has a number beyond 1e+06"),
    "a whole number beyond all": ({"hint": [0, -(10**30), 0]}, "hint has a number beyond 1e+06"),
    "too short a row": ({"observation": [1]}, "observation (Building_10) has 1 values"),
    "a row of a row": ({"observation": [[1, 2]]}, "observation (Building_10) has 1 values"),
    "a text in a row": ({"observation": [1, "x"]}, "observation[1] (Building_10, outdoor_dry_bulb_temperature) is 'x'"),
    "null": ({"observation": None}, "observation (Building_10) is null"),
    "a missing feature": ({"observation": {"hour": 1}}, "observation lacks outdoor_dry_bulb_temperature"),
    "an unknown feature": (
        {"observation": {"hour": 1, "outdoor_dry_bulb_temperature": 1, "wind": 2}},
        "observation has the unknown feature 'wind'",
    ),
    "the community's field": ({"observations": []}, "unknown field 'observations'"),
    "a field of the community's": ({"common": {}}, "unknown field 'common'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_of_a_building_is_refused_with_its_place(app: PolicyApp, name: str) -> None:
    body, sentence = BAD[name]
    problem = require_problem(post(app, own("Building_10"), {"observation": [1, 2.0], **body}), 422)
    assert sentence in problem["detail"]


def test_hints_of_any_size_that_is_taken_give_actions_within_their_limits(app: PolicyApp, plain: PolicyRuntime) -> None:
    chance = random.Random(3)
    for _ in range(30):
        hint = [chance.choice([-1, 1]) * LARGEST_HINT ** chance.random() for _ in range(3)]
        for name, agent in zip(plain.building_names, plain.community.agents, strict=True):
            row = observations(plain.community, 0)[plain.building_names.index(name)]
            actions = answer(app, own(name), observation=row, hint=hint)["actions"]
            limits = zip(actions, agent.action_low, agent.action_high, strict=True)
            assert all(low <= value <= high for value, low, high in limits)


def test_the_state_of_another_building_begins_afresh_and_is_said(bundles: Path, remembering: PolicyRuntime) -> None:
    app = app_of(bundles / "remembering")
    first, second, _ = observations(remembering.community, 0)
    foreign = [
        answer(app, own("Building_1"), observation=first)["state"],
        answer(app, ACTIONS, observations=remembering.example())["state"],
    ]
    hint = [1.0, -0.5, 0.25]
    afresh = answer(app, own("Building_2"), observation=second, hint=hint)
    for state in foreign:
        content = answer(app, own("Building_2"), observation=second, hint=hint, state=state)
        assert "another building or policy" in content.pop("degraded")["Building_2"]
        assert content == afresh
    for state in ("x", 3, [afresh["state"]], afresh["state"][:-4]):
        problem = require_problem(post(app, own("Building_2"), {"observation": second, "state": state}), 422)
        assert "state is not what the last answer gave" in problem["detail"]


def test_clipped_values_of_a_building_are_listed(app: PolicyApp) -> None:
    content = answer(app, own("Building_10"), observation=[3, 1e9], hint=[0, 0, 0])
    assert content["clipped"] == [
        {"building": "Building_10", "feature": "outdoor_dry_bulb_temperature", "value": 1e9, "low": -30.0, "high": 50.0}
    ]
    assert content["clipped_values"] == 1
