"""Options of commands that can run on a Ray cluster."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import CheckpointError, ConfigError

STORAGE = "storage"
"""Key of a description: where checkpoints are."""

IN_ITS_FOLDER = "."
"""Its value where they are in the folder of the run or search, wherever that is moved to."""


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


def storage_of(args: argparse.Namespace, folder: Path, file: str) -> str | None:
    """Absolute path, or URI, of the folder for checkpoints; None where nobody asked for another than ``folder``.

    Args:
        args: with ``storage``.
        folder: of a run or a search, which may have been begun.
        file: name of its description, which says where its storage is.

    Raises:
        ConfigError: it has been begun with another storage, or this machine can't write there.
    """
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.cluster.storage import check_storage, storage_uri

    asked = None if args.storage is None else stored.join(storage_uri(args.storage), folder.resolve().name)
    known = read_description(folder, file).get(STORAGE) if (folder / file).is_file() else None
    known = str(folder.resolve()) if known == IN_ITS_FOLDER else known
    if asked is not None and known is not None and asked != known:
        raise ConfigError(f"--storage would be {asked}, but {folder} keeps its checkpoints in {known}; leave it out.")
    storage = asked if known is None else known
    if storage is not None:
        check_storage(storage)
    return storage


def read_description(folder: Path, file: str) -> dict[str, Any]:
    """What a run or a search was begun with.

    Raises:
        CheckpointError: the file was cut short, or is another.
    """
    try:
        found = json.loads((folder / file).read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / file} can't be read ({error}); begin anew with another --name.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{folder / file} does not describe a run; begin anew with another --name.")
    return found


def recalled(args: argparse.Namespace, file: str) -> Path | None:
    """The folder to go on with by ``--continue``; None if there is nothing yet.

    Where this machine has not got it, its description comes from the storage.

    Args:
        args: with ``go_on``, ``name``, ``runs`` and ``storage``.
        file: name of the description.

    Raises:
        ConfigError: without a name nobody knows what to go on with; or the storage can't be used.
    """
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.files import write_bytes

    if not args.go_on:
        return None
    if args.name is None:
        raise ConfigError("--continue goes on with what has the same name; give --name.")
    folder: Path = args.runs / args.name
    if not (folder / file).is_file():
        storage = storage_of(args, folder, file)
        content = None if storage is None else stored.read(stored.join(storage, file))
        if content is None:
            return None
        write_bytes(folder / file, content)
    return folder


def new_folder(args: argparse.Namespace, name: str, file: str) -> Path:
    """The folder of a run or a search that begins, which is made later.

    Args:
        args: with ``go_on``, ``name``, ``runs`` and ``storage``.
        name: what it is called if ``args.name`` is not given.
        file: name of the description.

    Raises:
        ConfigError: there is something of that name, here or in the storage; or nothing can be written there.
    """
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.cluster.storage import check_storage

    folder: Path = args.runs / (args.name or f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    # What failed before it began has left a folder without a description, if any.
    try:
        taken = folder.exists() and not (args.go_on and not (folder / file).exists())
    except OSError as error:
        raise ConfigError(f"{folder} can't be a folder ({error.strerror}); give another --name or --runs.") from error
    if taken:
        raise ConfigError(
            f"There is something at {folder} already; give another --name, or go on with it by --resume {folder}."
        )
    storage = storage_of(args, folder, file)
    if storage is None:
        check_storage(str(args.runs.resolve()))
    if storage is not None and stored.read(stored.join(storage, file)) is not None:
        raise ConfigError(f"There is something at {storage} already; give another --name, or go on with it by --continue.")
    return folder


def publish(folder: Path, storage: str | None, names: Sequence[str]) -> None:
    """Copy what came of a run or a search to its storage, if that is elsewhere.

    Args:
        folder: on this machine.
        storage: as ``storage_of`` says it.
        names: of files and folders; those that are not there are left out.
    """
    from rllib_citylearn.cluster import stored

    if storage not in (None, str(folder.resolve())):
        stored.upload([folder / name for name in names if (folder / name).exists()], str(storage))


def keep(description: Mapping[str, Any], file: str, folder: Path, storage: str) -> None:
    """Make the folder, and write a description to it, and to the storage if that is elsewhere.

    Args:
        description: JSON-ready.
        file: its name.
        folder: on this machine.
        storage: absolute path, or URI.
    """
    from rllib_citylearn.cluster import stored
    from rllib_citylearn.files import write_json

    elsewhere = storage != str(folder.resolve())
    described = {**description, STORAGE: storage if elsewhere else IN_ITS_FOLDER}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / file, described)
    if elsewhere:
        stored.write(stored.join(storage, file), (json.dumps(described, indent=2) + "\n").encode())
