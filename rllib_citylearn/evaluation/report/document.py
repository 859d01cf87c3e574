"""What a report says, apart from how it looks: the same blocks become Markdown and HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rllib_citylearn.evaluation.report.style import Size


@dataclass(frozen=True)
class Strong:
    """Words that stand out."""

    text: str


@dataclass(frozen=True)
class Code:
    """Words to be read letter by letter: commands, names in code."""

    text: str


Text = str | tuple[str | Strong | Code, ...]
"""A sentence; names in it may hold any character, whoever writes it down escapes them."""


@dataclass(frozen=True)
class Paragraph:
    """Sentences.

    Attributes:
        text: what they say.
        kind: ``plain``, ``lead`` for the page's first sentence, ``note`` for what must not be overlooked.
    """

    text: Text
    kind: str = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Command:
    """A command line."""

    text: str


@dataclass(frozen=True)
class Tile:
    """One number that counts, with what it is and a remark."""

    value: str
    name: str
    remark: str


@dataclass(frozen=True)
class Tiles:
    """The numbers that count."""

    items: tuple[Tile, ...]


@dataclass(frozen=True)
class Cell:
    """A number with a smaller one beside it."""

    text: str
    detail: str


@dataclass(frozen=True)
class Row:
    """A row of a table: its head, and a cell a column after the first; ``strong`` stands out."""

    head: str
    cells: tuple[str | Cell, ...]
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: what it shows, in a few words.
        columns: headings, the first of them over the rows' heads.
        rows: each with as many cells as there are columns after the first.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Picture:
    """A picture that can be drawn in several sizes.

    Attributes:
        name: of its file, without ending.
        title: a few words.
        caption: what to see in it, in a sentence or two.
        alt: what it shows, for those who don't see it.
        draw: makes the matplotlib figure of a size.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[Size], Any] = field(repr=False)


@dataclass(frozen=True)
class Absent:
    """Why there is no picture."""

    reason: str


Block = Paragraph | Bullets | Command | Tiles | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; ``anchor`` is unique in the report."""

    title: str
    anchor: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report: its title, what stands above the first section, and the sections."""

    title: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """All of them, in order."""
        return [block for section in _flat(self.sections) for block in section.blocks if isinstance(block, Picture)]


def _flat(sections: tuple[Section, ...]) -> list[Section]:
    return [one for section in sections for one in (section, *_flat(section.sections))]
