"""An episode on the fast engine, written into CityLearn's environment for everything that reads it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.feature_table import table_names
from rllib_citylearn.errors import EngineError
from rllib_citylearn.evaluation.present import Present
from rllib_citylearn.evaluation.simulation import Rows
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.injection import Recording, inject

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class FastSimulation:
    """The compiled engine simulates.

    While it runs, ``env`` shows the present, as if it had been stepped: agents of CityLearn's own look into it.

    Args:
        env: an environment that was reset once; it is reset again, with the same vehicles' journeys.

    Raises:
        EngineError: the engine can't simulate this community.
    """

    def __init__(self, env: CityLearnEnv) -> None:
        self._env = env
        # CityLearn draws the journeys from its seed and the number of the episode, which reading the description advances.
        seed = int(env.random_seed) + int(env.episode_tracker.episode)
        description = CommunityDescription.read(env, community_features(env))
        self._community = FastCommunity(description)
        self._community.reset(seeds=seed)
        self._hours = self._community.rows - 1
        self._hour = 0
        self._recording = Recording.empty(self._community, self._hours)
        self._present = Present(env, self._community)
        columns = {name: a for a, name in enumerate(description.features.actions)}
        self._actions = np.zeros((1, len(env.buildings), len(columns)))
        self._places = np.array(
            [
                n * len(columns) + columns[name]
                for n, names in enumerate(env.action_names)
                for name in table_names(list(names))
            ],
            np.int64,
        )

    @property
    def done(self) -> bool:
        """See ``Simulation.done``."""
        return self._hour >= self._hours

    def observe(self) -> Rows:
        """See ``Simulation.observe``."""
        return self._community.raw_observations()

    def step(self, actions: Rows) -> None:
        """See ``Simulation.step``."""
        self._actions.reshape(-1)[self._places] = list(chain.from_iterable(actions))
        self._community.step_physical(self._actions)
        self._recording.note(self._hour, self._community, self._actions)
        self._present.advance(self._hour)
        self._hour += 1

    def finish(self) -> None:
        """See ``Simulation.finish``.

        Raises:
            EngineError: the data is not at its end.
        """
        if not self.done:
            raise EngineError(f"Only {self._hour} of {self._hours} hours were simulated; KPIs are of whole episodes.")
        inject(self._env, self._recording)
