"""The best plan for a whole episode by somebody who knows all of it: what could be reached at most, near enough.

The plan is what storages hold at the end of every hour. It minimises the score itself, with CityLearn's efficiencies and
power limits, by a first-order method whose rounding of the score's kinks gets finer as it goes (``score_kernel``). The
problem is not convex: the result is a plan that exists, not a proven optimum. Nobody can say that there is no better one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

if TYPE_CHECKING:
    from rllib_citylearn.baselines.planning.score_kernel import Problem

Floats = npt.NDArray[np.float64]

STEPS = 8000
"""Steps of the method."""

FIRST_RATE, LAST_RATE = 0.016, 0.0001
"""Step sizes at the beginning and at the end, as shares of a storage's capacity."""

FIRST_WIDTH, LAST_WIDTH = 0.5, 0.01
"""Widths of the rounded kinks, as multiples of a building's mean load."""

DISTRICT_WIDTH = 0.18
"""Width for the district over the width for a building, and over the number of buildings."""

TABLE_POINTS = 513
PENALTY = 100.0
"""Of a kWh that a device can't draw, over all that a kWh may be worth."""


@dataclass(frozen=True)
class YearPlan:
    """A plan for an episode.

    Attributes:
        stored_kwh: what storages hold at the end of every hour, ``[T, U]``.
        score: what it scores by the planner's own account; the simulation has the last word.
    """

    stored_kwh: Floats
    score: float


def plan_year(
    tables: StorageTables,
    load_kwh: Floats,
    idle_kwh: Floats,
    imports: Floats,
    *,
    steps: int = STEPS,
    report: Callable[[int, int], None] | None = None,
) -> YearPlan:
    """Find a plan.

    Args:
        tables: the community's storages, over at least T rows.
        load_kwh: what the buildings draw while storage is idle, running cycles of appliances included, ``[T, N]``.
        idle_kwh: what they draw without control, by which the score is divided, ``[T, N]``.
        imports: what an imported kWh costs, as a part of the score, ``[T, N]`` (``import_weights``).
        steps: how many steps of the method to take.
        report: called with (steps done, steps in all) now and then.
    """
    from rllib_citylearn.baselines.planning.score_kernel import descend, score_and_gradient

    problem = _problem(tables, load_kwh, idle_kwh, imports)
    rows = len(load_kwh)
    low, high = _bounds(tables, rows)
    stored = np.clip(np.broadcast_to(0.1 * high.max(0, initial=0.0), low.shape), low, high)
    capacity = np.maximum(tables.capacity_kwh[:rows].max(0, initial=0.0), 1e-9)
    full = high.copy()
    usual = max(float(np.abs(idle_kwh).mean()), 1e-6)
    net, gradient = np.zeros_like(problem.load), np.zeros_like(stored)
    district, slope = np.zeros(rows), np.zeros(rows)
    mean, square = np.zeros_like(stored), np.zeros_like(stored)
    best = _idle(problem, low, high)
    score = float(score_and_gradient(problem, best, 1e-6 * usual, 1e-6 * usual, net, district, slope, gradient))
    for number in range(1, steps + 1):
        done = number / steps
        width = usual * FIRST_WIDTH * (LAST_WIDTH / FIRST_WIDTH) ** min(1.0, 1.15 * done)
        wide = DISTRICT_WIDTH * problem.load.shape[1] * width
        score_and_gradient(problem, stored, width, wide, net, district, slope, gradient)
        descend(stored, gradient, mean, square, low, high, capacity * FIRST_RATE * (LAST_RATE / FIRST_RATE) ** done, number)
        if number % 100 == 0 or number == steps:
            high = np.maximum(full - _worn(tables, stored), low)
            np.minimum(stored, high, out=stored)
            tiny = 1e-6 * usual
            found = score_and_gradient(problem, stored, tiny, tiny, net, district, slope, gradient)
            if found < score:
                best, score = stored.copy(), float(found)
            if report is not None:
                report(number, steps)
    return YearPlan(best, score)


def import_weights(idle_kwh: Floats, price: Floats, carbon: Floats) -> Floats:
    """Cost's and carbon's parts of the score for an imported kWh, ``[T, N]``; all arguments are ``[T, N]``.

    Hours in which one is paid for importing count nothing, as in CityLearn's KPIs.
    """
    drawn, price, carbon = np.maximum(idle_kwh, 0.0), np.maximum(price, 0.0), np.maximum(carbon, 0.0)
    weights = _over(price, (drawn * price).sum(0)) + _over(carbon, (drawn * carbon).sum(0))
    return weights / idle_kwh.shape[1] / 3.0


def _bounds(tables: StorageTables, rows: int) -> tuple[Floats, Floats]:
    """The least and the most that storages may hold at the end of every hour, ``[T, U]``."""
    available = tables.available[:rows]
    high = np.where(available, tables.capacity_kwh[:rows], 0.0)
    low = np.where(available, np.maximum(tables.floor_kwh[:rows], tables.must_kwh[:rows]), 0.0)
    return np.minimum(np.minimum(low, _reach(tables, rows)), high), high


def _reach(tables: StorageTables, rows: int) -> Floats:
    """What storages hold at the end of every hour if they charge at full power all the time, ``[T, U]``."""
    hourly = np.array([kind.stored_kwh[-1] for kind in tables.conversions])[tables.conversion[:rows]]
    reach, held = np.zeros(hourly.shape), np.zeros(hourly.shape[1])
    for row in range(rows):
        begins = tables.begins_kwh[row]
        held = np.where(np.isnan(begins), held, begins) + hourly[row]
        reach[row] = held
    return reach


def _idle(problem: Problem, low: Floats, high: Floats) -> Floats:
    """What storages hold while they are left alone, as far as the bounds allow, ``[T, U]``."""
    stored, held = np.zeros(low.shape), np.zeros(low.shape[1])
    for row in range(len(low)):
        begins = problem.begins[row]
        held = np.clip(np.where(np.isnan(begins), problem.keeps * held, begins), low[row], high[row])
        stored[row] = held
    return stored


def _worn(tables: StorageTables, stored_kwh: Floats) -> Floats:
    """Capacity that has been lost by the end of every hour, ``[T, U]`` kWh."""
    wear = np.array([storage.wear for storage in tables.storages])
    return wear * np.abs(np.diff(stored_kwh, axis=0, prepend=stored_kwh[:1])).cumsum(0)


def _over(values: Floats, total: Floats) -> Floats:
    """``values / total``; zero where there is nothing to divide by, for such a term has no ratio."""
    return np.divide(values, total, out=np.zeros(np.broadcast_shapes(values.shape, np.shape(total))), where=total > 1e-9)


def _problem(tables: StorageTables, load_kwh: Floats, idle_kwh: Floats, imports: Floats) -> Problem:
    from rllib_citylearn.baselines.planning.score_kernel import Problem

    rows = len(load_kwh)
    district = idle_kwh.sum(1)
    rises = float(np.maximum(np.diff(district), 0.0).sum())
    stretches = [district[start : start + HOURS_A_MONTH] for start in range(0, rows, HOURS_A_MONTH)]
    factors = [1.0 - stretch.mean() / stretch.max() for stretch in stretches if stretch.max() > 0.0]
    rise, factor = (float(_over(np.ones(1), np.array([total]))[0]) / 6.0 for total in (rises, sum(factors)))
    # Uneven tables of the conversions, made even so that the kernel finds its place without a search.
    changes = [np.linspace(kind.stored_kwh[0], kind.stored_kwh[-1], TABLE_POINTS) for kind in tables.conversions]
    table = [
        np.interp(change, kind.stored_kwh, kind.drawn_kwh) for change, kind in zip(changes, tables.conversions, strict=True)
    ]
    return Problem(
        begins=np.ascontiguousarray(tables.begins_kwh[:rows]),
        conversion=np.ascontiguousarray(tables.conversion[:rows]),
        electricity=np.where(tables.available, tables.electricity, 0.0)[:rows],
        most_in=np.ascontiguousarray(tables.most_in_kwh[:rows]),
        most_out=np.ascontiguousarray(tables.most_out_kwh[:rows]),
        building=tables.building,
        keeps=tables.keeps,
        drawn=np.array(table).reshape(-1, TABLE_POINTS),
        first=np.array([change[0] for change in changes]),
        step=np.array([change[1] - change[0] for change in changes]),
        usable=np.array([kind.usable_kwh for kind in tables.conversions]).reshape(len(changes), -1),
        capacity=np.array([kind.capacity_kwh for kind in tables.conversions]),
        load=np.ascontiguousarray(load_kwh),
        imports=imports,
        rise=rise,
        month=HOURS_A_MONTH,
        factor=factor,
        penalty=PENALTY * (float(imports.max()) + rise + factor / max(float(np.abs(district).max()), 1.0)),
    )
