"""Planning a day every hour and carrying out its first one, whoever measures: model predictive control without meters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.cycles import CycleStarter
from rllib_citylearn.baselines.planning.outlook import Forecaster
from rllib_citylearn.baselines.planning.program import PlanningProgram
from rllib_citylearn.baselines.planning.weights import PastWeights
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

Floats = npt.NDArray[np.float64]

HORIZON = 24
"""Hours planned ahead."""


class RecedingHorizon:
    """Decides hour after hour, from the first on, for the storages of a community.

    Args:
        description: the community.
        forecaster: how it looks ahead, and at which storages.
        horizon: hours planned ahead.
        cycles: starts appliances; None leaves that to whoever asks, and what they draw is in ``forecaster.committed_kwh``.
    """

    def __init__(
        self,
        description: CommunityDescription,
        forecaster: Forecaster,
        horizon: int = HORIZON,
        cycles: CycleStarter | None = None,
    ) -> None:
        self._tables = tables = forecaster.tables
        self._forecaster = forecaster
        self._horizon = horizon
        self._cycles = cycles
        self._shape = description.features.action_mask.shape
        self._weights = PastWeights(forecaster.load_kwh[:-1], forecaster.price, forecaster.carbon)
        self._program = PlanningProgram(tables, len(description.parameters))
        self._wear = np.array([storage.wear for storage in tables.storages])
        self._worn = np.zeros(len(tables))
        self._district: list[float] = []
        self._before: Floats | None = None

    def decide(self, row: int, stored_kwh: Floats, drawn_kwh: Floats) -> Floats:
        """Actions of an hour, ``[N, A]`` in CityLearn's units.

        Args:
            row: the hour.
            stored_kwh: what storages hold, ``[U]``.
            drawn_kwh: what the buildings drew in the hour before, ``[N]``; in the first one what they would draw now.
        """
        stored_kwh = self._tables.counted_kwh(row, stored_kwh)
        before = float(drawn_kwh.sum())
        if row:
            self._district.append(before)
        outlook = self._forecaster.outlook(row, self._horizon)
        weights = self._weights.at(row, outlook.price, outlook.carbon, self._district, outlook.load_kwh.sum(1))
        actions = np.zeros(self._shape)
        if self._cycles is not None:
            committed = self._forecaster.committed_kwh
            self._cycles.start(row, weights.imports, outlook.load_kwh, committed, actions)
            outlook = self._forecaster.outlook(row, self._horizon)
        if not len(self._tables):
            return actions
        self._keep_account_of_wear(stored_kwh)
        outlook = replace(outlook, storage=outlook.storage.worn(self._worn))
        month = self._district[HOURS_A_MONTH * (row // HOURS_A_MONTH) :]
        plan = self._program.solve(
            outlook,
            stored_kwh,
            before,
            weights,
            peak_kwh=max(month, default=0.0),
            month_hours=HOURS_A_MONTH - row % HOURS_A_MONTH,
        )
        for u, storage in enumerate(self._tables.storages):
            needed = self._tables.needed_kwh(row, u, float(stored_kwh[u]))
            action = storage.action_for(float(plan.drawn_kwh[0, u]), at_least_kwh=needed)
            actions[storage.building, storage.action] = action
        return actions

    def _keep_account_of_wear(self, stored_kwh: Floats) -> None:
        """Of the capacity that is lost: a plan to fill what is no more ends in a jump of the load."""
        if self._before is not None:
            self._worn += self._wear * np.abs(stored_kwh - self._before)
        self._before = stored_kwh
