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
    assert table.count("\n") > 5
    assert TABLES["with_table"](page, name, table) == page, "run `make docs`"


@pytest.mark.parametrize("page", [page for page in DOCS.rglob("*.md") if ".py#L" in page.read_text(encoding="utf-8")])
def test_links_to_functions_lead_to_where_they_begin(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert TABLES["with_lines"](text, page.parent) == text, "run `make docs`"


def test_a_link_to_a_function_that_is_gone_is_no_link() -> None:
    here = Path(__file__)
    assert TABLES["with_lines"](f"[`DOCS`]({here.name}.txt)", here.parent) == f"[`DOCS`]({here.name}.txt)"
    name = test_tables_are_the_codes.__name__
    line = test_tables_are_the_codes.__code__.co_firstlineno + 1  # below its decorator
    assert TABLES["with_lines"](f"[`{name}`]({here.name}#L1)", here.parent) == f"[`{name}`]({here.name}#L{line})"
    with pytest.raises(KeyError, match="gone"):
        TABLES["with_lines"](f"[`gone`]({here.name})", here.parent)


def test_links_between_pages_lead_somewhere() -> None:
    import re

    for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
