"""The year in numbers, stretch by stretch."""

from __future__ import annotations

from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Cell, Row, Table
from rllib_citylearn.evaluation.report.figures.seasons import Seasons
from rllib_citylearn.evaluation.words import amount, change, number


def months_table(cast: Cast) -> Table:
    """Bills and emissions of the district by stretch under the shown contender, and their sums."""
    seasons = Seasons.of(cast.evaluation)
    rows = []
    for k, month in enumerate(seasons.months):
        score = float(seasons.scores[k])
        rows.append(
            Row(
                month,
                (
                    number(float(seasons.hours[k]), 0),
                    Cell(amount(float(seasons.bill[k])), change(float(seasons.bill[k]), float(seasons.reference_bill[k]))),
                    Cell(
                        amount(float(seasons.emissions[k])),
                        change(float(seasons.emissions[k]), float(seasons.reference_emissions[k])),
                    ),
                    number(score, 3) if abs(score) < float("inf") else "nothing to divide by",
                ),
            )
        )
    bill, emissions = float(seasons.bill.sum()), float(seasons.emissions.sum())
    whole = cast.evaluation.score.score
    rows.append(
        Row(
            "all",
            (
                number(float(seasons.hours.sum()), 0),
                Cell(amount(bill), change(bill, float(seasons.reference_bill.sum()))),
                Cell(amount(emissions), change(emissions, float(seasons.reference_emissions.sum()))),
                number(whole, 3),
            ),
            strong=True,
        )
    )
    return Table(
        f"Stretches of 730 hours under {cast.label(cast.shown)}",
        ("around", "hours", "bill (currency)", "CO2 (kg)", "score"),
        tuple(rows),
    )
