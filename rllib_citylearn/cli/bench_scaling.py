"""``rllib-citylearn bench scaling``: training with more and more runners, here or on a Ray cluster."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.cli.settings import setting
from rllib_citylearn.cluster.connection import cluster_address, cluster_session
from rllib_citylearn.dotted import with_values
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import quiet, quiet_core

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.scaling_benchmark import ScalingBenchmark
    from rllib_citylearn.algorithm.scaling_case import ScalingCase
    from rllib_citylearn.datasets.source import DatasetSource

_PRESET = Path("tune_configs/quick.yaml")


def add_parser(what: Any, add_json: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add this benchmark to ``bench``."""
    parser = what.add_parser(
        "scaling",
        help="training with more and more runners, here or on a Ray cluster",
        description=(
            "For each number of runners build a preset's algorithm; sample without learning, then train. Speeds, the "
            "driver's time on the CPU for an environment step, bytes that travel, and how many cores all processes keep "
            "busy. See docs/cluster.md for what follows from them."
        ),
    )
    parser.add_argument(
        "preset", type=Path, nargs="?", default=_PRESET, metavar="PRESET.yaml", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--runners",
        default="0,1,2,4,8",
        metavar="N,N,...",
        help="numbers of runners; 0 samples in the driver (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        help="time for sampling and for training in each case, after a warm-up; rounds are not cut (default: %(default)s)",
    )
    parser.add_argument("--data", metavar="NAME_OR_PATH", help="another data set than the preset's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="another value than the preset's, as YAML writes it: --set runners.rollout_fragment_length=32; may be repeated",
    )
    parser.add_argument(
        "--address",
        help="a running Ray cluster: HOST:PORT of its head, or auto on its nodes (default: RAY_ADDRESS)",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure; returns the exit status."""
    quiet_core()  # before anything imports Ray
    from rllib_citylearn.algorithm.at_hand import sources_of
    from rllib_citylearn.algorithm.scaling_benchmark import benchmark_scaling, require_memory, runner_counts

    quiet()
    if not args.seconds > 0:
        raise ConfigError(f"--seconds is {args.seconds:g}; give a number above 0.")
    counts = runner_counts(args.runners)
    address = cluster_address(args.address)
    if address is None:
        require_memory(counts)
    preset = _preset(args)
    sources = sources_of(preset.environment, _say)
    with _places(address, preset, max(counts), sources) as (local, cores, nodes):
        measure = functools.partial(_measured, seconds=args.seconds, cluster=address is not None)
        result = benchmark_scaling(local, counts, measure, cores=cores, nodes=nodes, say=_say)
    write_result(args.json, {**result.to_dict(), "data": sources[0].name})
    if args.json != "-":
        print(scaling_table(result, sources[0].name))
    return 0


def _preset(args: argparse.Namespace) -> Preset:
    from rllib_citylearn.algorithm.preset import Preset

    values = Preset.read(args.preset).to_dict()
    if args.data is not None:
        values["environment"]["dataset"] = args.data
    return Preset.from_dict(with_values(values, dict(setting(text) for text in args.set)))


@contextmanager
def _places(
    address: str | None, preset: Preset, most: int, sources: list[DatasetSource]
) -> Iterator[tuple[Preset, int, int]]:
    """Ray with room for the largest case and the data where all processes find them: the preset, cores and nodes."""
    from rllib_citylearn.algorithm.at_hand import with_folders
    from rllib_citylearn.algorithm.session import local_session
    from rllib_citylearn.cluster.data import shipped

    folders = [source.folder for source in sources]
    if address is None:
        with local_session(most + preset.runners.num_learners + 1):
            yield _at(preset, with_folders(preset.environment, list(map(str, folders)))), os.cpu_count() or 1, 1
        return
    import ray

    with cluster_session(address):
        cores = int(ray.cluster_resources().get("CPU", 0))
        needed = most + preset.runners.num_learners + 1
        if needed > cores:
            raise ConfigError(
                f"--runners asks for {most} runners, which with the driver and its learners take {needed} cores; the "
                f"cluster at {address} has {cores}. Give fewer runners."
            )
        with shipped(folders) as texts:
            living = sum(node["Alive"] for node in ray.nodes())
            yield _at(preset, with_folders(preset.environment, texts)), cores, living


def _at(preset: Preset, environment: Any) -> Preset:
    return replace(preset, environment=environment)


def _measured(preset: Preset, *, seconds: float, cluster: bool) -> ScalingCase:
    """One case, in this process, or in one of the cluster's whose runners are spread over the nodes."""
    from rllib_citylearn.algorithm.scaling_case import measure_case

    if not cluster:
        return measure_case(preset, seconds, 0)
    from rllib_citylearn.cluster.spread import run_spread
    from rllib_citylearn.tuning.resources import bundles

    return run_spread(measure_case, bundles(preset), preset, seconds, os.cpu_count() or 1)


def scaling_table(result: ScalingBenchmark, data: str) -> str:
    """The figures for a person."""
    where = f"{result.cores} cores" + (f" on {result.nodes} nodes" if result.nodes > 1 else "")
    lines = [
        f"{result.preset} on {data}: {result.copies} copies a runner, {result.fragment} hours a round, "
        f"{result.updates_per_env_step:g} updates an env step; {where}",
        "",
        f"{'':8}{'sampling':^34}{'training':^35}{'driver, CPU':^23}{'bytes':^21}",
        "runners   env steps/s   x first   cores   env steps/s  updates/s  learning  cores   us/step   of it add"
        "   a step   weights",
    ]
    first = result.scaling[0].env_steps_per_s
    lines += [
        f"{one.runners:7d}{one.env_steps_per_s:14,.0f}{one.env_steps_per_s / first:10.2f}{one.cores_busy:8.2f}"
        f"{one.train_env_steps_per_s:14,.0f}{one.updates_per_s:11.1f}{one.learning_share:10.0%}{one.train_cores_busy:7.2f}"
        f"{one.driver_us_per_step:10.1f}{one.add_us_per_step:12.1f}{one.bytes_per_step:9,.0f}"
        f"{one.weight_bytes_per_round:10,d}"
        for one in result.scaling
    ]
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
