"""The KPI table, for terminals, Markdown and JSON alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rllib_citylearn.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class Column:
    """One number of the table.

    Attributes:
        title: the column's heading.
        kpi: CityLearn's cost function behind it; None for the scores.
        meaning: one sentence, without its full stop.
    """

    title: str
    kpi: str | None
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("score", None, "mean of cost, carbon and grid, where grid is the mean of ramping and 1 - load factor"),
    Column("index5", None, "0.25 cost + 0.25 carbon + 0.20 ramping + 0.15 (1 - load factor) + 0.15 electricity"),
    Column("cost", "cost_total", "electricity bill; a mean of the buildings' ratios, exports earn nothing"),
    Column("carbon", "carbon_emissions_total", "emissions of imported electricity; a mean of the buildings' ratios"),
    Column("ramping", "ramping_average", "sum of the district's hour-to-hour increases of net load"),
    Column(
        "1-load factor",
        "monthly_one_minus_load_factor_average",
        "1 - mean/peak of the district's net load, averaged over stretches of 730 hours",
    ),
    Column("electricity", "electricity_consumption_total", "imported energy; a mean of the buildings' ratios"),
    Column("daily peak", "daily_peak_average", "mean of the district's daily peaks"),
    Column("highest peak", "all_time_peak_average", "the district's highest peak in the window"),
)


def table_rows(evaluations: Sequence[Evaluation]) -> list[dict[str, str | float | None]]:
    """One row a controller, best score first and those without a score last: ``policy`` and the columns' titles."""
    return [_row(evaluation) for evaluation in sorted(evaluations, key=_rank)]


def kpi_table(evaluations: Sequence[Evaluation]) -> str:
    """The table as plain text: a controller a line, best score first, everything over no control; lower is better.

    Below it stand what simulated, and why a controller has no score.
    """
    header = ["policy", *(column.title for column in COLUMNS)]
    body = [[str(row["policy"]), *cells(row)] for row in table_rows(evaluations)]
    widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in [header, *body]
    ]
    notes = [f"{evaluation.policy}: {evaluation.score.reason}" for evaluation in evaluations if evaluation.score.reason]
    notes += served_lines(evaluations)
    return "\n".join([*lines, *notes, f"{_simulated(evaluations)} The KPIs are CityLearn's own."])


def served_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    """A sentence a controller on the vehicles that left, in the order given, and a last one; none where no vehicle did."""
    lines = [
        f"{evaluation.policy}: {100.0 * served.departures_met:.1f}% of {served.departures:,} departures with the "
        f"required charge, {served.missing_kwh:,.0f} kWh missing in all."
        for evaluation in evaluations
        if evaluation.departures is not None and (served := evaluation.departures.judge())
    ]
    return [*lines, "The score does not count it: leaving cars uncharged is cheap."] if lines else []


def cells(row: Mapping[str, str | float | None]) -> list[str]:
    """A row's numbers as text, in the order of ``COLUMNS``; a dash where there is none."""
    return [f"{value:.3f}" if isinstance(value := row[column.title], float) else "-" for column in COLUMNS]


def _simulated(evaluations: Sequence[Evaluation]) -> str:
    engines = sorted({evaluation.engine for evaluation in evaluations})
    return f"Simulated by the {'engine' if len(engines) == 1 else 'engines'} {' and '.join(engines)}."


def _rank(evaluation: Evaluation) -> tuple[bool, float]:
    score = evaluation.score.score
    return score is None, 0.0 if score is None else score


def _row(evaluation: Evaluation) -> dict[str, str | float | None]:
    row: dict[str, str | float | None] = {
        "policy": evaluation.policy,
        "score": evaluation.score.score,
        "index5": evaluation.score.index5,
    }
    for column in COLUMNS:
        if column.kpi is not None:
            row[column.title] = evaluation.kpis.get(column.kpi)
    return row
