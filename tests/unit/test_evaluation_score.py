"""The score: what it does to loads and KPIs that are known."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.evaluation.score import INDEX5_WEIGHTS, SCORE_WEIGHTS, score_kpis, score_trajectory
from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

KPIS = list(INDEX5_WEIGHTS)


def trajectory_of(net: FloatArray, price: FloatArray, carbon: FloatArray) -> Trajectory:
    """A trajectory of which the score reads loads, prices and carbon only."""
    steps, buildings = net.shape
    calendar = np.ones(steps, np.int64)
    return Trajectory(
        buildings=tuple(f"Building_{n}" for n in range(buildings)),
        window=(0, steps),
        seconds_per_time_step=3600.0,
        net_electricity_consumption_kwh=net,
        no_control_net_kwh=net,
        charging_kwh=np.zeros_like(net),
        soc=np.zeros_like(net),
        actions={},
        price=price,
        carbon=carbon,
        month=calendar,
        day_type=calendar,
        hour=calendar,
    )


@pytest.fixture
def community() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loads without control, prices and carbon intensities of 3 buildings over two months and a bit."""
    rng = np.random.default_rng(1)
    shape = (1700, 3)
    return rng.normal(1.0, 2.0, shape), rng.uniform(0.1, 0.5, shape), rng.uniform(0.05, 0.3, shape)


def test_leaving_the_loads_alone_scores_one(community: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    net, price, carbon = community
    assert score_trajectory(trajectory_of(net, price, carbon), net) == pytest.approx(1.0, abs=1e-12)
    assert score_kpis(dict.fromkeys(KPIS, 1.0)).score == 1.0
    assert score_kpis(dict.fromkeys(KPIS, 1.0)).index5 == 1.0


def test_half_the_load_halves_all_but_the_load_factor(community: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    net, price, carbon = community
    expected = (0.5 + 0.5 + (0.5 + 1.0) / 2) / 3
    assert score_trajectory(trajectory_of(net / 2, price, carbon), net) == pytest.approx(expected, abs=1e-12)


def test_the_score_knows_neither_currency_nor_order_of_buildings(
    community: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    net, price, carbon = community
    controlled = np.clip(net, -2.0, 3.0)
    score = score_trajectory(trajectory_of(controlled, price, carbon), net)
    other_units = trajectory_of(controlled, 7.0 * price, 0.45 * carbon)
    assert score_trajectory(other_units, net) == pytest.approx(score, rel=1e-12)
    order = [2, 0, 1]
    shuffled = trajectory_of(controlled[:, order], price[:, order], carbon[:, order])
    assert score_trajectory(shuffled, net[:, order]) == pytest.approx(score, rel=1e-12)


def test_a_case_worked_out_by_hand() -> None:
    # Two hours, two buildings. Without control A draws 2 then 4, B exports 1 then draws 2; district 1, 6.
    reference = np.array([[2.0, -1.0], [4.0, 2.0]])
    # A moves one kWh from the second hour to the first, B leaves its load alone; district 2, 5.
    net = np.array([[3.0, -1.0], [3.0, 2.0]])
    price = np.array([[1.0, 1.0], [2.0, 2.0]])
    carbon = np.ones((2, 2))
    cost = ((3 + 6) / (2 + 8) + 1.0) / 2
    emissions = 1.0
    ramping = 3 / 5
    load_factor = (1 - 3.5 / 5) / (1 - 3.5 / 6)
    expected = (cost + emissions + (ramping + load_factor) / 2) / 3
    assert score_trajectory(trajectory_of(net, price, carbon), reference) == pytest.approx(expected, abs=1e-12)


def test_kpis_are_weighed_as_the_definition_says() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        cost, carbon, ramping, load_factor, electricity = rng.uniform(0.3, 1.5, 5)
        score = score_kpis(dict(zip(KPIS, (cost, carbon, ramping, load_factor, electricity), strict=True)))
        assert score.score == pytest.approx(np.mean([cost, carbon, np.mean([ramping, load_factor])]))
        index5 = 0.25 * cost + 0.25 * carbon + 0.2 * ramping + 0.15 * load_factor + 0.15 * electricity
        assert score.index5 == pytest.approx(index5)
        assert score.reason is None


@pytest.mark.parametrize("lost", KPIS)
@pytest.mark.parametrize("absent", [True, False])
def test_a_missing_kpi_is_said_and_never_guessed(lost: str, absent: bool) -> None:
    kpis: dict[str, float | None] = dict.fromkeys(KPIS, 0.9)
    if absent:
        del kpis[lost]
    else:
        kpis[lost] = None
    score = score_kpis(kpis)
    assert score.index5 is None
    assert (score.score is None) == (lost in SCORE_WEIGHTS)
    assert score.reason is not None
    assert lost in score.reason
