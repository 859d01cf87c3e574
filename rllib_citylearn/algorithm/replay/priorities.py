"""Prioritised drawing: Schaul et al. 2016, "Prioritized Experience Replay", the proportional variant."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.algorithm.replay.sum_tree import Rows, SumTree
from rllib_citylearn.errors import TrainingError

_LEAST = 1e-6
"""Added to every error, so that a row that was understood once can still be drawn (sec. 3.3)."""


class Priorities:
    """Priorities of the rows of a replay; rows that must not be drawn have none.

    Args:
        capacity: number of rows.
        alpha: how much priorities count, from 0 (not at all) to 1 (in proportion), eq. 1.
    """

    def __init__(self, capacity: int, alpha: float) -> None:
        self._alpha = alpha
        self._tree = SumTree(capacity)
        self._largest = 1.0

    def enter(self, rows: Rows, startable: npt.NDArray[np.bool_]) -> None:
        """Give rows ``[B]`` that were just written the largest priority so far, those that can't be drawn none."""
        self._tree.set(rows, np.where(startable, self._largest**self._alpha, 0.0))

    def update(self, rows: Rows, td_errors: npt.ArrayLike) -> None:
        """Set priorities from temporal-difference errors ``[B]``; rows that can't be drawn keep having none.

        Raises:
            TrainingError: an error that is not finite, or not one for every row.
        """
        errors = np.abs(np.asarray(td_errors, np.float64))
        if errors.shape != rows.shape or not np.isfinite(errors).all():
            raise TrainingError(
                f"Priorities need one finite error for each of {len(rows)} drawn rows; {int(np.isfinite(errors).sum())} "
                f"finite ones of the shape {errors.shape} came. Lower the learning rates, or use replay='uniform'."
            )
        drawable = self._tree.values[rows] > 0.0
        priorities = errors[drawable] + _LEAST
        self._largest = max(self._largest, float(priorities.max(initial=0.0)))
        self._tree.set(rows[drawable], priorities**self._alpha)  # eq. 1

    def draw(self, random: np.random.Generator, minibatches: int, size: int) -> Rows:
        """Rows ``[minibatches, size]``; a minibatch takes one from each of ``size`` equal shares of the total (sec. 3.3)."""
        shares = (np.arange(size) + random.random((minibatches, size))) / size
        return self._tree.find((shares * self._tree.total).reshape(-1)).reshape(minibatches, size)

    def weights(self, rows: Rows, beta: float, count: int) -> npt.NDArray[np.float32]:
        """Importance weights of minibatches ``[minibatches, size]``, the largest of each minibatch being one (sec. 3.4).

        Args:
            rows: drawn rows.
            beta: how much of the bias is made up for, from 0 (nothing) to 1 (all).
            count: how many rows there were to draw from.
        """
        weights = (count * self._tree.values[rows] / self._tree.total) ** -beta
        scaled: npt.NDArray[np.float32] = (weights / weights.max(1, keepdims=True)).astype(np.float32)
        return scaled

    def get_state(self, rows: slice) -> dict[str, Any]:
        """The largest priority and the values of some rows."""
        return {"largest": self._largest, "values": self._tree.values[rows].copy()}

    def set_state(self, largest: float, values: npt.NDArray[np.float64]) -> None:
        """Replace everything; rows beyond ``values`` have no priority.

        Args:
            largest: the largest priority so far.
            values: ``[at most capacity]``.
        """
        self._largest = largest
        everything = np.zeros(len(self._tree.values))
        everything[: len(values)] = values
        self._tree.set(np.arange(len(everything)), everything)


def annealed_beta(first: float, progress: float) -> float:
    """Exponent of the importance weights: from ``first`` to 1 in a straight line, as training ends (Schaul 2016, sec. 3.4).

    Args:
        first: its value when training starts, 0 to 1.
        progress: share of the training that is done, 0 to 1 (more counts as 1).
    """
    return first + (1.0 - first) * min(max(progress, 0.0), 1.0)
