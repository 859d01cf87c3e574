"""Fetched data sets on disk: whole or absent, checked at every use, safe for several processes at once."""

from __future__ import annotations

import errno
import fcntl
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rllib_citylearn.datasets.content import SOURCE_FILE, combined_sha256, differences, file_hashes
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import write_json

_FORMAT = 1


@dataclass(frozen=True)
class CacheEntry:
    """A data set in the cache.

    Attributes:
        folder: where it lies.
        origin: what it was fetched from: ``citylearn`` or ``archive``.
        version: which version of that.
        sha256: one hash over its files.
        damage: what differs from what was fetched, a phrase for each file; empty for a whole entry.
    """

    folder: Path
    origin: str
    version: str
    sha256: str
    damage: tuple[str, ...]


def entry_folder(cache: Path, name: str) -> Path:
    """Where the data set called ``name`` lies in the cache, or will."""
    return cache / "datasets" / name


def read_entry(cache: Path, name: str) -> CacheEntry | None:
    """The entry of a data set, with what is damaged in it; None if there is none."""
    folder = entry_folder(cache, name)
    if not folder.exists():
        return None
    hashes = file_hashes(folder)
    try:
        source = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
        expected: dict[str, str] = dict(source["files"])
        entry = CacheEntry(folder, str(source["origin"]), str(source["version"]), str(source["sha256"]), ())
        if source["format"] != _FORMAT or combined_sha256(expected) != entry.sha256:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        return CacheEntry(folder, "", "", "", (f"{SOURCE_FILE} is missing or was changed",))
    damage = tuple(differences(expected, hashes))
    return CacheEntry(folder, entry.origin, entry.version, entry.sha256, damage)


def write_source(folder: Path, *, origin: str, version: str) -> None:
    """Say in a data set's folder what it came from, and the hash of each of its files."""
    hashes: Mapping[str, str] = file_hashes(folder)
    source = {
        "format": _FORMAT,
        "origin": origin,
        "version": version,
        "sha256": combined_sha256(hashes),
        "files": hashes,
    }
    write_json(folder / SOURCE_FILE, source)


@contextmanager
def locked(cache: Path, name: str) -> Iterator[None]:
    """Keep other processes from fetching or reading the same data set while the block runs.

    A cache that can't be written to is used without a lock if it has the set: nobody can replace it there either.

    Raises:
        DatasetError: the cache can't be written to and does not have the set.
    """
    path = cache / "datasets" / f".{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and entry_folder(cache, name).is_dir():
            yield
            return
        raise DatasetError(
            f"The cache {cache} can't be written to ({error.strerror}). Set RLLIB_CITYLEARN_CACHE to a folder that can."
        ) from error
    with file:
        # Released by the system when the file is closed, even if the process is killed.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_leftovers(cache: Path, name: str) -> None:
    """Remove what a killed process left of fetching a data set; the cache is locked, so nobody is at it."""
    leftover = re.compile(rf"\.{re.escape(name)}\.(old\.|unfinished\.)?[a-z0-9_]{{8}}")
    for path in (cache / "datasets").iterdir():
        if leftover.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path)


def cached_names(cache: Path) -> list[str]:
    """Names of the data sets in the cache, sorted."""
    folder = cache / "datasets"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
