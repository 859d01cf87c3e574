"""Piecewise linear curves, one a device, evaluated for all devices of all communities at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.parameters import Floats


@dataclass(frozen=True)
class Pieces:
    """One curve: between consecutive ``knots`` [K] it is a line, with ``slopes`` and ``intercepts`` [K + 1]."""

    knots: Floats
    slopes: Floats
    intercepts: Floats

    @classmethod
    def extrapolated(cls, curve: Floats) -> Pieces:
        """Through the points ``[2, k]``; the first and the last line go on for ever."""
        x, y = curve
        slopes = np.diff(y) / np.diff(x)
        return cls(x[1:-1], slopes, y[:-1] - slopes * x[:-1])

    @classmethod
    def constant(cls, value: float) -> Pieces:
        return cls(np.zeros(0), np.zeros(1), np.array([value]))

    def at(self, x: float) -> float:
        i = int((x > self.knots).sum())
        return float(self.intercepts[i] + self.slopes[i] * x)

    def held(self, *, below: float | None = None, above: float | None = None) -> Pieces:
        """The same curve, constant below and above abscissae."""
        knots, slopes, intercepts = self.knots, self.slopes, self.intercepts
        if above is not None:
            kept = int((knots < above).sum())
            knots = np.append(knots[:kept], above)
            slopes, intercepts = np.append(slopes[: kept + 1], 0.0), np.append(intercepts[: kept + 1], self.at(above))
        if below is not None:
            gone = int((knots <= below).sum())
            knots = np.append(below, knots[gone:])
            slopes, intercepts = np.append(0.0, slopes[gone:]), np.append(self.at(below), intercepts[gone:])
        return Pieces(knots, slopes, intercepts)

    def scaled(self, x: float, y: float = 1.0) -> Pieces:
        """With abscissae and ordinates in another unit: ``x`` and ``y`` times as large."""
        return Pieces(self.knots * x, self.slopes * y / x, self.intercepts * y)


class PiecewiseLinear(Constants):
    """M curves as one function; its gradient is the slope of the piece on the left of a knot, as in the kernels.

    Args:
        curves: M of them.
        dtype: of the values.
    """

    def __init__(self, curves: Sequence[Pieces], dtype: torch.dtype) -> None:
        super().__init__(dtype)
        most = max((len(curve.knots) for curve in curves), default=0)
        knots = np.full((most, 1, len(curves)), np.inf)
        slopes, intercepts = np.zeros((2, len(curves), most + 1))
        for m, curve in enumerate(curves):
            count = len(curve.knots)
            knots[:count, 0, m] = curve.knots
            slopes[m, : count + 1], intercepts[m, : count + 1] = curve.slopes, curve.intercepts
        self.keep("knots", knots)
        self.keep("slopes", slopes.reshape(-1))
        self.keep("intercepts", intercepts.reshape(-1))
        self.keep("first", np.arange(len(curves)) * (most + 1), torch.int64)

    def forward(self, x: torch.Tensor, which: torch.Tensor | None = None) -> torch.Tensor:
        """Ordinates at ``x`` ``[E, M]`` of every curve, or at ``x`` ``[E, V]`` of the curves ``which`` ``[E, V]``."""
        knots, first = (self.knots, self.first) if which is None else (self.knots[:, 0, which], self.first[which])
        piece = (x.detach() > knots).sum(0).add_(first).view(-1)
        slope, intercept = self.slopes.index_select(0, piece), self.intercepts.index_select(0, piece)
        return torch.addcmul(intercept.view(x.shape), slope.view(x.shape), x)
