"""The files of a data set as tables, read once, with everything that keeps one from being read said."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rllib_citylearn.datasets.checks.finding import Findings

PARQUET = (".parquet", ".pq", ".parq")
"""Endings by which CityLearn 3.0.2 knows Parquet; it reads everything else as CSV."""

TABLES = (".csv", *PARQUET)


@dataclass(frozen=True)
class Table:
    """Rows of one file that a run uses.

    Attributes:
        file: its name.
        frame: the rows of the schema's span.
        first: the file's row that ``frame`` begins with.
        length: rows of the whole file.
    """

    file: str
    frame: Any
    first: int
    length: int

    _numbers: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """Titles."""
        return [str(title) for title in self.frame.columns]

    def numbers(self, column: str) -> npt.NDArray[np.float64]:
        """A column as numbers ``[T]``, NaN where there is none; not to be written to."""
        if column not in self._numbers:
            try:
                values = pd.to_numeric(self.frame[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
            except TypeError:  # lists and the like, which Parquet can hold
                values = np.full(len(self.frame), np.nan)
            self._numbers[column] = np.asarray(values)
        return self._numbers[column]

    def missing(self, column: str) -> npt.NDArray[np.bool_]:
        """Where a column has no value at all ``[T]``."""
        return np.asarray(self.frame[column].isna().to_numpy(), bool)

    def texts(self, column: str) -> list[str]:
        """A column as text, empty where there is none."""
        return [
            "" if none else str(value).strip() for value, none in zip(self.frame[column], self.missing(column), strict=True)
        ]


def read_table(folder: Path, file: str, first: int, last: int, findings: Findings) -> Table | None:
    """A file's rows from ``first`` to ``last``, both included; None if it can't be used, which becomes a finding."""
    path = folder / file
    is_parquet = path.suffix.lower() in PARQUET
    frame = _read_parquet(path, file, findings) if is_parquet else _read_csv(path, file, findings)
    if frame is None:
        return None
    twice = sorted(title for title, count in Counter(str(title) for title in frame.columns).items() if count > 1)
    if twice:
        findings.add("duplicate-column", f"there are several columns called {', '.join(twice)}. Keep one.", file=file)
        return None
    return Table(file, frame.iloc[first : last + 1].reset_index(drop=True), first, len(frame))


def _read_parquet(path: Path, file: str, findings: Findings) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        message = "reading Parquet needs pyarrow, here as in CityLearn. Install it, or give the series as CSV."
        findings.add("unreadable", message, file=file)
        return None
    try:
        return pyarrow.parquet.ParquetFile(path).read().to_pandas()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        _unreadable(findings, file, "Parquet", error)
        return None


def _read_csv(path: Path, file: str, findings: Findings) -> Any:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it has zero bytes")
        lengths, titles = _lengths(text)
        if not titles:
            raise ValueError("it is empty")
        # pandas fills short rows up and takes surplus columns for an index, without a word.
        if _uneven(lengths, len(titles), file, findings):
            return None
        counted = Counter(titles)
        frame = pd.read_csv(io.StringIO(text), low_memory=False)
        if max(counted.values()) > 1:
            frame.columns = titles  # pandas numbers duplicates; they are to be found by the caller
    except (OSError, ValueError, OverflowError, csv.Error) as error:
        _unreadable(findings, file, "CSV", error)
        return None
    return frame


def _lengths(text: str) -> tuple[list[int], list[str]]:
    """Number of values in every row, blank ones left out, and the titles."""
    if '"' in text:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        return [len(row) for row in rows[1:]], rows[0] if rows else []
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    return [line.count(",") + 1 for line in lines[1:]], lines[0].split(",") if lines else []


def _uneven(lengths: Sequence[int], expected: int, file: str, findings: Findings) -> bool:
    bad = np.array(lengths, int) != expected
    if not bad.any():
        return False
    row = int(np.flatnonzero(bad)[0])
    findings.add(
        "row-length",
        f"{bad.sum()} of {len(lengths)} rows don't have {expected} values, as many as there are titles; the first is row "
        f"{row} with {lengths[row]}. Write the file again.",
        file=file,
        row=row,
    )
    return True


def _unreadable(findings: Findings, file: str, kind: str, error: Exception) -> None:
    reason = " ".join(str(error).split())[:200]
    findings.add(
        "unreadable", f"it is no {kind} file that can be read ({reason}). Get it again or write it anew.", file=file
    )
