"""A policy bundle as a controller, run by the same code that serves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.errors import BundleError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class BundleController:
    """Acts with a bundle's policy, on the community it was trained on or another one with the same senses and devices.

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

        The policy sees this community's capacities and powers, encoded with the ranges it was trained with.

        Raises:
            BundleError: the buildings have other features or actions than the policy's.
        """
        from rllib_citylearn.export.runtime import PolicyRuntime

        trained = self._bundle.manifest.community
        here = community_features(env, trained.ranges, memory=bool(trained.memory))
        for what, theirs, ours in (
            ("observed columns", trained.columns, here.columns),
            ("actions", trained.actions, here.actions),
        ):
            if tuple(theirs) != tuple(ours):
                lacking, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
                raise BundleError(
                    f"The policy {self.name} does not fit these buildings: of its {what} they lack "
                    f"{', '.join(lacking) or 'none'}, and they have {', '.join(extra) or 'none'} beyond. Evaluate it "
                    "on the data set it was trained on, or on buildings with the same devices and observations."
                )
        manifest = replace(self._bundle.manifest, community=here)
        self._runtime = PolicyRuntime(replace(self._bundle, manifest=manifest))
        self._memory = Memory(here)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        return self._runtime.actions(observations, self._memory)
