"""The fast engine against CityLearn with devices that no official data set has: equal to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator import CommunityDescription
from tests.parity.engine import Replay, compare, differing, errors, record, scripted
from tests.parity.engine_devices import cut_the_grid, randomise, with_heat_pumps, with_heating

TOLERANCE = {"temperature": 2e-5}
HOURS = 110


@pytest.fixture(scope="module")
def folders(shared_datasets: Path, ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tanks = shared_datasets / "citylearn_challenge_2020_climate_zone_1"
    return {
        "homes": shared_datasets / "citylearn_challenge_2022_phase_all",
        "vehicles": ev_data,
        "tanks": shared_datasets / "citylearn_challenge_2021",
        "heating": with_heating(tanks, tmp_path_factory.mktemp("heating"), ["Building_1", "Building_4"]),
        "LSTM": shared_datasets / "citylearn_challenge_2023_phase_1",
    }


BUILDINGS = {
    "homes": ("Building_3", "Building_9"),
    "vehicles": ("Building_1", "Building_10", "Building_12"),
    "tanks": ("Building_1", "Building_3"),
    "heating": ("Building_1", "Building_4"),
    "LSTM": ("Building_1", "Building_2"),
}


def environment(folders: dict[str, Path], name: str, seed: int, hours: int = HOURS) -> Any:
    start = int(np.random.default_rng(seed).integers(0, 500))
    window = (start, start + hours)
    return make_citylearn_env(folders[name], buildings=BUILDINGS[name], window=window, random_seed=seed)


def read(env: Any) -> CommunityDescription:
    return CommunityDescription.read(env, community_features(env))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BUILDINGS)
def test_random_devices_are_equal(name: str, seed: int, folders: dict[str, Path]) -> None:
    env = environment(folders, name, seed)
    randomise(env, seed)
    description = read(env)
    actions = scripted("mixed", description.features, HOURS, seed)
    assert not differing(compare(env, description, actions), TOLERANCE)


@pytest.mark.parametrize("seed", [1, 21])
@pytest.mark.parametrize("name", ["homes", "tanks", "heating", "LSTM"])
def test_random_devices_are_equal_while_the_grid_fails_now_and_then(name: str, seed: int, folders: dict[str, Path]) -> None:
    env = environment(folders, name, seed)
    randomise(env, seed)
    cut_the_grid(env, seed)
    description = read(env)
    actions = scripted("mixed", description.features, HOURS, seed)
    expected = record(env, description.features, actions)
    outage = description.tables.outage
    assert outage is not None
    assert 0.2 < outage.mean() < 0.8
    assert not expected["net"][outage[:HOURS] != 0].any()
    assert not differing(errors(expected, Replay(description).run(actions, e=1)), TOLERANCE)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
def test_tanks_that_give_heat_in_the_first_hour_are_equal(share: float, folders: dict[str, Path]) -> None:
    summer_afternoon = 24 * 190 + 15
    window = (summer_afternoon, summer_afternoon + HOURS)
    env = make_citylearn_env(folders["tanks"], buildings=BUILDINGS["tanks"], window=window)
    for building in env.buildings:
        for tank in (building.cooling_storage, building.dhw_storage):
            tank.initial_soc = 0.7 if tank.capacity else 0.0
    description = read(env)
    actions = scripted("random", description.features, HOURS, 3)
    actions[0] = -share
    expected = record(env, description.features, actions)
    assert (expected["tank energy"][0, :, 0] < 0.0).all()
    assert not differing(errors(expected, Replay(description).run(actions)))


@pytest.mark.parametrize("action", ["heating_device", "cooling_or_heating_device"])
def test_heat_pumps_that_are_controlled_are_equal(action: str, shared_datasets: Path, tmp_path: Path) -> None:
    folder = with_heat_pumps(shared_datasets / "citylearn_challenge_2023_phase_1", tmp_path, action)
    env = make_citylearn_env(folder, buildings=BUILDINGS["LSTM"], window=(0, HOURS))
    description = read(env)
    expected = record(env, description.features, actions := scripted("random", description.features, HOURS, 1))
    assert expected["demand"][:, :, 1].any(), "nothing was heated"
    assert not differing(errors(expected, Replay(description).run(actions)), TOLERANCE)


def battery(**values: Any) -> Callable[[Any], None]:
    def change(env: Any) -> None:
        for name, value in values.items():
            setattr(env.buildings[0].electrical_storage, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(battery(capacity=0.0), id="no battery"),
        pytest.param(battery(nominal_power=0.0), id="no power"),
        pytest.param(battery(depth_of_discharge=0.0), id="nothing may be used"),
        pytest.param(battery(capacity_loss_coefficient=1.0), id="worn out at once"),
        pytest.param(battery(loss_coefficient=1.0), id="loses everything"),
        pytest.param(battery(initial_soc=1.0, loss_coefficient=0.5), id="begins full"),
        pytest.param(battery(capacity_power_curve=[[0, 1], [1, 1]], power_efficiency_curve=[[0, 1], [1, 1]]), id="whole"),
        pytest.param(battery(capacity_power_curve=[[0.0, 1.0], [0.5, 1.0], [0.5, 0.4], [1.0, 0.2]]), id="a step"),
        pytest.param(battery(capacity_power_curve=[[0.0, 0.0], [1.0, 0.0]]), id="no usable power"),
    ],
)
def test_batteries_at_the_edge_are_equal(change: Callable[[Any], None], folders: dict[str, Path]) -> None:
    env = environment(folders, "homes", 1)
    change(env)
    description = read(env)
    assert not differing(compare(env, description, scripted("mixed", description.features, HOURS)))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "device", "quantity"),
    [
        ("homes", "electrical_storage", "capacity"),
        ("homes", "electrical_storage", "nominal_power"),
        ("tanks", "cooling_storage", "capacity"),
        ("tanks", "dhw_storage", "capacity"),
        ("tanks", "cooling_device", "nominal_power"),
        ("tanks", "dhw_device", "nominal_power"),
        ("LSTM", "cooling_device", "nominal_power"),
        ("LSTM", "dhw_device", "nominal_power"),
        ("LSTM", "dhw_storage", "capacity"),
    ],
)
def test_sizes_that_are_numpy_numbers_are_simulated_exactly_or_refused(
    name: str, device: str, quantity: str, kind: Any, folders: dict[str, Path]
) -> None:
    # CityLearn's arithmetic is rounded in another way if a size is no Python float, and its autosizing makes such sizes.
    env = environment(folders, name, 2)
    for building in env.buildings:
        sized = getattr(building, device)
        setattr(sized, quantity, kind(1.05 * getattr(sized, quantity)))
    try:
        description = read(env)
    except EngineError as error:
        assert env.buildings[0].name in str(error)  # noqa: PT017 - a refusal is one of two right outcomes
        return
    actions = scripted("mixed", description.features, HOURS, 2)
    assert not differing(compare(env, description, actions), TOLERANCE)
