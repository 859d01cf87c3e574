"""Print the images of other projects that compose.yaml and k8s/ name, as a list in JSON: what CI scans beside our own.

They are told from ours by their registry, which ours have none of before somebody has pushed them.
"""

import json
import re
import sys
from pathlib import Path

_OURS = "rllib-citylearn-"

_NAMED = re.compile(r"""^[ \t-]*image:[ \t]*["']?([^\s"'#]+)""", flags=re.M)


def others(root: Path) -> list[str]:
    """Names with their versions, sorted.

    Args:
        root: folder of the repository.

    Raises:
        ValueError: an image has no registry and is none of ours.
    """
    found = set()
    for file in (root / "docker" / "compose.yaml", *sorted((root / "k8s").rglob("*.yaml"))):
        for name in _NAMED.findall(file.read_text(encoding="utf-8")):
            if "." in name.partition("/")[0] and "/" in name:
                found.add(name)
            elif not name.startswith(_OURS):
                raise ValueError(
                    f"{file.relative_to(root)} names the image {name} without its registry; write docker.io/... ."
                )
    return sorted(found)


if __name__ == "__main__":
    try:
        print(json.dumps(others(Path(__file__).resolve().parents[1])))
    except ValueError as error:
        sys.exit(f"others.py: {error}")
