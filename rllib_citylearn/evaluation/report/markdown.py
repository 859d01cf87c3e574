"""A report as Markdown, with its pictures beside it as files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rllib_citylearn.evaluation.report.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Command,
    Document,
    Paragraph,
    Picture,
    Section,
    Strong,
    Table,
    Text,
    Tiles,
)
from rllib_citylearn.evaluation.words import clean

FIGURES = "figures"
"""Folder of the pictures, beside the Markdown file."""


def to_markdown(document: Document) -> str:
    """The whole report."""
    lines = [f"# {escape(document.title)}", ""]
    for block in document.blocks:
        lines += [*_block(block), ""]
    for section in document.sections:
        lines += _section(section, 2)
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """``text`` so that Markdown shows it letter by letter; underscores within words are no emphasis and stay."""
    return re.sub(r"([\\`*\[\]<>|~$&#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", clean(text))


def _section(section: Section, level: int) -> list[str]:
    lines = [f"{'#' * level} {escape(section.title)}", ""]
    for block in section.blocks:
        lines += [*_block(block), ""]
    for one in section.sections:
        lines += _section(one, level + 1)
    return lines


def _block(block: Block) -> list[str]:
    return _WRITERS[type(block)](block)


def _paragraph(block: Paragraph) -> list[str]:
    return [f"> {_text(block.text)}" if block.kind == "note" else _text(block.text)]


def _bullets(block: Bullets) -> list[str]:
    return [f"- {_text(item)}" for item in block.items]


def _command(block: Command) -> list[str]:
    # Four spaces need no fence, which a command could hold.
    return [f"    {clean(block.text)}"]


def _tiles(block: Tiles) -> list[str]:
    return [f"- **{escape(tile.value)}** {escape(tile.name)}: {escape(tile.remark)}" for tile in block.items]


def _table(block: Table) -> list[str]:
    head, *rest = (escape(column) for column in block.columns)
    lines = [f"**{escape(block.title)}**", "", f"| {' | '.join([head, *rest])} |", f"|---|{'---:|' * len(rest)}"]
    for row in block.rows:
        name = f"**{escape(row.head)}**" if row.strong else escape(row.head)
        cells = [f"{escape(c.text)} ({escape(c.detail)})" if isinstance(c, Cell) else escape(c) for c in row.cells]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def _picture(block: Picture) -> list[str]:
    return [
        f"**{escape(block.title)}**",
        "",
        f"![{escape(block.alt)}]({FIGURES}/{block.name}.png)",
        "",
        escape(block.caption),
    ]


_WRITERS: Mapping[type, Callable[[Any], list[str]]] = {
    Paragraph: _paragraph,
    Bullets: _bullets,
    Command: _command,
    Tiles: _tiles,
    Table: _table,
    Picture: _picture,
}


def _text(text: Text) -> str:
    parts = (text,) if isinstance(text, str) else text
    return "".join(_inline(part) for part in parts)


def _inline(part: str | Strong | Code) -> str:
    if isinstance(part, Strong):
        return f"**{escape(part.text)}**"
    if isinstance(part, Code):
        content = clean(part.text)
        ticks = "`" * (1 + max((len(run) for run in re.findall("`+", content)), default=0))
        space = " " if content.startswith("`") or content.endswith("`") else ""
        return f"{ticks}{space}{content}{space}{ticks}"
    return _spaced(part)


def _spaced(text: str) -> str:
    """Escaped, with the spaces at the ends that part it from its neighbours."""
    before = " " if text[:1].isspace() else ""
    after = " " if len(text) > 1 and text[-1:].isspace() else ""
    return f"{before}{escape(text)}{after}"
