"""Titles and values of the series: those of buildings, weather, carbon intensity and prices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.columns import COLUMNS, Column
from rllib_citylearn.datasets.checks.dataset import END_USES, Dataset, device_attributes, is_autosized, number
from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.checks.tables import Table
from rllib_citylearn.datasets.names import nearest, suggestion

_SEEN_AS = {
    "indoor_dry_bulb_temperature": tuple(f"indoor_dry_bulb_temperature_{use}_delta" for use in ("cooling", "heating")),
}
_DROPOUTS = 0.05  # zeros in more rows than this share are no failing meter


def check_series(data: Dataset) -> None:
    """Each file once, however many buildings share it."""
    seen: set[tuple[str, str]] = set()
    for building in data.buildings.values():
        for kind, columns in COLUMNS.items():
            table = data.table(building.get(kind))
            if table is None or not len(table.frame) or (kind, table.file) in seen:
                continue
            seen.add((kind, table.file))
            check_titles(table, columns, [n for n, c in columns.items() if c.required], data.findings, others=False)
            for name, column in columns.items():
                if name in table.columns:
                    _check_column(data, building, table, name, column)
            if kind == "energy_simulation" and {"cooling_demand", "heating_demand"} <= set(table.columns):
                _check_heat_and_cold(table, data.findings)
    _check_lengths(data)


def _check_heat_and_cold(table: Table, findings: Findings) -> None:
    both = (table.numbers("cooling_demand") > 0) & (table.numbers("heating_demand") > 0)
    what, advice = "it is above 0, and so is the cooling demand,", "CityLearn refuses that; keep one of them."
    findings.add_rows("heat-and-cold", both, what, advice, file=table.file, column="heating_demand", first=table.first)


def check_titles(table: Table, known: Iterable[str], required: Iterable[str], findings: Findings, *, others: bool) -> None:
    """Columns that are missing, and unknown ones if ``others`` are not allowed; the nearest name is suggested."""
    known, titles = list(known), table.columns
    unknown = [title for title in titles if title not in known]
    missing = [name for name in required if name not in titles]
    for name in missing:
        plain = {_plain(title): title for title in unknown}
        meant = nearest(name, plain)
        hint = "" if meant is None else f" Is it the one called '{plain[meant]}'?"
        findings.add("missing-column", f"there is no such column.{hint} Add or rename it.", file=table.file, column=name)
    if others:
        return
    for title in unknown:
        meant = suggestion(_plain(title), [name for name in known if name not in titles])
        findings.add(
            "unknown-column",
            f"CityLearn does not know this column and refuses the file.{meant} Rename it or take it out.",
            file=table.file,
            column=title,
        )


def _plain(title: str) -> str:
    """A title without unit, capitals and spaces."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"[\[(].*", "", title.lower())).strip("_")


def _check_column(data: Dataset, building: Mapping[str, Any], table: Table, name: str, column: Column) -> None:
    findings = data.findings
    values, missing = table.numbers(name), table.missing(name)
    where: dict[str, Any] = {"file": table.file, "column": name, "first": table.first}
    findings.add_rows("not-a-number", np.isnan(values) & ~missing, "it has text", "Expected numbers; mend them.", **where)
    infinite = np.isinf(values)
    findings.add_rows("infinite", infinite, "it has infinite values", "Expected numbers; mend them.", **where)
    _check_missing(data, building, table, name, column, missing)
    finite = np.where(infinite, np.nan, values)
    _check_bounds(findings, finite, column, where)
    _check_rest(data, building, name, column, finite, where)


def _check_missing(
    data: Dataset, building: Mapping[str, Any], table: Table, name: str, column: Column, missing: npt.NDArray[np.bool_]
) -> None:
    seen = any(data.is_active("observations", observation, building) for observation in (name, *_SEEN_AS.get(name, ())))
    if len(missing) and missing.all() and column.may_be_empty and not building.get("dynamics") and not seen:
        return
    advice = "Fill the gaps: CityLearn computes with them without a word."
    data.findings.add_rows(
        "missing-value", missing, "it has no value (NaN)", advice, file=table.file, column=name, first=table.first
    )


def _check_bounds(findings: Findings, values: npt.NDArray[np.float64], column: Column, where: dict[str, Any]) -> None:
    """``values`` has NaN where there is no number, which compares as false."""
    low, high = values < column.low, values > column.high
    if column.low == 0:
        worst = _extreme(values, np.nanmin)
        findings.add_rows("negative", low, f"it is negative (down to {worst:g})", "Expected 0 or more; mend it.", **where)
        low = np.zeros_like(low)
    if _is_other_unit(where["column"], values):
        return
    outside = low | high
    if outside.any():
        span = f"{column.low:g} to {column.high:g}" if np.isfinite(column.high) else f"at least {column.low:g}"
        extremes = f"{_extreme(values, np.nanmin):g} to {_extreme(values, np.nanmax):g}"
        findings.add_rows("out-of-range", outside, f"it reaches {extremes}", f"Expected {span}; mend it.", **where)


def _is_other_unit(name: str, values: npt.NDArray[np.float64]) -> bool:
    """Whether most temperatures are beyond what is possible: another unit, which is reported as that."""
    return name.startswith("outdoor_dry_bulb_temperature") and float(np.mean(np.abs(values) > 60)) > 0.05


def _extreme(values: npt.NDArray[np.float64], which: Any) -> float:
    return float(which(values)) if np.isfinite(values).any() else 0.0


def _check_rest(
    data: Dataset,
    building: Mapping[str, Any],
    name: str,
    column: Column,
    values: npt.NDArray[np.float64],
    where: dict[str, Any],
) -> None:
    """What is odd about values that are possible."""
    findings = data.findings
    if "relative_humidity" in name:
        advice = "Air can't hold more; forecasts with noise on them often do. Clip it at 100."
        findings.add_rows(
            "humidity", values > 100.5, f"it is above 100% (up to {_extreme(values, np.nanmax):g})", advice, **where
        )
    if name == "electricity_pricing":
        advice = "Some markets have them; if yours does not, mend them. Exports earn nothing in CityLearn's cost."
        worst = _extreme(values, np.nanmin)
        findings.add_rows("negative-price", values < 0, f"it is negative (down to {worst:g})", advice, **where)
    finite = values[np.isfinite(values)]
    expected = column.varies or _is_expected(building, name)
    if expected and len(finite) > data.steps_a_day and finite.min() == finite.max():
        findings.add(
            "constant",
            f"it is {finite[0]:g} in all {len(finite)} rows. Expected a series that changes; check where it comes from.",
            file=where["file"],
            column=name,
        )
    if name in ("non_shiftable_load", "carbon_intensity"):
        zero = values == 0
        if zero.mean() <= _DROPOUTS:
            advice = "That is how gaps in measurements look; fill them from the hours around."
            findings.add_rows("dropout", zero, "it falls to 0", advice, **where)


def _is_expected(building: Mapping[str, Any], name: str) -> bool:
    """Whether a building has a device that only makes sense if this series changes."""
    if name == "solar_generation":
        size = number(device_attributes(building, "pv").get("nominal_power"))
        return bool(size) or is_autosized(building, "pv")
    uses = [use for use in END_USES if name == f"{use}_demand"]
    return any(building.get(f"{use}_storage") for use in uses)


def _check_lengths(data: Dataset) -> None:
    """Series that are too short; and different lengths, once for the whole data set."""
    named = [building.get(kind) for building in data.buildings.values() for kind in COLUMNS]
    named += [charger.get("charger_simulation") for charger in data.chargers().values()]
    lengths: dict[int, list[str]] = {}
    whole = True
    for file in sorted({file for file in named if isinstance(file, str)}):
        table = data.table(file)
        if table is None:
            continue
        lengths.setdefault(table.length, []).append(file)
        if table.length + int(data.has_padding) <= data.last:
            whole = False
            data.findings.add(
                "too-short",
                f"it has {table.length} rows, but the schema's time steps {data.first} to {data.last} need {data.last + 1}. "
                "Complete it, or lower 'simulation_end_time_step'.",
                file=file,
                row=table.length,
            )
    if whole and len(lengths) > 1:
        shown = "; ".join(f"{length} rows: {_some(files)}" for length, files in sorted(lengths.items()))
        data.findings.add(
            "unequal-lengths",
            f"{shown}. Expected one length; rows after time step {data.last} are not used.",
            column="simulation_end_time_step",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
