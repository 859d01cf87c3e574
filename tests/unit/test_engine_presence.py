"""Tables of where vehicles are, against a loop that does hour by hour what CityLearn's runtime does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.presence import Presence

PLUGGED, ANNOUNCED, AWAY = 1.0, 2.0, 3.0
ROWS = 120


def random_schedule(names: list[str], rng: np.random.Generator) -> SimpleNamespace:
    """A charger's data: sessions that follow each other with or without a gap, some values missing."""
    state, label = np.full(ROWS, AWAY, np.float32), np.full(ROWS, "nan", object)
    session = np.full(ROWS, "", object)
    departure = np.full(ROWS, -1, np.int32)
    expected, current = np.full(ROWS, -0.1, np.float32), np.full(ROWS, np.nan, np.float32)
    t = number = 0
    while t < ROWS:
        gap, notice, stay = int(rng.integers(0, 3)), int(rng.integers(0, 3)), int(rng.integers(1, 6))
        name, number = str(rng.choice(names)), number + int(rng.integers(0, 2))
        state[t : t + gap] = rng.choice([AWAY, np.nan])
        t += gap
        state[t : t + notice], label[t : t + notice] = ANNOUNCED, name
        t += notice
        state[t : t + stay], label[t : t + stay] = PLUGGED, name
        count = len(departure[t : t + stay])
        departure[t : t + stay] = np.arange(stay, 0, -1)[:count]
        session[t : t + stay] = rng.choice(["", f"s{number}"])
        t += stay
    at_hand = rng.uniform(size=ROWS) < 0.7
    expected[at_hand] = rng.uniform(-0.3, 1.3, at_hand.sum())
    metered = rng.uniform(size=ROWS) < 0.2
    current[metered] = rng.uniform(0.0, 1.0, metered.sum())
    return SimpleNamespace(
        electric_vehicle_charger_state=state,
        electric_vehicle_id=label,
        electric_vehicle_session_id=session,
        electric_vehicle_departure_time=departure,
        electric_vehicle_estimated_soc_arrival=expected,
        electric_vehicle_current_soc=current,
        electric_vehicle_required_soc_departure=rng.choice([0.7, 85.0, -0.1, np.nan, 250.0], ROWS),
    )


def community(schedules: list[Any], vehicles: list[str]) -> Any:
    """What ``Presence.read`` needs of an environment: one charger a building."""
    buildings = [
        SimpleNamespace(electric_vehicle_chargers=[SimpleNamespace(charger_id=f"charger_{i}", charger_simulation=schedule)])
        for i, schedule in enumerate(schedules)
    ]
    return SimpleNamespace(buildings=buildings, electric_vehicles=[SimpleNamespace(name=name) for name in vehicles])


def valid(value: float) -> bool:
    return bool(0.0 <= value <= 1.0)


def arrival_charge(data: Any, t: int) -> float:
    """Charge of the vehicle that is plugged in at ``t``; NaN if the data has none."""
    if valid(data.electric_vehicle_current_soc[t]):
        return float(data.electric_vehicle_current_soc[t])
    announced = t > 0 and data.electric_vehicle_charger_state[t - 1] in (ANNOUNCED, AWAY)
    value = data.electric_vehicle_estimated_soc_arrival[t - 1 if announced else t]
    return float(value) if valid(value) else np.nan


def new_session(data: Any, t: int) -> bool:
    now, before = data.electric_vehicle_session_id[t], data.electric_vehicle_session_id[t - 1]
    if now:
        return bool(before) and now != before
    left, leaves = data.electric_vehicle_departure_time[t - 1], data.electric_vehicle_departure_time[t]
    return bool(left <= 1 and leaves > left)


def hour_by_hour(
    schedules: list[Any], vehicles: list[str], first: int
) -> tuple[list[list[str]], list[dict[str, float]], Any]:
    """What happens to vehicles in an episode that starts at row ``first``.

    Returns:
        who is plugged in at each charger, the charge vehicles are set to, and who drifts; one entry a row.
    """
    plugged: list[list[str]] = []
    charge: list[dict[str, float]] = []
    drifting: list[set[str]] = []
    for t in range(first, ROWS - 1):
        set_to: dict[str, float] = {}
        drifts: set[str] = set()
        if t > first:
            event: dict[str, float] = {}
            for data in schedules:
                name, follows = data.electric_vehicle_id[t], data.electric_vehicle_id[t + 1]
                state, next_state = data.electric_vehicle_charger_state[t], data.electric_vehicle_charger_state[t + 1]
                if state == PLUGGED:
                    event.setdefault(name, np.nan)
                elif next_state == PLUGGED:
                    incoming = state == ANNOUNCED and name == follows
                    event.setdefault(follows, float(data.electric_vehicle_estimated_soc_arrival[t if incoming else t + 1]))
            for name in vehicles:
                if name not in event:
                    drifts.add(name)
                elif valid(event[name]):
                    set_to[name] = event[name]
        here = []
        for c, data in enumerate(schedules):
            name = data.electric_vehicle_id[t] if data.electric_vehicle_charger_state[t] == PLUGGED else ""
            here.append(name if name in vehicles else "")
            if here[-1] and (t == first or plugged[-1][c] != name or new_session(data, t)):
                # At the start of an episode CityLearn knows no hour before.
                value = arrival_charge(data, t) if t > first else start_charge(data, t)
                if not np.isnan(value):
                    set_to[name] = value
        plugged.append(here)
        charge.append(set_to)
        drifting.append(drifts)
    return plugged, charge, drifting


def start_charge(data: Any, t: int) -> float:
    if valid(data.electric_vehicle_current_soc[t]):
        return float(data.electric_vehicle_current_soc[t])
    value = data.electric_vehicle_estimated_soc_arrival[t]
    return float(value) if valid(value) else np.nan


@pytest.mark.parametrize("seed", range(40))
def test_the_tables_say_what_a_loop_over_the_hours_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vehicles = [f"Vehicle_{i}" for i in range(1, 5)]
    guests = [*vehicles, "A stranger"]
    schedules = [random_schedule(guests if seed % 2 else vehicles[i : i + 2], rng) for i in range(3)]
    try:
        presence = Presence.read(community(schedules, vehicles), ROWS)
    except EngineError:
        pytest.fail("the schedule is valid")
    first = int(rng.integers(0, 60)) if seed % 3 else 0
    plugged, charge, drifting = hour_by_hour(schedules, vehicles, first)
    for i, (here, set_to, drifts) in enumerate(zip(plugged, charge, drifting, strict=True)):
        t = first + i
        assert [vehicles[v] if v >= 0 else "" for v in presence.connected[t]] == here, t
        row = presence.start_soc[t] if i == 0 else presence.arrival_soc[t]
        expected = [set_to.get(name, np.nan) for name in vehicles]
        assert np.array_equal(row, expected, equal_nan=True), (t, row, expected)
        if i:
            assert {vehicles[v] for v in np.flatnonzero(presence.drifts[t])} == drifts, t


@pytest.mark.parametrize("seed", range(10))
def test_who_leaves_has_a_requirement_in_its_last_hour(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vehicles = [f"Vehicle_{i}" for i in range(1, 5)]
    schedules = [random_schedule(vehicles[i : i + 2], rng) for i in range(3)]
    presence = Presence.read(community(schedules, vehicles), ROWS)
    share = {0.7: 0.7, 85.0: 0.85}  # percentages count as such; what is neither is no requirement
    plugged, _, _ = hour_by_hour(schedules, vehicles, 0)
    for t, (now, then) in enumerate(itertools.pairwise(plugged)):
        for c, data in enumerate(schedules):
            leaves = now[c] and (then[c] != now[c] or new_session(data, t + 1))
            expected = share.get(data.electric_vehicle_required_soc_departure[t], np.nan) if leaves else np.nan
            assert np.array_equal(presence.required_soc[t, c], expected, equal_nan=True), (t, c)


def one(state: Sequence[float], names: list[str], **values: Any) -> SimpleNamespace:
    count = len(state)
    given = {
        "electric_vehicle_session_id": np.full(count, "", object),
        "electric_vehicle_departure_time": np.full(count, -1),
        "electric_vehicle_estimated_soc_arrival": np.full(count, -0.1, np.float32),
        "electric_vehicle_required_soc_departure": np.full(count, -0.1),
    }
    return SimpleNamespace(
        electric_vehicle_charger_state=np.array(state, np.float32),
        electric_vehicle_id=np.array(names, object),
        **given | values,
    )


def test_a_vehicle_that_changes_chargers_is_set_to_what_the_second_one_says() -> None:
    soc = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], np.float32)
    left = one([1, 1, 3, 3, 3, 3], ["A", "A", "", "", "", ""], electric_vehicle_estimated_soc_arrival=soc)
    right = one(
        [3, 3, 2, 1, 1, 3], ["", "", "A", "A", "A", ""], electric_vehicle_estimated_soc_arrival=soc + np.float32(0.01)
    )
    presence = Presence.read(community([left, right], ["A"]), 6)
    assert presence.connected.tolist() == [[0, -1], [0, -1], [-1, -1], [-1, 0], [-1, 0], [-1, -1]]
    assert presence.announced.tolist() == [[False, False]] * 2 + [[False, True]] + [[False, False]] * 3
    assert presence.arrival_soc[3, 0] == pytest.approx(0.31)
    assert presence.drifts[:, 0].tolist() == [False, False, False, False, False, False]


def test_a_session_that_follows_at_once_is_told_by_its_countdown_or_its_label() -> None:
    soc = np.array([0.5, 0.6, 0.7, 0.8], np.float32)
    state, names = [1, 1, 1, 1], ["A"] * 4
    same = one(
        state, names, electric_vehicle_estimated_soc_arrival=soc, electric_vehicle_departure_time=np.array([4, 3, 2, 1])
    )
    again = one(
        state, names, electric_vehicle_estimated_soc_arrival=soc, electric_vehicle_departure_time=np.array([2, 1, 2, 1])
    )
    label = np.array(["x", "x", "x", "y"], object)
    labelled = one(state, names, electric_vehicle_estimated_soc_arrival=soc, electric_vehicle_session_id=label)
    for schedule, set_at in ((same, [0]), (again, [0, 2]), (labelled, [0, 3])):
        presence = Presence.read(community([schedule], ["A"]), 4)
        assert np.flatnonzero(np.isfinite(presence.arrival_soc[:, 0])).tolist() == set_at


def test_another_vehicle_than_the_announced_one_is_refused() -> None:
    schedule = one([2, 1], ["A", "B"])
    with pytest.raises(EngineError, match=r"charger_0 announces 'A' at row 0 of its data, but 'B' arrives"):
        Presence.read(community([schedule], ["A", "B"]), 2)


def test_drift_is_bounded_repeatable_and_only_where_a_vehicle_is_away() -> None:
    drifts = np.random.default_rng(0).uniform(size=(500, 3)) < 0.6
    nothing = np.zeros((500, 3))
    presence = Presence(np.zeros((500, 0), np.int64), np.zeros((500, 0), bool), nothing, nothing, drifts, np.zeros((500, 0)))
    factors = presence.drift(100, 300, 5)
    assert factors.shape == (300, 3)
    assert np.isnan(factors[0]).all(), "nothing has moved yet when an episode starts"
    assert np.array_equal(np.isfinite(factors[1:]), drifts[101:400])
    known = factors[np.isfinite(factors)]
    assert known.min() >= 0.6
    assert known.max() <= 1.4
    assert known.mean() == pytest.approx(1.0, abs=0.03)
    assert np.array_equal(factors, presence.drift(100, 300, 5), equal_nan=True)
    assert not np.array_equal(factors, presence.drift(100, 300, 6), equal_nan=True)
    shorter = presence.drift(100, 50, 5)
    assert np.array_equal(shorter, factors[:50], equal_nan=True), "an episode's draws don't depend on its length"
