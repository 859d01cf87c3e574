"""Policies of 5 buildings, exported as users do, on 17 of the same data and on 100 of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.measurements import Measurements
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.errors import BundleError
from rllib_citylearn.evaluation import BundleSpec, rollout
from rllib_citylearn.export import Manifest, PolicyRuntime, read_bundle, write_bundle
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.policy import Policy
from tests.networks import layout, trained_like

pytestmark = pytest.mark.slow  # exports to ONNX take most of a minute

FIVE = tuple(f"Building_{k}" for k in range(1, 6))


def exported(data: Path, folder: Path, **settings: Any) -> tuple[Policy, Path]:
    """A policy of five buildings and its bundle."""
    from rllib_citylearn.export.onnx_export import onnx_models

    community = community_features(make_citylearn_env(data, buildings=FIVE, window=(0, 10)), memory=True)
    config = CommunityModuleConfig(hidden=8, coordinator_width=8, hint_size=3, reach=0.5, **settings)
    policy = trained_like(Policy(layout(community), config))
    manifest = Manifest("five", "2026-01-31T12:00:00+00:00", community, policy.hint_size, training={}, kpis={})
    write_bundle(folder, manifest=manifest, models=onnx_models(policy, len(community.columns)))
    return policy, folder


@pytest.fixture(scope="module")
def five(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Policy, Path]:
    return exported(challenge_2022, tmp_path_factory.mktemp("bundles") / "five", rule="level")


def test_a_policy_of_five_buildings_acts_on_seventeen_with_their_descriptors(
    five: tuple[Policy, Path], challenge_2022: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, path = five
    env = make_citylearn_env(challenge_2022, window=(0, 30))
    rollout(BundleSpec(str(path)).make(), env)  # which may have to compile the engine, and says so
    capsys.readouterr()
    acted = rollout(BundleSpec(str(path)).make(), env).actions["electrical_storage"]
    assert acted.shape == (30, 17)
    here = community_features(env, read_bundle(path).manifest.community.ranges, memory=True)
    observations, _ = make_citylearn_env(challenge_2022, window=(0, 30)).reset()
    runtime = PolicyRuntime(read_bundle(path), here)
    first = [row[0] for row in runtime.actions(observations)]
    np.testing.assert_allclose(acted[0], first, atol=1e-6)
    encoded = torch.from_numpy(here.encode(observations))
    assert encoded[:, here.columns.index("pv_nominal_power")].std() > 0.01, "descriptors of their own"
    memory, joint = Memory(here), encoded.numpy()[None].copy()
    memory.update(Measurements(here).of(observations)[None])
    memory.write(joint)
    with torch.no_grad():
        np.testing.assert_allclose(policy(torch.from_numpy(joint))[0, :, 0], first, atol=1e-5)
    assert not capsys.readouterr().err, "nothing differs, so nothing is said"


def test_a_policy_of_five_buildings_acts_on_a_hundred(
    five: tuple[Policy, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_community(SyntheticSpec(buildings=100, days=2, seed=1, heat_pump_share=0.1), tmp_path / "hundred")
    env = make_citylearn_env(data, window=(0, 6))
    acted = rollout(BundleSpec(str(five[1])).make(), env)
    batteries = acted.actions["electrical_storage"]
    assert batteries.shape == (6, 100)
    with_battery = np.array([building.electrical_storage.capacity > 0 for building in env.buildings])
    assert np.isfinite(batteries[:, with_battery]).all()
    assert np.ptp(batteries[0, with_battery]) > 0.1
    said = capsys.readouterr().err
    assert "differ from those it was trained on" in said
    for name, series in acted.actions.items():
        if name != "electrical_storage":
            assert not np.nan_to_num(series).any(), f"{name} is unknown to the policy, and left as without control"


def test_graphs_take_any_number_of_buildings(five: tuple[Policy, Path]) -> None:
    policy, path = five
    observations = torch.rand(2, 257, len(read_bundle(path).manifest.community.columns)) * 2 - 1
    with torch.no_grad():
        expected = policy(observations).numpy()
    got = PolicyRuntime(read_bundle(path)).networks.policy(observations.numpy())
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_separate_actors_keep_their_number_and_say_so(challenge_2022: Path, tmp_path: Path) -> None:
    policy, path = exported(challenge_2022, tmp_path / "separate", actors="separate", coordinator="none")
    runtime = PolicyRuntime(read_bundle(path))
    assert set(read_bundle(path).models) == {"actor", "policy"}
    rows = runtime.example()
    encoded = np.stack([runtime.community.encode(rows)] * 2)
    with torch.no_grad():
        expected = policy(torch.from_numpy(encoded)).numpy()
    got = runtime.networks.policy(encoded)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    env = make_citylearn_env(challenge_2022, window=(0, 10))
    with pytest.raises(BundleError, match=r"separate actors for 5 buildings, but the community has 17"):
        rollout(BundleSpec(str(path)).make(), env)
