"""``rllib-citylearn compare``: policies and baselines side by side, with seeds, intervals and held-out buildings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.cli.evaluation_options import Place, add_options, command_line, hint_at_citylearn
from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from rllib_citylearn.evaluation.compare import CommunitySpec, ContenderSpec

REFERENCE = "no-control"
ALL = "all"


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "compare",
        help="policies and baselines side by side, with seeds, intervals, held-out buildings and a report",
        description=(
            "Run policies and baselines through the same episodes and print CityLearn's KPIs over no control, lower is "
            "better, with 95% bootstrap intervals over stretches of 730 hours and random seeds, and the share of what "
            "perfect foresight saves if that takes part. No control always does."
        ),
        epilog=(
            "Examples: compare all --data citylearn_challenge_2022_phase_all --out report   |   "
            "compare ours=runs/a/bundle,runs/b/bundle bau mpc foresight --data NAME --buildings 1-5 --held-out 6-17"
        ),
    )
    parser.add_argument(
        "contenders",
        nargs="+",
        metavar="P",
        help=(
            "folder of a policy bundle or checkpoint; NAME=FOLDER,FOLDER for training runs of the same; a baseline: "
            f"{', '.join(BASELINES)}; or {ALL} for all baselines"
        ),
    )
    add_options(parser, processes="one a core")
    parser.add_argument(
        "--held-out", metavar="6-17", help="buildings to compare on as well, in tables of their own; none of --buildings"
    )
    parser.add_argument(
        "--seeds",
        metavar="S,S",
        help="CityLearn's random seeds, which draw batteries and journeys (default: the data set's)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare what the command line asks for; returns the exit status.

    Raises:
        UserError: anything the person who called it can put right.
    """
    from rllib_citylearn.evaluation.compare import compare
    from rllib_citylearn.evaluation.comparison_table import comparison_table
    from rllib_citylearn.evaluation.report import write_report

    contenders = _contenders(args.contenders)
    seeds = _seeds(args.seeds)
    place = Place.of(args)
    described = place.source.describe()
    try:
        comparison = compare(
            contenders,
            place.source.folder,
            communities=_communities(args, place),
            seeds=seeds,
            engine=place.engine,
            window=place.window,
            processes=args.processes,
            data=described,
            progress=sys.stderr,
        )
    except EngineError as error:
        raise hint_at_citylearn(error) from error
    options = ("data", "buildings", "held-out", "window", "seeds", "engine", "json", "out")
    command = command_line("compare", args, args.contenders, options)
    write_result(args.json, {"command": command, "data": described, "engine": place.engine, **comparison.to_dict()})
    if args.json != "-":
        print(comparison_table(comparison))
        print(f"Simulated by the engine {place.engine}. The KPIs are CityLearn's own, over no control; lower is better.")
    if args.out is not None:
        report = write_report(args.out, comparison, command=command, data=described)
        print(f"Report: {report}", file=sys.stderr)
    return 0


def _contenders(texts: list[str]) -> list[ContenderSpec]:
    """What to compare, no control first.

    Raises:
        UserError: something that is neither a baseline nor a policy's folder, or a name twice.
    """
    from rllib_citylearn.evaluation.compare import ContenderSpec
    from rllib_citylearn.evaluation.specs import spec_for

    listed = [name for text in texts for name in (BASELINES if text == ALL else [text])]
    found: dict[str, ContenderSpec] = {}
    for text in dict.fromkeys([REFERENCE, *listed]):
        name, separator, folders = text.partition("=")
        if not separator or Path(text).exists():
            found[text] = ContenderSpec(text, (spec_for(text),))
            continue
        if name in BASELINES or name in found or not name.strip():
            raise ConfigError(
                f"{text!r} gives the name {name!r}, which is empty or taken; give each contender its own name."
            )
        runs = tuple(spec_for(folder) for folder in folders.split(",") if folder)
        found[name] = ContenderSpec(name, runs)
    return list(found.values())


def _communities(args: argparse.Namespace, place: Place) -> list[CommunitySpec]:
    """Whom to compare on.

    Raises:
        ConfigError: buildings that the data does not have, or that are held out and not.
    """
    from rllib_citylearn.evaluation.compare import CommunitySpec

    held_out = place.buildings(args.held_out)
    chosen = place.buildings(args.buildings)
    if held_out is None:
        return [CommunitySpec("all buildings" if chosen is None else f"buildings {args.buildings}", chosen)]
    if chosen is None:
        chosen = tuple(name for name in place.names if name not in held_out)
    both = sorted(set(chosen) & set(held_out))
    if both or not chosen:
        raise ConfigError(
            f"--buildings and --held-out share {', '.join(both)}; a building is either compared on or held out."
            if both
            else "--held-out takes all buildings; leave some to compare on in-sample, or name them with --buildings."
        )
    return [CommunitySpec("in-sample buildings", chosen), CommunitySpec("held-out buildings", held_out)]


def _seeds(text: str | None) -> list[int | None]:
    """Random seeds that an option lists.

    Raises:
        ConfigError: something that is no whole number.
    """
    if text is None:
        return [None]
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdecimal() for word in words):
        raise ConfigError(f"--seeds is {text!r}; give whole numbers from 0 on, separated by commas, for example 2022,2023.")
    return [int(word) for word in words]
