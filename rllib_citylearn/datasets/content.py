"""What a data set's folder holds, as hashes: the identity that is recorded with every run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import sha256

SOURCE_FILE = "source.json"
"""Where a cache entry says what it came from; not part of the content, so that a copy elsewhere has the same hash."""


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a data set, by its name relative to ``folder`` with forward slashes, sorted.

    Hidden files and ``source.json`` at the top are left out: they are not data.

    Raises:
        DatasetError: a file can't be read, or its name is not UTF-8.
    """
    try:
        return _file_hashes(folder)
    except OSError as error:
        raise DatasetError(
            f"{error.filename or folder} can't be read ({error.strerror or error}). Mend its permissions or take it out of "
            "the data set's folder."
        ) from error


def _file_hashes(folder: Path) -> dict[str, str]:
    names = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    names.pop(SOURCE_FILE, None)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DatasetError(
                f"The file {os.fsencode(name)!r} in {folder} has a name that is not UTF-8. Rename it or take it out."
            ) from error
    return {name: sha256(names[name]) for name in sorted(names)}


def combined_sha256(hashes: Mapping[str, str]) -> str:
    """One SHA-256 over the sorted names and content hashes of a folder's files."""
    digest = hashlib.sha256()
    for name in sorted(hashes):
        digest.update(f"{hashes[name]}  {name}\n".encode())
    return digest.hexdigest()


def folder_sha256(folder: Path) -> str:
    """One SHA-256 over the names and contents of a data set's files; where the folder lies does not matter."""
    return combined_sha256(file_hashes(folder))


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What sets two folders apart, a phrase for each file: ``weather.csv was changed``."""
    phrases = []
    for name in sorted({*expected, *found}):
        if name not in found:
            phrases.append(f"{name} is missing")
        elif name not in expected:
            phrases.append(f"{name} was added")
        elif expected[name] != found[name]:
            phrases.append(f"{name} was changed")
    return phrases
