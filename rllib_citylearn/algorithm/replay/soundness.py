"""What a fragment has to be before it is let into the replay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.errors import TrainingError

_NAMES = ("observations", "actions", "building_rewards", "district_reward", "states")
_OF_BUILDINGS = _NAMES[:3]


def require_sound(fragment: JointFragment, buildings: Sequence[str], columns: int, actions: int, states: int) -> None:
    """Refuse a fragment of other shapes than expected, or with numbers that are not finite.

    Args:
        fragment: hours of E copies of a community.
        buildings: names of its N buildings.
        columns: expected number D of observed columns.
        actions: expected number A of actions.
        states: expected numbers S of the engine's state.

    Raises:
        TrainingError: names the array, the building and the hour.
    """
    steps, n = len(fragment), len(buildings)
    copies = fragment.district_reward.shape[1] if fragment.district_reward.ndim == 2 else 0
    expected = {
        "observations": (steps + 1, copies, n, columns),
        "actions": (steps, copies, n, actions),
        "building_rewards": (steps, copies, n),
        "district_reward": (steps, copies),
        "terminated": (steps, copies),
        "states": (steps, copies, states),
    }
    for name, shape in expected.items():
        found = getattr(fragment, name).shape
        if found != shape:
            raise TrainingError(
                f"A fragment of {steps} hours brought {name} of the shape {found}, but this run's replay keeps {shape} "
                f"({n} buildings, {columns} columns, {actions} actions, {states} numbers of the engine's state). Engine "
                "states, for model_horizon above 0, come with the compiled engine only."
            )
    if fragment.terminated[:-1].any():
        hour = int(np.argwhere(fragment.terminated)[0, 0])
        raise TrainingError(
            f"An episode terminated in hour {hour} of a fragment of {steps}; fragments must end with episodes."
        )
    for name in _NAMES:
        _require_finite(name, getattr(fragment, name), buildings)


def _require_finite(name: str, values: npt.NDArray[np.float32], buildings: Sequence[str]) -> None:
    # A sum is finite only if all of its numbers are, and faster than asking each; it may also overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    wrong = np.argwhere(~np.isfinite(values))
    if not len(wrong):
        return
    at = tuple(wrong[0].tolist())
    building = f" of {buildings[at[2]]}" if name in _OF_BUILDINGS else ""
    verb = "are" if name.endswith("s") else "is"
    raise TrainingError(
        f"{name}{building} {verb} {values[at]} in hour {at[0]} of a fragment (copy {at[1]}); everything that is learnt from "
        "has to be finite. Look for gaps in the data set's columns (`rllib-citylearn datasets check`), or, if the actions "
        "are not finite, lower the learning rates."
    )
