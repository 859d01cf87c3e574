"""What the episode came to in currency, kilograms, kilowatt hours and kilowatts."""

from __future__ import annotations

from rllib_citylearn.evaluation.comparison import NO_CONTROL
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.means import mean_comfort, mean_missing_kwh, mean_reference, mean_totals
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Block, Cell, Paragraph, Row, Table
from rllib_citylearn.evaluation.totals import Totals
from rllib_citylearn.evaluation.words import amount, change, percent, signed

MEASURES = {
    "bill (currency)": "cost",
    "CO2 (kg)": "carbon_kg",
    "imported (kWh)": "imported_kwh",
    "exported (kWh)": "exported_kwh",
    "highest peak (kW)": "peak_kw",
    "mean daily peak (kW)": "daily_peak_kw",
}
"""Columns: attributes of ``Totals`` by their headings."""


def totals_blocks(cast: Cast) -> tuple[Block, ...]:
    """The table with differences to no control, and one with differences to use on arrival where that is the reference."""
    blocks: list[Block] = [
        Paragraph(
            "Sums over the episode and the district's peaks; below each number its change from no control. Exports earn "
            "nothing and save no emissions, as in CityLearn's KPIs; the currency is that of the data's prices."
        ),
        totals_table(cast),
    ]
    if cast.serves:
        usual = cast.plug_in
        if usual is not None:
            blocks += [
                Paragraph(
                    "Without control nobody is served, so the same as changes from use on arrival at full power "
                    f"({cast.label(usual)}):"
                ),
                plug_in_table(cast, usual),
            ]
    if all(c.shown.comfort is None for c in cast.community.contenders):
        blocks.append(Paragraph("No indoor temperature is simulated, so there is nothing to say of comfort."))
    if not (cast.evaluation.course.no_control_kw > 0.0).any():
        blocks.append(
            Paragraph(
                "Without control the district never draws from the grid: its peaks are its smallest exports, with a minus."
            )
        )
    return tuple(blocks)


def totals_table(cast: Cast) -> Table:
    """A row a contender, no control first if it took part, or as CityLearn's KPIs have it."""
    ranked = [c for c in cast.community.ranked if c.name != NO_CONTROL]
    idle = cast.community.contender(NO_CONTROL)
    vehicles = any(c.shown.departures is not None for c in cast.community.contenders)
    comfort = [name for name in ("cold", "hot") if any(mean_comfort(c, name) is not None for c in cast.community.contenders)]
    columns = (
        "policy",
        *MEASURES,
        *(("departures met", "missing (kWh)") if vehicles else ()),
        *(f"too {name} (% of occupied time)" for name in comfort),
    )
    reference = mean_reference(cast.community.contenders[0])
    rows = []
    for contender in [idle, *ranked]:
        totals = reference if contender is None else mean_totals(contender)
        over = None if contender is None or contender is idle else mean_reference(contender)
        cells: list[str | Cell] = [_cell(totals, over, attribute) for attribute in MEASURES.values()]
        if vehicles:
            cells += _service(contender)
        cells += [_comfort(contender, name, idle) for name in comfort]
        name = "no control" if contender is None else cast.label(contender)
        rows.append(Row(name, tuple(cells), strong=contender in cast.policies))
    return Table("Totals of the district", columns, tuple(rows))


def plug_in_table(cast: Cast, usual: Contender) -> Table:
    """Changes from use on arrival."""
    theirs = mean_totals(usual)
    met, missing = usual.served(), mean_missing_kwh(usual)
    columns = ["policy", *MEASURES, *(["departures met (points)", "missing (kWh)"] if met is not None else [])]
    rows = []
    for contender in cast.community.ranked:
        if contender is usual or contender.name == NO_CONTROL:
            continue
        ours = mean_totals(contender)
        cells = [change(getattr(ours, attribute), getattr(theirs, attribute)) for attribute in MEASURES.values()]
        own_met, own_missing = contender.served(), mean_missing_kwh(contender)
        if met is not None and missing is not None and own_met is not None and own_missing is not None:
            cells += [signed(100.0 * (own_met - met), 1), signed(own_missing - missing, 1)]
        rows.append(Row(cast.label(contender), tuple(cells), strong=contender in cast.policies))
    return Table(f"Changes from {cast.label(usual)}", tuple(columns), tuple(rows))


def _cell(totals: Totals, over: Totals | None, attribute: str) -> str | Cell:
    value = getattr(totals, attribute)
    return amount(value) if over is None else Cell(amount(value), change(value, getattr(over, attribute)))


def _service(contender: Contender | None) -> list[str | Cell]:
    met, missing = (None, None) if contender is None else (contender.served(), mean_missing_kwh(contender))
    return [
        "not evaluated" if contender is None else percent(met),
        "not evaluated" if contender is None else amount(missing),
    ]


def _comfort(contender: Contender | None, name: str, idle: Contender | None) -> str | Cell:
    if contender is None:
        return "not evaluated"
    share, over = mean_comfort(contender, name), None if idle is None or idle is contender else mean_comfort(idle, name)
    if share is None or over is None:
        return percent(share)
    return Cell(percent(share), f"{signed(100.0 * (share - over), 1)} points")
