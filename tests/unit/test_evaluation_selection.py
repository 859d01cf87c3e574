"""Buildings, windows and policies as they are written on a command line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.env.selection import select_buildings
from rllib_citylearn.errors import BundleError, ConfigError
from rllib_citylearn.evaluation.selection import parse_window
from rllib_citylearn.evaluation.specs import BundleSpec, spec_for

NAMES = [f"Building_{number}" for number in range(1, 18)]


def test_positions_and_ranges() -> None:
    assert select_buildings("1-5,7", NAMES) == [f"Building_{n}" for n in (1, 2, 3, 4, 5, 7)]
    assert select_buildings(" 17 , 2-2", NAMES) == ["Building_2", "Building_17"]


def test_any_way_to_write_a_set_gives_that_set_in_the_order_of_the_data() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        positions = rng.integers(1, 18, rng.integers(1, 20))
        text = ",".join(str(p) if rng.random() < 0.5 else f"{p}-{p}" for p in positions)
        assert select_buildings(text, NAMES) == [NAMES[p - 1] for p in sorted(set(positions.tolist()))]


@pytest.mark.parametrize("text", ["", "0", "18", "3-1", "1-18", "a", "1,,2", "1-", "-3", "1.5", "1;2"])
def test_ranges_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(ConfigError, match="buildings"):
        select_buildings(text, NAMES)


def test_window() -> None:
    assert parse_window("0:1439") == (0, 1439)


@pytest.mark.parametrize("text", ["", "5", "5:", ":5", "5:5", "6:5", "-1:5", "1:2:3", "a:b"])
def test_windows_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(ConfigError, match="FIRST:LAST"):
        parse_window(text)


@pytest.mark.parametrize("name", BASELINES)
def test_specs_of_baselines_travel_to_other_processes(name: str) -> None:
    spec = pickle.loads(pickle.dumps(spec_for(name)))
    assert spec == spec_for(name)
    assert spec.name == spec.make().name == name


def test_a_folder_with_a_manifest_is_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        spec_for(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    spec = spec_for(str(tmp_path))
    assert spec == BundleSpec(str(tmp_path))
    with pytest.raises(BundleError):
        spec.make()


def test_a_slip_of_the_pen_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'net-zero'"):
        spec_for("netzero")
    with pytest.raises(ConfigError, match="no-control"):
        spec_for("nowhere/to/be/found")
