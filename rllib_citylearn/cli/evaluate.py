"""``rllib-citylearn evaluate``: score policies and baselines side by side, with CityLearn's KPIs."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.errors import EngineError

COMPARED = ("no-control", "bau")
"""Baselines that a report always shows beside the policies."""


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score policies and baselines with CityLearn's KPIs",
        description=(
            "Run policies and baselines through a data set and print CityLearn's KPIs over no control; lower is better. "
            "A year of 17 buildings takes a few seconds each (bau about ten, with vehicles up to a minute), and one to two "
            "minutes with the engine citylearn. The score says nothing of how drivers were served; that stands below the "
            "table, where vehicles leave."
        ),
    )
    parser.add_argument(
        "policies",
        nargs="+",
        metavar="P",
        help=f"folder of a policy bundle or checkpoint, or a baseline: {', '.join(BASELINES)}",
    )
    parser.add_argument("--data", required=True, metavar="NAME_OR_PATH", help="a data set's name or its folder")
    parser.add_argument("--buildings", metavar="1-5,7", help="buildings by position in the data set (default: all)")
    parser.add_argument("--window", metavar="A:B", help="first and last time step, both included (default: all)")
    parser.add_argument("--seed", type=int, metavar="S", help="CityLearn's random seed (default: the data set's)")
    parser.add_argument(
        "--engine",
        metavar="E",
        help="what simulates: fast (default), compiled and with CityLearn's results, or citylearn, CityLearn itself",
    )
    parser.add_argument(
        "--processes", type=int, metavar="N", help="controllers to run at once (default: 1; one a core with citylearn)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"write a report with pictures there; {' and '.join(COMPARED)} are evaluated too, to compare with",
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate what the command line asks for; returns the exit status.

    Raises:
        UserError: anything the person who called it can put right.
    """
    # Argument parsing and --help stay fast: these bring numpy, and CityLearn once it runs.
    from rllib_citylearn.datasets import resolve
    from rllib_citylearn.env.citylearn_env import read_schema
    from rllib_citylearn.env.config import CITYLEARN, FAST, check_engine
    from rllib_citylearn.env.selection import select_buildings
    from rllib_citylearn.evaluation.citylearn_ui import check_ui_folder
    from rllib_citylearn.evaluation.evaluate import evaluate
    from rllib_citylearn.evaluation.report import check_report_folder, write_report
    from rllib_citylearn.evaluation.selection import parse_window
    from rllib_citylearn.evaluation.specs import spec_for
    from rllib_citylearn.evaluation.table import kpi_table

    engine = FAST if args.engine is None else args.engine
    check_engine(engine)
    asked = list(dict.fromkeys(args.policies))
    compared = [] if args.out is None else [name for name in COMPARED if name not in asked]
    specs = [spec_for(name) for name in [*asked, *compared]]
    window = None if args.window is None else parse_window(args.window)
    if args.out is not None:
        check_report_folder(args.out)
    if args.ui_csv is not None:
        check_ui_folder(args.ui_csv, [spec.name for spec in specs])
    source = resolve(args.data, report=lambda message: print(message, file=sys.stderr))
    buildings = None
    if args.buildings is not None:
        schema = read_schema(source.folder)
        names = [name for name, building in schema["buildings"].items() if building.get("include", True)]
        buildings = select_buildings(args.buildings, names)
    try:
        evaluations = evaluate(
            specs,
            source.folder,
            engine=engine,
            buildings=buildings,
            window=window,
            seed=args.seed,
            processes=args.processes,
            data=source.describe(),
            progress=sys.stderr,
            ui_folder=args.ui_csv,
        )
    except EngineError as error:
        raise EngineError(f"{error} On this command line, --engine {CITYLEARN} chooses CityLearn itself.") from error
    if args.json is not None:
        results = [evaluation.to_dict() for evaluation in evaluations[: len(asked)]]
        content: Any = results[0] if len(results) == 1 else results
        write_result(args.json, content)
    if args.json != "-":
        print(kpi_table(evaluations))
        print("Everything is over the same community without control; lower is better.")
    if args.out is not None:
        report = write_report(args.out, evaluations, command=_command(args, asked), data=source.describe())
        print(f"Report: {report}", file=sys.stderr)
    if args.ui_csv is not None:
        print(f"CSV files for CityLearn UI: {args.ui_csv}", file=sys.stderr)
    return 0


def _command(args: argparse.Namespace, asked: list[str]) -> str:
    """The command line that repeats this evaluation."""
    words = ["rllib-citylearn", "evaluate", *asked, "--data", args.data]
    for option in ("buildings", "window", "seed", "engine", "json", "out", "ui-csv"):
        value = getattr(args, option.replace("-", "_"))
        if value is not None:
            words += [f"--{option}", str(value)]
    return shlex.join(words)
