"""A community's results don't depend on what else is in the batch, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from tests.parity.engine import Replay, Run, described, scripted

HOURS = 60


@pytest.fixture(scope="module", params=["tanks", "vehicles", "outages"])
def description(request: pytest.FixtureRequest, shared_datasets: Path, ev_data: Path) -> CommunityDescription:
    folder = {
        "tanks": shared_datasets / "citylearn_challenge_2020_climate_zone_1",
        "vehicles": ev_data,
        "outages": shared_datasets / "citylearn_challenge_2023_phase_3_1",
    }[request.param]
    return described(folder, ("Building_1", "Building_4"), (0, 239))[1]


@pytest.fixture(scope="module")
def alone(description: CommunityDescription) -> Run:
    return Replay(description, 1).run(scripted("mixed", description.features, HOURS), row=50, seed=9)


def equal(one: Run, other: Run) -> bool:
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


@pytest.mark.parametrize(("communities", "e"), [(2, 0), (2, 1), (7, 3), (64, 0), (64, 63)])
def test_a_community_is_the_same_alone_and_among_others(
    communities: int, e: int, description: CommunityDescription, alone: Run
) -> None:
    actions = scripted("mixed", description.features, HOURS)
    # The others start elsewhere, act otherwise, and one of them is started again every third hour.
    found = Replay(description, communities).run(actions, e=e, row=50, seed=9, disturb=3)
    assert equal(found, alone)


def test_a_community_is_the_same_however_often_it_was_started_before(description: CommunityDescription, alone: Run) -> None:
    replay = Replay(description, 3)
    replay.run(scripted("bang-bang", description.features, 30), e=1, row=7, seed=1, disturb=2)
    assert equal(replay.run(scripted("mixed", description.features, HOURS), e=1, row=50, seed=9), alone)


def test_starting_one_community_again_leaves_the_others_as_they_are(description: CommunityDescription) -> None:
    community = FastCommunity(description, 3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        community.step(rng.uniform(-1, 1, (3, len(description.parameters), len(description.features.actions))))
    before = {name: np.array(values) for name, values in vars(community).items() if isinstance(values, np.ndarray)}
    community.reset([1], 100)
    assert community.clock[1] == 100
    for name, values in before.items():
        if not name.startswith("_") and values.shape[:1] == (3,):
            assert np.array_equal(getattr(community, name)[[0, 2]], values[[0, 2]], equal_nan=True), name


def test_equal_communities_have_equal_results(description: CommunityDescription) -> None:
    community = FastCommunity(description, 5)
    community.reset(rows=20, seeds=3)
    for joint in scripted("mixed", description.features, 40):
        community.step_physical(np.stack([joint] * 5))
        for values in (community.observations, community.net_kwh, community.battery_soc, community.vehicle_soc):
            assert (values == values[:1]).all()


def test_the_order_in_which_communities_are_started_makes_no_difference(description: CommunityDescription) -> None:
    rows, seeds = np.array([3, 90, 41, 17]), np.array([5, 6, 7, 8])
    together, one_by_one = FastCommunity(description, 4), FastCommunity(description, 4)
    together.reset(rows=rows, seeds=seeds)
    for e in (2, 0, 3, 1):
        one_by_one.reset([e], rows[e], seeds=seeds[e])
    rng = np.random.default_rng(0)
    for _ in range(30):
        actions = rng.uniform(-1, 1, (4, len(description.parameters), len(description.features.actions)))
        assert np.array_equal(together.step(actions), one_by_one.step(actions))
        assert np.array_equal(together.net_kwh, one_by_one.net_kwh)
