"""CityLearn's own rule-based agents as controllers; their rules stay CityLearn's code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class CityLearnAgent:
    """One of CityLearn's agents, made anew for every episode.

    Args:
        name: the baseline's name.
        module: CityLearn's module that holds the agent.
        agent: the agent's class in it.
        sets_devices: whether the agent has a rule for heating and cooling devices. One that has none would send them
            zeros, which switch them off; they are left to their thermostats instead.
    """

    def __init__(self, name: str, module: str, agent: str, *, sets_devices: bool) -> None:
        self.name = name
        self._module = module
        self._agent_class = agent
        self._sets_devices = sets_devices
        self._agent: Any = None

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``."""
        if not self._sets_devices:
            leave_devices_to_thermostats(env)
        try:
            self._agent = getattr(import_module(self._module), self._agent_class)(env)
        except (AssertionError, ValueError) as error:
            actions = sorted({name for names in env.action_names for name in names})
            raise ConfigError(
                f"CityLearn's {self._agent_class} ({self.name}) refuses this data set, which has the actions "
                f"{', '.join(actions)}: {error}. Deactivate what it can't set in the schema, "
                "or choose another baseline."
            ) from error

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        actions: list[list[float]] = self._agent.predict(observations, deterministic=True)
        return actions
