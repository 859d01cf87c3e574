"""What the report's pictures are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.report.cast import casts_of
from rllib_citylearn.evaluation.report.document import Absent
from rllib_citylearn.evaluation.report.figures.day import most_telling
from rllib_citylearn.evaluation.report.figures.duration import duration_curve, share_above
from rllib_citylearn.evaluation.report.figures.heat import ratios, without
from rllib_citylearn.evaluation.report.figures.learning import Curves, learning_picture
from rllib_citylearn.evaluation.report.figures.seasons import Seasons
from rllib_citylearn.evaluation.report.figures.service import missing_kwh, share_lacking_more
from rllib_citylearn.evaluation.report.figures.time_axis import peak_week
from rllib_citylearn.evaluation.report.figures.week import district_loads
from rllib_citylearn.evaluation.response import by_hour, by_price
from tests.made_up import Town, evaluation, no_control


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("hour_offset", [0, 7])
def test_the_week_is_seven_days_around_the_peak(seed: int, hour_offset: int) -> None:
    path = Town(seed=seed, hour_offset=hour_offset).trajectory()
    course = Course.of(path)
    week, day = peak_week(course), course.shown_day
    peak = int(path.no_control_net_kwh.sum(1).argmax())
    assert 0 <= week.first <= peak < week.end <= path.steps
    assert week.end - week.first == 7 * 24
    assert day.first <= peak < day.end
    if 4 * 24 <= peak < path.steps - 5 * 24:
        assert path.hour[week.first] % 24 == 0
        assert day.first - week.first == 3 * 24


def test_a_short_window_is_shown_whole() -> None:
    week = peak_week(Course.of(Town(days=2).trajectory()))
    assert (week.first, week.end) == (0, 48)


def test_fifteen_minutes_make_the_same_days() -> None:
    path = Town(minutes=15).trajectory()
    course = Course.of(path)
    assert peak_week(course).end - peak_week(course).first == 7 * 96
    assert path.hour[course.shown_day.first] % 24 == 0


def test_the_load_duration_curve_is_the_load_sorted() -> None:
    path = Town().trajectory()
    load = path.district_kw(path.net_electricity_consumption_kwh)
    curve = duration_curve(load)
    assert sorted(load, reverse=True) == list(curve)
    for share in (0.01, 0.1, 0.5):
        limit = curve[int(share * len(curve))]
        assert share_above(load, float(limit)) == pytest.approx(share, abs=1.0 / len(curve))


def test_lines_are_the_evaluations_loads_in_kw() -> None:
    town = Town(minutes=15)
    idle, rule = no_control(town), evaluation("bau", town, keep=0.5)
    (cast,) = casts_of(Comparison.of([idle, rule]))
    (reference, before, _), (name, after, _) = district_loads(cast)
    assert (reference, name) == ("no control", "bau")
    assert before == pytest.approx(4.0 * town.trajectory().no_control_net_kwh.sum(1))
    assert after == pytest.approx(0.5 * before)


@pytest.mark.parametrize("prices", [(0.2, 0.5), tuple(np.linspace(0.0, 1.0, 97))], ids=["levels", "classes"])
def test_classes_of_price_and_hour_add_up_to_all_energy(prices: tuple[float, ...]) -> None:
    path = Town(prices=prices, vehicles=4, minutes=30).trajectory()
    moved = path.net_electricity_consumption_kwh - path.no_control_net_kwh - path.charging_kwh
    hours = path.steps * 0.5
    dear = by_price(path)
    assert dear is not None
    assert len(dear.bounds) <= 6
    assert list(dear.price) == sorted(dear.price)
    for response in (dear, by_hour(path)):
        assert response.share.sum() == pytest.approx(1.0)
        assert hours * (response.share @ response.charge_kw) == pytest.approx(moved[moved > 0.0].sum())
        assert hours * (response.share @ response.discharge_kw) == pytest.approx(moved[moved < 0.0].sum())
        assert hours * (response.share @ response.vehicles_kw) == pytest.approx(path.charging_kwh.sum())
        assert response.share @ response.price == pytest.approx(path.price.mean())


def test_one_price_has_no_classes() -> None:
    assert by_price(Town(prices=(0.3,)).trajectory()) is None


@pytest.mark.parametrize(("days", "stretches"), [(91, 3), (100, 4), (10, 1)])
def test_months_add_up_to_the_totals(days: int, stretches: int) -> None:
    result = evaluation("bau", Town(days=days))
    seasons = Seasons.of(result)
    assert len(seasons.months) == stretches
    assert seasons.hours.sum() == 24 * days
    assert seasons.bill.sum() == pytest.approx(result.totals.district.cost)
    assert seasons.emissions.sum() == pytest.approx(result.totals.district.carbon_kg)
    assert seasons.reference_bill.sum() == pytest.approx(result.no_control.district.cost)
    assert seasons.months[0] == "August"


def test_a_stretch_by_itself_is_scored_as_an_episode_of_its_own() -> None:
    town = Town(days=61)
    seasons = Seasons.of(evaluation("bau", town))
    path = town.trajectory()
    half = replace(
        path,
        net_electricity_consumption_kwh=path.net_electricity_consumption_kwh[:730],
        no_control_net_kwh=path.no_control_net_kwh[:730],
        price=path.price[:730],
        carbon=path.carbon[:730],
        month=path.month[:730],
        charging_kwh=path.charging_kwh[:730],
        soc=path.soc[:730],
        actions={name: values[:730] for name, values in path.actions.items()},
        day_type=path.day_type[:730],
        hour=path.hour[:730],
    )
    alone = Seasons.of(replace(evaluation("bau", town), course=Course.of(half)))
    assert seasons.terms[0] == pytest.approx(alone.terms[0])


def test_ratios_are_the_buildings_own_and_missing_without_a_bill() -> None:
    result = evaluation("bau", Town(no_bill=(1,)), keep=0.6)
    values = ratios(result)
    assert values[[0, 2]] == pytest.approx(0.6)
    assert np.isnan(values[1]).all()
    assert without(result, "bill") == ["Building_2"]


def test_shares_of_departures_that_lack_energy_fall_from_all_missed_to_none() -> None:
    table = Town(vehicles=40).departures(0.1)
    assert table is not None
    missing = missing_kwh(table)
    assert missing.sum() == pytest.approx(table.judge().missing_kwh)
    shares = share_lacking_more(missing, np.array([0.0, 4.9, 5.1, 99.0]))
    assert shares[0] == pytest.approx(1.0 - table.judge().departures_met)
    assert list(shares) == [0.5, 0.5, 0.0, 0.0]


def test_the_most_telling_buildings_are_those_that_move_most_energy() -> None:
    path = Town(buildings=30).trajectory()
    course = Course.of(path)
    day = course.shown_day
    moved = np.abs(path.net_electricity_consumption_kwh - path.no_control_net_kwh)[day.first : day.end].sum(0)
    drawn = most_telling(course.day)
    assert len(drawn) == 12
    assert min(moved[drawn]) >= max(np.delete(moved, drawn))
    assert most_telling(Town(battery=False).trajectory()) == []


def test_learning_curves_are_the_runs_own(tmp_path: Path) -> None:
    file = tmp_path / "progress.csv"
    file.write_text(
        "seconds,env_steps,updates,score,validation_score,held_out_score\n"
        "1,512,0,nan,0.80,nan\n60,1024,10,,0.80,nan\n120,2048,30,0.9,0.75,nan\n180,4096,40,0.85,0.76,nan\n"
    )
    curves = Curves.read(file)
    assert [list(part) for part in curves.known("updates", "validation_score")] == [[0, 10, 30, 40], [0.8, 0.8, 0.75, 0.76]]
    assert [list(part) for part in curves.known("env_steps", "score")] == [[2048, 4096], [0.9, 0.85]]
    assert curves.measured == ["score", "validation_score"]
    picture = learning_picture(file)
    assert "falls from 0.800 after 0 updates to 0.750 after 30 (2.00 minutes)" in picture.caption  # type: ignore[union-attr]


@pytest.mark.parametrize("text", [None, "", "seconds,env_steps,updates\n", "a,b\n1,2\n"])
def test_without_progress_there_is_a_sentence(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "progress.csv"
    if text is not None:
        file.write_text(text)
    absent = learning_picture(file)
    assert isinstance(absent, Absent)
    assert "." in absent.reason
