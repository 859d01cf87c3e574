"""Writes anew what the documentation takes from the code: tables, and the lines that links lead to (``make docs``)."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from rllib_citylearn.algorithm.config_page import environment_table, model_table, preset_table, training_table
from rllib_citylearn.baselines.learned.registry import learned_table
from rllib_citylearn.baselines.registry import baselines_table
from rllib_citylearn.datasets.checks.rules import rules_table
from rllib_citylearn.env.feature_page import action_table, feature_table
from rllib_citylearn.files import write_text

TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("baselines.md", "baselines"): baselines_table,
    ("check.md", "rules"): rules_table,
    ("features.md", "features"): feature_table,
    ("features.md", "actions"): action_table,
    ("learned.md", "learned"): learned_table,
    ("maddpg.md", "training"): training_table,
    ("maddpg.md", "model"): model_table,
    ("maddpg.md", "environment"): environment_table,
    ("maddpg.md", "preset"): preset_table,
}
"""What makes each table, by page and name."""

_LINK = re.compile(r"\[`([\w.]+)`\]\(([^)#\s]+\.py)(?:#L\d+)?\)")
"""A link to a function, class or method: its name in code, and the file."""


def with_table(page: str, name: str, table: str) -> str:
    """A page's text with the table called ``name``, which stands between two comments, replaced."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{table}\n{end}{after}"


def with_lines(page: str, folder: Path) -> str:
    """A page's text with every link to a function or class leading to the line where that begins.

    Args:
        page: its text.
        folder: where the page is, to which its links are relative.

    Raises:
        KeyError: the file has no such function or class.
    """

    def linked(link: re.Match[str]) -> str:
        name, file = link.groups()
        return f"[`{name}`]({file}#L{_lines(folder / file)[name]})"

    return _LINK.sub(linked, page)


@cache
def _lines(file: Path) -> dict[str, int]:
    """The line of every function, class and method of a Python file, by name (methods: ``Class.method``)."""
    found: dict[str, int] = {}

    def note(body: list[ast.stmt], owner: str) -> None:
        for one in body:
            if isinstance(one, (ast.FunctionDef, ast.ClassDef)):
                found[f"{owner}{one.name}"] = one.lineno
            if isinstance(one, ast.ClassDef):
                note(one.body, f"{owner}{one.name}.")

    note(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return found


def main() -> None:
    """Write all of them."""
    folder = Path(__file__).parent
    for (file, name), table in TABLES.items():
        page = folder / file
        write_text(page, with_table(page.read_text(encoding="utf-8"), name, table()))
    for page in folder.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        write_text(page, with_lines(text, page.parent))


if __name__ == "__main__":
    main()
