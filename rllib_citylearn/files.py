"""Files that are either whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_UNFINISHED = ".unfinished."
"""In the names of directories that are being made; long enough that nobody else has one that is called so."""

_in_the_making: set[Path] = set()
"""Directories that this process is making, which it has locked."""


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader sees the old content or the new, never a part."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; NaN and infinities are refused, since JSON has no word for them."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes ``path`` when the block ends well, and vanishes otherwise.

    An existing ``path`` is replaced at the end, not before. What a killed process left of making the same directory is
    removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(path)
    with _temporary_directory(path) as temporary:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
            path.rename(old / path.name)
            try:
                temporary.rename(path)
            except BaseException:
                (old / path.name).rename(path)
                old.rmdir()
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(path)


@contextmanager
def _temporary_directory(path: Path) -> Iterator[Path]:
    """An empty directory beside ``path``, locked while the block runs and gone if it fails."""
    with _locked(path.parent):  # nobody takes it for a leftover before it has its own lock
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}{_UNFINISHED}"))
        descriptor = os.open(temporary, os.O_RDONLY)
        _lock(descriptor)
    place = temporary.resolve()
    _in_the_making.add(place)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        _in_the_making.discard(place)
        os.close(descriptor)


def _remove_unfinished(path: Path) -> None:
    """Remove directories of ``new_directory(path)`` whose process is gone: the system has released their locks."""
    leftover = re.compile(re.escape(f".{path.name}{_UNFINISHED}") + "[a-z0-9_]{8}")
    with _locked(path.parent):
        for one in list(path.parent.iterdir()):
            if not leftover.fullmatch(one.name) or one.is_symlink() or not one.is_dir():
                continue
            descriptor = os.open(one, os.O_RDONLY)
            try:
                if _lock(descriptor, wait=False):
                    shutil.rmtree(one)
            finally:
                os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others who make directories in ``folder`` out while the block runs."""
    if folder.resolve() in _in_the_making:
        yield  # nobody else is there, and a second lock would wait for the first
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Lock a directory until it is closed; False if it is in use, or on a file system without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; whoever wants it meanwhile waits.

    Raises:
        OSError: there is none and it can't be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _lock(file.fileno())  # released by the system when the file is closed, even if the process is killed
        yield


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where data sets and other things that can be made again are kept.

    ``RLLIB_CITYLEARN_CACHE`` if set, else ``rllib_citylearn`` in the user's cache folder (``XDG_CACHE_HOME``).
    """
    own = os.environ.get("RLLIB_CITYLEARN_CACHE")
    if own:
        return Path(own).expanduser()
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root).expanduser() if root else Path.home() / ".cache") / "rllib_citylearn"
