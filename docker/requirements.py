"""Print what pyproject.toml asks for with some extras, a requirement a line: ``requirements.py EXTRA...``.

Images install these before they copy the package's source, so that a change of source builds one small layer anew.
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str, extras: list[str]) -> list[str]:
    """Requirements of the package and of its extras.

    Args:
        pyproject: content of pyproject.toml.
        extras: names of extras.

    Raises:
        ValueError: there is no such extra.
    """
    project = tomllib.loads(pyproject)["project"]
    optional = project["optional-dependencies"]
    for extra in extras:
        if extra not in optional:
            raise ValueError(f"pyproject.toml has no extra {extra!r}; there are {', '.join(sorted(optional))}.")
    return [*project["dependencies"], *(one for extra in extras for one in optional[extra])]


if __name__ == "__main__":
    try:
        print("\n".join(requirements(Path("pyproject.toml").read_text(encoding="utf-8"), sys.argv[1:])))
    except ValueError as error:
        sys.exit(f"requirements.py: {error}")
