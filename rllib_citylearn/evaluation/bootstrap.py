"""How much a score would change with other months, other batteries and other training runs: paired bootstrap intervals.

A draw picks stretches of the episode and random seeds of the community (batteries, journeys) with replacement, the same for
every controller, and of each controller as many of its training runs as it has, by itself (Efron and Tibshirani 1993, "An
Introduction to the Bootstrap", chapters 6 and 13: percentile intervals). All seeds of a draw see the same stretches: they
share the year, so that more seeds tell nothing more of other months. With a dozen stretches these intervals are somewhat
too narrow; and the months of a year are no random sample of a climate. They say how far a difference hangs on single months.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.stretches import Stretches, score_of
from rllib_citylearn.evaluation.trajectory import FloatArray

DRAWS = 2000
LEVEL = 0.95
FEWEST = 6
"""Stretches without which nothing can be said of other months."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a percentile interval at ``LEVEL``."""

    low: float
    high: float

    @classmethod
    def of(cls, draws: FloatArray) -> Interval:
        """Of draws that all have a value."""
        tail = 100.0 * (1.0 - LEVEL) / 2.0
        low, high = np.percentile(draws, [tail, 100.0 - tail])
        return cls(float(low), float(high))

    def to_list(self) -> list[float]:
        """JSON-ready."""
        return [self.low, self.high]


def drawn_terms(
    runs: Sequence[Sequence[Stretches]], *, name: str = "", seed: int = 0, draws: int = DRAWS
) -> FloatArray | None:
    """The score's terms of one controller over draws; of all controllers with equal seeds and stretches, the same are drawn.

    Args:
        runs: for each random seed of the community, its runs by that controller: one, or one a training run.
        name: of the controller; its training runs are drawn by it.
        seed: of the draws.
        draws: how many.

    Returns:
        ``[draws, 4]`` as ``stretches.TERMS``, NaN or infinite where a draw has none; None with fewer than ``FEWEST``
        stretches.
    """
    stretches = len(runs[0][0])
    if stretches < FEWEST:
        return None
    shared = np.random.default_rng(seed)
    counts = shared.multinomial(stretches, np.full(stretches, 1.0 / stretches), size=draws)
    seeds = shared.integers(len(runs), size=(draws, len(runs)))
    own = np.random.default_rng([seed, zlib.crc32(name.encode())])
    trained = own.integers(len(runs[0]), size=(draws, len(runs[0])))
    terms = np.array([[episode.terms(counts) for episode in of_seed] for of_seed in runs])  # [S, R, draws, 4]
    each = np.arange(draws)[:, None, None]
    result: FloatArray = terms[seeds[:, :, None], trained[:, None, :], each].mean((1, 2))
    return result


def drawn_scores(
    runs: Sequence[Sequence[Stretches]], *, name: str = "", seed: int = 0, draws: int = DRAWS
) -> FloatArray | None:
    """Scores over the same draws, ``[draws]``; None as of ``drawn_terms``, or where a draw has no score."""
    terms = drawn_terms(runs, name=name, seed=seed, draws=draws)
    if terms is None:
        return None
    scores = score_of(terms)
    return scores if np.isfinite(scores).all() else None
