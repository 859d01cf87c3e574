"""What a check found, and the list that findings are collected in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.rules import RULES, Level

SCHEMA = "schema.json"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or odd, with a data set.

    Attributes:
        level: ``error`` if CityLearn refuses it or its results are worthless, ``warning`` if it is only odd.
        rule: name of the rule, see ``rules.RULES``.
        file: the file it was found in, relative to the data set's folder.
        column: the column, or the path of the entry in ``schema.json``; None if it is about the whole file.
        row: the first row it was found in; row 0 is the first below the titles. None if it is not about rows.
        message: a sentence with file, column, row and count: what was found, what was expected, what to do.
    """

    level: Level
    rule: str
    file: str
    column: str | None
    row: int | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Findings:
    """Collects findings: nothing stops at the first."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, rule: str, message: str, *, file: str = SCHEMA, column: str | None = None, row: int | None = None) -> None:
        """Add one.

        Args:
            rule: a name in ``RULES``, which decides the level.
            message: what was found, expected and to be done; file and column are put before it.
            file, column, row: where.
        """
        where = file if column is None else f"{file}, {column}"
        self._found.append(Finding(RULES[rule].level, rule, file, column, row, f"{where}: {message}"))

    def add_rows(
        self, rule: str, bad: npt.NDArray[np.bool_], what: str, advice: str, *, file: str, column: str, first: int = 0
    ) -> bool:
        """Add one about all rows where ``bad`` is true; returns whether there are any.

        Args:
            bad: ``[T]``.
            what: what those rows are or have, without its count.
            advice: what was expected and what to do, a sentence.
            file, column: where.
            first: the file's row that ``bad`` begins with.
        """
        rows = np.flatnonzero(bad)
        if not len(rows):
            return False
        row = first + int(rows[0])
        many = f"row {row}" if len(rows) == 1 else f"{len(rows)} of {len(bad)} rows, the first is row {row}"
        self.add(rule, f"{what} in {many}. {advice}", file=file, column=column, row=row)
        return True

    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return any(finding.level == "error" for finding in self._found)

    def sorted(self) -> list[Finding]:
        """Errors first, else in the order they were found."""
        return sorted(self._found, key=lambda finding: finding.level != "error")
