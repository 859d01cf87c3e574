"""Pages of the documentation say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
TABLES = runpy.run_path(str(DOCS / "tables.py"))


@pytest.mark.parametrize(("file", "name"), list(TABLES["TABLES"]))
def test_tables_are_the_codes(file: str, name: str) -> None:
    page = (DOCS / file).read_text(encoding="utf-8")
    table = TABLES["TABLES"][file, name]()
    assert table.count("\n") > 10
    assert TABLES["with_table"](page, name, table) == page, "run `make docs`"


def test_links_between_pages_lead_somewhere() -> None:
    import re

    for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
