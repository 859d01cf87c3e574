"""This machine's configuration of pip as options of a build, so that no Dockerfile has to know it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

_TAKEN = ("cert", "extra-index-url", "find-links", "index-url", "no-index", "default-timeout", "timeout", "trusted-host")


def pip_options(folder: Path) -> list[str]:
    """Options of ``buildah bud`` that mount a configuration for pip, and the files and folders that it names.

    Args:
        folder: for the configuration.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, timeout=60
    )
    values: dict[str, str] = {}
    for line in sorted(listed.stdout.splitlines(), key=lambda line: line.startswith(":env:")):  # variables win
        name, _, value = line.partition("=")
        values[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    values = {name: value for name, value in values.items() if name in _TAKEN}
    if not values:
        return []
    configuration = folder / "pip.conf"
    lines = [f"{name} = " + "\n    ".join(value.split()) for name, value in sorted(values.items())]
    configuration.write_text("\n".join(["[global]", *lines, ""]))
    named = {_path(word) for value in values.values() for word in value.split()}
    mounts = [(str(configuration), "/etc/pip.conf"), *((path, path) for path in sorted(filter(None, named)))]
    return [option for here, there in mounts for option in ("--volume", f"{here}:{there}:ro")]


def _path(word: str) -> str | None:
    """The file or folder that is meant, if one is and exists; of an index in a folder, the one around it, with its files."""
    parts = urlsplit(word)
    path = str(Path(unquote(parts.path)).parent) if parts.scheme == "file" else word
    return path if path.startswith("/") and Path(path).exists() else None
