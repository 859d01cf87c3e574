"""Model predictive control: a plan for the next day every hour, of which the first hour is carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rllib_citylearn.baselines.planning.cycles import CycleStarter
from rllib_citylearn.baselines.planning.gauge import Gauge
from rllib_citylearn.baselines.planning.outlook import Forecaster, NaiveForecaster, PerfectForecaster
from rllib_citylearn.baselines.planning.reading import describe, read_storages
from rllib_citylearn.baselines.planning.receding import HORIZON, RecedingHorizon
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.simulator.description import CommunityDescription

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


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
        description = describe(env)
        forecaster = self._make_forecaster(description, read_storages(description))
        self._features = description.features
        self._gauge = Gauge(env, forecaster.tables.storages)
        self._planner = RecedingHorizon(description, forecaster, self._horizon, CycleStarter(env, description))

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        actions = self._planner.decide(self._gauge.row, self._gauge.stored_kwh(), self._gauge.drawn_kwh())
        return self._features.own_actions(actions)


def naive_mpc() -> ModelPredictiveController:
    """With forecasts from what was measured the day before."""
    return ModelPredictiveController("mpc", NaiveForecaster)


def perfect_mpc() -> ModelPredictiveController:
    """With forecasts that come true."""
    return ModelPredictiveController("mpc-perfect", PerfectForecaster)
