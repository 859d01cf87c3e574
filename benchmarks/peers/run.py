"""What the scripts of all competitors share: the command line, the clock, and the result as JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers.spread import Act, evaluate
from rllib_citylearn.errors import UserError
from rllib_citylearn.files import write_json

STEPS = 25_000


@dataclass(frozen=True)
class Result:
    """One run of one competitor.

    Attributes:
        name: the competitor, with its variant.
        seed: of the run.
        steps: environment steps trained.
        team_return: mean over the evaluation episodes (see ``spread``).
        error: standard error of that mean.
        wall_seconds, cpu_seconds: of training with all that it starts in its process, by the wall's and the process's clock.
        command: that made it.
        versions: of the packages that matter.
    """

    name: str
    seed: int
    steps: int
    team_return: float
    error: float
    wall_seconds: float
    cpu_seconds: float
    command: str
    versions: dict[str, str]


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every competitor has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="seed of environments, weights and draws")
    parser.add_argument("--steps", type=int, default=STEPS, help="environment steps to train for")
    parser.add_argument("--json", type=Path, help="write the result here instead of printing it")
    return parser


def demand(*packages: str) -> None:
    """Refuse to go on where a package is missing."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"Not installed here: {', '.join(missing)}. benchmarks/peers/requirements.txt says which virtual environment "
            "this script is for and what it needs; run it with that environment's python."
        )


def measured(name: str, options: argparse.Namespace, train: Callable[[], Act], packages: tuple[str, ...]) -> Result:
    """Train, by the clock, then evaluate what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    act = train()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    returns = evaluate(act)
    return Result(
        name=name,
        seed=options.seed,
        steps=options.steps,
        team_return=float(returns.mean()),
        error=float(returns.std(ddof=1) / np.sqrt(len(returns))),
        wall_seconds=wall,
        cpu_seconds=cpu,
        command=shlex.join(["python", "-m", f"benchmarks.peers.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
        versions={package: importlib.metadata.version(package) for package in packages},
    )


def finish(run: Callable[[], Result], target: Path | None) -> None:
    """Run, and write or print the result; an error of ours is a sentence without a traceback."""
    try:
        result = run()
    except UserError as error:
        sys.exit(str(error))
    if target is None:
        print(json.dumps(asdict(result), indent=2))
    else:
        write_json(target, asdict(result))
