"""``rllib-citylearn datasets``: which data sets there are, and fetching one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rllib_citylearn.cli import datasets_make


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "datasets",
        help="list data sets, fetch one",
        description="List the data sets that are known by name, or fetch one into the cache.",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the data sets known by name and where they would come from")
    fetch = actions.add_parser("fetch", help="fetch a data set into the cache, or say what a folder holds")
    fetch.add_argument("name", metavar="NAME", help="a data set's name, or the path of its folder")
    fetch.add_argument("--force", action="store_true", help="fetch it again even if it is in the cache")
    datasets_make.add_actions(actions)
    for action in (listing, fetch):
        action.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for; returns the exit status."""
    if args.action in datasets_make.ACTIONS:
        return datasets_make.run(args)
    if args.action == "list":
        return _list(args)
    return _fetch(args)


def _list(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import list_datasets

    rows = list_datasets()
    if args.json != "-":
        width = max(len(row["name"]) for row in rows)
        for row in rows:
            print(f"{row['name']:<{width}}  {row['source']:<11}  {row['folder'] or 'to be fetched'}")
    _write_json(args.json, rows)
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import resolve

    source = resolve(args.name, force=args.force, report=lambda line: print(line, file=sys.stderr, flush=True))
    if args.json != "-":
        print(f"{source.name}: {source.folder}")
        print(f"from {source.origin} ({source.version}), SHA-256 {source.sha256}")
    _write_json(args.json, {**source.describe(), "folder": str(source.folder)})
    return 0


def _write_json(target: str | None, content: Any) -> None:
    """Write ``content`` to the file named, to standard output for ``-``, nowhere for None."""
    from rllib_citylearn.files import write_json

    if target == "-":
        print(json.dumps(content, indent=2, allow_nan=False))
    elif target is not None:
        write_json(Path(target), content)
