"""Reports of made-up episodes: complete, self-contained, and with the evaluations' own numbers."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.report import write_report
from rllib_citylearn.evaluation.report import writing as report_writing
from rllib_citylearn.evaluation.report.style import Drawn
from tests.made_up import KPI_OF_TERM, Town, evaluation, no_control
from tests.page import Page, first_number

PNG = b"\x89PNG\r\n\x1a\n"
NASTY = "runs/<img src=x>/a|b*c_$d$&amp;"
NASTY_LABEL = "<img src=x>/a|b*c_$d$&amp;"
TOWN = Town(days=190, vehicles=60, names=("Building_1", "Building_2", "</style><script>"), no_bill=(1,))
PROGRESS = "seconds,env_steps,updates,score,validation_score\n1,512,0,nan,0.80\n120,2048,30,0.9,0.75\n"


def judged() -> list[Evaluation]:
    """No control, charging on arrival, a rule, a policy whose name is anything but harmless, and perfect foresight."""
    return [
        no_control(TOWN, missing_soc=0.5),
        evaluation("plug-in", TOWN, keep=1.1, missing_soc=0.0),
        evaluation("bau", TOWN, keep=0.8, missing_soc=0.0),
        evaluation(NASTY, TOWN, keep=0.7, comfort={"discomfort": 0.2, "cold": 0.2, "hot": 0.0}),
        evaluation("foresight", TOWN, keep=0.6),
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report with everything in it."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "progress.csv").write_text(PROGRESS)
    written = write_report(
        folder,
        Comparison.of(judged(), label="all buildings", note="Trained on <them>."),
        command="rllib-citylearn evaluate '<it>' --data x",
        data={"name": "made_up", "sha256": "0" * 64},
        training={"seeds": [1, 2], "preset": {"name": "quick"}},
        progress_csv=folder / "progress.csv",
    )
    assert written == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    """Its page, which parses: every element is closed in its turn."""
    return Page((report / "report.html").read_text(encoding="utf-8"))


def strict_json(path: Path) -> Any:
    """A file's JSON; NaN and infinity are refused, which Python's reader lets through otherwise."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_the_page_needs_nothing_else(report: Path, page: Page) -> None:
    assert page.addresses
    for address in page.addresses:
        assert address.startswith(("data:image/svg+xml;base64,", "#")), address[:80]
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base"}
    style = re.search(r"<style>(.*)</style>", (report / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert style
    assert not re.search(r"@import|url\(|https?:", style[1])
    assert (report / "report.html").stat().st_size < 3_000_000


def test_every_picture_is_there_twice_and_described(report: Path, page: Page) -> None:
    images = [attrs for tag, attrs in page.elements if tag == "img"]
    sources = [attrs for tag, attrs in page.elements if tag == "source"]
    names = sorted(path.stem for path in (report / "figures").iterdir())
    assert names == sorted(["buildings", "day", "duration", "learning", "months", "prices", "scores", "service", "week"])
    assert len(images) == len(sources) == len(page.captions) == len(names)
    for image, source, caption in zip(images, sources, page.captions, strict=True):
        assert len(image["alt"]) > 20
        assert re.search(r"\d", caption), caption
        assert source["media"] == "screen and (max-width: 640px)"
        assert source["srcset"] != image["src"]
    text = (report / "report.md").read_text()
    for name in names:
        assert f"](figures/{name}.png)" in text
        assert (report / "figures" / f"{name}.png").read_bytes().startswith(PNG)


def test_pictures_are_sound_svg_with_the_names_letter_by_letter(page: Page) -> None:
    texts = []
    for _, attrs in page.elements:
        for address in (attrs.get("src", ""), attrs.get("srcset", "")):
            if address:
                root = ElementTree.fromstring(b64decode(address.split("base64,")[1]))
                texts += ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert NASTY_LABEL in texts, "no formula, nothing cut at a bracket"
    assert "</style><script>" in texts
    assert not any(re.fullmatch(r"-?nan|inf", text) for text in texts)


def test_names_are_text_and_nothing_else(report: Path, page: Page) -> None:
    assert NASTY_LABEL in page.text
    assert "Trained on <them>." in page.text
    assert "evaluate '<it>' --data x" in page.text
    text = (report / "report.md").read_text()
    assert r"\<img src=x\>/a\|b\*c\_\$d\$\&amp;" in text
    outside = re.sub(r"`[^`\n]*`", "", text)
    assert NASTY_LABEL not in outside
    assert "<script>" not in outside


def test_headings_and_contents_lead_through_the_page(page: Page) -> None:
    anchors = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(set(anchors)) == len(anchors)
    links = [attrs["href"] for tag, attrs in page.elements if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(anchors)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("place", range(5))
def test_totals_on_the_page_are_sums_over_the_trajectories(place: int, page: Page) -> None:
    result = judged()[place]
    path = result.trajectory
    row = page.row("Totals of the district", NASTY_LABEL if result.policy == NASTY else result.policy)
    net = path.net_electricity_consumption_kwh
    drawn, district = net.clip(min=0.0), net.sum(1)
    days = [district[start : start + 24].max() for start in range(0, len(district), 24)]
    expected = {
        "bill (currency)": (drawn * path.price).sum(),
        "CO2 (kg)": (drawn * path.carbon).sum(),
        "imported (kWh)": drawn.sum(),
        "exported (kWh)": -net.clip(max=0.0).sum(),
        "highest peak (kW)": district.max(),
        "mean daily peak (kW)": np.mean(days),
    }
    for column, value in expected.items():
        assert first_number(row[column]) == pytest.approx(value, rel=2e-3), column
    assert result.departures is not None
    short = np.maximum(result.departures.required_soc - result.departures.soc, 0.0)
    assert first_number(row["departures met"]) == pytest.approx(100.0 * (short < 1e-9).mean(), abs=0.05)
    assert first_number(row["missing (kWh)"]) == pytest.approx((short * 50.0).sum(), abs=0.05)


def test_buildings_and_months_on_the_page_add_up(page: Page) -> None:
    path = judged()[3].trajectory
    bills = (path.net_electricity_consumption_kwh.clip(min=0.0) * path.price).sum(0)
    title = next(title for title in page.tables if title.startswith("District and buildings"))
    for name, bill in zip(path.buildings, bills, strict=True):
        assert first_number(page.row(title, name)["bill (currency)"]) == pytest.approx(bill, rel=2e-3, abs=1e-3)
    title = next(title for title in page.tables if title.startswith("Stretches"))
    months = [first_number(row[2]) for row in page.tables[title][1:]]
    assert sum(months[:-1]) == pytest.approx(months[-1], rel=2e-3)
    assert months[-1] == pytest.approx(bills.sum(), rel=2e-3)


def test_scores_and_differences_on_the_page_are_those_of_the_comparison(page: Page) -> None:
    (community,) = Comparison.of(judged()).communities
    for contender in community.contenders:
        label = NASTY_LABEL if contender.name == NASTY else contender.name
        row = page.row("KPIs over no control", label)
        assert first_number(row["score (95% interval)"]) == pytest.approx(contender.score, abs=5e-4)
        share = community.share_of_possible(contender.name)
        assert share is not None
        assert first_number(row["of the possible"]) == pytest.approx(100.0 * share, abs=0.5)
        if contender.name == "bau":
            continue
        difference = community.difference(contender.name, "bau")
        assert difference is not None
        assert difference.interval is not None
        row = page.row("Differences to bau", label)
        assert first_number(row["less bau"]) == pytest.approx(difference.mean, abs=5e-4)
        assert first_number(row["95% interval"]) == pytest.approx(difference.interval.low, abs=5e-4)


def test_intervals_of_the_terms_stand_in_their_columns_lower_end_first(page: Page) -> None:
    (community,) = Comparison.of(judged()).communities
    title = "95% intervals of the score and its terms"
    assert len(page.tables[title]) == len(community.contenders), "a heading, and nobody but no control left out"
    for contender in community.contenders:
        if contender.name == "no-control":
            continue
        label = NASTY_LABEL if contender.name == NASTY else contender.name
        row, kpis = page.row(title, label), page.row("KPIs over no control", label)
        for column, interval in {"score": contender.interval, **contender.term_intervals}.items():
            assert interval is not None
            assert interval.low < interval.high
            ends = [first_number(end) for end in row[column].split(" to ")]
            assert ends == pytest.approx(interval.to_list(), abs=5e-4)
        for column, kpi in KPI_OF_TERM.items():
            assert first_number(kpis[column]) == pytest.approx(contender.mean_kpi(kpi), abs=5e-4)


def test_the_numbers_are_json_without_nan_and_say_where_they_come_from(report: Path) -> None:
    content = strict_json(report / "report.json")
    (community,) = content["communities"]
    scores = [contender["score"] for contender in community["contenders"]]
    assert scores == sorted(scores)
    names = {contender["policy"] for contender in community["contenders"]}
    assert {(one["policy"], one["less"]) for one in community["differences"]} == {
        (one, other) for one in names for other in names if one != other
    }
    assert community["shown"] == NASTY
    assert community["note"] == "Trained on <them>."
    assert content["command"] == "rllib-citylearn evaluate '<it>' --data x"
    assert content["seeds"] == [2022]
    assert content["training"]["seeds"] == [1, 2]
    assert "numpy" in content["versions"]
    text = (report / "report.md").read_text()
    for word in ("lower is better", "`made_up`", "0" * 64, "**seeds**: 1, 2", "engine `fast`"):
        assert word in text
    assert "quick" not in text, "a whole preset is too much to read"


def test_the_same_evaluations_give_the_same_page(report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_writing, "drawn", lambda picture: Drawn("<svg></svg>", "<svg/>", PNG))
    for name in ("a", "b"):
        write_report(tmp_path / name, Comparison.of(judged()), command="c", data="d")
    assert (tmp_path / "a" / "report.html").read_bytes() == (tmp_path / "b" / "report.html").read_bytes()


def test_a_report_replaces_a_report_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_writing, "drawn", lambda picture: Drawn("<svg></svg>", "<svg/>", PNG))
    folder = tmp_path / "r"
    (folder / "figures").mkdir(parents=True)
    (folder / "chapter.txt").write_text("years of work")
    (folder / "figures" / "mine.png").write_bytes(b"mine")
    for keep in (0.9, 0.8):
        town = Town()
        write_report(folder, Comparison.of([no_control(town), evaluation("bau", town, keep=keep)]), command="c", data="d")
        policies = strict_json(folder / "report.json")["communities"][0]["contenders"]
        assert policies[0]["score"] == pytest.approx((5 * keep + 1) / 6)
    assert (folder / "figures" / "day.png").is_file()
    write_report(folder, Comparison.of([evaluation("bau", Town(battery=False))]), command="c", data="d")
    assert not (folder / "figures" / "day.png").exists(), "a picture of the report before"
    assert (folder / "chapter.txt").read_text() == "years of work"
    assert (folder / "figures" / "mine.png").read_bytes() == b"mine"


def test_a_file_where_the_report_should_go_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("years of work")
    with pytest.raises(ConfigError, match="is a file"):
        write_report(tmp_path / "r", Comparison.of([no_control()]), command="c", data="d")
    assert (tmp_path / "r").read_text() == "years of work"


def test_both_engines_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_writing, "drawn", lambda picture: Drawn("<svg></svg>", "<svg/>", PNG))
    for engine, other in (("fast", "citylearn"), ("citylearn", "fast")):
        write_report(tmp_path / "r", Comparison.of([no_control(engine=engine)]), command="c", data="d")
        text = (tmp_path / "r" / "report.md").read_text()
        assert f"engine `{engine}`" in text
        assert f"engine `{other}`" not in text
        assert "CityLearn computed the KPIs" in text
