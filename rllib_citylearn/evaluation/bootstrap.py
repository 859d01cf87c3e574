"""How much a score would change with other months, other batteries and other training runs: paired bootstrap intervals.

A draw picks random seeds of the community (batteries, journeys) and stretches of the episode with replacement, the same for
every controller, and of each controller one training run a drawn seed (Efron and Tibshirani 1993, "An Introduction to the
Bootstrap", chapters 6 and 13: percentile intervals). With a dozen stretches these intervals are somewhat too narrow; and
the months of a year are no random sample of a climate. They say how far a difference hangs on single months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.stretches import Stretches
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
        """Of the draws that have a value."""
        tail = 100.0 * (1.0 - LEVEL) / 2.0
        low, high = np.percentile(draws[np.isfinite(draws)], [tail, 100.0 - tail])
        return cls(float(low), float(high))

    def to_list(self) -> list[float]:
        """JSON-ready."""
        return [self.low, self.high]


def drawn_scores(runs: Sequence[Sequence[Stretches]], *, seed: int = 0, draws: int = DRAWS) -> FloatArray | None:
    """Scores of one controller over draws; controllers with equal seeds and stretches are drawn alike.

    Args:
        runs: for each random seed of the community, its runs by that controller: one, or one a training run.
        seed: of the draws.
        draws: how many.

    Returns:
        ``[draws]``, or None with fewer than ``FEWEST`` stretches.
    """
    stretches = len(runs[0][0])
    if stretches < FEWEST:
        return None
    random = np.random.default_rng(seed)
    seeds = random.integers(len(runs), size=(draws, len(runs)))
    counts = random.multinomial(stretches, np.full(stretches, 1.0 / stretches), size=(draws, len(runs)))
    trained = random.random(size=(draws, len(runs)))
    total = np.zeros(draws)
    for place in range(len(runs)):
        for number, of_seed in enumerate(runs):
            choice = (trained[:, place] * len(of_seed)).astype(int)
            for run, episode in enumerate(of_seed):
                here = (seeds[:, place] == number) & (choice == run)
                if here.any():
                    total[here] += episode.scores(counts[here, place])
    result: FloatArray = total / len(runs)
    return result
