"""A report as one HTML file that needs nothing else: no network, no script, no file beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from html import escape as escape_html
from typing import Any

from rllib_citylearn.evaluation.report.css import CSS
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
from rllib_citylearn.evaluation.report.style import Drawn
from rllib_citylearn.evaluation.words import clean

NARROW_SCREEN_PX = 640
"""Screens up to this width get the narrow pictures; paper never does, however narrow the window that prints."""

FEW_COLUMNS = 6
"""Columns up to which a number and its change stand side by side on a wide screen."""

ROWS_TOGETHER = 24
"""Rows of a table up to which paper keeps it on one page."""


def to_html(document: Document, drawn: Mapping[str, Drawn]) -> str:
    """The whole report.

    Args:
        document: what it says.
        drawn: its pictures by name.
    """
    contents = "".join(_entry(section) for section in document.sections)
    title = escape(document.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{title}</h1>\n{_blocks(document.blocks, drawn)}</header>\n"
        f'<nav aria-label="Contents">\n<h2>Contents</h2>\n<ol>{contents}</ol>\n</nav>\n'
        f"<main>\n{''.join(_section(section, 2, drawn) for section in document.sections)}</main>\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """``text`` so that HTML shows it letter by letter, also within quotes."""
    return escape_html(clean(text))


def _entry(section: Section) -> str:
    below = "".join(_entry(one) for one in section.sections)
    inner = f"<ol>{below}</ol>" if below else ""
    return f'<li><a href="#{section.anchor}">{escape(section.title)}</a>{inner}</li>\n'


def _section(section: Section, level: int, drawn: Mapping[str, Drawn]) -> str:
    inner = "".join(_section(one, level + 1, drawn) for one in section.sections)
    return (
        f'<section id="{section.anchor}">\n<h{level}>{escape(section.title)}</h{level}>\n'
        f"{_blocks(section.blocks, drawn)}{inner}</section>\n"
    )


def _blocks(blocks: tuple[Block, ...], drawn: Mapping[str, Drawn]) -> str:
    return "".join(f"{_block(block, drawn)}\n" for block in blocks)


def _block(block: Block, drawn: Mapping[str, Drawn]) -> str:
    return _picture(block, drawn[block.name]) if isinstance(block, Picture) else _WRITERS[type(block)](block)


def _paragraph(block: Paragraph) -> str:
    kind = "" if block.kind == "plain" else f' class="{block.kind}"'
    return f"<p{kind}>{_text(block.text)}</p>"


def _bullets(block: Bullets) -> str:
    return f"<ul>\n{''.join(f'<li>{_text(item)}</li>{chr(10)}' for item in block.items)}</ul>"


def _command(block: Command) -> str:
    return f'<pre tabindex="0"><code>{escape(block.text)}</code></pre>'


def _tiles(block: Tiles) -> str:
    tiles = "".join(
        f'<div><dt>{escape(tile.name)}</dt><dd class="value">{escape(tile.value)}</dd><dd>{escape(tile.remark)}</dd></div>\n'
        for tile in block.items
    )
    return f'<dl class="tiles">\n{tiles}</dl>'


def _table(block: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in block.columns)
    rows = "".join(
        f'<tr{" class=strong" if row.strong else ""}><th scope="row">{_breakable(row.head)}</th>'
        f"{''.join(_cell(cell) for cell in row.cells)}</tr>\n"
        for row in block.rows
    )
    kind = "scroll long" if len(block.rows) > ROWS_TOGETHER else "scroll"
    title, few = escape(block.title), ' class="few"' if len(block.columns) <= FEW_COLUMNS else ""
    return (
        f'<div class="{kind}" tabindex="0" role="region" aria-label="{title}">\n'
        f"<table{few}>\n<caption><span>{title}</span></caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>"
    )


def _breakable(name: str) -> str:
    """A name that is parted at its slashes where it is too long."""
    return escape(name).replace("/", "/<wbr>")


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, Cell):
        return f"<td>{escape(cell.text)} <small>{escape(cell.detail)}</small></td>"
    return f"<td>{escape(cell)}</td>"


def _picture(block: Picture, drawn: Drawn) -> str:
    return (
        f'<figure id="picture-{block.name}">\n<p class="title">{escape(block.title)}</p>\n<picture>\n'
        f'<source media="screen and (max-width: {NARROW_SCREEN_PX}px)" srcset="{_data(drawn.narrow)}">\n'
        f'<img src="{_data(drawn.wide)}" alt="{escape(block.alt)}">\n</picture>\n'
        f"<figcaption>{escape(block.caption)}</figcaption>\n</figure>"
    )


def _data(content: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(content.encode()).decode()}"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    Paragraph: _paragraph,
    Bullets: _bullets,
    Command: _command,
    Tiles: _tiles,
    Table: _table,
}


def _text(text: Text) -> str:
    parts = (text,) if isinstance(text, str) else text
    return "".join(_inline(part) for part in parts)


def _inline(part: str | Strong | Code) -> str:
    if isinstance(part, Strong):
        return f"<strong>{escape(part.text)}</strong>"
    if isinstance(part, Code):
        return f"<code>{escape(part.text)}</code>"
    before = " " if part[:1].isspace() else ""
    after = " " if len(part) > 1 and part[-1:].isspace() else ""
    return f"{before}{escape(part)}{after}"
