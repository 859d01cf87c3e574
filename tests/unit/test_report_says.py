"""What the report says where something is missing: words, never NaN, 0 or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.report.assemble import document_of
from rllib_citylearn.evaluation.report.markdown import to_markdown
from rllib_citylearn.evaluation.report.setting import Setting
from rllib_citylearn.evaluation.report.style import NARROW, WIDE, drawn
from tests.made_up import Town, evaluation, no_control

SETTING = Setting("rllib-citylearn evaluate it", {"name": "made_up", "sha256": "0" * 64}, {"numpy": "2"})

LONG = 190
"""Days with more than six stretches of 730 hours."""


def said(*evaluations: Evaluation, note: str = "") -> str:
    """The report's text; every table in it is full and holds no NaN."""
    return text_of(Comparison.of(evaluations, note=note))


def text_of(comparison: Comparison) -> str:
    text = to_markdown(document_of(comparison, SETTING))
    assert not re.search(r"\b(nan|NaN|None|inf)\b", text)
    for line in text.splitlines():
        if line.startswith("|"):
            assert all(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]), line
    return text


def pair(town: Town) -> Sequence[Evaluation]:
    return no_control(town), evaluation("runs/a", town)


def test_the_headline_names_the_policy_the_best_rule_and_the_saving() -> None:
    town = Town()
    rules = evaluation("bau", town), evaluation("level", town, keep=0.9)
    text = said(no_control(town), evaluation("runs/a", town, keep=0.7), *rules)
    # A load that is scaled keeps its load factor: that sixth of the score stays.
    assert "**runs/a** scores 0.750, 25.0% below no control; the best rule, bau, scores 0.833." in text
    assert "no learned policy took part" not in text
    assert "no learned policy took part" in said(no_control(town), evaluation("bau", town))
    assert "Only no control was evaluated" in said(no_control(town))
    planned = said(no_control(town), evaluation("bau", town), evaluation("mpc", town, keep=0.5))
    assert "no learned policy took part, and model predictive control (mpc) scores 0.583" in planned


def test_learning_baselines_are_beside_the_policy_and_not_it() -> None:
    town = Town()
    learner = evaluation("rllib-sac", town, keep=0.6)
    assert "**runs/a** scores" in said(no_control(town), evaluation("runs/a", town, keep=0.7), learner)
    assert "**rllib-sac** scores" in said(no_control(town), evaluation("bau", town, keep=0.8), learner)


def test_a_contender_without_a_score_is_listed_with_the_reason() -> None:
    town = Town()
    text = said(no_control(town), evaluation("runs/a", town, drop=("ramping_average",)))
    assert "**runs/a** has no score in this window" in text
    assert "**runs/a** has no score: CityLearn gives no finite value for ramping_average" in text
    assert "no value" in text


def test_a_missing_kpi_is_named() -> None:
    text = said(no_control(), evaluation("bau", drop=("daily_peak_average",)))
    assert "**bau**: CityLearn gives no finite value for daily peak." in text


def test_who_could_not_take_part_is_named() -> None:
    base = Comparison.of(pair(Town())).communities[0]
    refused = CommunityComparison(
        "", "", base.seeds, base.contenders, (("mpc", "It has a thing that can't be planned for."),)
    )
    assert "**mpc** did not take part: It has a thing that can't be planned for." in text_of(Comparison((refused,)))


def test_intervals_are_there_or_the_reason_is() -> None:
    short, long = said(*pair(Town())), said(*pair(Town(days=LONG)))
    assert "Intervals take at least 6 stretches of 730 hours" in short
    assert "95% interval" not in short
    assert "score (95% interval)" in long
    assert "Intervals take" not in long


def test_the_share_of_the_possible_needs_foresight() -> None:
    town = Town()
    without, known = said(*pair(town)), said(*pair(town), evaluation("foresight", town, keep=0.5))
    assert "share of the possible is not known" in without
    assert "of the possible |" not in without
    assert "| of the possible |" in known
    assert "It reaches 40% of what perfect foresight saves" in known
    assert "perfect foresight saves nothing here" in said(*pair(town), evaluation("foresight", town, keep=1.1))


def test_a_bar_that_would_dwarf_the_others_is_cut_and_said_to_be() -> None:
    town = Town()
    cut = "Bars are cut at 4; the numbers beside them are whole."
    assert cut in said(no_control(town), evaluation("bau", town, keep=9.0), evaluation("runs/a", town))
    assert cut not in said(*pair(town))


def test_a_window_without_months_says_so() -> None:
    text = said(*pair(Town(days=10)))
    assert "The window has 240 hours, no more than one stretch of 730" in text
    assert "no longer than a month" in text
    assert "The last stretch" in said(*pair(Town(days=61 + 10)))


def test_buildings_without_a_bill_are_named() -> None:
    text = said(*pair(Town(no_bill=(1,))))
    assert "Without control Building_2 has no bill to divide by" in text
    assert "from nothing" in text or "as before" in text


def test_data_without_prices() -> None:
    text = said(*pair(Town(prices=(0.0,))))
    assert "no electricity prices, so cost is 1 for everyone" in text
    assert "The data has no prices, so nothing can be shown by price." in text
    assert "There is one price all the time" in said(*pair(Town(prices=(0.3,))))


def test_without_batteries_and_vehicles() -> None:
    text = said(*pair(Town(battery=False)))
    assert "No building has a battery." in text
    assert "no building has anything to control" in text
    assert "No vehicle leaves in this window" in text
    assert "No indoor temperature is simulated" in text


def test_one_building_and_a_hundred() -> None:
    assert "There is one building, which is the whole district" in said(*pair(Town(buildings=1)))
    text = said(*pair(Town(buildings=100)))
    assert "100 buildings (Building_1 to Building_100)" in text
    assert "Left out: 88 buildings, where less energy was moved" in text
    assert len(re.findall(r"^\| Building_\d+ \|", text, re.MULTILINE)) == 100


def test_time_steps_of_a_quarter_of_an_hour() -> None:
    text = said(*pair(Town(minutes=15)))
    assert "A time step is 15 minutes long" in text
    assert "20.0 days in steps of 15 minutes" in text


def test_a_district_that_always_exports() -> None:
    text = said(*pair(Town(shift_kw=-9.0)))
    assert "Without control the district exports in every time step" in text
    assert "never draws from the grid" in text


def test_where_drivers_are_served_no_control_is_not_the_measure() -> None:
    town = Town(vehicles=30)
    alone = said(no_control(town, missing_soc=0.5), evaluation("bau", town, missing_soc=0.0))
    assert "> Without control no vehicle is ever charged" in alone
    assert "did not take part; evaluate it beside" in alone
    usual = evaluation("plug-in", town, keep=1.2, missing_soc=0.0)
    text = said(no_control(town, missing_soc=0.5), usual, evaluation("runs/a", town, missing_soc=0.1))
    assert "**Changes from plug-in**" in text
    assert "with 50.0% of departures met instead of 100.0%" in text
    assert (
        "Under runs/a 50.0% of 30 departures leave with the charge that was asked for; 15 vehicles lacked 5.00 kWh" in text
    )


def test_the_best_rule_is_one_that_serves_drivers() -> None:
    town = Town(vehicles=30)
    lazy = evaluation("net-zero", town, keep=0.5, missing_soc=0.5)
    text = said(
        no_control(town, missing_soc=0.5), lazy, evaluation("bau", town, missing_soc=0.0), evaluation("runs/a", town)
    )
    assert "the best rule that serves drivers, bau, scores" in text


def test_comfort_is_a_share_of_the_occupied_time() -> None:
    idle = no_control(comfort={"discomfort": 0.2, "cold": 0.15, "hot": 0.05})
    text = said(idle, evaluation("bau", comfort={"discomfort": 0.25, "cold": 0.15, "hot": 0.1}))
    assert "| too cold (% of occupied time) | too hot (% of occupied time) |" in text
    assert "10.0% (+5.0 points)" in text


def test_communities_are_sections_of_their_own() -> None:
    ours, others = Town(), Town(names=("X1", "X2", "X3"), seed=1)
    communities = tuple(
        CommunityComparison(label, note, (1, 2), tuple(Contender(n, seeds(n, town)) for n in ("no-control", "runs/a")))
        for label, note, town in (
            ("in-sample buildings", "It was trained on them.", ours),
            ("held-out buildings", "It saw none of them.", others),
        )
    )
    text = text_of(Comparison(communities))
    here, there = text.split("## Held-out buildings")
    assert "In-sample buildings: **runs/a** scores" in here, "the first sentence says of whom"
    assert "## In-sample buildings" in here
    assert "It was trained on them." in here
    assert "It saw none of them." in there
    assert not re.search(r"^\| X\d", here, re.MULTILINE)
    assert not re.search(r"^\| Building_\d", there, re.MULTILINE)
    assert "means over the random seeds 1 and 2" in here
    assert "worst run" in here
    assert "figures/week.png" in here
    assert "figures/community-2-week.png" in there


def seeds(name: str, town: Town) -> tuple[tuple[Evaluation, ...], ...]:
    keep = 1.0 if name == "no-control" else 0.7
    return tuple((evaluation(name, town, keep=keep, seed=seed),) for seed in (1, 2))


WORST = Town(days=2, buildings=1, minutes=15, shift_kw=-9.0, prices=(0.0,), battery=False, names=("_$a</b>|",))
"""Everything that can be missing at once."""


def test_the_poorest_data_can_be_drawn() -> None:
    document = document_of(Comparison.of([no_control(WORST), evaluation("_rule_", WORST)]), SETTING)
    for picture in document.pictures:
        files = drawn(picture)
        assert files.png.startswith(b"\x89PNG")
        assert files.wide.startswith("<svg")


@pytest.mark.slow
@pytest.mark.parametrize(
    "town",
    [
        Town(buildings=100, vehicles=10, no_bill=(3, 50)),
        Town(days=1460, buildings=1),
        Town(days=LONG, minutes=15, vehicles=1),
        Town(prices=tuple(k / 100.0 for k in range(200))),
        Town(days=1),
    ],
    ids=["a hundred buildings", "four years", "quarter hours", "many prices", "a day"],
)
def test_pictures_of_unusual_data_can_be_drawn(town: Town) -> None:
    names = ("a" * 300, "runs/<b>x</b>/y", "mpc", "foresight", "plug-in", "bau", "level", "net-zero", "price-policy")
    contenders = [evaluation(name, town, keep=0.5 + 0.05 * k) for k, name in enumerate(names)]
    document = document_of(Comparison.of([no_control(town), *contenders]), SETTING)
    for picture in document.pictures:
        files = drawn(picture)
        for size, text in ((WIDE, files.wide), (NARROW, files.narrow)):
            assert f'width="{size.width_px * 0.75:.6g}pt"' in text[:500]
