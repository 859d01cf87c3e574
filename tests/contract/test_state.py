"""Memory over HTTP: it goes out with the answer as text, comes back with the next request, and any replica can take it."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.env.memory import Memory
from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from tests.bundles import observations
from tests.contract.asking import (
    ACTIONS,
    HINTS,
    actions_by_name,
    answer,
    app_of,
    by_name,
    own,
    post,
    require_problem,
    with_thermostats,
)


@pytest.fixture
def app(bundles: Path) -> PolicyApp:
    """A server of the policy with memory."""
    return app_of(bundles / "remembering")


def hours(runtime: PolicyRuntime, count: int, seed: int = 0, silent: float = 0.0) -> list[list[Any]]:
    """Observations of some hours in which buildings are silent now and then, but never all."""
    chance = random.Random(seed)
    result: list[list[Any]] = []
    for hour in range(count):
        rows: list[Any] = observations(runtime.community, 1000 * seed + hour)
        result.append([None if i and chance.random() < silent else row for i, row in enumerate(rows)])
    return result


def one_by_one(app: PolicyApp, batch: list[Any], state: str | None = None) -> tuple[list[Any], str]:
    """Actions of one request an hour, with the state passed on, and the last state."""
    actions = []
    for rows in batch:
        content = answer(app, ACTIONS, observations=rows, state=state)
        actions.append(content["actions"])
        state = content["state"]
    assert isinstance(state, str)
    return actions, state


def test_replicas_that_pass_the_state_on_act_as_one_that_remembers(bundles: Path, remembering: PolicyRuntime) -> None:
    stays = Memory(remembering.community)
    replicas = [app_of(bundles / "remembering") for _ in range(2)]
    travels: dict[str, Any] = {}
    forgot = []
    for hour, rows in enumerate(hours(remembering, 60)):
        url = ACTIONS if hour % 3 else "/predict"
        content = answer(replicas[hour % 2], url, observations=rows, **travels)
        assert content["actions"] == remembering.actions(rows, stays)
        travels = {"state": content["state"]}
        forgot.append(content["actions"] != remembering.actions(rows))
    assert not forgot[0]
    assert all(forgot[1:]), "memory has to matter in this test"


@pytest.mark.parametrize(("count", "silent", "named"), [(1, 0.0, False), (5, 0.4, False), (30, 0.2, True), (50, 0.0, True)])
def test_a_sequence_is_as_many_requests_one_after_the_other(
    app: PolicyApp, remembering: PolicyRuntime, count: int, silent: float, named: bool
) -> None:
    """From the beginning, and from a state in the middle of a history: the same actions, and the same state at the end."""
    batch: list[Any] = hours(remembering, count, seed=count, silent=silent)
    if named:
        batch = [by_name(remembering, rows) for rows in batch]
    _, before = one_by_one(app, hours(remembering, 7, seed=99))
    for state in (None, before):
        actions, after = one_by_one(app, batch, state)
        content = answer(app, ACTIONS, observations=batch, sequence=True, state=state)
        assert content["state"] == after
        for alone, together in zip(actions, content["actions"], strict=True):
            pairs = zip(alone.values(), together.values(), strict=True) if named else zip(alone, together, strict=True)
            assert all(one == pytest.approx(other, abs=1e-6) for one, other in pairs)


def test_a_batch_carries_a_state_each_and_null_begins_afresh(app: PolicyApp, remembering: PolicyRuntime) -> None:
    first, then = hours(remembering, 3, seed=1), hours(remembering, 3, seed=2)
    states = answer(app, ACTIONS, observations=first)["state"]
    assert len(states) == len(set(states)) == 3
    for url in (ACTIONS, "/predict"):
        together = answer(app, url, observations=then, state=[states[0], None, states[2]])
        for e, known in enumerate((True, False, True)):
            alone = answer(app, url, observations=then[e], state=states[e] if known else None)
            assert alone["state"] == together["state"][e]
            for row, other in zip(alone["actions"], together["actions"][e], strict=True):
                assert row == pytest.approx(other, abs=1e-6)


def test_a_batch_of_one_keeps_its_list(app: PolicyApp, remembering: PolicyRuntime) -> None:
    rows = remembering.example()
    (state,) = answer(app, ACTIONS, observations=[rows])["state"]
    assert state == answer(app, ACTIONS, observations=rows)["state"]
    assert answer(app, ACTIONS, observations=[rows], sequence=True)["state"] == state


def test_hints_take_the_hour_down_as_actions_do(app: PolicyApp, remembering: PolicyRuntime) -> None:
    state = None
    for rows in hours(remembering, 5, silent=0.3):
        hints = answer(app, HINTS, observations=rows, state=state)
        state = answer(app, ACTIONS, observations=rows, state=state)["state"]
        assert hints["state"] == state


def test_a_policy_without_memory_neither_gives_nor_takes_a_state(
    bundles: Path, plain: PolicyRuntime, app: PolicyApp
) -> None:
    """A client that still sends the state of the version before must not fail when a version without memory is rolled to."""
    without = app_of(bundles / "plain")
    state = answer(app, ACTIONS, observations=plain.example())["state"]
    for url in (ACTIONS, "/predict"):
        assert "state" not in answer(without, url, observations=plain.example(), state=None)
        plainly = answer(without, url, observations=plain.example())
        given = answer(without, url, observations=plain.example(), state=state)
        assert given == plainly | ({"forgotten": [0]} if url == ACTIONS else {})
    alone = answer(without, own("Building_1"), observation=plain.example()[0])
    given = answer(without, own("Building_1"), observation=plain.example()[0], state=state)
    assert given["actions"] == alone["actions"]
    assert "without a memory" in given["degraded"]["Building_1"]


def test_the_state_of_another_policy_begins_afresh_and_is_said(app: PolicyApp, remembering: PolicyRuntime) -> None:
    """A building's own state is whole, but of one building: another policy's as far as the community is concerned."""
    rows = observations(remembering.community, 5)
    foreign = answer(app, own("Building_1"), observation=rows[0])["state"]
    _, mine = one_by_one(app, hours(remembering, 3))
    afresh, known = answer(app, ACTIONS, observations=rows), answer(app, ACTIONS, observations=rows, state=mine)
    assert answer(app, ACTIONS, observations=rows, state=foreign) == afresh | {"forgotten": [0]}
    batch = answer(app, ACTIONS, observations=[rows] * 3, state=[foreign, mine, foreign])
    assert batch["forgotten"] == [0, 2]
    assert batch["state"] == [afresh["state"], known["state"], afresh["state"]]
    sequence = answer(app, ACTIONS, observations=[rows], state=foreign, sequence=True)
    assert (sequence["forgotten"], sequence["state"]) == ([0], afresh["state"])
    assert answer(app, "/predict", observations=rows, state=foreign)["actions"] == afresh["actions"]


def test_any_changed_byte_of_a_state_is_noticed(app: PolicyApp, remembering: PolicyRuntime) -> None:
    chance = random.Random(4)
    rows = remembering.example()
    _, state = one_by_one(app, hours(remembering, 30))
    data = base64.b64decode(state)
    for _ in range(60):
        damaged = bytearray(data)
        place = chance.randrange(len(data))
        damaged[place] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            damaged = damaged[: chance.randrange(len(data))]
        text = base64.b64encode(damaged).decode()
        problem = require_problem(post(app, ACTIONS, {"observations": rows, "state": text}), 422)
        assert problem["detail"].startswith("state is not what the last answer gave")


@pytest.mark.parametrize("state", [0, 1.5, True, "", "x", "====", "\u00e9", {}, {"base_load": []}, ["x"], [], [None]])
def test_what_is_no_state_is_refused_with_its_place(app: PolicyApp, remembering: PolicyRuntime, state: Any) -> None:
    rows = remembering.example()
    for url in (ACTIONS, "/predict", HINTS):
        detail = require_problem(post(app, url, {"observations": rows, "state": state}), 422)["detail"]
        assert "state is not what the last answer gave; send that back unchanged, or null" in detail
        good = answer(app, url, observations=rows)["state"]
        body = {"observations": [rows, rows], "state": [good, state]}
        assert "state[1] is not what the last answer gave" in require_problem(post(app, url, body), 422)["detail"]


def test_states_have_to_fit_the_batch(app: PolicyApp, remembering: PolicyRuntime) -> None:
    rows = remembering.example()
    good = answer(app, ACTIONS, observations=rows)["state"]
    for state in (good, [good], [good] * 3, {}):
        problem = require_problem(post(app, ACTIONS, {"observations": [rows, rows], "state": state}), 422)
        assert "one for each of the 2 observations" in problem["detail"]
    body = {"observations": [rows, rows], "state": [good, good], "sequence": True}
    assert "state is not what" in require_problem(post(app, ACTIONS, body), 422)["detail"]


def test_buildings_that_are_silent_are_remembered_as_the_runtime_does(app: PolicyApp, remembering: PolicyRuntime) -> None:
    state, expected = None, None
    for rows in hours(remembering, 40, silent=0.4):
        content = answer(app, ACTIONS, observations=by_name(remembering, rows), state=state)
        wanted = remembering.predict([rows], None if expected is None else [expected])
        state, (expected,) = content["state"], wanted.states
        assert state == expected
        assert content["actions"] == actions_by_name(remembering, with_thermostats(rows, wanted.values[0]))


def test_states_stay_small(app: PolicyApp, remembering: PolicyRuntime) -> None:
    """At most six characters a number: two buildings of two with 2 fields of 24 hours."""
    _, state = one_by_one(app, hours(remembering, 30))
    assert len(state) < 3 * 2 * 24 * 6
