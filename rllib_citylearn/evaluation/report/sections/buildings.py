"""What control changed for every building, in numbers."""

from __future__ import annotations

from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Cell, Row, Table
from rllib_citylearn.evaluation.totals import Totals
from rllib_citylearn.evaluation.words import amount, change, clean

MEASURES = {"bill (currency)": "cost", "CO2 (kg)": "carbon_kg", "imported (kWh)": "imported_kwh", "peak (kW)": "peak_kw"}
"""Columns: attributes of ``Totals`` by their headings."""


def buildings_table(cast: Cast) -> Table:
    """The district and every building under the shown contender; below each number its change from no control."""
    evaluation = cast.evaluation
    played, reference = evaluation.totals, evaluation.no_control
    rows = [_row("district", played.district, reference.district, strong=True)]
    rows += [_row(clean(name), played.buildings[name], reference.buildings[name]) for name in evaluation.course.buildings]
    return Table(f"District and buildings under {cast.label(cast.shown)}", ("building", *MEASURES), tuple(rows))


def _row(name: str, played: Totals, reference: Totals, *, strong: bool = False) -> Row:
    pairs = [(getattr(played, attribute), getattr(reference, attribute)) for attribute in MEASURES.values()]
    return Row(name, tuple(Cell(amount(value), change(value, over)) for value, over in pairs), strong=strong)
