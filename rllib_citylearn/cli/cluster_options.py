"""Options of commands that can run on a Ray cluster."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import ConfigError


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--address``, ``--storage`` and ``--continue``."""
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="run on this Ray cluster; auto: the one this machine is a node of (default: RAY_ADDRESS, else a local Ray)",
    )
    parser.add_argument(
        "--storage",
        metavar="PATH_OR_URI",
        help="keep checkpoints in a folder of --name's there, which all machines see: NFS, s3://, gs:// (default: --runs)",
    )
    parser.add_argument(
        "--continue",
        dest="go_on",
        action="store_true",
        help="go on with what is called --name if it was begun before, else begin it: for jobs that are started again",
    )


def storage_of(args: argparse.Namespace, folder: Path) -> str:
    """Absolute path, or URI, of the folder for checkpoints of what is called like ``folder``."""
    if args.storage is None:
        return str(folder.resolve())
    from rllib_citylearn.cluster.storage import storage_uri

    return f"{storage_uri(args.storage).rstrip('/')}/{folder.name}"


def recalled(args: argparse.Namespace, file: str) -> Path | None:
    """The folder to go on with by ``--continue``; None if there is nothing yet.

    Where this machine has not got it, its description comes from the storage.

    Args:
        args: with ``go_on``, ``name``, ``runs`` and ``storage``.
        file: name of the description.

    Raises:
        ConfigError: without a name nobody knows what to go on with.
    """
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.files import write_bytes

    if not args.go_on:
        return None
    if args.name is None:
        raise ConfigError("--continue goes on with what has the same name; give --name.")
    folder: Path = args.runs / args.name
    if not (folder / file).is_file():
        content = None if args.storage is None else stored.read(f"{storage_of(args, folder)}/{file}")
        if content is None:
            return None
        write_bytes(folder / file, content)
    return folder


def publish(folder: Path, storage: str, names: Sequence[str]) -> None:
    """Copy what came of a run or a search to its storage, if that is elsewhere.

    Args:
        folder: on this machine.
        storage: as ``storage_of`` says it.
        names: of files and folders; those that are not there are left out.
    """
    from rllib_citylearn.cluster import stored

    if storage != str(folder.resolve()):
        stored.upload([folder / name for name in names if (folder / name).exists()], storage)


def keep(description: dict[str, Any], file: str, folder: Path, storage: str) -> None:
    """Write a description to the folder on this machine, and to the storage if that is elsewhere."""
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.files import write_json

    write_json(folder / file, description)
    if storage != str(folder.resolve()):
        stored.write(f"{storage}/{file}", (json.dumps(description, indent=2) + "\n").encode())
