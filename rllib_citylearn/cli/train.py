"""``rllib-citylearn train``: train, export, judge, report."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import ConfigError

_ENGINES = {
    "fast": "fast (CityLearn's physics as compiled kernels; KPIs by CityLearn's own evaluate())",
    "citylearn": "citylearn (CityLearn itself, thousands of times slower)",
}


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a preset, then export and judge the policy",
        description=(
            "Train a preset (see tune_configs/), export the policy as a bundle, run it and the preset's baselines through "
            "the data, and print their KPIs. Ctrl-C ends the training early and goes on with the rest."
        ),
    )
    parser.add_argument("preset", type=Path, metavar="PRESET.yaml")
    parser.add_argument("--data", metavar="NAME_OR_PATH", help="another data set than the preset's")
    parser.add_argument("--engine", choices=tuple(_ENGINES), help="what simulates (default: the preset's, which is fast)")
    parser.add_argument("--minutes", type=float, help="another training time than the preset's")
    parser.add_argument("--seed", type=int, help="another seed than the preset's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs go (default: runs)")
    parser.add_argument("--name", help="name of the run's folder (default: the preset's name and the time)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and report; returns the exit status."""
    # Ray's core prints an error about RLlib's own way of handing configs to actors, which nobody here can act on.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.training import check_data, train
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.env.building import Site
    from rllib_citylearn.evaluation import BaselineSpec, BundleSpec, evaluate, kpi_table, write_report
    from rllib_citylearn.evaluation.report import installed_versions
    from rllib_citylearn.export import export_checkpoint, read_bundle, write_bundle
    from rllib_citylearn.files import write_json
    from rllib_citylearn.local_ray import quiet

    quiet()
    preset = _with_options(Preset.read(args.preset), args)
    folder = args.runs / (args.name or f"{preset.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    if folder.exists():
        raise ConfigError(f"There is a run at {folder} already; give another --name.")
    source = resolve(preset.environment.each()[0].dataset, report=_say)
    _say(f"Data: {source.name} ({source.origin}, {source.version}, sha256 {source.sha256[:12]}...)")
    _say(f"Engine: {_ENGINES[preset.environment.engine]}")
    command = _command(args)
    description = {
        "name": preset.name,
        "command": command,
        "preset": preset.to_dict(),
        "data": source.describe(),
        "versions": installed_versions(),
        "seed": preset.seed,
    }
    # Every process reads the same files: the folder, not the name. Records keep the name, which means something elsewhere.
    local = replace(preset, environment=_at_hand(preset.environment))
    check_data(local, _say)
    folder.mkdir(parents=True)
    write_json(folder / "run.json", description)
    result = train(local, folder, description, _say)
    training = {
        "seed": preset.seed,
        "env_steps": result.env_steps,
        "updates": result.updates,
        "validation_score": result.best_score,
        "updates_of_the_policy": result.best_updates,
        "minutes": round(result.seconds / 60.0, 2),
        "interrupted": result.interrupted,
        "engine": preset.environment.engine,
        "judged": (
            f"on the buildings it was trained on; trained and validated on {_steps(preset.environment.window)}, "
            f"judged on {_steps(preset.report.window)}"
        ),
        "preset": preset.to_dict(),
    }
    if result.best_score is not None:
        _say(f"Best on the validation weeks: {result.best_score:.4f}, after {result.best_updates:,} updates.")
        if not result.best_updates:
            _say("No update beat the policy that training starts from; that one is kept.")
    _say("Exporting the policy ...")
    bundle = folder / "bundle"
    export_checkpoint(result.best, bundle, name=folder.name)
    _say(f"Judging it and {', '.join(preset.report.baselines)} by CityLearn's evaluate() ...")
    evaluations = evaluate(
        [BundleSpec(str(bundle), "policy"), *(BaselineSpec(name) for name in preset.report.baselines)],
        source.folder,
        buildings=Site.of(local.environment.each()[0]).buildings,
        window=preset.report.window,
        seed=preset.environment.random_seed,
        engine=preset.environment.engine,
        processes=preset.report.processes,
        data=source.describe(),
        progress=sys.stderr,
    )
    judged = read_bundle(bundle)
    policy = evaluations[0]
    kpis = {"score": policy.score.score, "index5": policy.score.index5, **policy.kpis}
    write_bundle(bundle, manifest=replace(judged.manifest, kpis=kpis), models=judged.models)
    write_report(folder, evaluations, command=command, data=source.describe(), training=training)
    print(kpi_table(evaluations))
    print("Everything is over the same community without control; lower is better.")
    communities = len(preset.environment.communities or ())
    print(f"The policy was trained on these buildings{', and on other communities too' if communities > 1 else ''}.\n")
    for what, name in (
        ("report", "report.md"),
        ("numbers", "report.json"),
        ("pictures", "figures"),
        ("checkpoint", result.best.name),
        ("bundle", "bundle"),
        ("progress", "progress.csv"),
    ):
        print(f"{what:<11}{folder / name}")
    print("\nServe it with: make serve")
    return 0


def _at_hand(environment: Any) -> Any:
    """The environment with folders in place of the names of data sets."""
    from rllib_citylearn.datasets import resolve

    if environment.communities is None:
        return replace(environment, dataset=str(resolve(environment.dataset).folder))
    given = zip(environment.communities, environment.each(), strict=True)
    parts = [{**own, "dataset": str(resolve(part.dataset, report=_say).folder)} for own, part in given]
    return replace(environment, communities=parts)


def _steps(window: tuple[int, int] | None) -> str:
    return "all time steps" if window is None else f"time steps {window[0]} to {window[1]}"


def _with_options(preset: Any, args: argparse.Namespace) -> Any:
    """The preset with what the command line overrides."""
    if args.data is not None:
        preset = replace(preset, environment=replace(preset.environment, dataset=args.data))
    if args.engine is not None:
        preset = replace(preset, environment=replace(preset.environment, engine=args.engine))
    if args.minutes is not None:
        if not args.minutes > 0:
            raise ConfigError(f"--minutes is {args.minutes:g}; give a number above 0.")
        preset = replace(preset, stop=replace(preset.stop, minutes=args.minutes))
    if args.seed is not None:
        preset = replace(preset, seed=args.seed)
    return preset


def _command(args: argparse.Namespace) -> str:
    """The command line that repeats this run."""
    words = ["rllib-citylearn", "train", str(args.preset)]
    for option in ("data", "engine", "minutes", "seed", "name"):
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    return shlex.join(words)


def _say(line: str) -> None:
    print(line, flush=True)
