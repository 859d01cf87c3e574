"""Writes the tables of the documentation anew from the code they describe: ``make docs``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rllib_citylearn.datasets.checks.rules import rules_table
from rllib_citylearn.env.feature_page import action_table, feature_table
from rllib_citylearn.files import write_text

TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("check.md", "rules"): rules_table,
    ("features.md", "features"): feature_table,
    ("features.md", "actions"): action_table,
}
"""What makes each table, by page and name."""


def with_table(page: str, name: str, table: str) -> str:
    """A page's text with the table called ``name``, which stands between two comments, replaced."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{table}\n{end}{after}"


def main() -> None:
    """Write all of them."""
    folder = Path(__file__).parent
    for (file, name), table in TABLES.items():
        page = folder / file
        write_text(page, with_table(page.read_text(encoding="utf-8"), name, table()))


if __name__ == "__main__":
    main()
