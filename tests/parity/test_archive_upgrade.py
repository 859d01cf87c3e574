"""The archive's data sets, upgraded, against the sets that CityLearn publishes in its current format.

The oracle is CityLearn's own data and CityLearn itself: equal schemas, equal series, equal devices, equal simulations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.datasets import check_folder
from rllib_citylearn.datasets.names import ARCHIVE_RANDOM_SEEDS
from rllib_citylearn.env import make_citylearn_env

pytest.importorskip("citylearn")

PUBLISHED = (
    "citylearn_challenge_2020_climate_zone_1",
    "citylearn_challenge_2021",
    "citylearn_challenge_2022_phase_all",
    "citylearn_challenge_2023_phase_1",
    "citylearn_challenge_2023_phase_3_1",
)
# The current sets print float32: values up to about 1,000 (W/kW, W/m2) are rounded by up to 6e-5 in one, 1e-4 in two steps.
SERIES_TOLERANCE = 1e-4


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_schema_equals_the_published_one(upgraded: Path, shared_datasets: Path, name: str) -> None:
    ours = json.loads((upgraded / name / "schema.json").read_text())
    published = json.loads((shared_datasets / name / "schema.json").read_text())
    assert ours == published
    # The order of observations is the order of what agents see.
    assert list(ours["observations"]) == list(published["observations"])
    assert list(ours["buildings"]) == list(published["buildings"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_series_equal_the_published_ones(upgraded: Path, shared_datasets: Path, name: str) -> None:
    import pandas as pd

    files = {path.name for path in (upgraded / name).iterdir()}
    assert files == {path.name for path in (shared_datasets / name).iterdir()}
    for file in sorted(files):
        ours, published = upgraded / name / file, shared_datasets / name / file
        if file.endswith(".csv"):
            left, right = pd.read_csv(ours), pd.read_csv(published)
            assert list(left) == list(right), file
            np.testing.assert_allclose(left, right, rtol=0, atol=SERIES_TOLERANCE, err_msg=file)
        elif file.endswith(".pth"):
            assert ours.read_bytes() == published.read_bytes()


def _devices(env: Any) -> dict[str, Any]:
    """Every parameter that decides the physics, as CityLearn made it, drawn ones included."""
    return {
        building.name: {
            "battery": {
                key: np.asarray(getattr(building.electrical_storage, key), float).tolist()
                for key in (
                    "capacity",
                    "nominal_power",
                    "efficiency",
                    "loss_coefficient",
                    "capacity_loss_coefficient",
                    "depth_of_discharge",
                    "initial_soc",
                    "power_efficiency_curve",
                    "capacity_power_curve",
                )
            },
            "pv": float(building.pv.nominal_power),
            "cooling": float(building.cooling_device.nominal_power),
            "dhw": float(building.dhw_device.nominal_power),
            "tanks": [float(s.capacity) for s in (building.cooling_storage, building.dhw_storage)],
            "observations": building.active_observations,
            "actions": building.active_actions,
        }
        for building in env.buildings
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_citylearn_makes_the_same_devices_and_the_same_first_day(upgraded: Path, shared_datasets: Path, name: str) -> None:
    ours = make_citylearn_env(upgraded / name, window=(0, 26))
    published = make_citylearn_env(shared_datasets / name, window=(0, 26))
    assert _devices(ours) == _devices(published)
    assert ours.observation_names == published.observation_names
    np.testing.assert_allclose(ours.reset()[0][0], published.reset()[0][0], rtol=1e-5, atol=1e-4)
    rng = np.random.default_rng(0)
    for _ in range(24):
        actions = [rng.uniform(space.low, space.high).tolist() for space in ours.action_space]
        left, right = ours.step(actions)[0], published.step(actions)[0]
        for a, b in zip(left, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("name", [name for name in ARCHIVE_RANDOM_SEEDS if name not in PUBLISHED])
def test_citylearn_runs_the_sets_without_a_published_counterpart(upgraded: Path, name: str) -> None:
    check_folder(upgraded / name)
    env = make_citylearn_env(upgraded / name, window=(0, 4))
    env.reset()
    for _ in range(3):
        observations = env.step([[0.0] * space.shape[0] for space in env.action_space])[0]
    assert all(np.isfinite(row).all() for row in observations)


@pytest.mark.parametrize("phase", ["1", "2", "3"])
def test_the_phases_of_2022_are_parts_of_the_whole(upgraded: Path, shared_datasets: Path, phase: str) -> None:
    """No published counterpart is at hand, but the phases hold the same buildings as the whole set."""
    import pandas as pd

    part = upgraded / f"citylearn_challenge_2022_phase_{phase}"
    whole = shared_datasets / "citylearn_challenge_2022_phase_all"
    ours, published = (json.loads((folder / "schema.json").read_text()) for folder in (part, whole))
    assert ours["observations"] == published["observations"]
    assert ours["random_seed"] == published["random_seed"]
    for name, building in ours["buildings"].items():
        assert building == published["buildings"][name]
        for file in (building["energy_simulation"], building["weather"], building["pricing"]):
            left, right = pd.read_csv(part / file), pd.read_csv(whole / file)
            assert list(left) == list(right), file
            np.testing.assert_allclose(left, right, rtol=0, atol=SERIES_TOLERANCE, err_msg=file)


def test_the_devices_of_baeda_are_as_large_as_citylearn_2_made_them(upgraded: Path) -> None:
    """Sizes of the cooling device, its tank, the hot-water tank and the panels, as CityLearn 2.1.2 found them."""
    env = make_citylearn_env(upgraded / "baeda_3dem", window=(0, 4))
    sizes = [
        [b.cooling_device.nominal_power, b.cooling_storage.capacity, b.dhw_storage.capacity, b.pv.nominal_power]
        for b in env.buildings
    ]
    expected = [
        [7.5758276, 52.638954, 0.0, 0.0],
        [34.96469, 224.60635, 6.316494, 0.0],
        [20.821608, 162.45221, 49.11, 0.0],
        [69.57748, 505.13245, 12.689635, 120],
    ]
    np.testing.assert_allclose(np.array(sizes, float), expected, rtol=1e-6)
