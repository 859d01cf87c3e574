"""Model predictive control: a plan for the next day every hour, of which the first hour is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.cycles import CycleStarter
from rllib_citylearn.baselines.planning.gauge import Gauge
from rllib_citylearn.baselines.planning.outlook import Forecaster, NaiveForecaster, PerfectForecaster
from rllib_citylearn.baselines.planning.program import PlanningProgram
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.baselines.planning.weights import PastWeights
from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

HORIZON = 24
"""Hours planned ahead."""


class ModelPredictiveController:
    """Plans batteries, tanks and vehicles of the whole community at once; thermostats are left alone.

    Every hour it solves a linear program (``program.PlanningProgram``) with the score's own terms and departures of
    vehicles as constraints, from what storage holds, and carries out the first hour. Appliances start in the cheapest
    hour of their window that it can see.

    Args:
        name: the baseline's name.
        forecaster: how it looks ahead.
        horizon: hours planned ahead.
    """

    def __init__(
        self,
        name: str,
        forecaster: Callable[[CommunityDescription, StorageTables], Forecaster],
        horizon: int = HORIZON,
    ) -> None:
        self.name = name
        self._make_forecaster = forecaster
        self._horizon = horizon

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``.

        Raises:
            EngineError: the community has something that can't be planned for, named.
        """
        leave_devices_to_thermostats(env)
        description = CommunityDescription.of(env, community_features(env))
        tables = StorageTables.read(description)
        self._tables = tables
        self._features = description.features
        self._forecaster = self._make_forecaster(description, tables)
        self._weights = PastWeights(self._forecaster.load_kwh, self._forecaster.price, self._forecaster.carbon)
        self._program = PlanningProgram(tables, len(description.parameters))
        self._gauge = Gauge(env, tables.storages)
        self._cycles = CycleStarter(env, description)
        self._district: list[float] = []
        self._worn = np.zeros(len(tables))
        self._before = self._gauge.stored_kwh()

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        row = self._gauge.row
        before = float(self._gauge.drawn_kwh().sum())
        if row:
            self._district.append(before)
        month = self._district[HOURS_A_MONTH * (row // HOURS_A_MONTH) :]
        outlook = self._forecaster.outlook(row, self._horizon)
        weights = self._weights.at(row, outlook.price, outlook.carbon, self._district, outlook.load_kwh.sum(1))
        actions = np.zeros(self._features.action_mask.shape)
        self._cycles.start(row, weights.imports, outlook.load_kwh, self._forecaster.committed_kwh, actions)
        if len(self._tables):
            outlook = self._forecaster.outlook(row, self._horizon)
            stored = self._gauge.stored_kwh()
            self._wear(stored)
            outlook = replace(outlook, storage=outlook.storage.worn(self._worn))
            plan = self._program.solve(outlook, stored, before, max(month, default=0.0), weights)
            for u, storage in enumerate(self._tables.storages):
                needed = self._tables.needed_kwh(row, u, stored[u])
                actions[storage.building, storage.action] = storage.action_for(
                    float(plan.drawn_kwh[0, u]), at_least_kwh=needed
                )
        return self._features.own_actions(actions)

    def _wear(self, stored_kwh: npt.NDArray[np.float64]) -> None:
        """Keep account of the capacity that is lost: a plan to fill what is no more ends in a jump of the load."""
        wear = np.array([storage.wear for storage in self._tables.storages])
        self._worn += wear * np.abs(stored_kwh - self._before)
        self._before = stored_kwh


def naive_mpc() -> ModelPredictiveController:
    """With forecasts from what was measured the day before."""
    return ModelPredictiveController("mpc", NaiveForecaster)


def perfect_mpc() -> ModelPredictiveController:
    """With forecasts that come true."""
    return ModelPredictiveController("mpc-perfect", PerfectForecaster)
