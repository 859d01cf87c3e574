"""``rllib-citylearn datasets check`` and ``describe``: what is wrong with a data set, and what is in it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rllib_citylearn.cli.json_output import write_result


def add_actions(actions: Any) -> None:
    """Add both to the actions of ``datasets``."""
    check = actions.add_parser(
        "check",
        help="find what would spoil a run on a data set",
        description="Find what would spoil a run on a data set. The exit status is 1 if there are errors. The rules are in "
        "docs/check.md.",
    )
    check.set_defaults(run_action=_check)
    describe = actions.add_parser(
        "describe",
        help="show buildings, devices, span and statistics of a data set",
        description="Show what is in a data set and which engine can run it. Rates are a year's, however long the data are. "
        "The exit status is 1 if the check finds errors.",
    )
    describe.set_defaults(run_action=_describe)
    for action in (check, describe):
        action.add_argument("name", metavar="NAME_OR_PATH", help="a data set's name, or the path of its folder")
        action.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")


def _check(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import check_dataset, find_folder

    findings = check_dataset(find_folder(args.name, report=_report))
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    if args.json != "-":
        for level in ("error", "warning"):
            for finding in findings:
                if finding.level == level:
                    print(f"{level:<7}  {finding.rule}: {finding.message}")
        print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")
    write_result(args.json, {"errors": errors, "warnings": warnings, "findings": [f.as_dict() for f in findings]})
    return 1 if errors else 0


def _describe(args: argparse.Namespace) -> int:
    from rllib_citylearn.datasets import describe_dataset, find_folder
    from rllib_citylearn.datasets.description_text import description_text

    description = describe_dataset(find_folder(args.name, report=_report))
    errors = description["findings"]["error"]
    if args.json != "-":
        print(description_text(description))
        if errors:
            print(f"\n{_count(errors, 'error')}: run `rllib-citylearn datasets check {args.name}`, which says what to mend.")
    write_result(args.json, description)
    return 1 if errors else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
