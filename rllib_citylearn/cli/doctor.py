"""``rllib-citylearn doctor``: is everything installed that belongs together?"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# What was tested together. CityLearn's own pins exclude these versions, though it runs well with them.
EXPECTED = {
    "ray": "2.60.0",
    "torch": "2.13.0",
    "gymnasium": "1.2.2",
    "numpy": "2.4",
    "citylearn": "3.0.2",
}


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="check the installation",
        description="Compare installed versions with those that were tested together, and print the repair.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print findings; returns 1 if something has to be repaired."""
    findings = {"python": {"installed": sys.version.split()[0], "expected": "3.11 or newer", "fine": True}}
    for package, expected in EXPECTED.items():
        installed = _installed(package)
        fine = installed is not None and (installed.split("+")[0] + ".").startswith(expected + ".")
        findings[package] = {"installed": installed or "missing", "expected": expected, "fine": fine}
    wrong = [package for package, finding in findings.items() if not finding["fine"]]
    if args.json:
        print(json.dumps(findings, indent=2))
        return 1 if wrong else 0
    for package, finding in findings.items():
        mark = "ok   " if finding["fine"] else "WRONG"
        print(f"{mark} {package:<10} {finding['installed']:<14} expected {finding['expected']}")
    if wrong:
        print("\nRepair, in the project's folder:")
        if wrong != ["citylearn"]:
            print(f'  {sys.executable} -m pip install --constraint constraints.txt --editable ".[train,serve]"')
        if "citylearn" in wrong:
            print(f"  {sys.executable} -m pip install --no-deps citylearn=={EXPECTED['citylearn']}")
    return 1 if wrong else 0


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
