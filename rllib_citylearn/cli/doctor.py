"""``rllib-citylearn doctor``: is everything installed that belongs together?"""

from __future__ import annotations

import argparse
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rllib_citylearn.cli.json_output import write_result

EXPECTED = {
    "python": ">=3.11",
    "ray": "2.60.0",
    "torch": "2.13.0",
    "gymnasium": "1.2.2",
    "numpy": "2.4",
    "numba": "0.68",
    "onnxruntime": "1.31",
    "msgspec": "0.22",
    "citylearn": "3.0.2",
}
"""What was tested together: the beginning of a version, or with ``>=`` the lowest one.

CityLearn's own pins exclude these versions, though it runs well with them.
"""


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="check the installation",
        description="Compare installed versions with those that were tested together, and print the repair.",
    )
    parser.add_argument("--json", metavar="FILE", help="write the findings as JSON; - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print findings; returns 1 if something has to be repaired."""
    findings: dict[str, dict[str, Any]] = {}
    for package, expected in EXPECTED.items():
        installed = _installed(package)
        findings[package] = {"installed": installed, "expected": expected, "fine": _fits(installed, expected)}
    repair = _repair([package for package, finding in findings.items() if not finding["fine"]])
    content = {"fine": not repair, "versions": findings, "repair": repair}
    write_result(args.json, content)
    if args.json == "-":
        return 1 if repair else 0
    for package, finding in findings.items():
        mark = "ok   " if finding["fine"] else "WRONG"
        print(f"{mark} {package:<12} {finding['installed'] or 'missing':<14} expected {finding['expected']}")
    if repair:
        print("\nRepair, in the project's folder:")
        for command in repair:
            print(f"  {command}")
    return 1 if repair else 0


def _repair(wrong: Sequence[str]) -> list[str]:
    """The commands that put right what is wrong, in their order."""
    if "python" in wrong:  # nothing that this Python installs would help
        return ["make clean install PYTHON=/path/to/python3.11"]
    python = shlex.quote(sys.executable)
    commands = []
    if set(wrong) - {"citylearn"}:
        commands.append(f'{python} -m pip install --constraint constraints.txt --editable ".[train,serve]"')
    if "citylearn" in wrong:
        commands.append(f"{python} -m pip install --no-deps citylearn=={EXPECTED['citylearn']}")
    return commands


def _fits(installed: str | None, expected: str) -> bool:
    if installed is None:
        return False
    if expected.startswith(">="):
        return _numbers(installed) >= _numbers(expected.removeprefix(">="))
    return (installed.split("+")[0] + ".").startswith(expected + ".")


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: (3, 13, 0) of 3.13.0rc1."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _installed(package: str) -> str | None:
    """The installed version of a package or of Python, None if there is none."""
    if package == "python":
        return platform.python_version()
    try:
        return version(package)
    except PackageNotFoundError:
        return None
