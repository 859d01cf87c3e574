"""The fast engine against CityLearn on every supported data set: equal to the last bit, indoor temperatures within 2e-5.

Indoor temperatures come out of an LSTM whose sums torch orders in another way; everything else has an error of 0.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.simulator import CommunityDescription
from tests.parity.engine import PATTERNS, Replay, compare, described, differing, errors, record, scripted, seed_of
from tests.parity.engine_devices import cut_the_grid

TOLERANCE = {"temperature": 2e-5}
"""degC; five units in the last place of a 32-bit temperature are 1e-5."""

TANKS, YEARS, HOMES, VEHICLES, LSTM, OUTAGES = "tanks", "four years", "homes", "vehicles", "LSTM", "outages"

FOLDERS = {
    TANKS: "citylearn_challenge_2020_climate_zone_1",
    YEARS: "citylearn_challenge_2021",
    HOMES: "citylearn_challenge_2022_phase_all",
    LSTM: "citylearn_challenge_2023_phase_1",
    OUTAGES: "citylearn_challenge_2023_phase_3_1",
}
BUILDINGS = {
    TANKS: ("Building_1", "Building_6"),
    YEARS: ("Building_2", "Building_9"),
    HOMES: ("Building_1", "Building_7", "Building_15"),
    VEHICLES: ("Building_1", "Building_10", "Building_15"),
    LSTM: ("Building_1", "Building_3"),
    OUTAGES: ("Building_2", "Building_4"),
}
ROWS = {TANKS: 8760, YEARS: 35040, HOMES: 8760, VEHICLES: 8760, LSTM: 720, OUTAGES: 2208}
HOURS = 95
"""Of a short run, less one of a whole number of days: CityLearn draws outages for whole days only."""


@pytest.fixture
def folders(shared_datasets: Path, ev_data: Path) -> dict[str, Path]:
    return {VEHICLES: ev_data, **{name: shared_datasets / folder for name, folder in FOLDERS.items()}}


def random_start(name: str, seed: int, hours: int = HOURS) -> int:
    days = (ROWS[name] - hours - 1) // 24
    return 24 * int(np.random.default_rng(seed).integers(0, days + 1))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", ROWS)
def test_a_random_window_is_equal(name: str, pattern: str, folders: dict[str, Path]) -> None:
    seed = PATTERNS.index(pattern)
    start = random_start(name, seed)
    # Another seed gives other batteries where the schema leaves their curves to chance.
    env, description = described(folders[name], BUILDINGS[name], (start, start + HOURS), seed)
    actions = scripted(pattern, description.features, HOURS, seed)
    assert not differing(compare(env, description, actions), TOLERANCE)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", [name for name in ROWS if name != OUTAGES])
def test_an_episode_that_starts_within_the_data_is_equal(name: str, seed: int, folders: dict[str, Path]) -> None:
    rows = min(ROWS[name], 4000) - 1
    env, description = described(folders[name], BUILDINGS[name], (0, rows))
    hours = 80
    start = int(np.random.default_rng(seed).integers(1, rows - hours))
    actions = scripted("mixed", description.features, hours, seed)
    env.episode_time_steps = [(start, start + hours)]
    assert not differing(compare(env, description, actions, row=start), TOLERANCE)


@pytest.mark.parametrize("hour", [0, 7, 11, 18, 23])
def test_an_episode_that_starts_while_vehicles_come_and_go_is_equal(hour: int, ev_data: Path) -> None:
    env, description = described(ev_data, BUILDINGS[VEHICLES], (0, 600))
    start, hours = 240 + hour, 60
    env.episode_time_steps = [(start, start + hours)]
    actions = scripted("random", description.features, hours, hour)
    assert not differing(compare(env, description, actions, row=start))


def test_the_window_of_the_environment_and_a_row_within_longer_data_are_the_same(ev_data: Path) -> None:
    start, hours = 1000, 100
    env, short = described(ev_data, BUILDINGS[VEHICLES], (start, start + hours))
    long = CommunityDescription.read(make_citylearn_env(ev_data, buildings=BUILDINGS[VEHICLES]), short.features)
    actions = scripted("mixed", short.features, hours)
    expected = record(env, short.features, actions)
    for description, row in ((short, 0), (long, start)):
        assert not differing(errors(expected, Replay(description).run(actions, row=row, seed=seed_of(env))))


def test_each_episode_lets_vehicles_drift_in_its_own_way(ev_data: Path) -> None:
    env, description = described(ev_data, BUILDINGS[VEHICLES], (0, 150))
    actions = scripted("random", description.features, 150)
    replay, charges = Replay(description), []
    for _ in range(3):
        expected = record(env, description.features, actions)
        assert not differing(errors(expected, replay.run(actions, e=1, seed=seed_of(env))))
        charges.append(expected["vehicle soc"])
    assert not np.array_equal(charges[0], charges[1])
    assert not np.array_equal(charges[1], charges[2])


def test_the_longest_episode_may_be_declared(ev_data: Path) -> None:
    env, description = described(ev_data, BUILDINGS[VEHICLES], (0, 400))
    env.episode_time_steps = [(100, 220)]
    actions = scripted("random", description.features, 120)
    expected = record(env, description.features, actions)
    found = Replay(description, drift_rows=120).run(actions, row=100, seed=seed_of(env))
    assert not differing(errors(expected, found))


@pytest.mark.parametrize("pattern", ["random", "bang-bang"])
@pytest.mark.parametrize("name", [TANKS, HOMES, OUTAGES])
def test_an_episode_in_which_the_grid_fails_now_and_then_is_equal(name: str, pattern: str, folders: dict[str, Path]) -> None:
    # The data sets' own outage is one a summer; a slow test below runs through it.
    env = make_citylearn_env(folders[name], buildings=BUILDINGS[name], window=(600, 600 + HOURS))
    cut_the_grid(env, 1)
    description = CommunityDescription.read(env, community_features(env))
    outage = description.tables.outage
    assert outage is not None
    assert outage.any()
    assert not outage.all()
    actions = scripted(pattern, description.features, HOURS, 3)
    expected = record(env, description.features, actions)
    assert not expected["net"][outage[:-1] != 0].any()
    assert not differing(errors(expected, Replay(description).run(actions)), TOLERANCE)


@pytest.mark.parametrize("name", [TANKS, HOMES, VEHICLES, LSTM])
def test_joint_actions_are_decoded_as_the_feature_table_decodes_them(name: str, folders: dict[str, Path]) -> None:
    env, description = described(folders[name], BUILDINGS[name], (0, 71))
    features = description.features
    joint = np.random.default_rng(0).uniform(-1, 1, (71, len(features.agents), len(features.actions)))
    replay = Replay(description, 1)
    replay.community.reset()
    env.reset()
    net = []
    for t, actions in enumerate(joint):
        env.step(features.decode_actions(actions))
        replay.community.step(actions[None])
        net.append(replay.community.net_kwh[0].copy())
        expected = [b.net_electricity_consumption[t] for b in env.buildings]
        assert np.array_equal(net[-1], expected)


def run_year(folder: Path, buildings: Any, window: tuple[int, int], seed: int) -> dict[str, float]:
    env = make_citylearn_env(folder, buildings=buildings, window=window)
    description = CommunityDescription.read(env, community_features(env))
    return compare(env, description, scripted("mixed", description.features, window[1] - window[0], seed))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "window"),
    [
        (TANKS, (0, 8759)),
        (YEARS, (8760, 17519)),
        (HOMES, (0, 8759)),
        (VEHICLES, (0, 8759)),
        (LSTM, (0, 719)),
        (OUTAGES, (0, 2207)),
    ],
)
def test_all_buildings_are_equal_for_a_whole_year_or_episode(
    name: str, window: tuple[int, int], folders: dict[str, Path]
) -> None:
    found = run_year(folders[name], None, window, 7)
    print(name, {quantity: error for quantity, error in found.items() if error} or "all errors are 0.0")
    assert not differing(found, TOLERANCE)
