"""``rllib-citylearn compare``: policies and baselines side by side, with seeds, intervals and held-out buildings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.baselines.learned import LEARNED
from rllib_citylearn.cli.evaluation_options import Place, add_options, command_line, hint_at_citylearn
from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.cli.learning_baselines import TRAINING_OPTIONS, Training, add_training_options, seeds_of
from rllib_citylearn.errors import ConfigError, EngineError, UserError

if TYPE_CHECKING:
    from rllib_citylearn.evaluation.compare import CommunitySpec
    from rllib_citylearn.evaluation.specs import ControllerSpec

REFERENCE = "no-control"
ALL, LEARNERS = "all", "learners"


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "compare",
        help="policies and baselines side by side, with seeds, intervals, held-out buildings and a report",
        description=(
            "Run policies and baselines through the same episodes and print CityLearn's KPIs over no control, lower is "
            "better, with 95% bootstrap intervals over stretches of 730 hours and random seeds, and the share of what "
            "perfect foresight saves if that takes part. No control always does. Learning baselines are trained first, on "
            "--buildings and --window."
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
            f"{', '.join(BASELINES)}; or {ALL} for all of these; a learning baseline: {', '.join(LEARNED)}; or {LEARNERS}"
        ),
    )
    add_options(parser, processes="one a core")
    parser.add_argument(
        "--held-out",
        metavar="6-17",
        help=(
            "buildings to compare on as well, in tables of their own; none of --buildings. Whether policies were trained on "
            "them is read from the policies"
        ),
    )
    parser.add_argument(
        "--seeds",
        metavar="S,S",
        help="CityLearn's random seeds, which draw batteries and journeys (default: the data set's)",
    )
    add_training_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare what the command line asks for; returns the exit status: 1 if nobody who was named took part.

    Raises:
        UserError: anything the person who called it can put right.
    """
    from rllib_citylearn.evaluation.compare import ContenderSpec, compare
    from rllib_citylearn.evaluation.comparison_table import comparison_table
    from rllib_citylearn.evaluation.provenance import origin_of
    from rllib_citylearn.evaluation.report import write_report

    runs = _runs(args.contenders)
    training = Training.of(args, runs)
    for spec in (spec for specs in runs.values() for spec in specs):
        origin_of(spec)  # what can't be read is refused before anything is trained
    seeds: list[int | None] = [None] if args.seeds is None else [*seeds_of("--seeds", args.seeds)]
    place = Place.of(args)
    described = place.source.describe()
    communities = _communities(args, place)
    left_out: list[tuple[str, str]] = []
    learners = [name for name, specs in runs.items() if not specs]
    if learners:
        count = len(learners) * len(training.seeds)
        text = (
            f"Trainings, unless they are in the cache: {count}, of {training.minutes:g} minutes each, one after the other."
        )
        print(text, file=sys.stderr)
    for name in learners:
        try:
            runs[name] = training.specs(name, place, communities[0].buildings, seeds[0])
        except UserError as error:
            del runs[name]
            left_out.append((name, str(error)))
    try:
        comparison = compare(
            [ContenderSpec(name, specs) for name, specs in runs.items()],
            place.source.folder,
            communities=communities,
            seeds=seeds,
            engine=place.engine,
            window=place.window,
            processes=args.processes,
            data=described,
            progress=sys.stderr,
            left_out=left_out,
        )
    except EngineError as error:
        raise hint_at_citylearn(error, place.engine) from error
    options = ("data", "buildings", "held-out", "window", "seeds", "engine", *TRAINING_OPTIONS, "json", "out")
    command = command_line("compare", args, args.contenders, options)
    write_result(args.json, {"command": command, "data": described, "engine": place.engine, **comparison.to_dict()})
    if args.json != "-":
        print(comparison_table(comparison))
        print(f"Simulated by the engine {place.engine}. The KPIs are CityLearn's own, over no control; lower is better.")
    if args.out is not None:
        report = write_report(args.out, comparison, command=command, data=described)
        print(f"Report: {report}", file=sys.stderr)
    took_part = {contender.name for community in comparison.communities for contender in community.contenders}
    return 0 if took_part > {REFERENCE} or (list(runs) == [REFERENCE] and not left_out) else 1


def _runs(texts: list[str]) -> dict[str, tuple[ControllerSpec, ...]]:
    """What to compare by name, no control first, with its training runs; none for what is to be trained here.

    Raises:
        UserError: something that is neither a baseline nor a policy's folder, or a name twice.
    """
    from rllib_citylearn.evaluation.specs import spec_for

    groups = {ALL: BASELINES, LEARNERS: LEARNED}
    found: dict[str, tuple[ControllerSpec, ...]] = {}
    listed = [name for text in texts for name in groups.get(text, [text])]
    for text in dict.fromkeys([REFERENCE, *listed]):
        name, separator, folders = text.partition("=")
        if text in LEARNED:
            found[text] = ()
        elif not separator or Path(text).exists():
            found[text] = (spec_for(text),)
        elif name in BASELINES or name in LEARNED or name in found or not name.strip():
            raise ConfigError(
                f"{text!r} gives the name {name!r}, which is empty, taken or a baseline's; give each contender its own name."
            )
        else:
            given = [folder for folder in folders.split(",") if folder]
            if len({Path(folder).resolve() for folder in given}) < len(given):
                raise ConfigError(f"{text!r} names the same folder twice; a training run counts once.")
            found[name] = tuple(spec_for(folder) for folder in given)
            if not found[name]:
                raise ConfigError(f"{text!r} names no folder; give one or more, separated by commas.")
    return found


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
            else "--held-out takes all buildings; leave some to compare on, or name them with --buildings."
        )
    first = "the other buildings" if args.buildings is None else f"buildings {args.buildings}"
    return [CommunitySpec(first, chosen), CommunitySpec(f"buildings {args.held_out}", held_out, held_out=True)]
