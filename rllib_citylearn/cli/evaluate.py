"""``rllib-citylearn evaluate``: score one policy or baseline with CityLearn's KPIs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.baselines.learned import LEARNED
from rllib_citylearn.cli.evaluation_options import Place, add_options, command_line, hint_at_citylearn
from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.cli.learning_baselines import TRAINING_OPTIONS, Training, add_training_options
from rllib_citylearn.errors import ConfigError, EngineError

BESIDE = ("no-control", "bau")
"""Baselines that a report shows beside the policy unless others are named."""


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a policy or baseline with CityLearn's KPIs",
        description=(
            "Run a policy or baseline through a data set and print CityLearn's KPIs over no control; lower is better. A "
            "year of 17 buildings takes a few seconds (bau about ten, foresight one minute, mpc two to four), and one to "
            "two minutes with the engine citylearn. The score says nothing of how drivers were served; that stands below "
            "the table, where vehicles leave. `compare` takes many, random seeds, held-out buildings and intervals."
        ),
    )
    parser.add_argument(
        "policy",
        metavar="P",
        help=(
            f"folder of a policy bundle or checkpoint; a baseline: {', '.join(BASELINES)}; or a learning baseline, which is "
            f"trained first: {', '.join(LEARNED)}"
        ),
    )
    add_options(parser, processes="1; one a core with citylearn")
    parser.add_argument("--seed", type=int, metavar="S", help="CityLearn's random seed (default: the data set's)")
    parser.add_argument(
        "--beside",
        metavar="B,B",
        help=(
            "baselines to run beside it, separated by commas; with foresight among them the share of the possible is known "
            f"(default with --out: {','.join(BESIDE)})"
        ),
    )
    parser.add_argument(
        "--ui-csv",
        type=Path,
        metavar="DIR",
        help=(
            "write the CSV files that CityLearn UI (https://citylearnui.netlify.app) shows, in a folder a policy; a year of "
            "17 buildings takes half a minute a policy, and once as long as bau"
        ),
    )
    add_training_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate what the command line asks for; returns the exit status.

    Raises:
        UserError: anything the person who called it can put right.
    """
    # Argument parsing and --help stay fast: these bring numpy, and CityLearn once it runs.
    from rllib_citylearn.evaluation.citylearn_ui import check_ui_folder
    from rllib_citylearn.evaluation.comparison import Comparison
    from rllib_citylearn.evaluation.comparison_table import more_tables
    from rllib_citylearn.evaluation.evaluate import evaluate
    from rllib_citylearn.evaluation.provenance import origin_of
    from rllib_citylearn.evaluation.relation import Judged, relation
    from rllib_citylearn.evaluation.report import write_report
    from rllib_citylearn.evaluation.specs import spec_for
    from rllib_citylearn.evaluation.standing import standing_notes
    from rllib_citylearn.evaluation.table import kpi_table

    names = list(dict.fromkeys([args.policy, *_beside(args)]))
    training = Training.of(args, names)
    if len(training.seeds) > 1:
        raise ConfigError("--training-seeds has several seeds, of which evaluate shows one; use `compare`, or give one.")
    specs = [spec_for(name) for name in names if name not in LEARNED]
    if args.ui_csv is not None:
        check_ui_folder(args.ui_csv, names)
    place = Place.of(args)
    described = place.source.describe()
    buildings = place.buildings(args.buildings)
    if args.policy in LEARNED:
        specs = [*training.specs(args.policy, place, buildings, args.seed), *specs]
    judged = Judged.of(place.source.folder, described, buildings, place.window)
    relations = {spec.name: relation(origin_of(spec), judged) for spec in specs}
    try:
        evaluations = evaluate(
            specs,
            place.source.folder,
            engine=place.engine,
            buildings=buildings,
            window=place.window,
            seed=args.seed,
            processes=args.processes,
            data=described,
            progress=sys.stderr,
            ui_folder=args.ui_csv,
            trajectories=False,
        )
    except EngineError as error:
        raise hint_at_citylearn(error, place.engine) from error
    note = standing_notes(relations)
    comparison = Comparison.of(evaluations, note=note, relations=relations)
    (community,) = comparison.communities
    shown = [contender.shown for contender in community.contenders]
    write_result(args.json, shown[0].to_dict())
    if args.json != "-":
        print(kpi_table(shown))
        print("\n".join([*more_tables(community, kpis=False), ""]))
        print(f"Everything is over the same community without control; lower is better. {note}".rstrip())
    if args.out is not None:
        options = ("data", "buildings", "window", "seed", "engine", "beside", *TRAINING_OPTIONS, "json", "out", "ui-csv")
        command = command_line("evaluate", args, [args.policy], options)
        report = write_report(args.out, comparison, command=command, data=described)
        print(f"Report: {report}", file=sys.stderr)
    if args.ui_csv is not None:
        print(f"CSV files for CityLearn UI: {args.ui_csv}", file=sys.stderr)
    return 0


def _beside(args: argparse.Namespace) -> list[str]:
    """Baselines to run beside the policy.

    Raises:
        ConfigError: one of them is not a baseline.
    """
    if args.beside is None:
        return [] if args.out is None else list(BESIDE)
    names = [name.strip() for name in args.beside.split(",") if name.strip()]
    for name in names:
        if name not in BASELINES:
            raise ConfigError(
                f"--beside has {name!r}; it takes the baselines {', '.join(BASELINES)}. Use `compare` for several policies "
                "and learning baselines."
            )
    return names
