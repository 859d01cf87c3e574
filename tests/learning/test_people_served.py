"""Presets in which somebody is served: the bill is lower than a rule's, and nobody has less of what the rule gives them.

In-sample: the policies are trained on the buildings and the time that they are judged on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trained import trained_report

pytestmark = pytest.mark.slow


def judged(preset: str, seed: int, data: Path, runs: Path) -> dict[str, dict[str, Any]]:
    """Train as a user would; what the report says of every contender."""
    (community,) = trained_report(preset, seed, data, runs)["communities"]
    return {one["policy"]: one["evaluations"][0] for one in community["contenders"]}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_heat_pumps_cost_less_and_keep_the_band_better_than_rules(seed: int, shared_datasets: Path, tmp_path: Path):
    found = judged("hvac", seed, shared_datasets / "citylearn_challenge_2023_phase_1", tmp_path)
    policy = found["policy"]
    for rule in ("bau", "basic-rbc"):
        assert policy["score"] < found[rule]["score"] - 0.1
        assert policy["comfort"]["discomfort"] <= found[rule]["comfort"]["discomfort"]


@pytest.mark.parametrize("preset", ["evs", "evs-v2g"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_vehicles_leave_as_charged_as_asked_for_at_a_lower_bill(
    preset: str, seed: int, shared_datasets: Path, tmp_path: Path
):
    found = judged(preset, seed, shared_datasets / "citylearn_challenge_2022_phase_all_plus_evs", tmp_path)
    policy, rule = found["policy"], found["bau"]
    assert policy["ev"]["departures_met"] >= 0.98
    assert policy["totals"]["cost"] <= 0.9 * rule["totals"]["cost"]
    assert policy["totals"]["peak_kw"] <= rule["totals"]["peak_kw"]
