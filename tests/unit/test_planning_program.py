"""The linear program of a plan, against every plan of a fine grid and against what it promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from rllib_citylearn.baselines.planning.conversion import tank_conversion
from rllib_citylearn.baselines.planning.outlook import Outlook
from rllib_citylearn.baselines.planning.program import SCALE, PlanningProgram
from rllib_citylearn.baselines.planning.storages import Storage, StorageTables
from rllib_citylearn.baselines.planning.weights import HourlyWeights
from rllib_citylearn.errors import EngineError

HOURS, RATIO = 3, 0.9


def tables(kinds: list[str], hours: int = HOURS) -> StorageTables:
    """Storages of 4 kWh in buildings of their own that draw and give up to 2 kWh an hour."""
    count = len(kinds)
    each = np.ones((hours, count))
    storages = tuple(Storage(n, 0, (2.0, 2.0), (0.0, 0.0), kind, (n,), 1.0) for n, kind in enumerate(kinds))
    return StorageTables(
        storages=storages,
        conversions=(tank_conversion(4.0, RATIO, 2.0, 2.0),),
        conversion=np.zeros((hours, count), np.int64),
        available=np.ones((hours, count), bool),
        capacity_kwh=4.0 * each,
        floor_kwh=0.0 * each,
        begins_kwh=np.nan * each,
        required_kwh=np.nan * each,
        must_kwh=-np.inf * each,
        electricity=each,
        most_in_kwh=2.0 * each,
        most_out_kwh=2.0 * each,
    )


def outlook(storage: StorageTables, load: np.ndarray) -> Outlook:
    return Outlook(load, np.ones_like(load), np.ones_like(load), storage)


def objective(
    drawn: np.ndarray, load: np.ndarray, weights: HourlyWeights, start: float, before: float, peak: float
) -> np.ndarray:
    """What plans ``[P, H]`` of one storage cost, infinite where they can't be carried out."""
    stored = start + np.where(drawn >= 0, drawn * RATIO, drawn / RATIO).cumsum(1)
    net = load[:, 0] + drawn
    total = (weights.imports[:, 0] * np.maximum(net, 0)).sum(1)
    total += weights.rise * np.maximum(np.diff(np.column_stack([np.full(len(net), before), net])), 0).sum(1)
    total += weights.peak * np.maximum(net.max(1), peak)
    total -= 0.5 * np.median(weights.imports[:, 0]) * RATIO * stored[:, -1]
    return np.where(((stored < -1e-9) | (stored > 4 + 1e-9)).any(1), np.inf, total)


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_of_a_grid_is_better(seed: int) -> None:
    random = np.random.default_rng(seed)
    load = random.normal(0.5, 2.0, (HOURS, 1))
    weights = HourlyWeights(random.uniform(0.1, 1.0, (HOURS, 1)), random.uniform(0, 0.5), random.uniform(0, 0.5))
    start, before, peak = random.uniform(0, 4), random.normal(0.5, 2.0), random.uniform(0, 3)
    storage = tables(["battery"])
    program = PlanningProgram(storage, 1)
    plan = program.solve(outlook(storage, load), np.array([start]), before, weights, peak_kwh=peak)
    grid = np.array(list(product(np.linspace(-2, 2, 81), repeat=HOURS)))
    best = objective(grid, load, weights, start, before, peak).min()
    found = program._solver.getInfo().objective_function_value / SCALE
    # The program may burn energy by drawing and giving at once, which no device does: it is never above the grid.
    assert found <= best + 1e-6
    assert found >= best - 0.2  # and a grid of 0.05 kWh comes near
    assert (np.abs(plan.drawn_kwh) <= 2.0 + 1e-9).all()
    if np.isfinite(mine := objective(plan.drawn_kwh.T, load, weights, start, before, peak)[0]):
        assert mine == pytest.approx(found, abs=1e-6)


def test_what_a_vehicle_needs_is_charged_in_the_cheapest_hours() -> None:
    storage = tables(["charger"])
    required = storage.required_kwh.copy()
    required[-1, 0] = 2.7
    storage = replace(storage, required_kwh=required)
    weights = HourlyWeights(np.array([[0.3], [0.1], [0.2]]), 0.0, 0.0)
    plan = PlanningProgram(storage, 1).solve(outlook(storage, np.zeros((HOURS, 1))), np.zeros(1), 0.0, weights, peak_kwh=0.0)
    np.testing.assert_allclose(plan.drawn_kwh[:, 0], [0.0, 2.0, 1.0], atol=1e-6)


def test_what_cannot_be_met_is_met_as_far_as_possible_and_nothing_fails() -> None:
    storage = tables(["charger", "battery"])
    required = storage.required_kwh.copy()
    required[1, 0] = 9.0
    storage = replace(storage, required_kwh=required)
    weights = HourlyWeights(np.full((HOURS, 2), 0.2), 0.1, 0.1)
    plan = PlanningProgram(storage, 2).solve(outlook(storage, np.ones((HOURS, 2))), np.zeros(2), 0.0, weights, peak_kwh=0.0)
    np.testing.assert_allclose(plan.drawn_kwh[:2, 0], [2.0, 2.0], atol=1e-6)


def test_storage_that_is_not_there_does_nothing_and_begins_with_what_it_brings() -> None:
    storage = tables(["charger"], 4)
    available, begins, required = storage.available.copy(), storage.begins_kwh.copy(), storage.required_kwh.copy()
    available[:2] = False
    begins[2, 0], required[3, 0] = 1.0, 1.9
    storage = replace(storage, available=available, begins_kwh=begins, required_kwh=required)
    weights = HourlyWeights(np.array([[0.1], [0.1], [0.4], [0.3]]), 0.0, 0.0)
    plan = PlanningProgram(storage, 1).solve(outlook(storage, np.zeros((4, 1))), np.zeros(1), 0.0, weights, peak_kwh=0.0)
    np.testing.assert_allclose(plan.drawn_kwh[:, 0], [0.0, 0.0, 0.0, 1.0], atol=1e-6)


def test_buildings_help_each_other_flatten_the_district() -> None:
    storage = tables(["battery", "battery"])
    load = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    weights = HourlyWeights(np.full((HOURS, 2), 1e-4), 0.0, 1.0)
    plan = PlanningProgram(storage, 2).solve(outlook(storage, load), np.array([2.0, 2.0]), 0.0, weights, peak_kwh=0.0)
    district = (load + plan.drawn_kwh).sum(1)
    # Both give what they can together: one battery alone could not take the peak below 1 kWh.
    assert district.max() < 0.5


def test_hours_may_become_fewer_as_the_data_ends() -> None:
    storage = tables(["battery"], 5)
    program = PlanningProgram(storage, 1)
    for hours in (5, 4, 1):
        rows = np.arange(hours)
        weights = HourlyWeights(np.full((hours, 1), 0.2), 0.1, 0.1)
        plan = program.solve(outlook(storage.at(rows), np.ones((hours, 1))), np.ones(1), 1.0, weights, peak_kwh=0.0)
        assert plan.drawn_kwh.shape == (hours, 1)


@pytest.mark.parametrize("month_hours", [1, 2, 3, 100])
def test_a_month_that_begins_has_a_peak_of_its_own(month_hours: int) -> None:
    """What was reached before a month's end is no licence after it, and its hours don't count in the new one."""
    load, weights = np.array([[1.0], [5.0], [5.0]]), HourlyWeights(np.full((HOURS, 1), 1e-4), 0.0, 1.0)
    storage = tables(["battery"])
    program = PlanningProgram(storage, 1)
    plan = program.solve(outlook(storage, load), np.array([2.0]), 0.0, weights, peak_kwh=5.0, month_hours=month_hours)
    net = load[:, 0] + plan.drawn_kwh[:, 0]
    values = np.asarray(program._solver.getSolution().col_value)
    first, second = net[:month_hours], net[month_hours:]
    assert values[program._layout.peaks[0]] == pytest.approx(max(5.0, first.max()), abs=1e-6)
    assert values[program._layout.peaks[1]] == pytest.approx(second.max() if second.size else 0.0, abs=1e-6)
    # 2 kWh are stored and up to 2 can be bought in the first hour, which is cheap as long as 5 kWh were drawn before.
    if month_hours < HOURS:
        assert second.max() < 4.5
    else:
        assert net.max() == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize(("fault", "words"), [("floor", "more has to stay than it can"), ("price", "save without end")])
def test_a_program_without_solution_says_what_to_look_at(fault: str, words: str) -> None:
    storage = tables(["battery"])
    imports = np.full((HOURS, 1), 0.2)
    if fault == "floor":
        storage = replace(storage, floor_kwh=storage.floor_kwh + 5.0)
    else:
        imports[1] = -1.0
    program = PlanningProgram(storage, 1)
    with pytest.raises(EngineError, match=words) as raised:
        program.solve(
            outlook(storage, np.ones((HOURS, 1))),
            np.ones(1),
            0.0,
            HourlyWeights(imports, 0.1, 0.1),
            peak_kwh=0.0,
        )
    assert "Look " in str(raised.value)


def test_what_a_session_to_come_requires_is_not_known_in_the_one_before() -> None:
    """A vehicle that goes on with the charge it has: it needs 1 kWh by row 3 and 4 kWh by row 5."""
    both = tables(["charger"], hours=6)
    both.required_kwh[[3, 5], 0] = 1.0, 4.0
    hourly = RATIO * 2.0
    own = [1.0 - 3 * hourly, 1.0 - 2 * hourly, 1.0 - hourly, 1.0, 4.0 - hourly, 4.0]
    assert np.allclose(both.of_present_stays().must_kwh[:, 0], own)
    later = replace(both, required_kwh=np.where(np.arange(6)[:, None] == 5, 2.0, both.required_kwh))
    assert np.array_equal(both.of_present_stays().must_kwh[:4], later.of_present_stays().must_kwh[:4])
    none = tables(["charger"])
    assert np.isneginf(none.of_present_stays().must_kwh).all()
