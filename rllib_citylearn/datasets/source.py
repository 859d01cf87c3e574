"""From a data set's name or path to a folder that can be used, and a record of what it is."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rllib_citylearn.datasets import cache as store
from rllib_citylearn.datasets.archive import ARCHIVE_VERSION, fetch_from_archive
from rllib_citylearn.datasets.content import folder_sha256
from rllib_citylearn.datasets.download import DownloadUnavailableError, download, is_switched_off
from rllib_citylearn.datasets.download import version as download_version
from rllib_citylearn.datasets.names import (
    ARCHIVE_RANDOM_SEEDS,
    is_name,
    known_names,
    suggestion,
)
from rllib_citylearn.datasets.schema import check_folder, check_schema_version, read_description
from rllib_citylearn.datasets.shipping import Reference
from rllib_citylearn.datasets.upgrade import UPGRADE_FORMAT, needs_upgrade, upgrade_folder
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import cache_folder, new_directory

Origin = Literal["path", "environment", "cache", "citylearn", "archive", "cluster"]
LOCAL_VARIABLE = "CITYLEARN_LOCAL_DATASETS_PATH"
LOCAL_UPGRADED = "local, upgraded"
"""Version of a user's own folder that was in an older format."""


@dataclass(frozen=True)
class DatasetSource:
    """A data set that can be used, and what it is.

    Attributes:
        name: the data set's name.
        folder: absolute path of the folder that holds ``schema.json``, in CityLearn 3.0.2's format.
        origin: where this call found it.
        version: what was published: ``citylearn 3.0.2``, ``citylearn 2.1.2 archive``, or ``local`` for the user's own
            folders; ``..., upgraded`` if that was in an older format. For a set from the cache, what it was fetched as;
            ``shipped`` for one that a run on a cluster holds ready for its nodes.
        sha256: one hash over the names and contents of its files, the same wherever the folder lies.
    """

    name: str
    folder: Path
    origin: Origin
    version: str
    sha256: str

    def describe(self) -> dict[str, Any]:
        """A JSON-ready record for a run and what leaves the machine with it: what was used, not where it lay."""
        return {
            "name": self.name,
            "origin": self.origin,
            "version": self.version,
            "sha256": self.sha256,
        }


def _say_nothing(message: str) -> None:
    """The default for ``report``."""


def resolve(
    name_or_path: str | Path,
    *,
    cache: Path | None = None,
    offline: bool = False,
    force: bool = False,
    report: Callable[[str], None] = _say_nothing,
) -> DatasetSource:
    """Find a data set, fetching it if need be.

    Looked for in this order: the path given; the directories in ``CITYLEARN_LOCAL_DATASETS_PATH``; the cache;
    CityLearn's own download; the archive in a wheel of CityLearn 2.1.2, brought to the current format. A folder in an older
    format is brought to the current one in a copy, which the cache keeps; the folder itself is never changed.

    Args:
        name_or_path: a data set's name; or its folder, or the ``schema.json`` in it; or what stands for one in a run on a
            cluster, ``cluster:NAME:SHA256``.
        cache: where fetched sets are kept; None takes the user's cache folder (``RLLIB_CITYLEARN_CACHE``).
        offline: use the network for nothing. ``CITYLEARN_OFFLINE`` turns off CityLearn's download only.
        force: fetch a named set again even if the cache has it. The user's own folders are never replaced.
        report: is told what is being done, a line at a time.

    Raises:
        DatasetError: the set is unknown, can't be had, is incomplete, damaged, or in another format.
    """
    reference = Reference.read(str(name_or_path))
    if reference is not None:
        return _shipped(reference)
    path = _as_path(name_or_path)
    cache = cache_folder() if cache is None else cache
    if path is not None:
        return _local(path, "path", cache, report)
    name = str(name_or_path)
    for root in local_roots():
        if (root / name / "schema.json").is_file():
            return _local(root / name, "environment", cache, report)
    with store.locked(cache, name):
        entry = store.read_entry(cache, name)
        if entry is not None and not entry.damage and not force:
            check_schema_version(read_description(entry.folder))
            return DatasetSource(name, entry.folder.resolve(), "cache", entry.version, entry.sha256)
        if entry is None or not entry.damage:
            return _fetch(name, cache, offline, report)
        damage = "; ".join(entry.damage)
        report(f"The cached {name} is damaged ({damage}); fetching it again.")
        try:
            return _fetch(name, cache, offline, report)
        except DatasetError as error:
            raise DatasetError(
                f"The cached data set {entry.folder} is damaged ({damage}) and could not be fetched again. {error}"
            ) from error


def find_folder(name_or_path: str | Path, *, report: Callable[[str], None] = _say_nothing) -> Path:
    """The folder of a data set that may be broken: ``resolve`` without its checks of the user's own folders.

    One in an older format is brought to the current one in a copy, as ``resolve`` does it, if that can be done.

    Args:
        name_or_path: a data set's name; or its folder, or the ``schema.json`` in it.
        report: is told what is being done, if it has to be fetched or upgraded.

    Raises:
        DatasetError: there is no such folder, or the named set can't be had.
    """
    path = _as_path(name_or_path)
    if path is not None:
        return _current(path.resolve(), report)
    for root in local_roots():
        if (root / str(name_or_path) / "schema.json").is_file():
            return _current((root / str(name_or_path)).resolve(), report)
    return resolve(name_or_path, report=report).folder


def _current(folder: Path, report: Callable[[str], None]) -> Path:
    """The folder, or its upgraded copy; the folder, too, if it is too broken to tell, or to upgrade."""
    try:
        if not needs_upgrade(folder):
            return folder
    except DatasetError:
        return folder
    try:
        return _upgraded(folder, "path", cache_folder(), report).folder
    except DatasetError as error:
        report(f"It could not be done: {error}")
        return folder


def local_roots() -> list[Path]:
    """The directories in ``CITYLEARN_LOCAL_DATASETS_PATH`` that exist; each holds data sets in folders of their names."""
    parts = [part.strip() for part in os.environ.get(LOCAL_VARIABLE, "").split(os.pathsep)]
    roots = [Path(part).expanduser() for part in parts if part]
    return [root for root in roots if root.is_dir()]


def list_datasets(cache: Path | None = None) -> list[dict[str, Any]]:
    """The data sets known by name: ``name``, ``source`` and the local ``folder`` (None if it has to be fetched).

    ``source`` is where ``resolve`` would look first: ``environment``, ``cache``, ``archive`` (after CityLearn's download,
    if that can be reached) or ``citylearn`` (its download alone).
    """
    cache = cache_folder() if cache is None else cache
    rows: dict[str, dict[str, Any]] = {}
    for name in known_names():
        source = "archive" if name in ARCHIVE_RANDOM_SEEDS else "citylearn"
        rows[name] = {"name": name, "source": source, "folder": None}
    for name in store.cached_names(cache):
        rows[name] = {"name": name, "source": "cache", "folder": str(store.entry_folder(cache, name).resolve())}
    for root in reversed(local_roots()):
        for schema in root.glob("*/schema.json"):
            name = schema.parent.name
            rows[name] = {"name": name, "source": "environment", "folder": str(schema.parent.resolve())}
    return [rows[name] for name in sorted(rows)]


def _as_path(name_or_path: str | Path) -> Path | None:
    """The folder that is meant, or None if a name is."""
    try:
        return _found(name_or_path)
    except (OSError, ValueError, RuntimeError) as error:
        # No permission, a name that is too long, a zero byte, the home of a user who does not exist
        raise DatasetError(
            f"{str(name_or_path)[:200]!r} can't be looked into ({getattr(error, 'strerror', None) or error}). Give the "
            "folder of a CityLearn data set that can be read, or the name of one."
        ) from error


def _found(name_or_path: str | Path) -> Path | None:
    text = str(name_or_path)
    path = Path(text).expanduser()
    if path.is_file() and path.suffix == ".json":
        if path.name != "schema.json":
            raise DatasetError(
                f"{path} is not called schema.json. Give a data set's folder; its description has to be named schema.json."
            )
        return path.parent
    if (path / "schema.json").is_file():
        return path
    if isinstance(name_or_path, str) and is_name(text) and path.suffix != ".json" and not path.is_dir():
        return None
    if path.is_dir() and isinstance(name_or_path, str) and is_name(text) and text in known_names():
        # A folder in the working directory that happens to be called so, with no data in it.
        return None
    what = "has no schema.json" if path.is_dir() else "does not exist"
    raise DatasetError(
        f"{path} {what}. Give the folder of a CityLearn data set (the one with schema.json), or the name of a data set "
        "(`rllib-citylearn datasets list` shows them)."
    )


def _shipped(reference: Reference) -> DatasetSource:
    from rllib_citylearn.cluster.data import obtain  # imports Ray, which nothing else here needs

    return DatasetSource(reference.name, obtain(reference).resolve(), "cluster", "shipped", reference.sha256)


def _local(folder: Path, origin: Origin, cache: Path, report: Callable[[str], None]) -> DatasetSource:
    folder = folder.resolve()
    try:
        if needs_upgrade(folder):
            return _upgraded(folder, origin, cache, report)
        check_folder(folder)
    except DatasetError as error:
        raise DatasetError(f"The data set in {folder} can't be used. {error}") from error
    return DatasetSource(folder.name, folder, origin, "local", folder_sha256(folder))


def _upgraded(folder: Path, origin: Origin, cache: Path, report: Callable[[str], None]) -> DatasetSource:
    """A copy of the user's folder in the current format, from the cache if that has one of the same content."""
    name, seed = folder.name, random_seed_of(folder)
    key = hashlib.sha256(f"{folder_sha256(folder)} {seed} {UPGRADE_FORMAT}".encode()).hexdigest()[:24]
    own = cache / "upgraded" / key
    with store.locked(own, name):
        entry = store.read_entry(own, name)
        if entry is not None and not entry.damage:
            return DatasetSource(name, entry.folder.resolve(), origin, entry.version, entry.sha256)
        report(f"{folder} is in an older format; bringing it to CityLearn 3.0.2's in a copy in the cache ...")
        target = store.entry_folder(own, name)
        try:
            store.remove_leftovers(own, name)
            with new_directory(target) as copy:
                upgrade_folder(folder, copy, random_seed=seed)
                return _finish(name, copy, target, origin, LOCAL_UPGRADED)
        except OSError as error:
            raise _unwritten(name, cache, error) from error


def random_seed_of(folder: Path) -> int:
    """The seed that an upgraded copy of a folder gets: its schema's own, or that of the known set of its name.

    Raises:
        DatasetError: there is neither.
    """
    own = read_description(folder).get("random_seed")
    seed = ARCHIVE_RANDOM_SEEDS.get(folder.name) if own is None else own
    if not isinstance(seed, int):
        raise DatasetError(
            "It is in CityLearn 2.x's format and its schema has no whole number for a 'random_seed', from which CityLearn "
            f"3.0.2 draws what the schema leaves out (battery curves above all), nor is '{folder.name}' a set whose seed "
            'is known. Write one into schema.json, for example "random_seed": 0.'
        )
    return seed


def _fetch(name: str, cache: Path, offline: bool, report: Callable[[str], None]) -> DatasetSource:
    """Fetch a data set into the cache from the first source that has it; the cache is locked."""
    if offline:
        raise DatasetError(
            f"The data set {name} is not on this machine, and offline nothing is fetched. {_other_ways(name, cache)}"
        )
    try:
        store.remove_leftovers(cache, name)
        reason = _try_download(name, cache, report)
        if isinstance(reason, DatasetSource):
            return reason
        if name in ARCHIVE_RANDOM_SEEDS:
            target = store.entry_folder(cache, name)
            with new_directory(target) as folder:
                fetch_from_archive(name, folder, report)
                return _finish(name, folder, target, "archive", ARCHIVE_VERSION)
    except OSError as error:
        raise _unwritten(name, cache, error) from error
    raise DatasetError(
        f"The data set {name} is not in the archive, and CityLearn's own store did not give it: {reason}. "
        f"{_other_ways(name, cache)}"
    )


def _unwritten(name: str, cache: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"The data set {name} could not be written to the cache {cache} ({error.strerror or error}). Make room or set "
        "RLLIB_CITYLEARN_CACHE to a folder that can be written to."
    )


def _other_ways(name: str, cache: Path) -> str:
    """What to do about a data set that can't be had."""
    names = [row["name"] for row in list_datasets(cache)]
    ways = f"Give a path to its folder, or put the folder under a directory named in {LOCAL_VARIABLE}."
    if name in names:
        return ways
    return f"The name is not known.{suggestion(name, names)} Known names: {', '.join(names)}. {ways}"


def _try_download(name: str, cache: Path, report: Callable[[str], None]) -> DatasetSource | str:
    """The data set from CityLearn's own store, or why it can't be had there."""
    if is_switched_off():
        return "CITYLEARN_OFFLINE is set"
    report(f"Asking CityLearn's own store for {name} ...")
    target = store.entry_folder(cache, name)
    try:
        with new_directory(target) as folder:
            # On the cache's file system, so that files can be moved from it.
            with tempfile.TemporaryDirectory(dir=folder, prefix=".download.") as downloading:
                published, version = download(name, Path(downloading)), download_version()
                if needs_upgrade(published):
                    report(f"Bringing {name} to CityLearn 3.0.2's format ...")
                    current = Path(downloading) / ".upgraded"
                    upgrade_folder(published, current, random_seed=random_seed_of(published))
                    published, version = current, f"{version}, upgraded"
                for path in published.iterdir():
                    path.rename(folder / path.name)
            return _finish(name, folder, target, "citylearn", version)
    except (DownloadUnavailableError, DatasetError) as error:
        reason = str(error).rstrip(".")
    report(f"CityLearn's own store can't give it: {reason}.")
    return reason


def _finish(name: str, folder: Path, target: Path, origin: Origin, version: str) -> DatasetSource:
    """Check a fetched folder and sign it; it becomes ``target`` when the caller's block ends."""
    check_folder(folder)
    store.write_source(folder, origin=origin, version=version)
    return DatasetSource(name, target.resolve(), origin, version, folder_sha256(folder))
