"""The score worked out anew, from the data set's files and the trajectory, with none of the project's code for scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.evaluation import BaselineSpec, evaluate, score_trajectory

BUILDINGS = ("Building_3", "Building_8", "Building_14")
WINDOW = (700, 2300)


def recomputed(folder: Path, net: np.ndarray) -> tuple[float, float]:
    """Score and five-KPI index of net loads ``[T, N]``, kWh, after the definitions in CityLearn's documentation."""
    rows = slice(WINDOW[0], WINDOW[0] + len(net))
    schema = json.loads((folder / "schema.json").read_text())
    price = pd.read_csv(folder / "pricing.csv").electricity_pricing.to_numpy()[rows]
    carbon = pd.read_csv(folder / "carbon_intensity.csv").carbon_intensity.to_numpy()[rows]
    idle = []
    for name in BUILDINGS:
        data = pd.read_csv(folder / f"{name}.csv").iloc[rows]
        peak_kw = schema["buildings"][name]["pv"]["attributes"]["nominal_power"]
        idle.append(data.non_shiftable_load - data.solar_generation * peak_kw / 1000.0)
    reference = np.stack(idle, 1)

    def of_buildings(rate: np.ndarray) -> float:
        bought = [pd.DataFrame(load).clip(lower=0).mul(rate, axis=0).sum() for load in (net, reference)]
        return float((bought[0] / bought[1]).mean())

    def rises(load: np.ndarray) -> float:
        return float(pd.Series(load.sum(1)).diff().clip(lower=0).sum())

    def load_factor(load: np.ndarray) -> float:
        months = pd.Series(load.sum(1)).groupby(np.arange(len(load)) // 730)
        return float((1 - months.mean() / months.max()).mean())

    cost, emissions, energy = of_buildings(price), of_buildings(carbon), of_buildings(np.ones(len(net)))
    ramping, factor = rises(net) / rises(reference), load_factor(net) / load_factor(reference)
    score = np.mean([cost, emissions, np.mean([ramping, factor])])
    return float(score), 0.25 * cost + 0.25 * emissions + 0.2 * ramping + 0.15 * factor + 0.15 * energy


@pytest.mark.parametrize("policy", ["no-control", "net-zero", "optimized-rbc"])
def test_the_score_is_what_the_definition_makes_of_the_loads(challenge_2022: Path, policy: str) -> None:
    (result,) = evaluate([BaselineSpec(policy)], challenge_2022, buildings=BUILDINGS, window=WINDOW)
    score, index5 = recomputed(challenge_2022, result.trajectory.net_electricity_consumption_kwh)
    assert result.score.score == pytest.approx(score, abs=2e-5)
    assert result.score.index5 == pytest.approx(index5, abs=2e-5)
    assert score_trajectory(result.trajectory) == pytest.approx(score, abs=2e-5)
    assert (score == pytest.approx(1.0, abs=2e-5)) == (policy == "no-control")
