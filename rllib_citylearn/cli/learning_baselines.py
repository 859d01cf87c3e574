"""Learning baselines that are named on the command line: trained first, once, and kept for the next time."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rllib_citylearn.baselines.learned import LEARNED
from rllib_citylearn.env.limits import is_seed
from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from rllib_citylearn.baselines.learned import LearnedSpec
    from rllib_citylearn.cli.evaluation_options import Place

MINUTES = 10.0
"""For how long each is trained unless the command line says otherwise."""

TRAINING_OPTIONS = ("training-minutes", "training-seeds")
"""Names of the options."""


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how learning baselines are trained."""
    parser.add_argument(
        "--training-minutes",
        type=float,
        metavar="M",
        help=(
            f"minutes on one thread to train each learning baseline that is named ({', '.join(LEARNED)}), one "
            "after the other and before anything is simulated; what was learnt is kept in the cache folder and used again "
            f"(default: {MINUTES:g})"
        ),
    )
    parser.add_argument(
        "--training-seeds", metavar="S,S", help="seeds of their networks and exploration, a training each (default: 0)"
    )


def seeds_of(option: str, text: str) -> list[int]:
    """Seeds that an option lists.

    Raises:
        ConfigError: something that is no seed, or one twice.
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise ConfigError(f"{option} is {text!r}; give whole numbers from 0 on, separated by commas, for example 2022,2023.")
    seeds = [int(word) for word in words]
    if not all(map(is_seed, seeds)):
        raise ConfigError(f"{option} is {text!r}; give whole numbers below 2,147,483,648.")
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"{option} is {text!r}; give each seed once.")
    return seeds


@dataclass(frozen=True)
class Training:
    """How learning baselines are trained.

    Attributes:
        minutes: for how long each.
        seeds: of networks and exploration, a training each.
    """

    minutes: float
    seeds: Sequence[int]

    @classmethod
    def of(cls, args: argparse.Namespace, names: Iterable[str]) -> Training:
        """From the arguments.

        Args:
            args: as parsed.
            names: what is to be evaluated.

        Raises:
            ConfigError: seeds that are none, no time, or options with nobody to train.
        """
        given = [option for option in TRAINING_OPTIONS if getattr(args, option.replace("-", "_")) is not None]
        if given and not any(name in LEARNED for name in names):
            raise ConfigError(
                f"--{given[0]} is for learning baselines ({', '.join(LEARNED)}), and none is named; name one, or leave the "
                "option out."
            )
        minutes = MINUTES if args.training_minutes is None else args.training_minutes
        if not (math.isfinite(minutes) and minutes > 0):
            raise ConfigError(f"--training-minutes is {minutes:g}; give training a time above 0.")
        return cls(minutes, [0] if args.training_seeds is None else seeds_of("--training-seeds", args.training_seeds))

    def specs(
        self, name: str, place: Place, buildings: Sequence[str] | None, random_seed: int | None
    ) -> tuple[LearnedSpec, ...]:
        """A learning baseline after its trainings, one after the other, so that none takes another's time.

        Args:
            name: one of ``LEARNED``.
            place: the data and the window that it learns on.
            buildings: names of the buildings; None for all.
            random_seed: CityLearn's; None is the data set's.

        Raises:
            UserError: it can't be trained on this community, or not in this time.
        """
        from rllib_citylearn.baselines.learned import LearnedSpec, train_learned
        from rllib_citylearn.evaluation.progress import Progress

        community: dict[str, Any] = {"buildings": buildings, "window": place.window, "random_seed": random_seed}
        found = []
        for seed in self.seeds:
            progress = Progress(sys.stderr, [f"Training {name}, seed {seed}, seconds"])

            def report(done_s: float, seconds: float, progress: Progress = progress) -> None:
                progress.update(0, round(done_s), round(seconds))

            try:
                folder = train_learned(
                    name, schema=place.source.folder, seed=seed, minutes=self.minutes, report=report, **community
                )
            finally:
                progress.close()
            found.append(LearnedSpec(name, str(folder)))
        return tuple(found)
