"""The two engines that can run a controller, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rllib_citylearn.env.config import CITYLEARN, check_engine

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Rows = list[list[float]]
"""One row of numbers a building."""


class Simulation(Protocol):
    """One episode of a CityLearn environment, whichever engine simulates it."""

    @property
    def done(self) -> bool:
        """Whether the data is at its end."""
        ...

    def observe(self) -> Rows:
        """What the buildings see now, in physical units, ordered as ``env.observation_names``; not to be asked when done."""
        ...

    def step(self, actions: Rows) -> None:
        """One hour, with actions in CityLearn's units, ordered as ``env.action_names``."""
        ...

    def finish(self) -> None:
        """Leave the environment as it is after its last step, ready to be evaluated."""
        ...


class CityLearnSimulation:
    """CityLearn simulates.

    CityLearn's observations mix numbers of 32 and 64 bits, in which the same rule computes different actions; controllers
    get plain numbers from both engines.

    Args:
        env: an environment that was reset.
    """

    def __init__(self, env: CityLearnEnv) -> None:
        self._env = env
        self._observations = _plain(env.observations)

    @property
    def done(self) -> bool:
        """See ``Simulation.done``."""
        return bool(self._env.terminated)

    def observe(self) -> Rows:
        """See ``Simulation.observe``."""
        return self._observations

    def step(self, actions: Rows) -> None:
        """See ``Simulation.step``."""
        observations, *_ = self._env.step(actions)
        self._observations = _plain(observations)

    def finish(self) -> None:
        """See ``Simulation.finish``; there is nothing left to do."""


def _plain(observations: Rows) -> Rows:
    return [[float(value) for value in row] for row in observations]


def simulate(engine: str, env: CityLearnEnv) -> Simulation:
    """An episode of ``env`` on an engine.

    Args:
        engine: one of ``env.config.ENGINES``.
        env: an environment that was reset once; its active actions must not change any more.

    Raises:
        ConfigError: an unknown engine.
        EngineError: the fast engine can't simulate this community.
    """
    check_engine(engine)
    if engine == CITYLEARN:
        return CityLearnSimulation(env)
    from rllib_citylearn.evaluation.fast_simulation import FastSimulation

    return FastSimulation(env)
