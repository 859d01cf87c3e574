"""The whole-episode planner: its gradient against differences, its plans against nudges and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.baselines.planning import year
from rllib_citylearn.baselines.planning.conversion import tank_conversion
from rllib_citylearn.baselines.planning.episode_score import EpisodeScore
from rllib_citylearn.baselines.planning.score_kernel import Problem, score_and_gradient
from rllib_citylearn.baselines.planning.storages import Storage, StorageTables
from rllib_citylearn.baselines.planning.weights import PastWeights
from rllib_citylearn.baselines.planning.year import Fixed, plan_year

ROWS, STORAGES, BUILDINGS, KINDS, POINTS = 60, 4, 2, 3, 9


def problem(seed: int) -> Problem:
    """Random storages: stays that begin anew, hours without, curves with bends."""
    random = np.random.default_rng(seed)
    begins = np.full((ROWS, STORAGES), np.nan)
    begins[0] = random.uniform(1.2, 2.4, STORAGES)
    begins[[20, 41], [1, 3]] = random.uniform(1.2, 2.4, 2)
    electricity = np.where(random.random((ROWS, STORAGES)) < 0.9, random.uniform(0.3, 1.0, (ROWS, STORAGES)), 0.0)
    electricity[:, 0] = 1.0
    electricity[0] = 1.0
    for t, u in np.argwhere(electricity == 0.0):
        if t + 1 < ROWS and electricity[t + 1, u]:
            begins[t + 1, u] = random.uniform(1.2, 2.4)  # after a gap storage begins anew
    first = -random.uniform(2, 3, KINDS)
    step = random.uniform(0.6, 0.9, KINDS)
    slopes = random.uniform(0.8, 1.3, (KINDS, POINTS - 1)) * step[:, None]
    drawn = first[:, None] + np.concatenate([np.zeros((KINDS, 1)), slopes.cumsum(1)], 1)
    return Problem(
        begins=begins,
        conversion=random.integers(KINDS, size=(ROWS, STORAGES)),
        electricity=electricity,
        most_in=random.uniform(1.0, 3.0, (ROWS, STORAGES)),
        most_out=random.uniform(1.0, 3.0, (ROWS, STORAGES)),
        building=np.array([0, 1, 1, 0]),
        keeps=np.array([1.0, 0.99, 1.0, 0.95]),
        drawn=drawn,
        first=first,
        step=step,
        usable=np.full((KINDS, 5), 2.0),
        capacity=np.full(KINDS, 6.0),
        load=random.normal(1.0, 1.5, (ROWS, BUILDINGS)) + 0.5,
        imports=random.uniform(0.1, 0.5, (ROWS, BUILDINGS)),
        rise=0.7,
        month=25,
        factor=3.0,
        penalty=2.0,
        least_in=np.array([0.0, 0.8, 1.1, 0.5]),
        least_out=np.array([0.0, 0.8, 0.0, 0.6]),
        gap=0.9,
    )


def value(p: Problem, stored: np.ndarray, width: float) -> tuple[float, np.ndarray]:
    gradient = np.zeros_like(stored)
    scratch = np.zeros_like(p.load), np.zeros(ROWS), np.zeros(ROWS)
    total = score_and_gradient(p, stored, width, 2 * width, *scratch, gradient)
    return float(total), gradient


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_is_that_of_differences(seed: int) -> None:
    p, random = problem(seed), np.random.default_rng(seed + 100)
    stored = random.uniform(1.0, 3.0, (ROWS, STORAGES))
    _, gradient = value(p, stored, 0.4)
    size = 1e-6
    for t, u in zip(random.integers(ROWS, size=60), random.integers(STORAGES, size=60), strict=True):
        up, down = stored.copy(), stored.copy()
        up[t, u] += size
        down[t, u] -= size
        slope = (value(p, up, 0.4)[0] - value(p, down, 0.4)[0]) / (2 * size)
        # Curves have corners; at a random point a difference of 1e-6 does not meet one.
        assert gradient[t, u] == pytest.approx(slope, abs=2e-5)


def test_without_rounding_it_is_the_score_of_the_loads() -> None:
    p = problem(9)._replace(penalty=0.0, gap=0.0)
    # No change is larger than what the tables are for.
    stored = np.random.default_rng(1).uniform(1.5, 2.5, (ROWS, STORAGES))
    held = np.where(np.isnan(p.begins), p.keeps * np.vstack([stored[:1], stored[:-1]]), p.begins)
    net = p.load.copy()
    for u in range(STORAGES):
        for t in range(ROWS):
            if p.electricity[t, u]:
                k = p.conversion[t, u]
                x = p.first[k] + p.step[k] * np.arange(POINTS)
                change = stored[t, u] - held[t, u]
                assert x[0] < change < x[-1]
                net[t, p.building[u]] += p.electricity[t, u] * np.interp(change, x, p.drawn[k])
    district = net.sum(1)
    months = [district[a : a + 25] for a in range(0, ROWS, 25)]
    expected = (p.imports * np.maximum(net, 0)).sum() + 0.7 * np.maximum(np.diff(district), 0).sum()
    expected += 3.0 * sum(1 - month.mean() / month.max() for month in months)
    assert value(p, stored, 1e-9)[0] == pytest.approx(expected, rel=1e-6)


def charger(hours: int, least_kwh: float, required_kwh: float) -> StorageTables:
    """A charger of 4 kW that does nothing below a least, with a vehicle that comes empty and has to leave with something."""
    each = np.ones((hours, 1))
    begins, required = np.nan * each, np.nan * each
    begins[0], required[-1] = 0.0, required_kwh
    must = np.maximum(required_kwh - 4.0 * np.arange(hours)[::-1, None], 0.0)
    return StorageTables(
        storages=(Storage(0, 0, (4.0, 0.0), (least_kwh, 0.0), "charger", (0,), 1.0),),
        conversions=(tank_conversion(20.0, 1.0, 4.0, 0.0),),
        conversion=np.zeros((hours, 1), np.int64),
        available=np.ones((hours, 1), bool),
        capacity_kwh=20.0 * each,
        floor_kwh=0.0 * each,
        begins_kwh=begins,
        required_kwh=required,
        must_kwh=must,
        electricity=each,
        most_in_kwh=4.0 * each,
        most_out_kwh=0.0 * each,
    )


def test_a_plan_charges_with_the_least_power_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Twelve hours in which all that counts is one peak and two or three rises: the price has to be high to outweigh them.
    monkeypatch.setattr(year, "GAP", 3.0)
    hours, least = 12, 3.0
    load = np.random.default_rng(5).uniform(2.0, 3.0, (hours, 1))
    worth = EpisodeScore.of(load, np.ones_like(load), np.ones_like(load))
    spread, chosen = (
        np.diff(plan_year(charger(hours, kwh, 12.0), load, worth, steps=4000)[:, 0], prepend=0.0) for kwh in (0.0, least)
    )
    # Without a least power the load is levelled, which takes many small hours.
    assert ((spread > 0.05) & (spread < least - 0.05)).sum() > 6
    assert not ((chosen > 0.05) & (chosen < least - 0.05)).any()
    assert chosen.sum() == pytest.approx(12.0, abs=1e-3)


def test_what_is_fixed_stays() -> None:
    hours = 12
    load = np.random.default_rng(5).uniform(2.0, 3.0, (hours, 1))
    worth = EpisodeScore.of(load, np.ones_like(load), np.ones_like(load))
    stored = np.linspace(1.0, 12.0, hours)[:, None]
    plan = plan_year(charger(hours, 0.0, 12.0), load, worth, fixed=Fixed(np.array([True]), stored), steps=200)
    np.testing.assert_array_equal(plan, stored)


@pytest.mark.parametrize("hours", [200, 730, 1000, 1460])
def test_a_months_peak_is_worth_what_the_score_says(hours: int) -> None:
    """The slope of the score in a peak, in windows of less than a month, of whole months and with a short one at the end."""
    random = np.random.default_rng(hours)
    load = random.uniform(1.0, 3.0, (hours, 1))
    load[::730] = 4.0  # one peak a month, the same in all
    ones = np.ones_like(load)
    worth, size = EpisodeScore.of(load, ones, ones), 1e-4
    higher = load.copy()
    higher[(hours - 1) // 730 * 730] += size
    district, peak = load.sum(1), float(load.max())
    slope = worth.factor * (district[(hours - 1) // 730 * 730 :].mean() / peak**2)
    measured = worth.score(higher) - worth.score(load) - size * (worth.imports[0, 0] + worth.rise)
    assert measured / size == pytest.approx(slope, rel=0.1)
    weights = PastWeights(load, ones, ones)
    for row in range(hours):
        at = weights.at(row, ones[:1], ones[:1], district[:row].tolist(), district[row : row + 1])
    # A planner's weights are the score's times the hours, three times as large.
    assert at.peak / hours / 3.0 == pytest.approx(slope, rel=0.1)
