"""Where variables and rows of the planning program stand, and its sparse matrix, column by column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Layout:
    """The program of H hours, U storages and N buildings; its pattern stays, the coefficients are filled in.

    Args:
        hours: number H.
        building: row of each storage's building, ``[U]``.
        buildings: number N.
        chargers: which storages are chargers, ``[C]``.

    Attributes:
        drawn, given, stored: columns of x, y and s, ``[H, U]``.
        imports: of i, ``[H, N]``; missing: of m, ``[H, C]``; district, rise: of d and r, ``[H]``.
        peaks: of p, this month's and the next one's, ``[2]``.
        balance_rows: of the stored energy, ``[H, U]``; import_rows: ``[H, N]``; required_rows: ``[H, C]``;
            district_rows, rise_rows, peak_rows: ``[H]``.
        lower, upper: bounds on the variables; row_lower, row_upper: on the rows. What depends on the hour is filled in.
    """

    def __init__(self, hours: int, building: Integers, buildings: int, chargers: Integers) -> None:
        self.hours = hours
        storages, count = len(building), len(chargers)
        sizes = {"drawn": storages, "given": storages, "stored": storages, "imports": buildings, "missing": count}
        column = self._blocks(sizes | {"district": 1, "rise": 1}, hours)
        self.drawn, self.given, self.stored = column["drawn"], column["given"], column["stored"]
        self.imports, self.missing = column["imports"], column["missing"]
        self.district, self.rise = column["district"][:, 0], column["rise"][:, 0]
        self.peaks = hours * (sum(sizes.values()) + 2) + np.arange(2)
        self.columns = int(self.peaks[-1]) + 1
        sizes = {"balance": storages, "imports": buildings, "required": count}
        row = self._blocks(sizes | {"district": 1, "rise": 1, "peak": 1}, hours)
        self.balance_rows, self.import_rows, self.required_rows = row["balance"], row["imports"], row["required"]
        self.district_rows, self.rise_rows, self.peak_rows = (row[name][:, 0] for name in ("district", "rise", "peak"))
        self.rows = hours * (sum(sizes.values()) + 3)
        self.lower, self.upper = np.zeros(self.columns), np.full(self.columns, np.inf)
        self.lower[self.district] = -np.inf
        self.row_lower, self.row_upper = np.zeros(self.rows), np.full(self.rows, np.inf)
        self._entries: list[tuple[str | float, Integers, Integers]] = []
        self._lay(building, chargers)
        self._sort()

    @staticmethod
    def _blocks(sizes: dict[str, int], hours: int) -> dict[str, Integers]:
        """Numbers of variables or rows, hour after hour, ``[H, size]`` each."""
        width, first = sum(sizes.values()), 0
        blocks = {}
        for name, size in sizes.items():
            blocks[name] = np.arange(hours)[:, None] * width + np.arange(first, first + size)
            first += size
        return blocks

    def _lay(self, building: Integers, chargers: Integers) -> None:
        """All entries of the matrix: a coefficient by name, or a number, at rows and columns."""
        self._add(1.0, self.balance_rows, self.stored)
        self._add("-keeps", self.balance_rows[1:], self.stored[:-1])
        self._add("-into", self.balance_rows, self.drawn)
        self._add("+out", self.balance_rows, self.given)
        self._add(1.0, self.import_rows, self.imports)
        own = self.import_rows[:, building]
        for rows in (own, np.broadcast_to(self.district_rows[:, None], own.shape)):
            self._add("-electricity", rows, self.drawn)
            self._add("+electricity", rows, self.given)
        self._add(1.0, self.district_rows, self.district)
        self._add(1.0, self.rise_rows, self.rise)
        self._add(-1.0, self.rise_rows, self.district)
        self._add(1.0, self.rise_rows[1:], self.district[:-1])
        for month, name in enumerate(("this month", "next month")):
            self._add(name, self.peak_rows, np.full_like(self.peak_rows, self.peaks[month]))
        self._add(-1.0, self.peak_rows, self.district)
        self._add(1.0, self.required_rows, self.stored[:, chargers])
        self._add(1.0, self.required_rows, self.missing)

    def _add(self, value: str | float, rows: Integers, columns: Integers) -> None:
        self._entries.append((value, rows.ravel(), columns.ravel()))

    def _sort(self) -> None:
        rows = np.concatenate([rows for _, rows, _ in self._entries])
        columns = np.concatenate([columns for _, _, columns in self._entries])
        self._order = np.lexsort((rows, columns))
        self.index = rows[self._order].astype(np.int32)
        counts = np.bincount(columns, minlength=self.columns)
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def values(self, into: Floats, out_of: Floats, keeps: Floats, electricity: Floats, month_hours: int) -> Floats:
        """The matrix's values, column by column.

        Args:
            into, out_of: efficiencies of storing and of giving back, ``[H, U]``.
            keeps: share of what was stored the hour before that is still there, ``[H, U]``; zero where storage begins anew.
            electricity: for what is drawn, ``[H, U]``.
            month_hours: how many of the hours are this month's.
        """
        given = {"-keeps": -keeps[1:], "-into": -into, "+out": 1.0 / out_of}
        given |= {"-electricity": -electricity, "+electricity": electricity}
        ours = (np.arange(self.hours) < month_hours).astype(np.float64)
        given |= {"this month": ours, "next month": 1.0 - ours}
        parts = [
            given[value].ravel() if isinstance(value, str) else np.full(len(rows), value) for value, rows, _ in self._entries
        ]
        return np.concatenate(parts)[self._order]
