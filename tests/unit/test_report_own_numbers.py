"""Pictures and captions hold each contender's own numbers, in their own units."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.report.assemble import document_of
from rllib_citylearn.evaluation.report.cast import Cast, casts_of
from rllib_citylearn.evaluation.report.document import Picture, Table
from rllib_citylearn.evaluation.report.figures.duration import duration_picture
from rllib_citylearn.evaluation.report.figures.heat import heat_picture
from rllib_citylearn.evaluation.report.figures.scores import score_picture
from rllib_citylearn.evaluation.report.figures.seasons import Seasons, seasons_picture
from rllib_citylearn.evaluation.report.figures.service import service_picture
from rllib_citylearn.evaluation.report.figures.week import district_loads, week_picture
from rllib_citylearn.evaluation.report.markdown import to_markdown
from rllib_citylearn.evaluation.report.sections.buildings import buildings_table
from rllib_citylearn.evaluation.report.sections.months import months_table
from rllib_citylearn.evaluation.report.sections.scores import kpi_table
from rllib_citylearn.evaluation.report.sections.totals import plug_in_table
from rllib_citylearn.evaluation.report.setting import Setting
from rllib_citylearn.evaluation.report.style import WIDE
from rllib_citylearn.evaluation.stretches import TERMS
from rllib_citylearn.evaluation.totals import CommunityTotals
from rllib_citylearn.evaluation.words import MONTHS, amount, change
from tests.made_up import Town, evaluation, no_control

TOWN = Town(days=190, vehicles=40)
KEPT = {"plug-in": 1.1, "bau": 0.8, "mpc": 0.75, "runs/a": 0.7, "runs/b": 0.65}


@pytest.fixture(scope="module")
def cast() -> Cast:
    """Five contenders and no control, all different."""
    others = [evaluation(name, TOWN, keep=keep, missing_soc=0.2 * keep) for name, keep in KEPT.items()]
    (made,) = casts_of(Comparison.of([no_control(TOWN), *others]))
    return made


def figure_of(picture: Any) -> Any:
    assert isinstance(picture, Picture)
    return picture.draw(WIDE)


def test_every_line_is_its_contenders_own(cast: Cast) -> None:
    lines = district_loads(cast)
    assert [name for name, *_ in lines] == ["no control", *(cast.label(c) for c in cast.lines)]
    assert len(lines) == 6
    idle = cast.community.contender("no-control")
    assert idle is not None
    assert lines[0][1] == pytest.approx(idle.shown.trajectory.net_electricity_consumption_kwh.sum(1))
    for (name, load, look), contender in zip(lines[1:], cast.lines, strict=True):
        assert load == pytest.approx(contender.shown.trajectory.net_electricity_consumption_kwh.sum(1)), name
        assert look == cast.look(contender)
    drawn = figure_of(week_picture(cast, "")).axes[0].lines
    peaks = sorted(float(line.get_ydata().max()) for line in drawn if len(line.get_ydata()) > 100)
    week = slice(*[int(x) for x in figure_of(week_picture(cast, "")).axes[0].get_xlim()])
    assert peaks == pytest.approx(sorted(float(load[week].max()) for _, load, _ in lines))


def test_bars_and_whiskers_are_their_contenders_own(cast: Cast) -> None:
    scored = [c for c in cast.community.ranked if c.name != "no-control"]
    axes = figure_of(score_picture(cast, "")).axes
    assert [one.get_title(loc="left") for one in axes] == ["score", *TERMS]
    for one, title in zip(axes, ["score", *TERMS], strict=True):
        whiskers = [line for line in one.lines if np.ptp(line.get_ydata()) == 0.0 and len(set(line.get_xdata())) == 2]
        bars = [patch.get_width() for patch in one.patches]
        for place, contender in enumerate(scored):
            interval = contender.interval if title == "score" else contender.term_intervals[title]
            k = TERMS.index(title) if title != "score" else None
            value = contender.score if k is None else contender.shown.stretches.terms()[0][k]
            assert bars[place] == pytest.approx(value)
            assert one.texts[place].get_text() == f"{value:.3f}"
            assert interval is not None
            (whisker,) = [line for line in whiskers if line.get_ydata()[0] == place]
            assert list(whisker.get_xdata()) == interval.to_list()


def test_lines_over_the_months_are_their_contenders_own(cast: Cast) -> None:
    for k, axes in enumerate(figure_of(seasons_picture(cast, "")).axes):
        drawn = [list(line.get_ydata()) for line in axes.lines if line.get_marker() == "o"]
        assert drawn == [list(Seasons.of(c.shown).terms[:, k]) for c in cast.lines]


def test_months_are_named_after_their_middle_and_have_their_own_bill() -> None:
    """Stretches of 730 hours drift over months of 720: the middle of each is in its month, the start need not be."""
    town = Town(days=300, hour_offset=600)
    (cast,) = casts_of(Comparison.of([no_control(town), evaluation("bau", town)]))
    path, table = town.trajectory(), months_table(cast)
    bills = (path.net_electricity_consumption_kwh.clip(min=0.0) * path.price).sum(1)
    for k, row in enumerate(table.rows[:-1]):
        rows = slice(730 * k, min(730 * (k + 1), path.steps))
        middle = (rows.start + rows.stop) // 2
        assert row.head == MONTHS[path.month[middle] - 1]
        bill = row.cells[1]
        assert not isinstance(bill, str)
        assert bill.text == amount(float(bills[rows].sum()))
    assert any(path.month[730 * k] != path.month[730 * k + 365] for k in range(9)), "else this could not fail"


def test_captions_have_units_that_fit(cast: Cast) -> None:
    week, duration = week_picture(cast, ""), duration_picture(cast, "")
    assert re.search(r"Its peak falls from [\d.,]+ to [\d.,]+ kW under runs/b", week.caption)
    assert re.search(r"exceeded 1% of the time without control, [\d.,]+ kW, is exceeded", duration.caption)
    service = service_picture(cast, "")
    assert isinstance(service, Picture)
    assert re.search(r"lacked [\d.,]+ kWh in the middle and [\d.,]+ kWh at most", service.caption)
    text = to_markdown(document_of(Comparison((cast.community,)), Setting("c", "d", {})))
    assert re.search(r"emissions: [\d.,]+ kg instead of [\d.,]+ kg", text)
    assert re.search(r"highest peak: [\d.,]+ kW instead of [\d.,]+ kW", text)
    assert re.search(r"bill: [\d.,]+ instead of [\d.,]+ under", text)


def test_the_caption_of_the_months_tells_best_from_worst(cast: Cast) -> None:
    picture = seasons_picture(cast, "")
    assert isinstance(picture, Picture)
    found = re.search(r"scores best in \w+ \(([\d.]+)\) and worst in \w+ \(([\d.]+)\)", picture.caption)
    assert found
    scores = Seasons.of(cast.evaluation).scores
    assert [float(found[1]), float(found[2])] == pytest.approx([scores.min(), scores.max()], abs=5e-4)


def test_columns_of_the_heat_map_are_the_measures_they_are_called() -> None:
    town = Town(buildings=1)
    idle, rule = no_control(town), evaluation("bau", town)
    before = idle.totals.buildings["Building_1"]
    shares = {"cost": 0.9, "carbon_kg": 0.8, "imported_kwh": 0.7, "peak_kw": 0.6}
    after = replace(before, **{name: share * getattr(before, name) for name, share in shares.items()})
    (cast,) = casts_of(Comparison.of([idle, replace(rule, totals=CommunityTotals(after, {"Building_1": after}))]))
    axes = figure_of(heat_picture(cast, "")).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bill", "CO2", "imported", "peak"]
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.80", "0.70", "0.60"]
    row = buildings_table(cast).rows[1]
    assert [cell.detail for cell in row.cells if not isinstance(cell, str)] == [f"\u2212{x}.0%" for x in (10, 20, 30, 40)]


def test_changes_from_use_on_arrival_are_against_it(cast: Cast) -> None:
    assert cast.plug_in is not None
    table = plug_in_table(cast, cast.plug_in)
    usual = cast.plug_in.shown.totals.district
    for row in table.rows:
        contender = cast.community.contender(row.head)
        assert contender is not None
        assert row.cells[0] == change(contender.shown.totals.district.cost, usual.cost)
    assert "no-control" not in [row.head for row in table.rows]


def test_the_run_in_the_middle_is_shown_and_the_worst_is_told() -> None:
    town = Town()
    runs = tuple(evaluation(f"run {k}", town, keep=keep) for k, keep in enumerate((0.9, 0.7, 0.8)))
    ours = Contender("ours", (runs,))
    assert ours.shown.policy == "run 2"
    assert ours.worst == runs[0].score.score
    community = CommunityComparison("", "", (2022,), (ours, Contender("no-control", ((no_control(town),),))))
    (cast,) = casts_of(Comparison((community,)))
    (row,) = [row for row in kpi_table(cast).rows if row.head == "ours"]
    assert f"{ours.worst:.3f}" in row.cells


def test_whoever_has_no_score_or_took_no_part_stays_in_the_report() -> None:
    town = Town()
    broken = evaluation("runs/broken", town, drop=("ramping_average",))
    base = Comparison.of([no_control(town), evaluation("bau", town), broken]).communities[0]
    refused = (("mpc", "It can't plan this."), ("foresight", "Nor can it."))
    community = CommunityComparison("", "", base.seeds, base.contenders, refused)
    document = document_of(Comparison((community,)), Setting("c", "d", {}))
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    for title in ("KPIs over no control", "Totals of the district"):
        (table,) = [table for table in tables if table.title == title]
        assert {row.head for row in table.rows} == {"no-control", "bau", "runs/broken"}
    text = to_markdown(document)
    for name, reason in refused:
        assert f"**{name}** did not take part: {reason}" in text
