"""``learned.json``: what lies in the folder of a training, where it came from and how far it got."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.files import sha256, write_json

RECORD = "learned.json"
FORMAT, FORMAT_VERSION = "rllib-citylearn-learned", 1

_KEYS = ("task", "reached", "community", "files")
_TASK, _REACHED = {"name", "settings", "data", "buildings", "window", "seed", "minutes"}, {"env_steps", "updates"}


def write_record(folder: Path, task: Mapping[str, Any], reached: Mapping[str, Any], community: Any) -> None:
    """Write ``learned.json`` beside the files of a training, with their checksums.

    Args:
        folder: of the training.
        task: what was learnt on, by what and for how long; it decides whether the training can be reused.
        reached: how far it got.
        community: what has to be the same where it acts; None where the policy's own files say it.
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "task": task,
        "reached": reached,
        "community": community,
        "files": _checksums(folder),
    }
    write_json(folder / RECORD, content)


def read_record(folder: Path) -> dict[str, Any]:
    """The content of ``learned.json``, once every file of the training was compared with its checksum.

    Raises:
        CheckpointError: there is no training, one of another format version, or a file is missing, was added or changed.
    """
    path = folder / RECORD
    if not path.is_file():
        raise CheckpointError(
            f"There is no learnt baseline at {folder}: it has no {RECORD}. Train one there, or name its folder."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} can't be read ({error}). Copy the folder again, or train anew.") from error
    if not _is_record(content):
        raise CheckpointError(f"{path} does not describe a learnt baseline. Name the folder of one, or train anew.")
    if content.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} is of format version {content.get('format_version')}; this version reads {FORMAT_VERSION}. Train anew."
        )
    found = _checksums(folder)
    wrong = sorted(name for name in {*content["files"], *found} if content["files"].get(name) != found.get(name))
    if wrong:
        raise CheckpointError(
            f"{', '.join(wrong[:3])} in {folder} does not fit its {RECORD}: something is missing, was added, cut short or "
            "edited. Copy the folder again, or train anew."
        )
    return content


def _is_record(content: Any) -> bool:
    """Whether this is laid out as ``write_record`` does it."""
    if not isinstance(content, dict) or content.get("format") != FORMAT or any(key not in content for key in _KEYS):
        return False
    parts = [content[key] for key in ("task", "reached", "files")]
    return (
        all(isinstance(part, dict) for part in parts)
        and set(content["task"]) >= _TASK
        and set(content["reached"]) >= _REACHED
    )


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / RECORD)
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}
