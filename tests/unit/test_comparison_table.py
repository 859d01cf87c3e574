"""The text that ``compare`` prints: every number in its column, of all seeds and runs, within the width of a terminal."""

from __future__ import annotations

import numpy as np
import pytest

from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.comparison_table import WIDTH, comparison_table
from rllib_citylearn.evaluation.contender import Contender
from tests.made_up import Town, evaluation, no_control

LONG = "runs/quick-20261121-183112-with-a-long-name/bundle"


def tables(text: str) -> list[dict[str, dict[str, str]]]:
    """The tables of a text: cells by policy and heading, found by where headings end."""
    found: list[dict[str, dict[str, str]]] = []
    ends: list[tuple[str, int]] = []
    for line in text.splitlines():
        if line.startswith("policy"):
            titles = line.split("  ")
            names = [title.strip() for title in titles if title.strip()][1:]
            ends = [(name, line.index(name) + len(name)) for name in names]
            found.append({})
        elif not line.strip():
            ends = []
        elif ends:
            starts = [line.index("  "), *(end for _, end in ends)]
            found[-1][line[: starts[0]]] = {
                name: line[start:end].strip() for (name, end), start in zip(ends, starts, strict=False)
            }
    return found


def several(name: str, town: Town, *lacking: float, keep: float = 0.8) -> Contender:
    """A contender with a run for each shortfall, of one random seed."""
    runs = tuple(
        evaluation(f"runs/{k}", town, keep=keep + 0.1 * k, missing_soc=soc, comfort={"cold": 0.1 * k, "hot": 0.3})
        for k, soc in enumerate(lacking)
    )
    return Contender(name, (runs,))


def test_every_number_stands_below_its_heading() -> None:
    town = Town(days=190)
    community = Comparison.of([no_control(town), evaluation("bau", town, keep=0.7), evaluation("foresight", town, keep=0.5)])
    scores, totals = tables(comparison_table(community))
    for contender in community.communities[0].contenders:
        row, sums = scores[contender.name], totals[contender.name]
        shown = contender.shown
        assert float(row["score"]) == pytest.approx(shown.score.score, abs=5e-4)
        assert float(row["index5"]) == pytest.approx(shown.score.index5, abs=5e-4)
        assert float(row["carbon"]) == pytest.approx(shown.kpis["carbon_emissions_total"], abs=5e-4)
        low, high = map(float, row["95% interval"].split(" to "))
        assert contender.interval is not None
        assert [low, high] == pytest.approx(contender.interval.to_list(), abs=5e-4)
        for title, value in {
            "bill": shown.totals.district.cost,
            "CO2 kg": shown.totals.district.carbon_kg,
            "imported kWh": shown.totals.district.imported_kwh,
            "exported kWh": shown.totals.district.exported_kwh,
            "peak kW": shown.totals.district.peak_kw,
        }.items():
            assert float(sums[title].replace(",", "")) == pytest.approx(value, rel=3e-3), title
    assert scores["bau"]["of the possible"] == "60%"


def test_service_is_that_of_all_runs_under_the_contenders_name() -> None:
    town = Town(vehicles=40)
    ours = several("ours", town, 0.0, 0.1)  # all met, and half of them
    community = CommunityComparison(
        "", "", (2022,), (ours, Contender("no-control", ((no_control(town, missing_soc=0.2),) * 2,)))
    )
    text = comparison_table(Comparison((community,)))
    *_, service = tables(text)
    assert service["ours"]["departures met"] == "75.0%"
    each = [e.departures.judge().missing_kwh for e in ours.all if e.departures is not None]
    assert float(service["ours"]["missing kWh"]) == pytest.approx(np.mean(each), rel=1e-2)
    assert service["ours"]["too cold"] == "5.0%"
    assert service["ours"]["too hot"] == "30.0%"
    assert service["no-control"]["departures met"] == "50.0%"
    assert service["no-control"]["too cold"] == "-"
    assert "runs/0" not in text
    assert "Numbers are means over all random seeds and training runs." in text
    assert "The score does not count departures" in text


def test_nobody_served_is_no_table() -> None:
    assert len(tables(comparison_table(Comparison.of([no_control()])))) == 2


def test_lines_fit_a_terminal_and_cut_names_are_told_in_full() -> None:
    town = Town(days=190, buildings=30, vehicles=9)
    contenders = [no_control(town), evaluation("community-policy", town), evaluation(LONG, town, keep=0.6)]
    text = comparison_table(Comparison.of(contenders, label="buildings 1-5", note="Nothing was trained. " * 20))
    rows = text.splitlines()
    assert max(map(len, rows)) <= WIDTH
    (told,) = [line for line in text.splitlines() if line.endswith(f" is {LONG}")]
    assert any(line.startswith(told.split(" is ")[0] + " ") for line in rows)


def test_what_foresight_hardly_saves_is_no_measure() -> None:
    town = Town()
    community = Comparison.of(
        [no_control(town), evaluation("bau", town, keep=0.5), evaluation("foresight", town, keep=0.995)]
    )
    text = comparison_table(community)
    said = "no share of the possible, because perfect foresight saves less than 1% here (score 0.9958)"
    assert said in " ".join(text.split())
    assert tables(text)[0]["bau"]["of the possible"] == "-"
    assert community.communities[0].share_of_possible("bau") is None
    assert all(e.share_of_possible is None for c in community.communities[0].contenders for e in c.all)
    enough = Comparison.of([no_control(town), evaluation("bau", town, keep=0.5), evaluation("foresight", town, keep=0.98)])
    assert enough.communities[0].no_share is None
    assert enough.communities[0].share_of_possible("bau") == pytest.approx(25.0)


def test_json_has_buildings_terms_and_pairs() -> None:
    town = Town(days=190, no_bill=(1,))
    comparison = Comparison.of([no_control(town), evaluation("bau", town, keep=0.7), evaluation("mpc", town, keep=0.6)])
    (content,) = comparison.to_dict()["communities"]
    by_name = {contender["policy"]: contender for contender in content["contenders"]}
    assert list(by_name["bau"]["building_scores"]) == ["Building_1", "Building_2", "Building_3"]
    assert by_name["bau"]["building_scores"]["Building_1"]["cost"] == pytest.approx(0.7)
    assert by_name["no-control"]["building_scores"]["Building_3"]["score"] == pytest.approx(1.0)
    assert by_name["bau"]["building_scores"]["Building_2"]["carbon"] == 1.0, "nothing over nothing"
    low, high = by_name["mpc"]["term_intervals"]["cost"]
    assert [low, high] == pytest.approx([(0.6 + 1.0 + 0.6) / 3.0] * 2), "bills are scaled alike in all months"
    pairs = {(one["policy"], one["less"]): one["mean"] for one in content["differences"]}
    assert len(pairs) == 6
    assert pairs["mpc", "bau"] == pytest.approx(by_name["mpc"]["score"] - by_name["bau"]["score"])
    assert pairs["mpc", "bau"] == -pairs["bau", "mpc"] < 0.0
    better = {(one["policy"], one["less"]): one["share_better"] for one in content["differences"]}
    assert (better["mpc", "bau"], better["bau", "mpc"]) == (1.0, 0.0)


def test_whoever_has_no_score_or_took_no_part_is_named() -> None:
    broken = evaluation("runs/broken", drop=("ramping_average",))
    base = Comparison.of([no_control(), evaluation("bau"), broken]).communities[0]
    refused = (("mpc", "It can't plan this."), ("foresight", "Nor can it."))
    text = comparison_table(Comparison((CommunityComparison("", "", base.seeds, base.contenders, refused),)))
    for table in tables(text):
        assert set(table) == {"no-control", "bau", "runs/broken"}
    assert "runs/broken: CityLearn gives no finite value for ramping_average" in text
    for name, reason in refused:
        assert f"{name} did not take part: {reason}" in text
