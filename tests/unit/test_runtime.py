"""The runtime gives a policy's actions in CityLearn's units and refuses observations that don't fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export import PolicyRuntime, read_bundle
from tests.bundles import observations, reference_actions, write_small_bundle


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> PolicyRuntime:
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    write_small_bundle(path)
    return PolicyRuntime(read_bundle(path))


def test_actions_are_the_networks_in_the_limits_of_each_action(runtime: PolicyRuntime) -> None:
    """Against numpy, with the scaling written out a second way: centre plus half width times the network's output."""
    community = runtime.community
    for seed in range(20):
        rows = observations(community, seed)
        (joint,) = reference_actions(community, community.encode(rows)[None])
        actions = runtime.actions(rows)
        for agent, row, output in zip(community.agents, actions, joint, strict=True):
            for name, value, low, high in zip(agent.actions, row, agent.action_low, agent.action_high, strict=True):
                centre, half = (low + high) / 2, (high - low) / 2
                assert value == pytest.approx(centre + half * output[community.actions.index(name)], abs=1e-5)
                assert low <= value <= high


def test_without_hints_every_building_acts_alone(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "b", hints=False)
    runtime = PolicyRuntime(read_bundle(tmp_path / "b"))
    community = runtime.community
    rows, others = observations(community, 1), observations(community, 2)
    expected = community.decode_actions(reference_actions(community, community.encode(rows)[None], hints=False)[0])
    assert runtime.actions(rows) == [pytest.approx(row, abs=1e-5) for row in expected]
    assert runtime.actions([rows[0], *others[1:]])[0] == pytest.approx(expected[0], abs=1e-5)


def test_limits_hold_where_the_network_saturates(tmp_path: Path) -> None:
    for bias in (-50.0, 50.0):
        write_small_bundle(tmp_path / "b", bias=bias)
        runtime = PolicyRuntime(read_bundle(tmp_path / "b"))
        actions = runtime.actions(runtime.example())
        limits = [agent.action_high if bias > 0 else agent.action_low for agent in runtime.community.agents]
        assert actions == [pytest.approx(limit) for limit in limits]
        for agent, row in zip(runtime.community.agents, actions, strict=True):
            assert all(lo <= x <= hi for x, lo, hi in zip(row, agent.action_low, agent.action_high, strict=True))


def test_a_batch_equals_its_parts(runtime: PolicyRuntime) -> None:
    batch = [observations(runtime.community, seed) for seed in range(7)]
    together = runtime.batch_actions(batch)
    apart = [runtime.actions(rows) for rows in batch]
    for one, other in zip(together, apart, strict=True):
        assert [pytest.approx(row, abs=1e-6) for row in other] == one
    assert runtime.batch_actions([]) == []


def test_same_input_same_output(runtime: PolicyRuntime) -> None:
    rows = observations(runtime.community, 3)
    assert runtime.actions(rows) == runtime.actions([list(map(np.float64, row)) for row in rows])


def test_values_outside_their_range_act_like_the_bound_and_are_reported(runtime: PolicyRuntime) -> None:
    rows = observations(runtime.community, 1)
    assert runtime.clipped(rows) == []
    outside, bound = [list(row) for row in rows], [list(row) for row in rows]
    outside[1][0], bound[1][0] = 1e30, 7.5
    outside[2][1], bound[2][1] = -273.0, -30.0
    assert runtime.actions(outside) == runtime.actions(bound)
    assert runtime.clipped(outside) == [
        ("Building_2", "non_shiftable_load", 1e30),
        ("Building_10", "outdoor_dry_bulb_temperature", -273.0),
    ]


def test_rows_are_the_buildings_in_the_manifests_order(runtime: PolicyRuntime) -> None:
    assert runtime.building_names == ("Building_1", "Building_2", "Building_10")


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ((0,), [1.0, 2.0, 3.0], ["observations[0]", "Building_1", "4 numbers", "hour, day_type"]),
        ((2,), 5.0, ["observations[2]", "Building_10", "2 numbers", "outdoor_dry_bulb_temperature"]),
        ((1, 2), float("nan"), ["observations[1][2]", "Building_2", "dhw_storage_soc", "nan"]),
        ((1, 2), float("-inf"), ["observations[1][2]", "dhw_storage_soc", "-inf"]),
        ((0, 3), "full", ["observations[0][3]", "electrical_storage_soc", "'full'"]),
        ((0, 3), None, ["observations[0][3]", "electrical_storage_soc", "null"]),
        ((0, 3), True, ["observations[0][3]", "electrical_storage_soc", "True"]),
        ((0, 3), [1.0], ["observations[0][3]", "electrical_storage_soc", "list"]),
        ((0, 3), 10**400, ["observations[0][3]", "electrical_storage_soc", "too large"]),
    ],
)
def test_what_does_not_fit_is_named(runtime: PolicyRuntime, place: tuple[int, ...], value: Any, named: list[str]) -> None:
    rows: list[Any] = observations(runtime.community, 0)
    if len(place) == 1:
        rows[place[0]] = value
    else:
        rows[place[0]][place[1]] = value
    with pytest.raises(FeatureError) as caught:
        runtime.actions(rows)
    assert [part for part in named if part not in str(caught.value)] == []


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_wrong_number_of_buildings_is_named(runtime: PolicyRuntime, count: int) -> None:
    rows = (observations(runtime.community, 0) * 2)[:count]
    with pytest.raises(FeatureError, match=rf"{count} rows; expected 3, .*Building_1, Building_2, Building_10"):
        runtime.actions(rows)


def test_an_error_in_a_batch_names_its_place(runtime: PolicyRuntime) -> None:
    batch = [observations(runtime.community, seed) for seed in range(3)]
    batch[2][1][0] = float("inf")
    with pytest.raises(FeatureError, match=r"observations\[2\]\[1\]\[0\] \(Building_2, non_shiftable_load\)"):
        runtime.batch_actions(batch)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads through /proc")
def test_a_runtime_starts_no_threads(runtime: PolicyRuntime, tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/task").iterdir()))
    write_small_bundle(tmp_path / "b")
    PolicyRuntime(read_bundle(tmp_path / "b")).batch_actions([runtime.example()] * 100)
    assert len(list(Path("/proc/self/task").iterdir())) == before
