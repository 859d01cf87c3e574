"""Perfect foresight: a plan for the whole episode made by somebody who knows all of it, carried out hour by hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rllib_citylearn.baselines.planning.episode import EpisodePlanner
from rllib_citylearn.baselines.planning.gauge import Gauge
from rllib_citylearn.baselines.planning.reading import describe, read_storages
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class PerfectForesight:
    """What could be reached by somebody who knows every hour of the episode beforehand: a yardstick, no controller for use.

    It plans batteries, tanks and vehicles for the score over the whole episode (``episode.EpisodePlanner``), then steers
    towards what the plan wants stored; departures of vehicles go before the plan. Thermostats are left alone.
    """

    name = "foresight"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``; planning is left to ``prepare``.

        Raises:
            EngineError: the community has something that can't be planned for, named.
        """
        leave_devices_to_thermostats(env)
        # CityLearn draws the journeys from its seed and the number of the episode.
        seed = int(env.random_seed) + int(env.episode_tracker.episode)
        description = describe(env)
        tables = read_storages(description)
        self._features = description.features
        self._planner = EpisodePlanner(description, tables, seed)
        self._gauge = Gauge(env, tables.storages)

    def prepare(self, report: Callable[[int, int], None]) -> None:
        """Make the plan.

        Args:
            report: called with (steps done, steps in all).
        """
        self._plan = self._planner.plan(report)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        actions = self._plan.decide(self._gauge.row, self._gauge.stored_kwh(), self._gauge.drawn_kwh())
        return self._features.own_actions(actions)
