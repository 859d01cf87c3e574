"""Writing a report into a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.report.assemble import document_of
from rllib_citylearn.evaluation.report.content import content_of
from rllib_citylearn.evaluation.report.markdown import FIGURES, to_markdown
from rllib_citylearn.evaluation.report.page import to_html
from rllib_citylearn.evaluation.report.setting import Setting
from rllib_citylearn.evaluation.report.style import drawn
from rllib_citylearn.files import write_bytes, write_json, write_text
from rllib_citylearn.versions import installed_versions

PAGE, TEXT, NUMBERS = "report.html", "report.md", "report.json"

_PICTURES = re.compile(
    r"(community-\d+-)?(week|duration|scores|months|day|prices|service|buildings)\.png|(learning|soc_week)\.png"
)
"""Files in ``figures/`` that reports write, or wrote: what the new one does not have is removed."""


def write_report(
    folder: Path,
    comparison: Comparison,
    *,
    command: str,
    data: Any,
    versions: Mapping[str, str] | None = None,
    training: Mapping[str, Any] | None = None,
    progress_csv: Path | None = None,
) -> Path:
    """Write ``figures/``, ``report.md``, ``report.html`` and, last, ``report.json``; each file is whole or not there.

    Args:
        folder: where to; a report that lies there is replaced, other files stay.
        comparison: what was evaluated; every community gets sections of its own.
        command: the command that repeats it.
        data: JSON-ready description of the data set and where it came from.
        versions: version by package; None takes the installed ones.
        training: JSON-ready facts of the training behind the policies (seeds, steps, hours); None where there are none.
        progress_csv: the training's ``progress.csv``, for its learning curves; None where there is none.

    Returns:
        The path of ``report.html``, which needs no other file.

    Raises:
        ConfigError: a file where the folder should be.
    """
    check_report_folder(folder)
    setting = Setting(command, data, installed_versions() if versions is None else versions, training, progress_csv)
    document = document_of(comparison, setting)
    pictures = {picture.name: drawn(picture) for picture in document.pictures}
    page, text = to_html(document, pictures), to_markdown(document)
    for name, picture in pictures.items():
        write_bytes(folder / FIGURES / f"{name}.png", picture.png)
    for path in (folder / FIGURES).glob("*.png"):
        if path.stem not in pictures and _PICTURES.fullmatch(path.name):
            path.unlink()
    write_text(folder / TEXT, text)
    write_text(folder / PAGE, page)
    write_json(folder / NUMBERS, content_of(comparison, document, setting))
    return folder / PAGE


def check_report_folder(folder: Path) -> None:
    """Refuse a place where no folder can be, before hours of simulation.

    Raises:
        ConfigError: there is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; give a folder for the report.")
