"""The option ``--json FILE|-`` of commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_result(target: str | None, content: Any) -> None:
    """Write ``content`` to the file named, to standard output for ``-``, nowhere for None."""
    from rllib_citylearn.files import write_json

    if target == "-":
        print(json.dumps(content, indent=2, allow_nan=False))
    elif target is not None:
        write_json(Path(target), content)
