"""Numbers that change with environment steps."""

from __future__ import annotations

import pytest

from rllib_citylearn.algorithm.schedules import value_at


def test_a_schedule_runs_straight_between_its_entries_and_stays_after_them():
    schedule = [[0, 4.0], [100, 2.0], [200, 0.0]]
    assert [value_at(schedule, step) for step in (0, 50, 100, 150, 200, 10**9)] == pytest.approx([4, 3, 2, 1, 0, 0])


def test_a_number_stays():
    assert [value_at(0.5, step) for step in (0, 10**6)] == [0.5, 0.5]
