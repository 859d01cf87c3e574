"""``rllib-citylearn tune``: search for better values of a preset's settings."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli.cluster_options import add_cluster_options, read_description
from rllib_citylearn.errors import CheckpointError, ConfigError
from rllib_citylearn.local_ray import quiet, quiet_core

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.tuning.outcome import Outcome
    from rllib_citylearn.tuning.search import Search

_RESULTS = ("trials.csv", "best.yaml", "figures", "report.html", "report.md", "report.json", "best")

SEARCH = "search.json"
"""File of a search's folder that says what is searched."""


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "tune",
        help="search for better values of a preset's settings",
        description=(
            "Train a preset many times with other values (see tune_configs/searches/), side by side as far as the machines "
            "have room, and write a table, pictures and the preset of the best trial. The preset's own values are tried, "
            "too, and both policies are judged by CityLearn's evaluate(). Ctrl-C or SIGTERM ends a search in order; "
            "--resume goes on with it, and repeats no trial that has ended."
        ),
    )
    parser.add_argument(
        "search", type=Path, metavar="SEARCH.yaml", nargs="?", help="what to search, and around which preset"
    )
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with the search in this folder")
    parser.add_argument("--data", metavar="NAME_OR_PATH", help="another data set than the preset's")
    parser.add_argument("--trials", type=int, metavar="N", help="another number of trials than the search's")
    parser.add_argument("--minutes", type=float, help="another training time of a trial; the scheduler's in proportion")
    parser.add_argument("--seed", type=int, help="another seed of what is tried than the search's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="another value for all trials, as YAML writes it: --set model.hidden=128; may be repeated",
    )
    parser.add_argument(
        "--tracker",
        action="append",
        metavar="NAME",
        help="where metrics go, too: tensorboard (the default), mlflow or wandb; may be repeated, replaces the search's",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where searches go (default: runs)")
    parser.add_argument("--name", help="name of the search's folder (default: the search's name and the time)")
    parser.add_argument("--json", metavar="FILE|-", help="write the trials and the verdict as JSON; - prints it")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search and report; returns the exit status: 1 if no trial came to anything."""
    quiet_core()  # before anything imports Ray
    from rllib_citylearn.algorithm.at_hand import sources_of, with_folders
    from rllib_citylearn.algorithm.data_check import check_data
    from rllib_citylearn.algorithm.training import CHECKPOINT_EVERY_S
    from rllib_citylearn.cli.cluster_options import keep, new_folder, publish, recalled, storage_of
    from rllib_citylearn.cli.json_output import write_result
    from rllib_citylearn.cluster.connection import cluster_address
    from rllib_citylearn.files import write_json
    from rllib_citylearn.tuning.machines import machines
    from rllib_citylearn.tuning.running import begun as trials_begun
    from rllib_citylearn.tuning.running import run_search
    from rllib_citylearn.tuning.trackers import loggers
    from rllib_citylearn.tuning.trial import Given
    from rllib_citylearn.versions import installed_versions

    quiet()
    begun = args.resume if args.resume is not None else recalled(args, SEARCH)
    search = _search(args) if begun is None else _begun(args, begun)
    loggers(search.config)  # says now whether a tracker's package is missing
    folder = begun or new_folder(args, search.config.name, SEARCH)
    elsewhere = storage_of(args, folder, SEARCH)
    storage = elsewhere or str(folder.resolve())
    sources = sources_of(search.base.environment, _say)
    folders = [str(source.folder) for source in sources]
    local = replace(search.base, environment=with_folders(search.base.environment, folders))
    _say(f"Data: {sources[0].name} ({sources[0].origin}, {sources[0].version}, sha256 {sources[0].sha256[:12]}...)")
    check_data(local, _say)
    command, data = _command(args), sources[0].describe()
    description = {"name": search.base.name, "command": command, "data": data, "versions": installed_versions()}
    with machines(cluster_address(args.address), [source.folder for source in sources], storage, _cores(), _say) as there:
        keep({**search.to_dict(), **description}, SEARCH, folder, storage)
        often = CHECKPOINT_EVERY_S if search.config.scheduler.name == "pbt" else 0.0
        given = Given(search.base.to_dict(), there.folders, description, save_every_s=often)
        resume = begun is not None and trials_begun(storage)
        outcome = run_search(search, storage, given, _say, resume=resume)
    result = _report(outcome, search, folder)
    if outcome.interrupted:
        print(f"\nGo on with the search by: rllib-citylearn tune --resume {shlex.quote(str(folder))}")
        write_result(args.json, {**result, "judged": None})
        return 0
    judged = _judge(outcome, search, folder, local, data, command)
    write_json(folder / "results.json", {**result, "judged": judged})
    publish(folder, elsewhere, (*_RESULTS, "results.json"))
    write_result(args.json, {**result, "judged": judged})
    return 0 if outcome.best is not None else 1


def _cores() -> int:
    import os

    return os.cpu_count() or 1


def _begun(args: argparse.Namespace, folder: Path) -> Search:
    """The search that goes on."""
    from rllib_citylearn.tuning.search import Search

    given = [name for name in ("search", "data", "trials", "minutes", "seed", "tracker", "name") if getattr(args, name)]
    if (given or args.set) and not args.go_on:
        raise ConfigError(f"--resume goes on with a search as it was begun; leave out {', '.join(given) or '--set'}.")
    file = folder / SEARCH
    if not file.is_file():
        raise CheckpointError(f"There is no search at {folder}; give the folder of one, which holds {SEARCH}.")
    if args.go_on:
        _say(f"The search {folder} goes on as it was begun, whatever its file or the options say by now.")
    found = read_description(folder, SEARCH)
    if not {"search", "preset"} <= found.keys():
        raise CheckpointError(f"{file} does not describe a search; begin anew with another --name.")
    return Search.from_dict(found)


def _search(args: argparse.Namespace) -> Search:
    """The search of the command line."""
    from rllib_citylearn.cli.settings import setting
    from rllib_citylearn.tuning.search import Search

    if args.search is None:
        raise ConfigError("Give a search (see tune_configs/searches/), or --resume and the folder of one.")
    search = Search.read(args.search)
    config = search.config
    for name, key in (("trials", "trials"), ("seed", "seed")):
        if getattr(args, name) is not None:
            config = replace(config, **{key: getattr(args, name)})
    if args.tracker is not None:
        config = replace(config, trackers=tuple(args.tracker))
    fixed = dict(config.fixed)
    if args.data is not None:
        fixed["environment.dataset"] = args.data
    if args.minutes is not None:
        if not 0 < args.minutes < float("inf"):
            raise ConfigError(f"--minutes is {args.minutes:g}; give a number above 0.")
        fixed["stop.minutes"] = args.minutes
        share = args.minutes / search.base.stop.minutes
        scheduler = replace(config.scheduler, grace_minutes=config.scheduler.grace_minutes * share)
        config = replace(config, scheduler=scheduler)
    fixed |= dict(setting(text) for text in args.set)
    return Search.of(replace(config, fixed=fixed), search.preset)


def _report(outcome: Outcome, search: Search, folder: Path) -> dict[str, Any]:
    """Write table, pictures and the best preset, print the table; returns what is known, JSON-ready."""
    import yaml

    from rllib_citylearn.files import write_text
    from rllib_citylearn.tuning import pictures, table

    write_text(folder / "trials.csv", table.as_csv(outcome))
    drawn = pictures.draw(outcome, search, folder / "figures")
    if outcome.best is not None:
        note = f"# The best of {len(outcome.rows)} trials of {search.config.name}; train it by rllib-citylearn train.\n"
        write_text(folder / "best.yaml", note + yaml.safe_dump(search.best(outcome.best.values), sort_keys=False))
    print(f"\n{table.text(outcome)}\n")
    best = [("preset", folder / "best.yaml")] if outcome.best is not None else []
    for what, path in (("trials", folder / "trials.csv"), *best, *(("picture", path) for path in drawn)):
        print(f"{what:<11}{path}")
    return {
        "search": search.config.name,
        "metric": outcome.metric,
        "interrupted": outcome.interrupted,
        "best": None if outcome.best is None else outcome.best.name,
        "preset": None if outcome.reference is None else outcome.reference.name,
        "trials": [row.to_dict() for row in outcome.rows],
    }


def _judge(
    outcome: Outcome, search: Search, folder: Path, local: Preset, data: dict[str, Any], command: str
) -> dict[str, Any]:
    from rllib_citylearn.evaluation import kpi_table
    from rllib_citylearn.tuning.judging import judge

    if outcome.best is not None:
        print("Judging the best trial's policy and the preset's by CityLearn's evaluate() ...", flush=True)
    verdict, evaluations = judge(outcome, search, local, folder, data, command)
    if evaluations:
        print(kpi_table(evaluations))
    print(verdict.sentence)
    if outcome.best is not None:
        print(f"\nTrain it as long as the preset: rllib-citylearn train {folder / 'best.yaml'}")
    return {"best_score": verdict.found, "preset_score": verdict.start, "says": verdict.sentence}


def _command(args: argparse.Namespace) -> str:
    """The command line that repeats this search, or this part of it."""
    words = ["rllib-citylearn", "tune"] + ([str(args.search)] if args.search is not None else [])
    for option in ("resume", "data", "trials", "minutes", "seed", "name", "address", "storage"):
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    words += [
        word
        for option, texts in (("set", args.set), ("tracker", args.tracker or []))
        for text in texts
        for word in (f"--{option}", text)
    ]
    return shlex.join(words)


def _say(line: str) -> None:
    print(line, flush=True)
