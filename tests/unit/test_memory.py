"""Memory features against their definitions, computed from the whole recorded history, and their journey as text."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.feature_table import FEATURES
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.measurements import QUANTITIES, Measurements, memory_names, memory_ranges
from rllib_citylearn.env.memory import RATE, YESTERDAY, Memory
from rllib_citylearn.env.memory_format import OtherMemoryError
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
        together.from_text(alone[e].to_text(), e)
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
    text = stays.to_text()
    for row in values[hours:]:
        stays.update(row[None])
        travels = Memory(features, 2)
        travels.from_text(text, 1)
        travels.update(np.stack([np.ones_like(row), row]))
        assert np.array_equal(travels.features()[1:], stays.features())
        text = travels.to_text(1)
        assert text == stays.to_text()


def test_numbers_of_any_size_travel() -> None:
    """Up to the largest that is kept, which needs more than 32 bits."""
    for load in (1e-4, 2e5, 3e5, 1e6, -1e300):
        stays, travels = Memory(community()), Memory(community())
        stays.update(np.full((1, 3, 4), load) * [1, -1, 1, 1])
        travels.from_text(stays.to_text())
        assert np.array_equal(travels.features(), stays.features())


def test_what_has_no_use_does_not_travel() -> None:
    """A day of one number an hour, of four bytes, in base64."""
    memory = Memory(community(("Building_3",)))
    for _ in range(30):
        memory.update(np.ones((1, 1, 4)))
    assert len(memory.to_text()) < (24 * 4 + 20) * 4 / 3


def remembered(hours: int = 3) -> Memory:
    memory = Memory(community())
    for row in recorded(hours):
        memory.update(row[None])
    return memory


@pytest.mark.parametrize("content", [5, None, True, [], {}, "", "AAAA", "\u20ac", "not base64!", "A" * 3, "A" * 100_000])
def test_what_is_no_memory_is_refused(content: Any) -> None:
    memory = remembered()
    before = memory.to_text()
    with pytest.raises(FeatureError, match=r"state is not what the last answer gave; send that back unchanged"):
        memory.from_text(content, name="state")
    assert memory.to_text() == before


def test_a_memory_that_was_changed_anywhere_is_refused() -> None:
    """Every bit of the text, and every length that is shorter."""
    memory = remembered(1)
    before = memory.to_text()
    raw = base64.b64decode(before)
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(FeatureError):
            memory.from_text(base64.b64encode(bytes(changed)).decode())
    for length in range(0, len(before), 4):
        with pytest.raises(FeatureError):
            memory.from_text(before[:length])
    assert memory.to_text() == before


def forged(text: str, place: int, value: bytes) -> str:
    """The text with some bytes replaced and the checksum made to fit."""
    body = bytearray(base64.b64decode(text)[:-4])
    body[place : place + len(value)] = value
    return base64.b64encode(bytes(body) + zlib.crc32(body).to_bytes(4, "little")).decode()


def test_what_was_forged_to_fit_its_checksum_is_refused() -> None:
    """Numbers beyond the largest, and hours or widths that the length does not bear out."""
    memory = Memory(community())
    memory.update(np.full((1, 3, 4), 1e6) * [1, -1, 1, 1])
    text = memory.to_text()
    for place, value in ((9, b"\0"), (9, b"\2"), (9, b"\xff"), (10, b"\4"), (10, b"\0"), (11, b"\xff" * 7 + b"\x7f")):
        with pytest.raises(FeatureError, match="is not what the last answer gave"):
            memory.from_text(forged(text, place, value))
    assert memory.to_text() == text


def test_a_memory_of_others_is_told_from_a_damaged_one() -> None:
    """So that a server can begin afresh with a policy that remembers other things, and refuse what makes no sense."""
    order = ("Building_3", "Building_1", "Building_2")
    for names in (order, ("Building_1",), ("Building_3",)):
        memory = Memory(community(names))
        memory.update(np.ones((1, len(names), 4)))
        with pytest.raises(OtherMemoryError, match="of other buildings, or was given by a policy that remembers other"):
            remembered().from_text(memory.to_text())
    with pytest.raises(OtherMemoryError):
        remembered().from_text(forged(remembered().to_text(), 0, b"\2"))


@pytest.mark.parametrize("hours", [1, 10, 24, 40])
def test_of_a_silent_building_is_taken_down_what_was_to_be_expected(hours: int) -> None:
    features, values = community(), recorded(hours + 1)
    memory, told = Memory(features), Memory(features)
    for row in values[:hours]:
        memory.update(row[None])
        told.update(row[None])
    seen = as_arrays(memory.features()[0], features)
    expected_row = values[hours].copy()
    expected_row[0] = [
        seen["base_load_predicted_1h"][0],
        0.0,
        seen["net_electricity_consumption_mean_24h"][0],
        values[hours, 1:, 3].mean(),
    ]
    memory.update(np.where(np.arange(3)[:, None] == 0, 7.7, values[hours])[None], np.array([[False, True, True]]))
    told.update(expected_row[None])
    assert np.allclose(memory.features(), told.features(), atol=3e-4)


def test_silence_of_one_changes_nothing_for_the_others() -> None:
    """But for the carbon intensity, which is the same for all."""
    features, values = community(), recorded(30)
    whole, parts = Memory(features, 2), Memory(features, 2)
    for t, row in enumerate(values):
        whole.update(np.stack([row, row]))
        parts.update(np.stack([row, row]), np.array([[True, t % 3 > 0, True], [True, True, True]]))
    assert np.array_equal(whole.features()[0, [0, 2]], parts.features()[0, [0, 2]])
    assert np.array_equal(whole.features()[1], parts.features()[1])
    assert not np.array_equal(whole.features()[0, 1], parts.features()[0, 1])
