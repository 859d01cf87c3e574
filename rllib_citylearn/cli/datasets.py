"""``rllib-citylearn datasets``: which data sets there are, fetching one, and what is in it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rllib_citylearn.cli import datasets_inspect, datasets_make
from rllib_citylearn.cli.json_output import write_result


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "datasets",
        help="list, fetch, check, describe and make data sets",
        description=(
            "List the data sets that are known by name, fetch one into the cache, check or describe one, lay vehicles over "
            "one or make one up."
        ),
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the data sets known by name and where they would come from")
    fetch = actions.add_parser("fetch", help="fetch a data set into the cache, or say what a folder holds")
    fetch.add_argument("name", metavar="NAME", help="a data set's name, or the path of its folder")
    fetch.add_argument("--force", action="store_true", help="fetch it again even if it is in the cache")
    for action in (listing, fetch):
        action.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    listing.set_defaults(run_action=_list)
    fetch.set_defaults(run_action=_fetch)
    datasets_inspect.add_actions(actions)
    datasets_make.add_actions(actions)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action; returns the exit status."""
    status: int = args.run_action(args)
    return status


def _list(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import list_datasets

    rows = list_datasets()
    if args.json != "-":
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            print(f"{row['name']:<{width}}  {row['source']:<11}  {row['folder'] or 'to be fetched'}")
    write_result(args.json, rows)
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import resolve

    source = resolve(args.name, force=args.force, report=lambda line: print(line, file=sys.stderr, flush=True))
    if args.json != "-":
        print(f"{source.name}: {source.folder}")
        print(f"from {source.origin} ({source.version}), SHA-256 {source.sha256}")
    write_result(args.json, {**source.describe(), "folder": str(source.folder)})
    return 0
