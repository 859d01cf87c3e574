"""The table of addresses that kernels work on: what it refuses, and that copies have memory of their own."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import community_features, make_citylearn_env
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.kernels.memory import FIELDS, SIZES, Memory


@pytest.fixture(scope="module")
def description(challenge_2022: Path) -> CommunityDescription:
    env = make_citylearn_env(challenge_2022, buildings=["Building_1", "Building_2"], window=(0, 60))
    return CommunityDescription.read(env, community_features(env))


def steps(community: FastCommunity, count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array([community.step(random.uniform(-1, 1, (2, 2, 1))).copy() for _ in range(count)])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda community: pickle.loads(pickle.dumps(community))])
def test_a_copy_goes_on_alone(description: CommunityDescription, duplicate: Any) -> None:
    community = FastCommunity(description, 2)
    steps(community, 5)
    other = duplicate(community)
    before = other.observations.copy()
    expected = steps(community, 5, seed=1)
    assert np.array_equal(other.observations, before), "stepping the original moved its copy"
    assert np.array_equal(steps(other, 5, seed=1), expected)
    assert np.array_equal(other.net_kwh, community.net_kwh)


def arrays() -> tuple[dict[str, int], dict[str, np.ndarray]]:
    sizes = dict.fromkeys(SIZES, 2)
    return sizes, {
        name: np.zeros([sizes[extent] if isinstance(extent, str) else extent for extent in shape], kind)
        for name, (kind, shape) in FIELDS.items()
    }


@pytest.mark.parametrize(
    "spoil",
    [lambda a: a.astype(np.float64), lambda a: a[:1], lambda a: a.T.copy().T, lambda a: a[..., None]],
    ids=["type", "shape", "layout", "axes"],
)
def test_an_array_of_another_type_shape_or_layout_never_reaches_a_kernel(spoil: Any) -> None:
    sizes, given = arrays()
    Memory(sizes, given)
    given["battery_soc"] = spoil(given["battery_soc"])
    with pytest.raises(TypeError, match="battery_soc"):
        Memory(sizes, given)
