"""Reading a report's page back."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser

VOID = {"meta", "img", "source", "br", "link", "hr", "input", "wbr"}


class Page(HTMLParser):
    """Elements of a page, its tables by their captions, and its text.

    Raises:
        AssertionError: elements that are not closed in the order in which they were opened.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self.captions: list[str] = []
        self._open: list[str] = []
        self._caption = ""
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        if tag == "figcaption":
            self.captions.append("")
        if tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        if tag in ("th", "td"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "caption" in self._open:
            self._caption += data
        elif "figcaption" in self._open:
            self.captions[-1] += data
        elif "th" in self._open or "td" in self._open:
            self.tables[self._caption][-1][-1] += data

    def row(self, title: str, head: str) -> dict[str, str]:
        """A row of a table by the headings of its columns."""
        columns, *rows = self.tables[title]
        (found,) = [row for row in rows if row[0] == head]
        return dict(zip(columns, found, strict=True))

    @property
    def addresses(self) -> list[str]:
        """Whatever the page, or a picture in it, would fetch or lead to."""
        found = [
            value for _, attrs in self.elements for name, value in attrs.items() if name in ("src", "href", "srcset", "data")
        ]
        inner = [b64decode(one.split("base64,")[1]).decode() for one in found if one.startswith("data:image/svg+xml")]
        return found + [one for text in inner for one in re.findall(r"""(?:href|src)\s*=\s*["']([^"']*)""", text)]


def first_number(cell: str) -> float:
    """The number that a cell begins with."""
    found = re.match(r"[+\u2212]?[\d,]*\.?\d+", cell.strip())
    assert found, cell
    return float(found[0].replace(",", "").replace("\u2212", "-"))
