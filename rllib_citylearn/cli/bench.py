"""``rllib-citylearn bench``: measure, and say how."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli import bench_scaling
from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.cli.serve import SHIPPED
from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.learner_benchmark import LearnerBenchmark
    from rllib_citylearn.algorithm.runner_benchmark import RunnerBenchmark
    from rllib_citylearn.datasets.source import DatasetSource
    from rllib_citylearn.simulator.benchmark import EngineBenchmark
    from serve.benchmark import ServingBenchmark


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
    learner = what.add_parser(
        "learner",
        help="the learner beside a plain MADDPG",
        description=(
            "Update on batches of 256 rows on one thread, from arrays to moved targets: 17 buildings with hidden 128 and "
            "256, actors shared and separate, coordinator on and off, in turn with a plain MADDPG of one actor and one "
            "critic a building; then 68 and 272 buildings; then 24 simulated hours, of the data set. Other rows are made up."
        ),
    )
    _add_options(learner, seconds=4.0)
    learner.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to learn (default: %(default)s)")
    learner.set_defaults(run=run_learner)
    serve = what.add_parser(
        "serve",
        help="Ray Serve beside the same handler under uvicorn alone",
        description=(
            "Serve a policy from this machine, as `serve` does, and the same handler under uvicorn without Ray, both up all "
            "the time; in turn, send the one and the other requests with a day's memory on 1, 8 and 64 connections. The "
            "clients compute on the same machine."
        ),
    )
    serve.add_argument("bundle", type=Path, nargs="?", default=SHIPPED, metavar="BUNDLE", help="(default: %(default)s)")
    serve.add_argument("--seconds", type=float, default=5.0, help="time for each figure (default: %(default)s)")
    serve.add_argument("--port", type=int, default=18431, help="the first of two free TCP ports (default: %(default)s)")
    _add_json(serve)
    serve.set_defaults(run=run_serve)
    bench_scaling.add_parser(what, _add_json)


def _add_options(parser: argparse.ArgumentParser, seconds: float) -> None:
    """What all benchmarks can be told."""
    parser.add_argument(
        "--data",
        default="citylearn_challenge_2022_phase_all",
        metavar="NAME_OR_PATH",
        help="data set (default: %(default)s)",
    )
    parser.add_argument("--seconds", type=float, default=seconds, help="time for each figure (default: %(default)s)")
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
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
    source = _data(args)
    from rllib_citylearn.simulator.benchmark import benchmark_engine

    result = benchmark_engine(source.folder, seconds=args.seconds, say=_say)
    return _write(args, source, result, engine_table(result, source.name))


def run_runner(args: argparse.Namespace) -> int:
    """Measure the runners; returns the exit status."""
    source = _data(args)
    from rllib_citylearn.algorithm.runner_benchmark import benchmark_runner

    result = benchmark_runner(source.folder, seconds=args.seconds, say=_say)
    return _write(args, source, result, runner_table(result, source.name))


def run_learner(args: argparse.Namespace) -> int:
    """Measure the learners; returns the exit status."""
    source = _data(args)
    from rllib_citylearn.algorithm.learner_benchmark import benchmark_learner, cases

    result = benchmark_learner(source.folder, cases(), device=args.device, seconds=args.seconds, say=_say)
    return _write(args, source, result, learner_table(result))


def run_serve(args: argparse.Namespace) -> int:
    """Measure the servers; returns the exit status."""
    from serve.benchmark import measure

    if not args.seconds > 0:
        raise ConfigError(f"--seconds is {args.seconds}; give a number above 0.")
    result = measure(args.bundle, args.seconds, args.port)
    write_result(args.json, result.to_dict())
    if args.json != "-":
        print(serving_table(result))
    return 0


def serving_table(result: ServingBenchmark) -> str:
    """The figures for a person."""
    lines = [
        f"{result.bundle}, {result.buildings} buildings; request {result.request_bytes:,} bytes, answer "
        f"{result.answer_bytes:,} bytes",
        "",
        f"{'':10}connections  requests/s   p50 ms   p99 ms   CPU ms a request   failed",
    ]
    for name, speeds in (("Ray Serve", result.serve), ("uvicorn", result.uvicorn)):
        lines += [
            f"{name:10}{one.connections:11d}{one.requests_per_s:12,.0f}{one.p50_ms:9.2f}{one.p99_ms:9.2f}{one.cpu_ms:19.2f}"
            f"{one.failed:9d}"
            for one in speeds
        ]
    return "\n".join([*lines, "", f"{result.ratio_at_8:.2f} of uvicorn's requests a second at 8 connections"])


def _data(args: argparse.Namespace) -> DatasetSource:
    """The data set, in a process that is ready for a measurement on one thread."""
    _one_thread()
    from rllib_citylearn.local_ray import prepare_environment

    prepare_environment()
    from rllib_citylearn.datasets import resolve

    return resolve(args.data, report=_say)


def _write(args: argparse.Namespace, source: DatasetSource, result: Any, table: str) -> int:
    write_result(args.json, {**result.to_dict(), "data": source.name})
    if args.json != "-":
        print(table)
    return 0


def learner_table(result: LearnerBenchmark) -> str:
    """The figures for a person."""
    lines = [
        f"batch {result.batch}, {result.columns} columns, {result.threads} thread(s), {result.device}; ms an update",
        "",
        f"{'':58}    mean    full     CPU",
    ]
    for one in result.cases:
        line = f"{one.name:58}{one.ms_per_update:8.1f}{one.full_ms:8.1f}{one.cpu_ms_per_update:8.1f}"
        if one.gpu is not None:
            seen = "" if one.gpu.utilisation is None else f", utilisation {one.gpu.utilisation}%"
            line += f"   GPU {one.gpu.kernels_ms:.1f} ms, {one.gpu.device_share:.0%} of the time{seen}"
        lines.append(line)
    lines += ["", "plain MADDPG's time over ours with shared actors and coordinator"]
    lines += [f"{name:58}{ratio:8.2f}" for name, ratio in result.ratio_to_plain.items()]
    return "\n".join(lines)


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
