"""Memory in training, where episodes start anywhere: what ``Memory`` would show if it had followed the data until there."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.env.memory_table import BLOCK, memory_table
from rllib_citylearn.env.net_memory import NetMemory
from tests.unit.test_memory import community, recorded

NET = 2
"""Of ``QUANTITIES``."""


def written(memory: Memory, features: CommunityFeatures) -> np.ndarray:
    observations = np.zeros((1, len(features.agents), len(features.columns)), np.float32)
    memory.write(observations)
    return observations[0, :, -len(features.memory) :]


def mean_of(features: CommunityFeatures) -> int:
    return features.memory.index("net_electricity_consumption_mean_24h")


@pytest.mark.parametrize("names", [("Building_1", "Building_2", "Building_3"), ("Building_2",), ("Building_3",)])
@pytest.mark.parametrize("hours", [1, 17, 24, BLOCK + 30])
def test_every_row_of_the_table_is_what_memory_writes(names: tuple[str, ...], hours: int) -> None:
    """To the last bit, since both engines, evaluation and serving have to show the same."""
    features, values = community(names), recorded(hours, names)
    values[3:4] = 0.00005  # halves are rounded alike
    values[5:6, :, 0] = 1e9
    table = memory_table(features, values)
    memory = Memory(features)
    for row, measured in zip(table, values, strict=True):
        memory.update(measured[None])
        wanted = written(memory, features)
        if "net_electricity_consumption_mean_24h" in features.memory:
            wanted[:, mean_of(features)] = 0.0
        assert np.array_equal(row, wanted)


def shown(net_memory: NetMemory, features: CommunityFeatures, communities: int) -> np.ndarray:
    """The mean's column ``[E, N]``; all others stay as they are."""
    observations = np.full((communities, len(features.agents), len(features.columns)), 0.25, np.float32)
    net_memory.write(observations)
    column = len(features.columns) - len(features.memory) + mean_of(features)
    assert (np.delete(observations, column, 2) == 0.25).all()
    return observations[:, :, column]


def test_net_loads_are_remembered_as_memory_does() -> None:
    """Episodes start in the first row, on the first day and later, beside others that go on."""
    features, random = community(), np.random.default_rng(5)
    reference, first = random.uniform(-3, 6, (90, 3)), random.uniform(-3, 6, 3)
    starts = {0: {0: 0, 1: 7, 2: 50}, 9: {1: 30}, 12: {0: 0}, 40: {0: 23, 2: 24}}
    ours, alone = NetMemory(features, reference, 3), [Memory(features) for _ in range(3)]
    histories: list[list[np.ndarray]] = [[], [], []]

    def note(e: int, net: np.ndarray) -> None:
        measured = np.zeros((1, 3, 4))
        measured[0, :, NET] = net * [1, 0, 1]  # the second building has no meter
        alone[e].update(measured)
        histories[e].append(measured[0, :, NET])

    for t in range(60):
        if t:
            net = random.uniform(-4, 4, (3, 3)).astype(np.float32)
            ours.update(net)
            for e in range(3):
                note(e, net[e])
        for e, row in starts.get(t, {}).items():
            ours.start(np.array([e]), np.array([row]), first[None])
            alone[e], histories[e] = Memory(features), []
            for before in [first if row == 0 else reference[0], *reference[:row]]:
                note(e, before)
        for e, values in enumerate(shown(ours, features, 3)):
            assert np.array_equal(values, written(alone[e], features)[:, mean_of(features)]), (t, e)
            lived = np.concatenate([np.zeros((24, 3)), histories[e]])[-24:]
            np.testing.assert_allclose(ours.history_kwh()[e], lived, atol=5.1e-5)
