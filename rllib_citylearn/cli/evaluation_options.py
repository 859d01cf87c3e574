"""What ``evaluate`` and ``compare`` have in common on the command line."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rllib_citylearn.env.config import CITYLEARN
from rllib_citylearn.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from rllib_citylearn.datasets.source import DatasetSource


def add_options(parser: argparse.ArgumentParser, *, processes: str) -> None:
    """The options that say on what and how to run, and where results go.

    Args:
        parser: of the command.
        processes: how many controllers run at once by default, in words.
    """
    parser.add_argument("--data", required=True, metavar="NAME_OR_PATH", help="a data set's name or its folder")
    parser.add_argument("--buildings", metavar="1-5,7", help="buildings by position in the data set (default: all)")
    parser.add_argument("--window", metavar="A:B", help="first and last time step, both included (default: all)")
    parser.add_argument(
        "--engine",
        metavar="E",
        help="what simulates: fast (default), compiled and with CityLearn's results, or citylearn, CityLearn itself",
    )
    parser.add_argument("--processes", type=int, metavar="N", help=f"controllers to run at once (default: {processes})")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a report with pictures there: HTML, Markdown, JSON")


@dataclass(frozen=True)
class Place:
    """Where to run.

    Attributes:
        source: the data.
        names: names of all its buildings.
        engine: what simulates.
        window: first and last time step, both included; None for all.
    """

    source: DatasetSource
    names: tuple[str, ...]
    engine: str
    window: tuple[int, int] | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Place:
        """From the arguments; the data is fetched if it is not there.

        Raises:
            UserError: anything the person who called it can put right.
        """
        from rllib_citylearn.datasets import resolve
        from rllib_citylearn.env.citylearn_env import read_schema
        from rllib_citylearn.env.config import FAST, check_engine
        from rllib_citylearn.evaluation.report import check_report_folder
        from rllib_citylearn.evaluation.selection import parse_window

        engine = FAST if args.engine is None else args.engine
        check_engine(engine)
        window = None if args.window is None else parse_window(args.window)
        if args.processes is not None and args.processes < 1:
            raise ConfigError(f"--processes is {args.processes}, which can't run anything; give at least one.")
        if args.out is not None:
            check_report_folder(args.out)
        source = resolve(args.data, report=lambda message: print(message, file=sys.stderr))
        schema = read_schema(source.folder)
        names = tuple(name for name, building in schema["buildings"].items() if building.get("include", True))
        return cls(source, names, engine, window)

    def buildings(self, text: str | None) -> tuple[str, ...] | None:
        """Names of the buildings that an option picks; None for all.

        Raises:
            ConfigError: buildings that the data does not have.
        """
        from rllib_citylearn.env.selection import select_buildings

        return None if text is None else tuple(select_buildings(text, list(self.names)))


def hint_at_citylearn(error: EngineError, engine: str) -> EngineError:
    """The same error, with the option that helps where it says that CityLearn itself would."""
    if engine == CITYLEARN or f"engine '{CITYLEARN}'" not in str(error):
        return error
    return EngineError(f"{error} On this command line, --engine {CITYLEARN} chooses it.")


def command_line(name: str, args: argparse.Namespace, words: Sequence[str], options: Sequence[str]) -> str:
    """The command line that repeats a run.

    Args:
        name: of the command.
        args: as parsed.
        words: the arguments without names.
        options: names of the options to state if they were given.
    """
    line = ["rllib-citylearn", name, *words]
    for option in options:
        value = getattr(args, option.replace("-", "_"))
        if value not in (None, False):
            line += [f"--{option}", str(value)]
    return shlex.join(line)
