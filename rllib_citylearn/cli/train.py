"""``rllib-citylearn train``: train, export, judge, report."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli.cluster_options import add_cluster_options
from rllib_citylearn.cli.settings import setting
from rllib_citylearn.dotted import with_values
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import quiet, quiet_core

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.resuming import Stopped
    from rllib_citylearn.algorithm.training import TrainingResult
    from rllib_citylearn.datasets.source import DatasetSource

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
            "the data, and print their KPIs. Ctrl-C or SIGTERM ends the training early, saves it and goes on with the rest; "
            "--resume goes on with the training."
        ),
    )
    parser.add_argument(
        "preset", type=Path, metavar="PRESET.yaml", nargs="?", help="with --resume: learn on by these settings (optional)"
    )
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with the run in this folder, from its last checkpoint"
    )
    parser.add_argument(
        "--data", metavar="NAME_OR_PATH", help="another data set than the preset's; where it lies, of a resumed run"
    )
    parser.add_argument("--engine", choices=tuple(_ENGINES), help="what simulates (default: the preset's, which is fast)")
    parser.add_argument("--minutes", type=float, help="another training time than the preset's, over all starts of a run")
    parser.add_argument("--seed", type=int, help="another seed than the preset's")
    parser.add_argument(
        "--env-runners", type=int, metavar="N", help="another number of sampling processes than the preset's"
    )
    parser.add_argument("--learners", type=int, metavar="N", help="another number of learning processes than the preset's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="another value than the preset's, as YAML writes it: --set model.coordinator=none; may be repeated",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs go (default: runs)")
    parser.add_argument("--name", help="name of the run's folder (default: the preset's name and the time)")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and report; returns the exit status: 1 if training went wrong on the way."""
    quiet_core()  # before anything imports Ray
    from rllib_citylearn.algorithm.at_hand import sources_of, with_folders
    from rllib_citylearn.algorithm.data_check import check_data
    from rllib_citylearn.algorithm.resuming import BEST, RUN, require_community
    from rllib_citylearn.cli.cluster_options import new_folder, publish, storage_of
    from rllib_citylearn.cli.train_report import report_run
    from rllib_citylearn.versions import installed_versions

    quiet()
    begun = _begun(args)
    storage = None if begun is None else storage_of(args, begun, RUN)
    stopped = None if begun is None else _stopped(args, begun, storage)
    preset = _preset(args, stopped)
    folder = begun or new_folder(args, preset.name, RUN)
    storage = storage_of(args, folder, RUN) if begun is None else storage
    sources = sources_of(preset.environment, _say)
    source = sources[0]
    local = replace(preset, environment=with_folders(preset.environment, [str(one.folder) for one in sources]))
    _say(f"Data: {source.name} ({source.origin}, {source.version}, sha256 {source.sha256[:12]}...)")
    _say(f"Engine: {_ENGINES[preset.environment.engine]}")
    command = _command(args)
    data: dict[str, Any] = source.describe()
    description = {
        "name": preset.name,
        "command": command,
        "preset": preset.to_dict(),
        "data": data,
        "versions": installed_versions(),
        "seed": preset.seed,
    }
    table = check_data(local, _say)
    if stopped is not None:
        require_community(stopped, table)
        if stopped.description["data"]["sha256"] != source.sha256:
            _say("Warning: the data differ from those that the run was started with; the replay holds hours of those, too.")
    result = _train(args, preset, local, sources, folder, storage, description, stopped)
    _say(f"Training ended {result.ended}.")
    if result.interrupted:
        _say(f"Go on with it by: rllib-citylearn train --resume {shlex.quote(str(folder))}")
    if result.fault is None or result.best.name == BEST:
        report_run(result, preset, local, source, command, data)
        publish(folder, storage, ("bundle", "report.html", "report.md", "report.json", "figures", "progress.csv"))
    if result.fault is not None:
        print(f"rllib-citylearn train: {result.fault}", file=sys.stderr)
        return 1
    print("\nServe it with: make serve")
    return 0


def _train(
    args: argparse.Namespace,
    preset: Preset,
    local: Preset,
    sources: Sequence[DatasetSource],
    folder: Path,
    storage: str | None,
    description: Mapping[str, Any],
    stopped: Stopped | None,
) -> TrainingResult:
    """Train here, or, with an address or a storage, as a trial of Tune's on a cluster or this machine."""
    from rllib_citylearn.algorithm.resuming import RUN
    from rllib_citylearn.algorithm.stopping import limit_reached
    from rllib_citylearn.algorithm.training import TrainingResult, train
    from rllib_citylearn.cli.cluster_options import keep
    from rllib_citylearn.cluster.connection import cluster_address
    from rllib_citylearn.files import write_json

    reached = "" if stopped is None else limit_reached(preset.stop, stopped.progress)
    if stopped is not None and reached:  # only by --continue: what is missing is the report
        return TrainingResult(folder, stopped.progress, reached, interrupted=False)
    address = cluster_address(args.address)
    if address is None and storage is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RUN, description)
        return train(local, folder, description, _say, stopped=stopped)
    from rllib_citylearn.tuning.machines import machines
    from rllib_citylearn.tuning.one_run import on_cluster, start_of, train_as_trial
    from rllib_citylearn.tuning.resources import bundles, total
    from rllib_citylearn.tuning.trial import Given

    storage = storage or str(folder.resolve())
    cpus = int(total(bundles(preset))["CPU"])
    with machines(address, [source.folder for source in sources], storage, cpus, _say) as there:
        keep(description, RUN, folder, storage)
        placed = on_cluster(preset, there.gpus)
        start = None if stopped is None else start_of(stopped, storage)
        given = Given(placed.to_dict(), there.folders, description, start)
        return train_as_trial(placed, folder, storage, given, _say)


def _begun(args: argparse.Namespace) -> Path | None:
    """The folder of the run to go on with, if that was asked for and there is one."""
    from rllib_citylearn.algorithm.resuming import RUN
    from rllib_citylearn.cli.cluster_options import recalled

    if args.resume is None:
        if args.preset is None:
            raise ConfigError("Give a preset (see tune_configs/), or --resume and the folder of a run.")
        return recalled(args, RUN)
    fixed = [name for name in ("engine", "seed", "name") if getattr(args, name) is not None]
    if fixed:
        raise ConfigError(
            f"--{fixed[0]} can't change when a run goes on; leave it out, or start a new run. --minutes, --env-runners, "
            "--learners and --data (where the same data lie) can."
        )
    return Path(args.resume)


def _stopped(args: argparse.Namespace, folder: Path, storage: str | None) -> Stopped | None:
    """Where the run in a folder stands; None where it was ended before its first checkpoint, and may begin anew."""
    from rllib_citylearn.algorithm.resuming import LAST, read_stopped

    if storage is not None:
        from rllib_citylearn.tuning.one_run import fetch_last

        fetch_last(storage, folder)
    if args.go_on and not (folder / LAST).is_dir():
        return None
    return read_stopped(folder)


def _preset(args: argparse.Namespace, stopped: Stopped | None) -> Preset:
    """The preset of the command line, or of the run that goes on, with what the command line overrides."""
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.resuming import require_resumable
    from rllib_citylearn.algorithm.stopping import limit_reached

    given = Preset.read(args.preset) if stopped is None or args.preset is not None else stopped.preset
    preset = _with_options(given, args)
    if stopped is not None:
        require_resumable(stopped, preset)
        reached = limit_reached(preset.stop, stopped.progress)
        if reached and not args.go_on:
            raise ConfigError(
                f"The run {stopped.folder} has ended {reached}; to go on, give more --minutes than the "
                f"{stopped.progress.seconds / 60.0:.1f} it has had, or a preset with higher limits in `stop`."
            )
    return preset


def _with_options(preset: Preset, args: argparse.Namespace) -> Preset:
    """The preset with what the command line overrides, checked again as a whole."""
    values = preset.to_dict()
    if args.minutes is not None and not args.minutes > 0:
        raise ConfigError(f"--minutes is {args.minutes:g}; give a number above 0.")
    for option, section, key in (
        ("data", "environment", "dataset"),
        ("engine", "environment", "engine"),
        ("minutes", "stop", "minutes"),
        ("env_runners", "runners", "num_env_runners"),
        ("learners", "runners", "num_learners"),
    ):
        if getattr(args, option) is not None:
            values[section][key] = getattr(args, option)
    if args.seed is not None:
        values["seed"] = args.seed
    return type(preset).from_dict(with_values(values, dict(setting(text) for text in args.set)))


def _command(args: argparse.Namespace) -> str:
    """The command line that repeats this run, or this part of it."""
    words = ["rllib-citylearn", "train"] + ([str(args.preset)] if args.preset is not None else [])
    for option in ("resume", "data", "engine", "minutes", "seed", "env_runners", "learners", "name", "address", "storage"):
        if getattr(args, option) is not None:
            words += [f"--{option.replace('_', '-')}", str(getattr(args, option))]
    words += [word for text in args.set for word in ("--set", text)] + (["--continue"] if args.go_on else [])
    return shlex.join(words)


def _say(line: str) -> None:
    print(line, flush=True)
