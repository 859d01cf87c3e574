"""A sum tree: numbers of zero or more, drawn in proportion to their size in logarithmic time, a batch at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


class SumTree:
    """``size`` values and their sums over ever larger blocks.

    Node 1 is the root, nodes 2k and 2k + 1 are the children of node k, and the leaves are the values.

    Args:
        size: number of values, all zero at first.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._depth = max(size - 1, 1).bit_length()
        self._leaves = 1 << self._depth
        self._sums: Doubles = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """Sum of all values."""
        return float(self._sums[1])

    @property
    def values(self) -> Doubles:
        """The values, ``[size]``; not to be written to."""
        return self._sums[self._leaves : self._leaves + self._size]

    def set(self, rows: Rows, values: Doubles) -> None:
        """Replace the values ``[B]`` of ``rows`` ``[B]``; of a row that is named twice, the last one counts."""
        nodes = rows + self._leaves
        self._sums[nodes] = values
        # Sums are made anew instead of being corrected by differences, so that no rounding errors pile up.
        for _ in range(self._depth):
            nodes = nodes >> 1
            self._sums[nodes] = self._sums[2 * nodes] + self._sums[2 * nodes + 1]

    def find(self, heights: Doubles) -> Rows:
        """Rows whose values, stacked in order, reach over the heights ``[B]``, each from 0 up to the total.

        A value of zero is never found, even where rounding has lifted a height to the total or above the sum on its left.
        """
        nodes = np.ones(len(heights), np.int64)
        left_over = heights.astype(np.float64)
        for _ in range(self._depth):
            nodes = 2 * nodes
            left = self._sums[nodes]
            right = (left_over >= left) & (self._sums[nodes + 1] > 0.0)
            left_over = np.where(right, left_over - left, left_over)
            nodes = nodes + right
        return nodes - self._leaves
