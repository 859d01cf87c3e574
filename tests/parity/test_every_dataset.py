"""Every data set of the archive, and the official one with vehicles: it can be used, and both engines agree on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.every_dataset import Outcome, outcome, page
from rllib_citylearn.datasets import resolve
from rllib_citylearn.datasets.names import ARCHIVE_RANDOM_SEEDS
from tests.ev_data import NAME as VEHICLES

TEMPERATURE_TOLERANCE = 1e-4
"""Of encoded observations, rewards and KPIs where an LSTM, which the engine sums in another order, decides the load."""

ONLY_CITYLEARN = {"baeda_3dem": "cooling_device whose power is a number of numpy's"}
"""Data sets that the fast engine refuses, with what it says."""

OUT_OF_RANGE = {
    "baeda_3dem": {"occupant_count"},
    **{f"citylearn_challenge_2023_phase_3_{part}": {"cooling_demand"} for part in (1, 2, 3)},
}
"""Features whose values leave the table's range: offices with hundreds of people, where it expects homes, and devices that
make more cold than the data ever asks for."""


def check(found: Outcome) -> None:
    assert found.outside == ()
    assert set(found.clipped) == OUT_OF_RANGE.get(found.name, set())
    assert found.kpis >= 10
    if found.name in ONLY_CITYLEARN:
        assert found.refusal is not None
        assert ONLY_CITYLEARN[found.name] in found.refusal
        return
    assert found.refusal is None
    tolerance = TEMPERATURE_TOLERANCE if "LSTM" in found.devices else 0.0
    gaps = {"observations": found.observation_gap, "reward": found.reward_gap, "KPIs": found.kpi_gap}
    assert all(gap is not None and gap <= tolerance for gap in gaps.values()), gaps


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHIVE_RANDOM_SEEDS)
def test_a_data_set_of_the_archive_can_be_used(name: str, upgraded: Path) -> None:
    source = resolve(upgraded / name)
    found = outcome(source.folder, name)
    check(found)
    assert f"`{name}`" in page([found], [])


@pytest.mark.slow
def test_the_official_data_set_with_vehicles_can_be_used(
    shared_datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYLEARN_LOCAL_DATASETS_PATH", str(shared_datasets))
    source = resolve(VEHICLES, cache=tmp_path)
    assert source.version == "local, upgraded"
    found = outcome(source.folder, VEHICLES)
    check(found)
    assert "appliances (1)" in found.devices
