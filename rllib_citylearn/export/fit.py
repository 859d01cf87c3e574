"""A policy on a community with other features or devices than the one it was trained on.

What the policy knows and the community lacks is masked, as it is for buildings that lack something in training: columns are
zero, actions are left out. What the community has beyond is not seen, and its devices are left as nobody would control them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import BundleError


class Fit:
    """Carries joint arrays from a community's grid to a policy's and back.

    Args:
        trained: the feature table that the policy was trained with.
        here: the community's, with the same ranges.

    Attributes:
        lacking, beyond: observed features that only the one or the other has.
        lacking_actions, beyond_actions: actions likewise.

    Raises:
        BundleError: the two have no feature or no action in common.
    """

    def __init__(self, trained: CommunityFeatures, here: CommunityFeatures) -> None:
        self.lacking, self.beyond = _differences([f.name for f in trained.features], [f.name for f in here.features])
        self.lacking_actions, self.beyond_actions = _differences(trained.actions, here.actions)
        for what, theirs, lacking in (
            ("features", [f.name for f in trained.features], self.lacking),
            ("actions", trained.actions, self.lacking_actions),
        ):
            if theirs and len(lacking) == len(theirs):
                raise BundleError(
                    f"The policy does not fit these buildings: of its {what} they have none ({', '.join(theirs)}). Use "
                    "it on buildings with devices and observations like those it was trained with."
                )
        self._same = trained.columns == here.columns and trained.actions == here.actions
        self._columns = _places(here.columns, trained.columns)
        self._width = len(trained.columns)
        self._actions = _places(trained.actions, here.actions)
        # Rest is zero in CityLearn's units, which is not the middle of every action's limits.
        self._rest = here.encode_actions(np.zeros(here.action_mask.shape)).astype(np.float32)

    def observations(self, encoded: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Encoded observations of the community, ``[B, N, D here]``, on the policy's grid, ``[B, N, D]``."""
        if self._same:
            return encoded
        theirs, ours = self._columns
        joint = np.zeros((*encoded.shape[:-1], self._width), np.float32)
        joint[..., ours] = encoded[..., theirs]
        return joint

    def actions(self, joint: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The policy's actions ``[B, N, A]`` on the community's grid, ``[B, N, A here]``."""
        if self._same:
            return joint
        theirs, ours = self._actions
        result = np.repeat(self._rest[None], len(joint), 0)
        result[..., ours] = joint[..., theirs]
        return result

    def note(self, thermostats: Sequence[str] = ()) -> str:
        """A sentence about what differs; empty if nothing does.

        Args:
            thermostats: actions of the community that were taken out beforehand, for devices to follow their thermostats.
        """
        parts = [
            f"{text} {', '.join(names)}"
            for text, names in (
                ("they lack the features (seen as zero)", self.lacking),
                ("they lack the actions", self.lacking_actions),
                ("it does not see their", self.beyond),
                ("it leaves as without control their", self.beyond_actions),
                ("it leaves to thermostats their", thermostats),
            )
            if names
        ]
        return f"these buildings differ from those it was trained on: {'; '.join(parts)}." if parts else ""


def _differences(theirs: Sequence[str], ours: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that only the first has, and only the second."""
    return tuple(name for name in theirs if name not in ours), tuple(name for name in ours if name not in theirs)


def _places(source: Sequence[str], target: Sequence[str]) -> tuple[Any, Any]:
    """Where the names that both have stand in each."""
    pairs = [(source.index(name), i) for i, name in enumerate(target) if name in source]
    return np.array([a for a, _ in pairs], int), np.array([b for _, b in pairs], int)
