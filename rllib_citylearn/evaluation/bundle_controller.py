"""A policy bundle as a controller, run by the same code that serves it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.env.thermostats import DEVICES, leave_devices_to_thermostats

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class BundleController:
    """Acts with a bundle's policy, on the community it was trained on or another one, of any size.

    What the policy knows and the buildings lack is masked; what they have beyond is not seen, and left as without control.

    Args:
        name: what tables and figures call it.
        path: the bundle's folder; it is verified here.

    Raises:
        BundleError: the bundle is incomplete, edited, or of another format version.
    """

    def __init__(self, name: str, path: Path) -> None:
        from rllib_citylearn.export.bundle import read_bundle

        self.name = name
        self._bundle = read_bundle(path)

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``.

        The policy sees this community's capacities and powers, encoded with the ranges it was trained with. Heating and
        cooling devices that it does not know are taken out of ``env``, to follow their thermostats.

        Raises:
            BundleError: the buildings have nothing in common with the policy's, or are not as many as its separate actors.
        """
        from rllib_citylearn.export.runtime import PolicyRuntime

        trained = self._bundle.manifest.community
        unknown = {name for building in env.buildings for name in building.active_actions} & DEVICES - set(trained.actions)
        leave_devices_to_thermostats(env, unknown)
        here = community_features(env, trained.ranges, memory=bool(trained.memory))
        self._runtime = PolicyRuntime(self._bundle, here)
        self._memory = Memory(here)
        if note := self._runtime.fit.note(thermostats=sorted(unknown)):
            print(f"{self.name}: {note}", file=sys.stderr, flush=True)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        return self._runtime.actions(observations, self._memory)
