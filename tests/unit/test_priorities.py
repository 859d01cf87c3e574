"""Prioritised drawing against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.algorithm.replay.priorities import Priorities, annealed_beta
from rllib_citylearn.algorithm.replay.sum_tree import SumTree
from rllib_citylearn.errors import TrainingError

DRAWS = 200_000


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 1000])
def test_sum_tree_finds_what_a_running_sum_finds(size):
    random = np.random.default_rng(size)
    tree, values = SumTree(size), np.zeros(size)
    for _ in range(20):
        rows = random.integers(0, size, 2 * size // 3 + 1)
        values[rows] = new = random.integers(0, 5, len(rows)).astype(float)  # whole numbers: sums are exact
        values[rows] = new
        tree.set(rows, new)
        assert np.array_equal(tree.values, values)
        assert tree.total == values.sum()
        if tree.total:
            heights = random.random(200) * tree.total
            assert np.array_equal(tree.find(heights), np.searchsorted(values.cumsum(), heights, side="right"))


def test_values_of_zero_are_never_found_whatever_the_rounding():
    random = np.random.default_rng(0)
    values = random.random(1000) * 10.0 ** random.integers(-12, 3, 1000)
    values[random.random(1000) < 0.7] = 0.0
    tree = SumTree(1000)
    tree.set(np.arange(1000), values)
    ends = values.cumsum()
    heights = np.concatenate([ends, np.nextafter(ends, 0), np.nextafter(ends, np.inf), random.random(10_000) * tree.total])
    found = tree.find(heights)  # the last ones are at the total or a little above it
    assert (values[found] > 0).all()


def test_frequencies_follow_the_priorities():
    random = np.random.default_rng(0)
    priorities = Priorities(50, alpha=0.7)
    startable = random.random(50) < 0.8
    priorities.enter(np.arange(50), startable)
    errors = random.exponential(2.0, 50) * random.choice([-1.0, 1.0], 50)
    priorities.update(np.arange(50), errors)
    rows = priorities.draw(random, DRAWS // 64, 64)
    want = np.where(startable, (np.abs(errors) + 1e-6) ** 0.7, 0.0)
    want /= want.sum()
    found = np.bincount(rows.reshape(-1), minlength=50) / rows.size
    assert np.abs(found - want).max() < 5.0 * np.sqrt(want.max() / DRAWS)
    assert not found[~startable].any()
    # Sec. 3.3: one from each of equal shares, so that a minibatch varies less than independent draws would.
    half = np.searchsorted(want.cumsum(), 0.5)
    assert set((rows < half).sum(1).tolist()) <= set(range(30, 34))


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_are_the_papers_formula(beta):
    random = np.random.default_rng(1)
    priorities = Priorities(30, alpha=0.5)
    priorities.enter(np.arange(30), np.arange(30) < 25)
    errors = random.random(25)
    priorities.update(np.arange(25), errors)
    rows = priorities.draw(random, 6, 8)
    probability = (errors + 1e-6) ** 0.5 / ((errors + 1e-6) ** 0.5).sum()
    weights = priorities.weights(rows, beta, 25)
    for minibatch, found in zip(rows, weights, strict=True):
        want = (1.0 / (25 * probability[minibatch])) ** beta
        assert np.allclose(found, want / want.max(), rtol=1e-6)
    if beta == 1.0:
        # What the weights are for: a weighted mean over draws is the plain mean over rows.
        many = priorities.draw(random, 1, DRAWS)
        weight = priorities.weights(many, beta, 25)
        assert np.average(errors[many], weights=weight) == pytest.approx(errors.mean(), rel=0.02)


def test_new_rows_have_the_largest_priority_and_overwritten_ones_lose_theirs():
    priorities = Priorities(10, alpha=1.0)
    rows = np.arange(10)
    priorities.enter(rows, rows < 4)
    priorities.update(rows[:4], [7.0, 0.0, 0.5, 2.0])
    priorities.enter(rows[4:6], np.array([True, False]))
    state = priorities.get_state(slice(0, 10))["values"]
    assert state == pytest.approx([7.0, 0.0, 0.5, 2.0, 7.0, 0, 0, 0, 0, 0], abs=1e-5)
    priorities.enter(rows[:2], np.array([False, True]))
    priorities.update(np.array([0, 1]), [9.0, 3.0])  # row 0 can't be drawn any more: it was overwritten since
    state = priorities.get_state(slice(0, 10))["values"]
    assert state == pytest.approx([0.0, 3.0, 0.5, 2.0, 7.0, 0, 0, 0, 0, 0], abs=1e-5)


@pytest.mark.parametrize("errors", [[1.0, np.nan], [np.inf, 1.0], [1.0], [[1.0, 2.0]]])
def test_errors_that_are_no_priorities_are_refused(errors):
    priorities = Priorities(10, alpha=1.0)
    with pytest.raises(TrainingError, match="one finite error for each of 2"):
        priorities.update(np.array([0, 1]), errors)


def test_beta_grows_to_one():
    assert [annealed_beta(0.4, x) for x in (-1.0, 0.0, 0.5, 1.0, 2.0)] == pytest.approx([0.4, 0.4, 0.7, 1.0, 1.0])
