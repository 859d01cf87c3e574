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

from rllib_citylearn.baselines.planning.episode_score import EpisodeScore
from rllib_citylearn.baselines.planning.storages import Flags, StorageTables
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
PENALTY = 1.0
"""Of a kWh that a device can't draw, over all that a kWh may be worth."""

GAP = 0.3
"""Of a kWh less than a charger's least, likewise."""

GAP_FROM, GAP_TO = 0.3, 0.9
"""Shares of the steps between which it rises from nothing: first the day takes shape, then its hours are chosen."""


@dataclass(frozen=True)
class Fixed:
    """Storages whose plan stays.

    Attributes:
        which: flags, ``[U]``.
        stored_kwh: what they hold at the end of every hour, ``[T, U]``; the others' columns are not read.
    """

    which: Flags
    stored_kwh: Floats


def plan_year(
    tables: StorageTables,
    load_kwh: Floats,
    worth: EpisodeScore,
    *,
    fixed: Fixed | None = None,
    steps: int = STEPS,
    report: Callable[[int, int], None] | None = None,
) -> Floats:
    """Find a plan: what storages hold at the end of every hour, ``[T, U]`` kWh.

    Args:
        tables: the community's storages, over at least T rows.
        load_kwh: what the buildings draw while storage is idle, running cycles of appliances included, ``[T, N]``.
        worth: what counts.
        fixed: storages that are not to be planned any more.
        steps: how many steps of the method to take.
        report: called with (steps done, steps in all) now and then.
    """
    from rllib_citylearn.baselines.planning.score_kernel import descend, score_and_gradient

    problem = _problem(tables, load_kwh, worth)
    rows = len(load_kwh)
    low, high = _bounds(tables, rows)
    if fixed is not None:
        low[:, fixed.which] = high[:, fixed.which] = fixed.stored_kwh[:, fixed.which]
        problem.least_in[fixed.which] = problem.least_out[fixed.which] = 0.0
    stored = np.clip(np.broadcast_to(0.1 * high.max(0, initial=0.0), low.shape), low, high)
    capacity = np.maximum(tables.capacity_kwh[:rows].max(0, initial=0.0), 1e-9)
    full = high.copy()
    usual = max(float(np.abs(load_kwh).mean()), 1e-6)
    net, gradient = np.zeros_like(problem.load), np.zeros_like(stored)
    district, slope = np.zeros(rows), np.zeros(rows)
    mean, square = np.zeros_like(stored), np.zeros_like(stored)
    best = _idle(problem, low, high)
    score = float(score_and_gradient(problem, best, 1e-6 * usual, 1e-6 * usual, net, district, slope, gradient))
    for number in range(1, steps + 1):
        done = number / steps
        width = usual * FIRST_WIDTH * (LAST_WIDTH / FIRST_WIDTH) ** min(1.0, 1.15 * done)
        wide = DISTRICT_WIDTH * problem.load.shape[1] * width
        current = problem._replace(gap=problem.gap * min(max(done - GAP_FROM, 0.0) / (GAP_TO - GAP_FROM), 1.0))
        score_and_gradient(current, stored, width, wide, net, district, slope, gradient)
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
    return best


def _bounds(tables: StorageTables, rows: int) -> tuple[Floats, Floats]:
    """The least and the most that storages may hold at the end of every hour, ``[T, U]``."""
    available = tables.available[:rows]
    high = np.where(available, tables.capacity_kwh[:rows], 0.0)
    floor = np.where(available, tables.floor_kwh[:rows], 0.0)
    emptiest, fullest = _reach(tables, floor, high)
    low = np.minimum(np.maximum(floor, tables.must_kwh[:rows]), fullest)
    # What can't be given before it leaves, or because the charger does not give, is not to be planned away.
    return np.where(available, np.minimum(np.maximum(low, emptiest), high), 0.0), high


def _reach(tables: StorageTables, floor: Floats, high: Floats) -> tuple[Floats, Floats]:
    """What storages hold at the end of every hour if they give, or charge, at full power all the time, ``[T, U]`` each."""
    conversion = tables.conversion[: len(high)]
    most_out = np.array([kind.stored_kwh[0] for kind in tables.conversions])[conversion]
    most_in = np.array([kind.stored_kwh[-1] for kind in tables.conversions])[conversion]
    emptiest, fullest = np.zeros(high.shape), np.zeros(high.shape)
    least, most = np.zeros(high.shape[1]), np.zeros(high.shape[1])
    for row in range(len(high)):
        begins = tables.begins_kwh[row]
        goes_on = np.isnan(begins)
        least = np.maximum(np.where(goes_on, tables.keeps * least, begins) + most_out[row], floor[row])
        most = np.where(goes_on, most, begins) + most_in[row]
        emptiest[row], fullest[row] = least, most
    return emptiest, fullest


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


def _problem(tables: StorageTables, load_kwh: Floats, worth: EpisodeScore) -> Problem:
    from rllib_citylearn.baselines.planning.score_kernel import Problem

    rows = len(load_kwh)
    # What a kWh may be worth at most, about.
    dearest = float(worth.imports.max()) + worth.rise + worth.factor / max(float(np.abs(load_kwh.sum(1)).max()), 1.0)
    least = np.array([storage.least_kwh for storage in tables.storages]).reshape(-1, 2)
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
        imports=worth.imports,
        rise=worth.rise,
        month=HOURS_A_MONTH,
        factor=worth.factor,
        penalty=PENALTY * dearest,
        least_in=least[:, 0].copy(),
        least_out=least[:, 1].copy(),
        gap=GAP * dearest if least.any() else 0.0,
    )
