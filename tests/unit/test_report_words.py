"""Numbers, names and Markdown as the report writes them."""

from __future__ import annotations

import random
import re

import pytest

from rllib_citylearn.evaluation.report.cast import labels_of
from rllib_citylearn.evaluation.report.markdown import escape
from rllib_citylearn.evaluation.words import amount, change, condensed, moves, number, percent, shortened, signed

NASTY = "</table><script>alert('x')</script>|a*b_c`d`$e$ [f](g) #1 ~~h~~ &amp; \\ \n\t\x00\udc80"


@pytest.mark.parametrize("seed", range(20))
def test_an_amount_is_its_number_to_three_digits(seed: int) -> None:
    value = random.Random(seed).uniform(-1.0, 1.0) * 10.0 ** random.Random(seed + 99).randint(-4, 6)
    read = float(amount(value).replace(",", "").replace("\u2212", "-"))
    assert read == pytest.approx(value, rel=5e-3)


def test_what_is_no_number_is_said_in_words() -> None:
    assert {number(None, 3), amount(None), percent(None)} == {"no value"}
    assert change(3.0, 0.0) == "from nothing"
    assert change(0.0, 0.0) == "as before"
    assert change(-4.0, -3.0) == "1.00 less", "a ratio of two exports says nothing"


def test_signs_and_zeros() -> None:
    assert (signed(0.0321, 3), signed(-0.0321, 3), signed(-0.0001, 3), number(-0.0, 1)) == (
        "+0.032",
        "\u22120.032",
        "0.000",
        "0.0",
    )
    assert change(75.0, 100.0) == "\u221225.0%"


def test_a_move_says_where_from_and_where_to() -> None:
    assert moves(49.06, 41.2, "kW") == "falls from 49.1 to 41.2 kW"
    assert moves(41.2, 49.06, "kW") == "rises from 41.2 to 49.1 kW"
    assert moves(49.06, 49.061, "kW") == "stays at 49.1 kW"


def test_names_are_condensed_without_losing_any() -> None:
    assert condensed([f"Building_{n}" for n in range(1, 18)]) == "Building_1 to Building_17"
    assert condensed(["a", "b_1", "b_2", "b_4"]) == "a, b_1, b_2 and b_4"
    many = condensed([f"home {chr(97 + k % 26)}{k}x" for k in range(100)])
    assert many.endswith("and 76 more")


@pytest.mark.parametrize("most", range(3, 40))
def test_shortened_names_fit_and_keep_both_ends(most: int) -> None:
    name = "runs/a-very-long-name-of-a-run/bundle"
    short = shortened(name, most)
    assert len(short) <= most
    assert short == name or (name.startswith(short.split("\u2026")[0]) and name.endswith(short.split("\u2026")[1]))


def test_labels_of_paths_are_short_and_never_the_same() -> None:
    names = ["bau", "/home/x/runs/one/bundle", "/home/y/runs/one/bundle", "/home/y/runs/two/bundle", NASTY]
    labels = labels_of(names)
    assert labels["bau"] == "bau"
    assert labels["/home/y/runs/two/bundle"] == "two/bundle"
    assert len(set(labels.values())) == len(names)
    assert labels["/home/x/runs/one/bundle"] == "x/runs/one/bundle"
    assert all(label.isprintable() for label in labels.values())


def test_markdown_shows_any_text_letter_by_letter() -> None:
    shown = escape(NASTY)
    assert "\n" not in shown
    assert "\x00" not in shown
    # A backslash before every character that Markdown gives a meaning.
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>|`*$~\[\]#&]", shown)
    assert escape("Building_1") == "Building_1"
    assert escape("_bold_") == r"\_bold\_"
