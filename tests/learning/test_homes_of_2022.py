"""Learning on the 17 homes of the CityLearn Challenge 2022, scored over the whole year by CityLearn's own ``evaluate()``.

In-sample: the policies are trained on the buildings and the year that they are scored on. Figures to beat: MPC with naive
forecasts 0.7505, by 0.005 and more from the net-zero rule's 0.7824, and the rule BusinessAsUsual 0.798 from the level rule's
0.819.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rllib_citylearn.algorithm.preset import Preset
from tests.trained import PRESETS, trained_report

BUSINESS_AS_USUAL, BELOW_NAIVE_MPC, NEAR_PERFECT_MPC = 0.798, 0.745, 0.715

pytestmark = pytest.mark.slow


def score(preset: str, seed: int, shared_datasets: Path, runs: Path) -> tuple[float, int]:
    """Train as a user would; the policy's score and the gradient steps behind it."""
    report = trained_report(preset, seed, shared_datasets / "citylearn_challenge_2022_phase_all", runs)
    policy = next(one for one in report["communities"][0]["contenders"] if one["policy"] == "policy")
    return policy["score"], report["training"]["updates_of_the_policy"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quick_beats_mpc_with_naive_forecasts_within_five_minutes(seed, shared_datasets, tmp_path):
    assert Preset.read(PRESETS / "quick.yaml").stop.minutes <= 5.0
    reached, updates = score("quick", seed, shared_datasets, tmp_path)
    assert updates > 0
    assert reached <= BELOW_NAIVE_MPC


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_full_comes_near_mpc_that_knows_the_next_day(seed, shared_datasets, tmp_path):
    reached, updates = score("full", seed, shared_datasets, tmp_path)
    assert updates > 0
    assert reached <= NEAR_PERFECT_MPC


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classic_maddpg_beats_business_as_usual_within_fifteen_minutes(seed, shared_datasets, tmp_path):
    assert Preset.read(PRESETS / "classic.yaml").stop.minutes <= 15.0
    reached, updates = score("classic", seed, shared_datasets, tmp_path)
    assert updates > 0
    assert reached < BUSINESS_AS_USUAL
