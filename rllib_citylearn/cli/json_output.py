"""The option ``--json FILE|-`` of commands."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import ConfigError


def check_result_file(target: str | None) -> None:
    """Refuse, before any work is done, a file that can't be written.

    Raises:
        ConfigError: it is a folder, a device or the like, write-protected, or in a place where nothing can be written.
    """
    if target is None or target == "-":
        return
    path = Path(target)
    try:
        if path.exists():
            if not path.is_file():
                raise ConfigError(f"--json is {target}, which is no regular file; give a file, or - for standard output.")
            if not os.access(path, os.W_OK):
                raise ConfigError(f"--json is {target}, which is write-protected; give another file.")
        # Folders that are missing are made with the file; whether they can be is seen at the first that is there.
        there = next(parent for parent in path.absolute().parents if parent.exists())
        if len(os.fsencode(path.name)) > _LONGEST_NAME:
            raise ConfigError(f"--json is {target}, whose name is too long; give one of up to {_LONGEST_NAME} bytes.")
        with tempfile.NamedTemporaryFile(dir=there, prefix=f".{path.name}."):
            pass
    except (OSError, ValueError) as error:
        raise _unwritable(target, error) from error


def write_result(target: str | None, content: Any) -> None:
    """Write ``content`` to the file named, to standard output for ``-``, nowhere for None.

    Raises:
        ConfigError: the file can't be written.
    """
    from rllib_citylearn.files import write_text

    text = json.dumps(content, indent=2, allow_nan=False)
    if target == "-":
        print(text)
    elif target is not None:
        try:
            write_text(Path(target), text + "\n")
        except OSError as error:
            raise _unwritable(target, error) from error


_LONGEST_NAME = 240
"""Bytes of a file's name, with room for what the name has while it is written."""


def _unwritable(target: str, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return ConfigError(f"--json is {target!r}, which can't be written ({reason}); give a file in a folder that can.")
