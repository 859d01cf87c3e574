"""What planners think storage takes, against the engine that has the last word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.baselines.planning.reading import read_storages
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.simulator import CommunityDescription, FastCommunity


def described(folder: Path, window: tuple[int, int], buildings: tuple[str, ...] | None = None) -> CommunityDescription:
    env = make_citylearn_env(folder, buildings=buildings, window=window)
    env.reset()
    leave_devices_to_thermostats(env)
    return CommunityDescription.read(env, community_features(env))


def stored_kwh(community: FastCommunity, tables: StorageTables) -> np.ndarray:
    """What storages hold at the end of the last hour, from the engine's own arrays."""
    parameters, row = community.description.parameters, int(community.clock[0]) - 1
    values = []
    for storage in tables.storages:
        if storage.kind == "battery":
            (n,) = storage.place
            values.append(community.battery_soc[0, n] * parameters.batteries.capacity[n])
        elif storage.kind == "tank":
            n, u = storage.place
            values.append(community.tank_soc[0, n, u] * parameters.tanks.capacity[n, u])
        else:
            vehicle = community.description.tables.presence.connected[row, storage.place[0]]
            soc = community.vehicle_soc[0, vehicle] if vehicle >= 0 else np.nan
            values.append(soc * parameters.vehicles.capacity[vehicle])
    return np.array(values, float)


@pytest.mark.parametrize("data", ["batteries", "vehicles", "tanks"])
def test_what_is_drawn_for_a_change_makes_that_change_in_the_engine(
    request: pytest.FixtureRequest, shared_datasets: Path, data: str
) -> None:
    if data == "batteries":
        description = described(request.getfixturevalue("challenge_2022"), (0, 200), ("Building_1", "Building_7"))
    elif data == "vehicles":
        description = described(request.getfixturevalue("ev_data"), (0, 200))
    else:
        description = described(shared_datasets / "citylearn_challenge_2023_phase_1", (0, 200))
    tables = read_storages(description)
    kind = {"batteries": "battery", "vehicles": "charger", "tanks": "tank"}[data]
    community, random = FastCommunity(description), np.random.default_rng(3)
    # Where nothing is stored yet the first hour differs; start once CityLearn's first-hour corrections are over.
    actions = np.zeros((1, *description.features.action_mask.shape))
    community.step_physical(actions)
    checked = 0
    for row in range(1, 150):
        before = stored_kwh(community, tables)
        wanted = np.full(len(tables), np.nan)
        actions[:] = 0.0
        for u, storage in enumerate(tables.storages):
            if storage.kind != kind or not tables.available[row, u]:
                continue
            goes_on = np.isnan(tables.begins_kwh[row, u])
            held = before[u] * storage.keeps if goes_on else tables.begins_kwh[row, u]
            capacity = tables.capacity_kwh[row, u]
            target = random.uniform(max(0.15 * capacity, tables.floor_kwh[row, u]), 0.7 * capacity)
            conversion = tables.conversions[tables.conversion[row, u]]
            drawn = conversion.drawn_for(target - held)
            if not -tables.most_out_kwh[row, u] < drawn < tables.most_in_kwh[row, u] or abs(drawn) < 0.05:
                continue
            if abs(drawn) < max(storage.least_kwh) or abs(drawn) > 0.9 * max(conversion.usable_kwh):
                continue
            wanted[u] = target
            actions[0, storage.building, storage.action] = storage.action_for(drawn)
        community.step_physical(actions)
        after = stored_kwh(community, tables)
        here = ~np.isnan(wanted)
        checked += int(here.sum())
        # Tables of a few hundred points against the curves themselves.
        np.testing.assert_allclose(after[here], wanted[here], atol=2e-3 * tables.capacity_kwh[row][here].max(initial=1.0))
    assert checked > 100


def test_a_vehicle_that_must_be_charged_is_asked_for_just_enough() -> None:
    from rllib_citylearn.baselines.planning.stays import must_hold_kwh

    required = np.array([np.nan, np.nan, np.nan, 20.0, np.nan, np.nan])
    begins = np.array([5.0, np.nan, np.nan, np.nan, np.nan, np.nan])
    there, hourly = np.array([True, True, True, True, False, False]), np.full(6, 6.0)
    # 20 at the end of row 3, so 14, 8 and 2 at the ends of the rows before.
    np.testing.assert_allclose(must_hold_kwh(required, begins, there, hourly)[:4], [2.0, 8.0, 14.0, 20.0])
    # With half the power it has to be more earlier, also where that can't be reached.
    np.testing.assert_allclose(must_hold_kwh(required, begins, there, hourly / 2)[:4], [11.0, 14.0, 17.0, 20.0])
    assert np.isneginf(must_hold_kwh(required, begins, there, hourly)[4:]).all()


FREE = -np.inf
"""What has to be drawn where nothing has to be."""


@pytest.mark.parametrize(
    ("drawn", "least", "needed", "action"),
    [
        (2.0, 0.0, FREE, 0.5),
        (9.0, 0.0, FREE, 1.0),
        (-1.0, 0.0, FREE, -0.5),
        (0.6, 1.0, FREE, 0.25),
        (0.4, 1.0, FREE, 0.0),
        (-0.9, 1.0, FREE, 0.0),
        (-1.5, 0.0, -1.0, -0.5),
        (-1.5, 1.2, -1.0, 0.0),
        (-1.0, 0.0, 0.2, 0.05),
        (0.0, 1.0, 0.2, 0.25),
        (0.0, 0.0, 8.0, 1.0),
    ],
)
def test_energies_become_actions_that_devices_can_do(drawn: float, least: float, needed: float, action: float) -> None:
    from rllib_citylearn.baselines.planning.storages import Storage

    storage = Storage(0, 0, (4.0, 2.0), (least, least), "charger", (0,), 1.0)
    assert storage.action_for(drawn, at_least_kwh=needed) == pytest.approx(action)
