"""Memory features against their definitions, computed from the whole recorded history, and their journey as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.feature_table import FEATURES
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.measurements import QUANTITIES, Measurements, memory_names, memory_ranges
from rllib_citylearn.env.memory import RATE, YESTERDAY, Memory
from rllib_citylearn.errors import FeatureError

MEASURED = {
    "Building_1": ("hour", *QUANTITIES),
    "Building_2": ("solar_generation", "carbon_intensity", "hour"),
    "Building_3": ("net_electricity_consumption",),
}


def community(names: tuple[str, ...] = tuple(MEASURED)) -> CommunityFeatures:
    """Buildings that lack one thing or another."""
    agents = [
        AgentFeatures(name, MEASURED[name], {"pv_nominal_power": 4.0}, (), (), (), memory_names(MEASURED[name]))
        for name in names
    ]
    return CommunityFeatures(agents, memory_ranges({}))


def recorded(hours: int, names: tuple[str, ...] = tuple(MEASURED), seed: int = 0) -> np.ndarray:
    """Measurements ``[T, N, 4]`` with a daily pattern, whole tenths of watt-hours; zero where a building has no meter."""
    random = np.random.default_rng(seed)
    pattern = 3 + 2 * np.sin(2 * np.pi * np.arange(hours) / 24)[:, None, None]
    values = (pattern * random.uniform(0.3, 1.0, (hours, 3, 4))).round(4)
    values[..., 2] -= 3.0
    values[..., 3] /= 10.0
    values = values[:, [list(MEASURED).index(name) for name in names]].round(4)
    return values * Measurements(community(names)).present


def expected(history: np.ndarray) -> dict[str, np.ndarray]:
    """Every memory feature ``[N]``, from all that was measured so far, ``[t + 1, N, 4]``, hour by hour."""
    base = history[..., 0] - history[..., 1]
    day, seen = base[-24:], len(base)
    result = {
        "base_load_mean_24h": day.mean(0),
        "base_load_peak_24h": day.max(0),
        "net_electricity_consumption_mean_24h": history[-24:, :, 2].mean(0),
        "carbon_intensity_mean_24h": history[-24:, :, 3].mean(0),
    }
    for k in range(1, 25):
        same_hour = base[(seen - 1 + k) % 24 :: 24]  # of every day so far
        if not len(same_hour):
            result[f"base_load_predicted_{k}h"] = day.mean(0)
            continue
        profile = same_hour[0]
        for value in same_hour[1:]:
            profile = (1 - RATE) * profile + RATE * value
        result[f"base_load_predicted_{k}h"] = YESTERDAY * same_hour[-1] + (1 - YESTERDAY) * profile
    return result


def as_arrays(values: np.ndarray, features: CommunityFeatures) -> dict[str, np.ndarray]:
    return {name: values[..., i] for i, name in enumerate(features.memory)}


def test_every_feature_is_what_its_definition_says() -> None:
    features, values = community(), recorded(80)
    memory = Memory(features)
    for t in range(80):
        memory.update(values[None, t])
        ours = as_arrays(memory.features()[0], features)
        for name, wanted in expected(values[: t + 1]).items():
            assert np.allclose(ours[name], wanted, atol=3e-4), (t, name)


def test_columns_are_the_last_and_lie_within_the_ranges() -> None:
    features, values = community(), recorded(30)
    assert [FEATURES[name].source for name in features.memory] == ["memory"] * 28
    assert features.columns[-28:] == features.memory
    observations = np.full((1, 3, len(features.columns)), 0.25, np.float32)
    memory = Memory(features)
    for row in values:
        memory.update(row[None])
    memory.write(observations)
    assert (observations[..., :-28] == 0.25).all()
    for n, agent in enumerate(features.agents):
        for i, name in enumerate(features.memory):
            (encoded,) = features.feature(name).encode(memory.features()[0, n, i])
            wanted = encoded if name in agent.memory else 0.0
            assert observations[0, n, i - 28] == pytest.approx(wanted, abs=1e-6)
    memory.update(np.full((1, 3, 4), 1e300))
    memory.write(observations)
    assert np.abs(observations).max() <= 1.0
    assert memory.features().max() <= 2e6


def test_buildings_remember_what_they_measure() -> None:
    features = community()
    assert [len(agent.memory) for agent in features.agents] == [28, 27, 1]
    assert community(("Building_3",)).memory == ("net_electricity_consumption_mean_24h",)
    ranges = memory_ranges({"non_shiftable_load": (0, 3), "solar_generation": (0, 5), "carbon_intensity": (0, 0.3)})
    assert ranges["base_load_predicted_24h"] == ranges["base_load_peak_24h"] == (-5, 3)
    assert ranges["carbon_intensity_mean_24h"] == (0, 0.3)
    assert ranges["net_electricity_consumption_mean_24h"] == (-20, 20)


def test_measurements_are_found_by_name() -> None:
    rows = [[12, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 12], [7.0]]
    assert Measurements(community()).of(rows).tolist() == [[1, 2, 3, 4], [0, 5, 0, 6], [0, 0, 7, 0]]


def test_communities_that_begin_apart_are_as_if_alone() -> None:
    """Each request to a server brings a memory of its own age."""
    features = community()
    values = np.stack([recorded(60, seed=seed) for seed in range(3)], 1)
    lived = (3, 24, 31)
    together, alone = Memory(features, 3), [Memory(features) for _ in lived]
    for e, hours in enumerate(lived):
        for t in range(hours):
            alone[e].update(values[t, e][None])
        together.from_json(alone[e].to_json(), e)
    for row in values[31:]:
        together.update(row)
        for e in range(3):
            alone[e].update(row[e][None])
        assert np.array_equal(together.features(), np.concatenate([one.features() for one in alone]))


def test_the_order_of_the_buildings_does_not_matter() -> None:
    order = ("Building_3", "Building_1", "Building_2")
    one, other = Memory(community()), Memory(community(order))
    for row in recorded(40):
        one.update(row[None])
        other.update(row[[2, 0, 1]][None])
    assert np.array_equal(one.features()[:, [2, 0, 1]], other.features())


@pytest.mark.parametrize("hours", [1, 5, 23, 24, 70])
def test_a_memory_that_travels_loses_nothing(hours: int) -> None:
    """At every hour it is written as text and read by another, as if a different replica answered each time."""
    features, values = community(), recorded(hours + 30)
    stays = Memory(features)
    for row in values[:hours]:
        stays.update(row[None])
    text = json.dumps(stays.to_json())
    for row in values[hours:]:
        stays.update(row[None])
        travels = Memory(features, 2)
        travels.from_json(json.loads(text), 1)
        travels.update(np.stack([np.ones_like(row), row]))
        assert np.array_equal(travels.features()[1:], stays.features())
        text = json.dumps(travels.to_json(1))
        assert json.loads(text) == stays.to_json()


def test_fields_without_use_do_not_travel() -> None:
    memory = Memory(community(("Building_3",)))
    memory.update(np.ones((1, 1, 4)))
    assert memory.to_json() == {"net_electricity_consumption": [[10000]]}


def _with(field: str, value: Any) -> Any:
    return lambda content: {**content, field: value}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: 5, "memory is not an object with exactly the fields base_load, "),
        (lambda _: [], "memory is not an object"),
        (lambda content: {**content, "more": []}, "exactly the fields"),
        (lambda content: {"base_load": content["base_load"]}, "exactly the fields"),
        (_with("base_load", None), r"memory\.base_load is not a list of 3 lists"),
        (_with("base_load", [[1], [1]]), r"memory\.base_load is not a list of 3 lists"),
        (_with("base_load", [[1], 1, [1]]), r"memory\.base_load\[1\] is not a list of 1 whole"),
        (_with("base_load", [[], [], []]), r"memory\.base_load\[0\] is not a list of 1 to 24 whole"),
        (_with("base_load", [[1] * 25] * 3), r"memory\.base_load\[0\] is not a list of 1 to 24 whole"),
        (_with("carbon_intensity", [[1] * 3, [1] * 2, [1] * 3]), r"carbon_intensity\[1\] is not a list of 3 whole"),
        (_with("carbon_intensity", [[1] * 4] * 3), r"carbon_intensity\[0\] is not a list of 3 whole"),
        (_with("carbon_intensity", [[1, 2, 3.5]] * 3), r"carbon_intensity\[0\] has something else than whole numbers"),
        (_with("carbon_intensity", [[1, 2, True]] * 3), "something else than whole"),
        (_with("carbon_intensity", [[1, 2, None]] * 3), "something else than whole"),
        (_with("carbon_intensity", [[1, 2, 10**30]] * 3), "between -20000000000 and 20000000000"),
    ],
)
def test_what_is_no_memory_is_refused_by_its_place(change: Any, sentence: str) -> None:
    memory = Memory(community())
    for row in recorded(3):
        memory.update(row[None])
    before = memory.to_json()
    with pytest.raises(FeatureError, match=sentence):
        memory.from_json(change(before))
    assert memory.to_json() == before
