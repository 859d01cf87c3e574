"""The linear program of one plan: what to draw into and give out of storage over the next hours.

It minimises the score's own terms (cost, carbon, ramping, load factor, as ``weights.HourlyWeights`` values them) over
H hours of N buildings with U storages::

    min  sum_h sum_n imports[h, n] i[h, n]  +  rise sum_h r[h]  +  peak (p[0] + p[1])
         +  missing sum_hu m[h, u]  -  worth sum_u s[H, u]
    s[h, u] = keeps[u] s[h-1, u] + into[u] x[h, u] - y[h, u] / out_of[u]             stored energy
    i[h, n] >= load[h, n] + sum_u electricity[h, u] (x[h, u] - y[h, u]),  i >= 0      imports of a building
    d[h]     = sum_n load[h, n] + sum_u electricity[h, u] (x[h, u] - y[h, u])         net load of the district
    r[h]    >= d[h] - d[h-1],  r >= 0
    p[k]    >= d[h] in this month (k = 0) and in the next one (1);  p[0] >= the month's peak so far
    s[h, u] + m[h, u] >= required[h, u]                                               vehicles that leave

Efficiencies are constants (``Conversion``); what they err by is seen in the next hour's measurements. Solved with HiGHS,
each hour from the basis of the hour before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.layout import Layout
from rllib_citylearn.baselines.planning.outlook import Outlook
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.baselines.planning.weights import HourlyWeights
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SCALE = 1e3
"""Of the objective; HiGHS's tolerances are absolute."""
SERVICE = 100.0
"""What a kWh that a leaving vehicle lacks costs, in the dearest hour's imports."""
END_WORTH = 0.5
"""What stored energy is worth at the end of the horizon, as a share of the median import that it saves."""


@dataclass(frozen=True)
class Plan:
    """Energy drawn (> 0) from or given to the building by each storage, ``[H, U]`` kWh (of heat or cold for tanks)."""

    drawn_kwh: Floats


class PlanningProgram:
    """The program for a community, solved hour after hour.

    Args:
        tables: the community's storages.
        buildings: number N.
    """

    def __init__(self, tables: StorageTables, buildings: int) -> None:
        import highspy

        self._highspy = highspy
        self._tables = tables
        self._buildings = buildings
        self._into = np.array([conversion.into for conversion in tables.conversions])
        self._out_of = np.array([conversion.out_of for conversion in tables.conversions])
        self._chargers = np.flatnonzero([storage.kind == "charger" for storage in tables.storages])
        self._layout: Layout | None = None
        self._solver = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off"), ("solver", "simplex")):
            self._solver.setOptionValue(option, value)

    def solve(
        self,
        outlook: Outlook,
        stored_kwh: Floats,
        district_kwh: float,
        weights: HourlyWeights,
        *,
        peak_kwh: float,
        month_hours: int = HOURS_A_MONTH,
    ) -> Plan:
        """The best plan.

        Args:
            outlook: H hours ahead.
            stored_kwh: what each storage holds now, ``[U]``.
            district_kwh: the district's net load in the hour before.
            weights: what the terms are worth.
            peak_kwh: the district's highest net load in this month so far.
            month_hours: how many hours from now on are this month's; those after it have a peak of their own.

        Raises:
            EngineError: HiGHS finds no solution.
        """
        hours = len(outlook)
        if self._layout is None or self._layout.hours != hours:
            self._layout, basis = Layout(hours, self._tables.building, self._buildings, self._chargers), None
        else:
            basis = self._solver.getBasis()
        self._pass(self._layout, outlook, stored_kwh, district_kwh, weights, peak_kwh, month_hours)
        if basis is not None:
            self._solver.setBasis(basis)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != self._highspy.HighsModelStatus.kOptimal:
            said = self._solver.modelStatusToString(status)
            raise EngineError(f"{self._reason(status, hours)} (HiGHS ended with {said!r}.)")
        values = np.asarray(self._solver.getSolution().col_value)
        return Plan(values[self._layout.drawn] - values[self._layout.given])

    def _reason(self, status: Any, hours: int) -> str:
        """Why there is no plan, and what to do about it."""
        known = self._highspy.HighsModelStatus
        if status == known.kInfeasible:
            return (
                f"No plan of {hours} hours keeps to the limits of all storages: in one of them more has to stay than it can "
                "hold. Look at the capacities, depths of discharge and initial charges of batteries, tanks and vehicles in "
                "the data set's schema."
            )
        if status in (known.kUnbounded, known.kUnboundedOrInfeasible):
            return (
                f"A plan of {hours} hours could save without end: an imported kWh is worth less than nothing, or a storage "
                "has no limit. Look for negative or missing prices and carbon intensities, and for capacities without "
                "bound, in the data (`rllib-citylearn datasets check`)."
            )
        return (
            f"The plan of {hours} hours could not be made. Look for loads, prices or limits in the data that are far out of "
            "range (`rllib-citylearn datasets check`)."
        )

    def _pass(
        self,
        layout: Layout,
        outlook: Outlook,
        stored_kwh: Floats,
        district_kwh: float,
        weights: HourlyWeights,
        peak_kwh: float,
        month_hours: int,
    ) -> None:
        """Write the program into the solver."""
        storage = outlook.storage
        into, out_of = self._into[storage.conversion], self._out_of[storage.conversion]
        begins = storage.begins_kwh.copy()
        begins[0] = stored_kwh
        fresh = ~np.isnan(begins)
        keeps = np.where(fresh, 0.0, np.broadcast_to(self._tables.keeps, begins.shape))
        floor = np.where(storage.available, storage.floor_kwh, 0.0)
        capacity = np.where(storage.available, storage.capacity_kwh, np.inf)

        lower, upper, cost = layout.lower.copy(), layout.upper.copy(), np.zeros(layout.columns)
        upper[layout.drawn] = np.where(storage.available, storage.most_in_kwh, 0.0)
        upper[layout.given] = np.where(storage.available, storage.most_out_kwh, 0.0)
        usable = self._tables.usable_kwh(storage.conversion[0], stored_kwh)
        for now in (layout.drawn[0], layout.given[0]):
            upper[now] = np.minimum(upper[now], usable)
        lower[layout.stored], upper[layout.stored] = floor, capacity
        lower[layout.peaks[0]] = peak_kwh
        cost[layout.imports] = weights.imports
        cost[layout.rise], cost[layout.peaks] = weights.rise, weights.peak
        cost[layout.missing] = SERVICE * weights.imports.max(initial=0.0)
        worth = END_WORTH * np.median(weights.imports[:, self._tables.building] * storage.electricity * out_of, axis=0)
        # What a vehicle holds when it leaves is its driver's.
        worth[self._chargers] = 0.0
        cost[layout.stored[-1]] -= worth

        below, above = layout.row_lower.copy(), layout.row_upper.copy()
        start = np.where(fresh, np.clip(np.nan_to_num(begins), floor, capacity), 0.0)
        below[layout.balance_rows] = above[layout.balance_rows] = start
        below[layout.import_rows] = outlook.load_kwh
        below[layout.district_rows] = above[layout.district_rows] = outlook.load_kwh.sum(1)
        below[layout.rise_rows[0]] = -district_kwh
        required = storage.required_kwh[:, self._chargers]
        below[layout.required_rows] = np.where(
            np.isnan(required), -np.inf, np.minimum(required, capacity[:, self._chargers])
        )

        values = layout.values(into, out_of, keeps, storage.electricity, month_hours)
        self._solver.passModel(self._model(layout, cost * SCALE, lower, upper, below, above, values))

    def _model(
        self, layout: Layout, cost: Floats, lower: Floats, upper: Floats, below: Floats, above: Floats, values: Floats
    ) -> Any:
        model = self._highspy.HighsLp()
        model.num_col_, model.num_row_ = layout.columns, layout.rows
        model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
        model.row_lower_, model.row_upper_ = below, above
        matrix = model.a_matrix_
        matrix.format_ = self._highspy.MatrixFormat.kColwise
        matrix.start_, matrix.index_, matrix.value_ = layout.starts, layout.index, values
        return model
