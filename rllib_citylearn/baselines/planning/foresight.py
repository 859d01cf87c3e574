"""Perfect foresight: a plan for the whole episode made by somebody who knows all of it, carried out hour by hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rllib_citylearn.baselines.planning.cycles import CyclePlan
from rllib_citylearn.baselines.planning.gauge import Gauge
from rllib_citylearn.baselines.planning.idle_load import idle_load_kwh
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.baselines.planning.year import import_weights, plan_year
from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.simulator.description import CommunityDescription

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class PerfectForesight:
    """What could be reached by somebody who knows every hour of the episode beforehand: a yardstick, no controller for use.

    It plans batteries, tanks and vehicles for the score over the whole episode (``year.plan_year``), then steers towards
    what the plan wants stored; departures of vehicles go before the plan. Thermostats are left alone.
    """

    name = "foresight"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``; planning is left to ``prepare``.

        Raises:
            EngineError: the community has something that can't be planned for, named.
        """
        leave_devices_to_thermostats(env)
        self._description = CommunityDescription.of(env, community_features(env))
        self._tables = StorageTables.read(self._description)
        self._gauge = Gauge(env, self._tables.storages)

    def prepare(self, report: Callable[[int, int], None]) -> None:
        """Make the plan.

        Args:
            report: called with (steps done, steps in all).
        """
        description = self._description
        data, rows = description.tables, description.tables.rows - 1
        idle = idle_load_kwh(description)[:rows]
        imports = import_weights(idle, data.price[:rows].astype(np.float64), data.carbon[:rows].astype(np.float64))
        self._cycles = CyclePlan.cheapest(description, idle, imports)
        load = idle + self._cycles.load_kwh
        if len(self._tables):
            self._plan = plan_year(self._tables, load, idle, imports, report=report)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        row = self._gauge.row
        features = self._description.features
        actions = np.zeros(features.action_mask.shape)
        self._cycles.start(row, actions)
        stored = self._gauge.stored_kwh()
        for u, storage in enumerate(self._tables.storages):
            if not self._tables.available[row, u]:
                continue
            conversion = self._tables.conversions[self._tables.conversion[row, u]]
            drawn = conversion.drawn_for(float(self._plan.stored_kwh[row, u] - stored[u]))
            needed = self._tables.needed_kwh(row, u, float(stored[u]))
            actions[storage.building, storage.action] = storage.action_for(drawn, at_least_kwh=needed)
        return features.own_actions(actions)
