"""``rllib-citylearn bench``: measure, and say how."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli.json_output import write_result

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.runner_benchmark import RunnerBenchmark
    from rllib_citylearn.simulator.benchmark import EngineBenchmark


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed on this machine",
        description="Measure speed on this machine, beside what it is compared with, in one process.",
    )
    what = parser.add_subparsers(required=True, metavar="WHAT")
    engine = what.add_parser(
        "engine",
        help="the fast engine beside CityLearn",
        description=(
            "Simulate one community with random actions, with observations and reward, on one thread: CityLearn first, then "
            "the fast engine with 1 to 1,024 communities at once, and with up to a hundred times as many buildings."
        ),
    )
    _add_options(engine, seconds=2.0)
    engine.set_defaults(run=run_engine)
    runner = what.add_parser(
        "runner",
        help="the vector runner beside RLlib's own on CityLearn",
        description=(
            "Fill the joint replay on one thread, from the forward pass (hidden 128, exploration noise, memory features) to "
            "the rows: the vector runner with 64 communities on the fast engine, then RLlib's runner on CityLearn."
        ),
    )
    _add_options(runner, seconds=6.0)
    runner.set_defaults(run=run_runner)


def _add_options(parser: argparse.ArgumentParser, seconds: float) -> None:
    """What all benchmarks can be told."""
    parser.add_argument(
        "--data",
        default="citylearn_challenge_2022_phase_all",
        metavar="NAME_OR_PATH",
        help="data set (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=seconds, help="time for each figure (default: %(default)s)")
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the figures as JSON; to standard output without FILE or with -",
    )


def _one_thread() -> None:
    """Before anything that reads it is imported."""
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[library] = "1"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_engine(args: argparse.Namespace) -> int:
    """Measure the engines; returns the exit status."""
    _one_thread()
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.simulator.benchmark import benchmark_engine

    source = resolve(args.data, report=_say)
    result = benchmark_engine(source.folder, seconds=args.seconds, say=_say)
    figures = {**result.to_dict(), "data": source.name}
    write_result(args.json, figures)
    if args.json != "-":
        print(engine_table(result, source.name))
    return 0


def run_runner(args: argparse.Namespace) -> int:
    """Measure the runners; returns the exit status."""
    _one_thread()
    from rllib_citylearn.local_ray import prepare_environment

    prepare_environment()
    from rllib_citylearn.algorithm.runner_benchmark import benchmark_runner
    from rllib_citylearn.datasets import resolve

    source = resolve(args.data, report=_say)
    result = benchmark_runner(source.folder, seconds=args.seconds, say=_say)
    write_result(args.json, {**result.to_dict(), "data": source.name})
    if args.json != "-":
        print(runner_table(result, source.name))
    return 0


def runner_table(result: RunnerBenchmark, data: str) -> str:
    """The figures for a person."""
    lines = [
        f"{data}, {result.buildings} buildings of {result.columns} columns, hidden {result.hidden}, "
        f"{result.threads} thread(s); from the forward pass to rows in the replay",
        "",
        "engine      copies   env steps/s   ms a step of all copies: networks   engine     rows     rest",
    ]
    lines += [
        f"{one.engine:10}{one.communities:8d}{one.env_steps_per_s:14,.0f}{one.forward_ms:35.2f}{one.engine_ms:9.2f}"
        f"{one.rows_ms:9.2f}{one.rest_ms:9.2f}"
        for one in result.runners
    ]
    return "\n".join([*lines, "", f"{result.ratio:,.0f} times RLlib's runner on CityLearn"])


def engine_table(result: EngineBenchmark, data: str) -> str:
    """The figures for a person."""
    lines = [
        f"{data}, {result.buildings} buildings, one thread; env steps a second with random actions",
        "",
        f"CityLearn, its default reward         {result.citylearn_env_steps_per_s:12,.0f}",
        f"CityLearn, a reward that reads nothing{result.citylearn_lean_env_steps_per_s:12,.0f}",
        "",
        "fast engine, with observations and reward",
        "communities   env steps/s   times CityLearn   times CityLearn with the lean reward",
    ]
    lines += [
        f"{speed.communities:11,d}{speed.env_steps_per_s:14,.0f}{speed.ratio:18,.0f}{speed.ratio_to_lean:21,.0f}"
        for speed in result.engine
    ]
    if result.scaling:
        lines += [
            "",
            f"cost of a building, {result.scaling_communities} communities at once",
            "  buildings   us a building and hour",
        ]
        lines += [f"{scaling.buildings:11,d}{scaling.us_per_building_step:17.3f}" for scaling in result.scaling]
    return "\n".join(lines)
