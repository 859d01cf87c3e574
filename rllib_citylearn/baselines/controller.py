"""What anything that controls a community has to offer to be run and scored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class Controller(Protocol):
    """Sets the devices of N buildings hour by hour, from CityLearn's observations to CityLearn's actions.

    Attributes:
        name: what tables and figures call it.
    """

    name: str

    def reset(self, env: CityLearnEnv) -> None:
        """Prepare for one episode of ``env``.

        Called after ``env.reset()`` and before the first ``act``. A controller may take actions out of the
        environment here, such as those of devices that it leaves to their thermostats; afterwards ``env.action_names``
        tells what it has to give.

        Args:
            env: an environment from ``make_citylearn_env``.

        Raises:
            UserError: the controller can't control this community.
        """
        ...

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """Actions of one time step.

        Args:
            observations: one row a building, in physical units, ordered as ``env.observation_names``.

        Returns:
            One row a building in CityLearn's units, ordered as ``env.action_names``.
        """
        ...


@runtime_checkable
class Planner(Protocol):
    """A controller that has minutes of work to do before its first action."""

    def prepare(self, report: Callable[[int, int], None]) -> None:
        """Do it; called after ``Controller.reset``.

        Args:
            report: to be called with (steps done, steps in all).
        """
        ...
