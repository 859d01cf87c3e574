"""Observations by name, as arrays, in batches, whole or with silent buildings: always what the runtime says to the rows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from tests.bundles import observations
from tests.contract.asking import ACTIONS, actions_by_name, answer, ask, by_name, post, require_problem, with_thermostats

REST = "left as without control"


def some_rows(runtime: PolicyRuntime, seed: int) -> list[Any]:
    """Random rows, of which some are None, but never all."""
    chance = random.Random(seed)
    rows: list[Any] = observations(runtime.community, seed)
    for place in chance.sample(range(len(rows)), chance.randrange(len(rows))):
        rows[place] = None
    return rows


def shuffled(chance: random.Random, content: dict[str, Any]) -> dict[str, Any]:
    """The same object in another order."""
    return dict(chance.sample(list(content.items()), len(content)))


@pytest.mark.parametrize("seed", range(12))
def test_names_arrays_and_the_runtime_agree_whoever_is_silent(app: PolicyApp, plain: PolicyRuntime, seed: int) -> None:
    """Names in any order, silent buildings left out or null: one set of actions, in the form of the question."""
    chance = random.Random(seed)
    rows = some_rows(plain, seed)
    named = by_name(plain, rows)
    silent = [name for name, row in named.items() if row is None]
    for name in silent:
        if chance.random() < 0.5:
            del named[name]
    named = shuffled(chance, {name: row and shuffled(chance, row) for name, row in named.items()})
    expected = with_thermostats(rows, plain.actions(rows))
    arrays, names = answer(app, ACTIONS, observations=rows), answer(app, ACTIONS, observations=named)
    assert arrays["actions"] == expected
    assert names["actions"] == actions_by_name(plain, expected)
    for content in (arrays, names):
        assert list(content.get("degraded", {})) == silent
        assert all(REST in reason for reason in content.get("degraded", {}).values())
        assert set(content) == {"actions", "model"} | ({"degraded"} if silent else set())


def test_a_silent_building_is_at_rest_and_the_others_know_of_its_silence(app: PolicyApp, plain: PolicyRuntime) -> None:
    rows: list[Any] = observations(plain.community, 3)
    whole = answer(app, ACTIONS, observations=by_name(plain, rows))["actions"]
    for place, agent in enumerate(plain.community.agents):
        left = answer(app, ACTIONS, observations=by_name(plain, [*rows[:place], None, *rows[place + 1 :]]))["actions"]
        # Zero would switch a cooling device off; null leaves it to its thermostat.
        assert left[agent.name] == {action: None if action == "cooling_device" else 0.0 for action in agent.actions}
        others = [name for name in left if name != agent.name]
        assert all(left[name] != whole[name] for name in others), "the coordinator has to matter in this test"


@pytest.mark.parametrize("body", [{}, [None] * 3, {"Building_1": None}, [{}], [{"Building_1": None}], [[None] * 3]])
def test_nobody_heard_of_is_refused(app: PolicyApp, body: Any) -> None:
    require_problem(post(app, ACTIONS, {"observations": body}), 422)


def test_common_measurements_stand_in_for_those_that_a_building_lacks(app: PolicyApp, plain: PolicyRuntime) -> None:
    """A property of random splits: what is common is left out of some buildings and overridden by the others."""
    chance = random.Random(5)
    for seed in range(20):
        rows = observations(plain.community, seed)
        common = {"hour": float(chance.randint(1, 24)), "electrical_storage_soc": chance.random()}
        named = by_name(plain, rows)
        expected = by_name(plain, rows)
        for name, row in named.items():
            for feature in common:
                if feature in row and chance.random() < 0.5:
                    del row[feature]
                    expected[name][feature] = common[feature]
        content = answer(app, ACTIONS, observations=named, common=common)
        assert content["actions"] == answer(app, ACTIONS, observations=expected)["actions"]


def test_common_measurements_hold_for_a_whole_batch_but_wake_nobody(app: PolicyApp, plain: PolicyRuntime) -> None:
    batch = [by_name(plain, observations(plain.community, seed)) for seed in range(4)]
    for one in batch:
        one.pop("Building_10")
        one["Building_1"].pop("hour")
    content = answer(app, ACTIONS, observations=batch, common={"hour": 7, "outdoor_dry_bulb_temperature": 3.0})
    assert set(content["degraded"]) == {"Building_10"}
    for one, given in zip(batch, content["actions"], strict=True):
        one["Building_1"]["hour"] = 7
        alone = answer(app, ACTIONS, observations=one)["actions"]
        assert given.pop("Building_10") == alone.pop("Building_10") == {"cooling_device": None}
        assert all(given[name] == pytest.approx(alone[name], abs=1e-6) for name in alone)


@pytest.mark.parametrize("size", [1, 2, 7, 256])
def test_a_batch_is_answered_in_its_own_nesting_and_form(app: PolicyApp, plain: PolicyRuntime, size: int) -> None:
    batch = [some_rows(plain, seed) for seed in range(size)]
    batch[0] = observations(plain.community, 0)
    expected = [with_thermostats(rows, actions) for rows, actions in zip(batch, plain.batch_actions(batch), strict=True)]
    assert answer(app, ACTIONS, observations=batch)["actions"] == expected
    assert answer(app, "/predict", observations=batch) == {"actions": expected}
    named = answer(app, ACTIONS, observations=[by_name(plain, rows) for rows in batch])
    assert named["actions"] == [actions_by_name(plain, actions) for actions in expected]


def test_the_simple_form_gives_actions_and_nothing_else(app: PolicyApp, plain: PolicyRuntime) -> None:
    for seed in range(5):
        rows = some_rows(plain, seed)
        assert answer(app, "/predict", observations=rows) == {"actions": plain.actions(rows)}


def test_the_examples_are_bodies_that_fit(app: PolicyApp, plain: PolicyRuntime) -> None:
    simple, full = ask(app, "GET", "/example"), ask(app, "GET", "/v1/communities/default/example")
    actions = plain.actions(plain.example())
    assert post(app, "/predict", simple.content).json() == {"actions": actions}
    assert post(app, ACTIONS, full.content).json()["actions"] == actions_by_name(plain, actions)


def test_an_answer_says_which_policy_gave_it(app: PolicyApp, plain: PolicyRuntime) -> None:
    model = answer(app, ACTIONS, observations=plain.example())["model"]
    assert model == {"name": "test-policy", "version": "current", "sha256": plain.sha256}


def test_a_communitys_description_has_what_a_client_needs_to_ask(app: PolicyApp, plain: PolicyRuntime) -> None:
    content = ask(app, "GET", "/v1/communities/default").json()
    assert content["name"] == "default"
    ranges = {feature["name"]: (feature["low"], feature["high"]) for feature in content["features"]}
    middles = {
        building["name"]: {name: sum(ranges[name]) / 2 for name in building["features"]} for building in content["buildings"]
    }
    actions = answer(app, ACTIONS, observations=middles)["actions"]
    for building in content["buildings"]:
        limits = zip(building["action_low"], building["action_high"], strict=True)
        assert list(actions[building["name"]]) == building["actions"]
        assert all(
            low <= value <= high for value, (low, high) in zip(actions[building["name"]].values(), limits, strict=True)
        )
    assert [agent.name for agent in plain.community.agents] == [building["name"] for building in content["buildings"]]


def test_values_outside_their_ranges_are_clipped_and_listed(app: PolicyApp, plain: PolicyRuntime) -> None:
    chance = random.Random(8)
    for seed in range(10):
        rows = observations(plain.community, seed)
        within = [row[:] for row in rows]
        moved = []
        for agent, row, fine in zip(plain.community.agents, rows, within, strict=True):
            for place, name in enumerate(agent.features):
                feature = plain.community.feature(name)
                if feature.encoding == "linear" and chance.random() < 0.4:
                    fine[place] = chance.choice([feature.low, feature.high])
                    row[place] = 3 * feature.high + 1 if fine[place] == feature.high else feature.low - 5.5
                    moved.append((agent.name, name, row[place], feature.low, feature.high))
        content = answer(app, ACTIONS, observations=rows)
        assert content["actions"] == plain.actions(within)
        listed = [
            tuple(entry[key] for key in ("building", "feature", "value", "low", "high"))
            for entry in content.get("clipped", [])
        ]
        assert listed == moved
        assert content.get("clipped_values", 0) == len(moved)


def test_a_long_list_of_clipped_values_is_cut_but_counted(app: PolicyApp, plain: PolicyRuntime) -> None:
    rows = observations(plain.community, 0)
    rows[2][1] = 1e308
    content = answer(app, ACTIONS, observations=[rows] * 60)
    assert content["clipped_values"] == 60
    assert content["clipped"] == [content["clipped"][0]] * 50
