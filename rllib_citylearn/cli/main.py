"""The command line: ``rllib-citylearn COMMAND``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rllib_citylearn import __version__
from rllib_citylearn.cli import bench, bundle, compare, datasets, doctor, evaluate, export, serve, size, train, tune
from rllib_citylearn.cli.json_output import check_result_file
from rllib_citylearn.cluster.connection import cluster_address
from rllib_citylearn.errors import UserError
from rllib_citylearn.local_ray import prepare_environment

_CLOSED = 141
"""Exit status where nobody reads the output any more: a shell's for what SIGPIPE ended."""

COMMANDS = (train, tune, evaluate, compare, export, bundle, serve, size, datasets, bench, doctor)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="rllib-citylearn",
        description="Train, judge, export and serve controllers for communities of grid-interactive buildings.",
    )
    parser.add_argument("--version", action="version", version=f"rllib-citylearn {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for what the caller can put right, said in a sentence)."""
    args = build_parser().parse_args(arguments)
    prepare_environment(cluster=_joins_cluster(args))  # before any command imports Ray
    try:
        check_result_file(getattr(args, "json", None))
        status: int = args.run(args)
        sys.stdout.flush()
    except UserError as error:
        print(f"rllib-citylearn {args.command}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("rllib_citylearn", "serve"):
            raise  # not an installation's lack but a fault of ours
        print(
            f"rllib-citylearn {args.command}: {error.name} is not installed here, as in the image that only serves; use the "
            "training image, or an installation of which `rllib-citylearn doctor` finds everything.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        if not _is_closed(sys.stdout):
            raise
        # Whoever read the output has seen enough, as `head` has; what is left must not be written as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return status


def _joins_cluster(args: argparse.Namespace) -> bool:
    """Whether the command is going to join a cluster: only those with an ``--address`` can, whatever RAY_ADDRESS says."""
    return hasattr(args, "address") and cluster_address(args.address) is not None


def _is_closed(stream: TextIO) -> bool:
    """Whether nobody reads the stream any more."""
    try:
        stream.write("\n")
        stream.flush()
    except BrokenPipeError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
