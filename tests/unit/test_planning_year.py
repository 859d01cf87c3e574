"""The whole-episode planner: its gradient against differences, its plans against nudges and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.baselines.planning.score_kernel import Problem, score_and_gradient

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
    p = problem(9)._replace(penalty=0.0)
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
