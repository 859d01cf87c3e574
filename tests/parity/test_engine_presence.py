"""The fast engine against CityLearn with made-up charger schedules: the sessions that official data doesn't have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator import CommunityDescription
from tests.parity.engine import compare, differing, record, scripted

BUILDINGS = ("Building_1", "Building_10", "Building_15")
HOURS = 130
PLUGGED, ANNOUNCED, AWAY = 1.0, 2.0, 3.0


def maybe_share(rng: np.random.Generator, missing: float) -> float:
    """A state of charge; now and then there is none."""
    return float(rng.choice([np.nan, -0.1, 1.7])) if rng.uniform() < missing else float(rng.uniform(0.05, 1.0))


def reschedule(charger: Any, vehicles: list[str], rng: np.random.Generator, *, labelled: bool, metered: bool) -> None:
    """Give a charger a random schedule: short gaps or none, any vehicle, announced or not, with missing values.

    Args:
        charger: CityLearn's.
        vehicles: who may come.
        rng: what decides.
        labelled: whether sessions carry identifiers.
        metered: whether the data tells the charge of plugged-in vehicles.
    """
    data = charger.charger_simulation
    data.start_time_step, data.end_time_step = 0, 2**40
    rows = len(data.electric_vehicle_charger_state)
    state, names = np.full(rows, AWAY, np.float32), np.full(rows, "nan", object)
    sessions = np.full(rows, "", object)
    departure, arrival = np.full(rows, -1, np.int32), np.full(rows, -1, np.int32)
    required, expected = np.full(rows, -0.1, np.float32), np.full(rows, -0.1, np.float32)
    current = np.full(rows, np.nan, np.float32)
    t = session = 0
    while t < HOURS + 20:
        gap, notice, stay = int(rng.choice([0, 0, 1, 4])), int(rng.choice([0, 0, 1, 3])), int(rng.integers(1, 9))
        name, session = str(rng.choice(vehicles)), session + 1
        state[t : t + gap] = rng.choice([AWAY, np.nan])
        t += gap
        state[t : t + notice], names[t : t + notice] = ANNOUNCED, name
        arrival[t : t + notice] = np.arange(notice, 0, -1)
        expected[t : t + notice] = [maybe_share(rng, 0.2) for _ in range(notice)]
        t += notice
        state[t : t + stay], names[t : t + stay] = PLUGGED, name
        departure[t : t + stay] = np.arange(stay, 0, -1)
        required[t : t + stay] = rng.uniform(0.5, 1.0)
        expected[t : t + stay] = [maybe_share(rng, 0.5) for _ in range(stay)]
        current[t : t + stay] = [maybe_share(rng, 0.5) for _ in range(stay)]
        if labelled and rng.uniform() < 0.8:
            sessions[t : t + stay] = f"session {session if rng.uniform() < 0.7 else session - 1}"
        t += stay
    data.electric_vehicle_charger_state, data.electric_vehicle_id = state, names
    data.electric_vehicle_session_id = sessions
    data.electric_vehicle_departure_time, data.electric_vehicle_estimated_arrival_time = departure, arrival
    data.electric_vehicle_required_soc_departure, data.electric_vehicle_estimated_soc_arrival = required, expected
    if metered:
        data.electric_vehicle_current_soc = current


def chargers(env: Any) -> list[Any]:
    return [charger for building in env.buildings for charger in building.electric_vehicle_chargers or []]


@pytest.mark.parametrize("start", [0, 37])
@pytest.mark.parametrize("seed", range(4))
def test_random_schedules_are_equal(seed: int, start: int, ev_data: Path) -> None:
    env = make_citylearn_env(ev_data, buildings=BUILDINGS, window=(0, HOURS))
    rng = np.random.default_rng(seed)
    names = [vehicle.name for vehicle in env.electric_vehicles]
    mixed = seed % 2 == 1  # whether a vehicle may turn up at any charger, even at two at a time, or keeps to its own
    for i, charger in enumerate(chargers(env)):
        own = [*names, "a visitor"] if mixed else names[2 * i : 2 * i + 2]
        reschedule(charger, own, rng, labelled=bool(rng.integers(2)), metered=bool(rng.integers(2)))
    description = CommunityDescription.read(env, community_features(env))
    actions = scripted("mixed", description.features, HOURS - start, seed)
    env.episode_time_steps = [(start, HOURS)]
    assert not differing(compare(env, description, actions, row=start))


def test_the_random_schedules_have_what_they_are_for(ev_data: Path) -> None:
    env = make_citylearn_env(ev_data, buildings=BUILDINGS, window=(0, HOURS))
    rng = np.random.default_rng(1)
    for charger in chargers(env):
        reschedule(charger, [vehicle.name for vehicle in env.electric_vehicles], rng, labelled=False, metered=False)
    presence = CommunityDescription.read(env, community_features(env)).tables.presence
    connected = presence.connected
    follows = (connected[1:] >= 0) & (connected[:-1] >= 0)
    assert (follows & (connected[1:] != connected[:-1])).any(), "one vehicle takes another's place at once"
    again = np.isfinite(presence.arrival_soc[1:]) & (presence.connected[1:, :1] == presence.connected[:-1, :1])
    assert again.any(), "a vehicle begins a new session without leaving"
    where = [set(np.flatnonzero((connected == v).any(0))) for v in range(presence.drifts.shape[1])]
    assert any(len(places) > 1 for places in where), "a vehicle changes chargers"
    assert presence.drifts.any()


def test_a_vehicle_that_was_not_announced_is_refused_by_both(ev_data: Path) -> None:
    env = make_citylearn_env(ev_data, buildings=BUILDINGS, window=(0, HOURS))
    data = chargers(env)[0].charger_simulation
    first, second = (vehicle.name for vehicle in env.electric_vehicles[:2])
    state, names = data.electric_vehicle_charger_state.copy(), data.electric_vehicle_id.copy()
    state[10:14], names[10:14] = AWAY, "nan"
    state[14], names[14] = ANNOUNCED, first
    state[15:17], names[15:17] = PLUGGED, second
    data.electric_vehicle_charger_state, data.electric_vehicle_id = state, names
    features = community_features(env)
    with pytest.raises(EngineError, match=rf"'{first}' at row 14.*'{second}' arrives"):
        CommunityDescription.read(env, features)
    with pytest.raises(ValueError, match="mismatch"):
        record(env, features, scripted("zero", features, 20))
