"""The two engines behind one interface: E parallel communities, whichever way they are simulated."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.config import FAST
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import QUANTITIES, Measurements
from rllib_citylearn.env.memory_columns import MemoryColumns
from rllib_citylearn.env.memory_table import memory_table
from rllib_citylearn.env.reward import RewardBuffers, TeamReward
from rllib_citylearn.env.service import ServiceMeter
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.reward_layout import SERVICE_COUNT
from rllib_citylearn.simulator.tables import generation_kwh

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_NET = QUANTITIES.index("net_electricity_consumption")


class Engine(Protocol):
    """Simulates E communities of N buildings, each with a clock of its own.

    Arrays are overwritten by the next ``reset`` or ``step``; copy what has to be kept.

    Attributes:
        observations: encoded, float32 ``[E, N, D]``.
        net_kwh: net loads of the last hour, ``[E, N]``.
        rewards: the team reward of the last hour and its parts.
    """

    observations: npt.NDArray[np.float32]
    net_kwh: npt.NDArray[Any]
    rewards: RewardBuffers

    def reset(self, communities: Rows, rows: Rows, seeds: Rows, initial_soc: Doubles | None) -> None:
        """Start episodes.

        Args:
            communities: which of the E.
            rows: where in the data each starts, counted from the first step of the window.
            seeds: from which the drift of vehicles that are away is drawn.
            initial_soc: state of charge of the batteries, ``[len(communities), N]``; None takes the schema's.
        """

    def step(self, actions: Doubles, *, physical: bool = False) -> None:
        """One hour.

        Args:
            actions: ``[E, N, A]`` in [-1, 1], or in CityLearn's units if ``physical``.

        Raises:
            EngineError: actions of another shape, actions that are no numbers, or no data left.
        """

    def shown_net_kwh(self) -> npt.NDArray[Any]:
        """Net loads that the observations show, ``[E, N]``: of the last hour, or of the first at the start of an episode."""
        ...


class FastEngine:
    """The compiled kernels (``rllib_citylearn.simulator``).

    Args:
        citylearn: where the community is read from; it is reset.
        features: its feature table.
        reward: the team reward over its window.
        communities: number E.
        episode_steps: length of an episode.
    """

    def __init__(
        self, citylearn: CityLearnEnv, features: CommunityFeatures, reward: TeamReward, communities: int, episode_steps: int
    ) -> None:
        from rllib_citylearn.simulator import CommunityDescription, FastCommunity

        description = CommunityDescription.read(citylearn, features)
        self.community = FastCommunity(description, communities, reward=reward.tables, drift_rows=episode_steps)
        self.observations = self.community.observations
        self.net_kwh = self.community.net_kwh
        self.rewards = self.community.rewards
        self._steps = episode_steps

    def reset(self, communities: Rows, rows: Rows, seeds: Rows, initial_soc: Doubles | None) -> None:
        """See ``Engine.reset``."""
        # CityLearn's episodes have one time step more than is used, and appliances look at where they end.
        self.community.reset(communities, rows, seeds=seeds, initial_soc=initial_soc, last_rows=rows + self._steps + 1)

    def step(self, actions: Doubles, *, physical: bool = False) -> None:
        """See ``Engine.step``."""
        if physical:
            self.community.step_physical(actions)
        else:
            self.community.step(actions)

    def shown_net_kwh(self) -> npt.NDArray[Any]:
        """See ``Engine.shown_net_kwh``."""
        return self.net_kwh


class CityLearnEngine:
    """CityLearn itself, one environment a community: the oracle, thousands of times slower.

    Args:
        citylearn: the first community's environment; copies are made for the others.
        features: its feature table.
        reward: the team reward over its window.
        communities: number E.
        episode_steps: length of an episode.
    """

    def __init__(
        self, citylearn: CityLearnEnv, features: CommunityFeatures, reward: TeamReward, communities: int, episode_steps: int
    ) -> None:
        self.environments = [citylearn, *(deepcopy(citylearn) for _ in range(communities - 1))]
        self._features = features
        self._reward = reward
        self._steps = episode_steps
        self._first = int(citylearn.episode_time_steps[0][0])
        self._initial_soc = [building.electrical_storage.initial_soc for building in citylearn.buildings]
        self.observations = np.zeros((communities, *features.observation_mask.shape), np.float32)
        self.net_kwh = np.zeros((communities, len(features.agents)))
        self.rewards = RewardBuffers.empty(communities, len(features.agents))
        citylearn.reset()
        self._meter = ServiceMeter(citylearn)
        self._service = np.zeros((communities, len(features.agents), SERVICE_COUNT))
        self._state = np.zeros((communities, 4))
        self._rows = np.zeros(communities, np.int64)
        self._measurements = Measurements(features)
        self._shown_net = np.zeros(self.net_kwh.shape)
        self._memory = memory_table(features, _measured_data(citylearn, self._measurements.present))
        self._remembered = MemoryColumns(features).columns

    def reset(self, communities: Rows, rows: Rows, seeds: Rows, initial_soc: Doubles | None) -> None:
        """See ``Engine.reset``."""
        for i, (e, row, seed) in enumerate(zip(communities, rows, seeds, strict=True)):
            env = self.environments[e]
            levels = self._initial_soc if initial_soc is None else initial_soc[i]
            for building, level in zip(env.buildings, levels, strict=True):
                building.electrical_storage.initial_soc = float(level)
            # CityLearn repeats the second last observation at the end of its episodes, and shows the outcome of a step only
            # in the next one. It is therefore given one time step more than is used.
            start = self._first + int(row)
            env.episode_time_steps = [(start, start + self._steps + 1)]
            observations, _ = env.reset()
            # CityLearn draws the drift of vehicles from its seed plus a count of its resets.
            env._ev_drift_random_state = np.random.RandomState(int(seed) % 2**32)
            self._rows[e] = row
            self._show(e, observations)
        self._state[communities] = self._reward.start(rows + self._first)

    def step(self, actions: Doubles, *, physical: bool = False) -> None:
        """See ``Engine.step``."""
        expected = (len(self.environments), *self._features.action_mask.shape)
        if np.shape(actions) != expected or not np.isfinite(actions).all():
            raise EngineError(
                f"Actions of the shape {np.shape(actions)} were given; {expected} finite numbers are expected "
                f"({', '.join(self._features.actions)} in the last axis)."
            )
        for e, env in enumerate(self.environments):
            if env.terminated:
                raise EngineError(f"Community {e} is at the end of its episode; reset it before the next step.")
        shown = []
        for e, env in enumerate(self.environments):
            rows = self._features.own_actions(actions[e]) if physical else self._features.decode_actions(actions[e])
            observations, *_ = env.step(rows)
            # CityLearn's clock already stands on the next hour.
            index = env.time_step - 1
            self.net_kwh[e] = [building.net_electricity_consumption[index] for building in env.buildings]
            self._service[e] = self._meter.read(env, int(self._rows[e]), index)
            shown.append(observations)
        self._reward.step(self._rows + self._first, self.net_kwh, self._service, self._state, self.rewards)
        self._rows += 1
        for e, observations in enumerate(shown):
            self._show(e, observations)

    def shown_net_kwh(self) -> npt.NDArray[Any]:
        """See ``Engine.shown_net_kwh``."""
        return self._shown_net

    def _show(self, e: int, observations: list[list[float]]) -> None:
        """Encode what the buildings of community ``e`` see."""
        self.observations[e] = self._features.encode(observations)
        self._shown_net[e] = self._measurements.of(observations)[:, _NET]
        self.observations[e, :, self._remembered] = self._memory[self._rows[e]]


def make_engine(
    name: str,
    citylearn: CityLearnEnv,
    features: CommunityFeatures,
    reward: TeamReward,
    communities: int,
    episode_steps: int,
) -> Engine:
    """The engine that ``env_config`` calls ``name``; see the engines for the other arguments."""
    if name == FAST:
        return FastEngine(citylearn, features, reward, communities, episode_steps)
    return CityLearnEngine(citylearn, features, reward, communities, episode_steps)


def _measured_data(env: CityLearnEnv, present: npt.NDArray[np.bool_]) -> Doubles:
    """Of ``QUANTITIES`` those that are data, ``[T, N, 4]``, over the window of ``env``, which has been reset.

    Zero where a building does not measure one, and for the net load, which is no data.
    """
    building_data = []
    for building in env.buildings:
        series = (
            building.energy_simulation.non_shiftable_load,
            np.abs(generation_kwh(building)),
            np.zeros(len(building.energy_simulation.non_shiftable_load)),
            building.carbon_intensity.carbon_intensity,
        )
        building_data.append(np.stack([np.asarray(values, float) for values in series], 1))
    data: Doubles = np.stack(building_data, 1) * present
    return data
