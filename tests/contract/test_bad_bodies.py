"""What is refused: every flaw of a body with its place, in a sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from tests.bundles import observations
from tests.contract.asking import ACTIONS, HINTS, by_name, own, post, require_problem


def body_with(place: tuple[int, ...], value: str) -> Callable[[list[Any]], str]:
    """A request whose entry at ``place`` is the JSON text ``value``."""

    def build(observed: list[Any]) -> str:
        target: Any = observed
        for index in place[:-1]:
            target = target[index]
        target[place[-1]] = "HERE"
        return json.dumps({"observations": observed}).replace('"HERE"', value)

    return build


BAD: dict[str, tuple[Callable[[list[Any]], str], int, list[str]]] = {
    "too few buildings": (
        lambda r: json.dumps({"observations": r[:2]}),
        422,
        ["2 rows", "expected 3", "Building_1, Building_2, Building_10"],
    ),
    "too many buildings": (lambda r: json.dumps({"observations": [*r, [1.0]]}), 422, ["4 rows", "expected 3"]),
    "no buildings": (lambda _: '{"observations": []}', 422, ["0 rows", "expected 3", "Building_10"]),
    "a row too short": (body_with((1,), "[1, 2]"), 422, ["observations[1]", "Building_2", "2 values", "dhw_storage_soc"]),
    "a row too long": (body_with((2,), "[1, 2, 3]"), 422, ["observations[2]", "Building_10", "outdoor_dry_bulb"]),
    "an empty row": (body_with((0,), "[]"), 422, ["observations[0]", "Building_1", "0 values"]),
    "a number for a row": (body_with((2,), "5"), 422, ["observations[2]", "Building_10", "is 5"]),
    "an object for a row": (body_with((2,), "{}"), 422, ["observations[2]", "Building_10", "an object"]),
    "text for a number": (body_with((1, 2), '"0.5"'), 422, ["observations[1][2]", "Building_2", "dhw_storage_soc", "'0.5'"]),
    "null for a number": (body_with((1, 2), "null"), 422, ["observations[1][2]", "dhw_storage_soc", "null"]),
    "true for a number": (body_with((1, 2), "true"), 422, ["observations[1][2]", "dhw_storage_soc", "True"]),
    "a list for a number": (body_with((1, 2), "[1]"), 422, ["observations[1][2]", "dhw_storage_soc", "a list"]),
    "NaN": (body_with((0, 2), "NaN"), 422, ["observations[0][2]", "Building_1", "non_shiftable_load", "nan"]),
    "Infinity": (body_with((0, 2), "Infinity"), 422, ["observations[0][2]", "non_shiftable_load", "inf"]),
    "-Infinity": (body_with((0, 2), "-Infinity"), 422, ["observations[0][2]", "non_shiftable_load", "-inf"]),
    "a number beyond floats": (body_with((0, 2), "1e999"), 422, ["observations[0][2]", "non_shiftable_load", "inf"]),
    "an integer beyond floats": (body_with((0, 2), "9" * 400), 422, ["observations[0][2]", "non_shiftable_load"]),
    "an integer beyond parsers": (body_with((0, 2), "9" * 5000), 400, ["not valid JSON", "out of range"]),
    "half a surrogate pair": (body_with((0, 2), r'"\ud800"'), 422, ["observations[0][2]", r"\ud800"]),
    "a long text for a number": (body_with((0, 2), f'"{"x" * 9000}"'), 422, ["observations[0][2]", "'xxxx", "..."]),
    "a text for the list": (lambda _: '{"observations": "all"}', 422, ["observations", "'all'", "3 rows"]),
    "null for the list": (lambda _: '{"observations": null}', 422, ["observations", "null"]),
    "a bad place in a batch": (
        lambda r: json.dumps({"observations": [r, [r[0], r[1], ["cold", 1]]]}),
        422,
        ["observations[1][2][0]", "Building_10", "hour", "'cold'"],
    ),
    "a batch that is not one throughout": (lambda r: json.dumps({"observations": [r, 3]}), 422, ["observations[1]", "is 3"]),
    "a batch that begins with nobody": (
        lambda r: json.dumps({"observations": [[None] * 3, r]}),
        422,
        ["observations[0] has no building's measurements"],
    ),
    "a row of nulls": (body_with((0,), "[null, null, 1, 1]"), 422, ["observations[0][0]", "Building_1, hour", "null"]),
    "deeper nesting": (lambda r: json.dumps({"observations": [[r]]}), 422, ["observations[0]", "1 rows", "expected 3"]),
    "no field": (lambda _: "{}", 422, ["no field 'observations'"]),
    "a misspelt field": (lambda r: json.dumps({"observation": r}), 422, ["no field 'observations'"]),
    "a field too many": (lambda r: json.dumps({"observations": r, "hint": 1}), 422, ["unknown field 'hint'"]),
    "a list": (json.dumps, 422, ["not a JSON object", "observations"]),
    "null": (lambda _: "null", 422, ["not a JSON object", "observations"]),
    "nothing": (lambda _: "", 400, ["empty", "observations"]),
    "blanks": (lambda _: " \n ", 400, ["empty"]),
    "cut short": (lambda r: json.dumps({"observations": r})[:-3], 400, ["not valid JSON"]),
    "no JSON": (lambda _: "observations=1", 400, ["not valid JSON"]),
    "endless nesting": (lambda _: '{"observations": ' + "[" * 15_000, 400, ["not valid JSON", "recursion"]),
}


@pytest.mark.parametrize("url", ["/predict", ACTIONS, HINTS])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_refused_with_its_place(app: PolicyApp, plain: PolicyRuntime, name: str, url: str) -> None:
    build, status, named = BAD[name]
    problem = require_problem(post(app, url, build(observations(plain.community, 0))), status)
    assert [part for part in named if part not in problem["detail"]] == []


def test_the_simple_form_takes_arrays_only(app: PolicyApp, plain: PolicyRuntime) -> None:
    named = by_name(plain, plain.example())
    assert "an object" in require_problem(post(app, "/predict", {"observations": named}), 422)["detail"]
    for field in ("common", "sequence"):
        body = {"observations": plain.example(), field: None}
        assert f"unknown field '{field}'" in require_problem(post(app, "/predict", body), 422)["detail"]


def good() -> dict[str, Any]:
    """An observation by name that fits."""
    return {
        "Building_1": {"hour": 1, "day_type": 2, "non_shiftable_load": 1.0, "electrical_storage_soc": 0.5},
        "Building_2": {"non_shiftable_load": 1.0, "hour": 1, "dhw_storage_soc": 0.5, "electrical_storage_soc": 0.5},
        "Building_10": {"hour": 1, "outdoor_dry_bulb_temperature": 4.0},
    }


def changed(building: str, **features: Any) -> dict[str, Any]:
    """The observation with some features of a building replaced; None takes one away."""
    content = good()
    for name, value in features.items():
        content[building].pop(name, None)
        if value is not None:
            content[building][name] = value
    return content


BAD_NAMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an unknown building": (
        {"observations": good() | {"Bilding_1": {}}},
        ["unknown building 'Bilding_1'", "Building_1, Building_2, Building_10"],
    ),
    "an unknown building that is silent": ({"observations": good() | {"nobody": None}}, ["unknown building 'nobody'"]),
    "a building that would break a page": ({"observations": {"\u2028\x00": None}}, ["unknown building", r"\u2028"]),
    "an unknown feature": (
        {"observations": changed("Building_10", wind=3)},
        ["observations.Building_10", "unknown feature 'wind'", "outdoor_dry_bulb_temperature"],
    ),
    "a feature of another building": (
        {"observations": changed("Building_10", dhw_storage_soc=0.5)},
        ["observations.Building_10", "unknown feature 'dhw_storage_soc'"],
    ),
    "a missing feature": (
        {"observations": changed("Building_2", dhw_storage_soc=None)},
        ["observations.Building_2 lacks dhw_storage_soc", "non_shiftable_load"],
    ),
    "several missing features": (
        {"observations": changed("Building_2", dhw_storage_soc=None, hour=None)},
        ["observations.Building_2 lacks hour, dhw_storage_soc"],
    ),
    "a misspelt feature": (
        {"observations": changed("Building_10", hour=None, Hour=1)},
        ["observations.Building_10 lacks hour"],
    ),
    "a building of arrays among names": (
        {"observations": good() | {"Building_10": [1, 2]}},
        ["observations.Building_10 is a list of 2", "expected an object of hour"],
    ),
    "a value that is no number": (
        {"observations": changed("Building_10", hour="noon")},
        ["observations[2][0]", "Building_10, hour", "'noon'"],
    ),
    "a place in a batch": (
        {"observations": [good(), changed("Building_10", hour=None)]},
        ["observations[1].Building_10 lacks hour"],
    ),
    "null in a batch": ({"observations": [good(), None]}, ["observations[1] is null", "an object of buildings"]),
    "arrays after names": ({"observations": [good(), [[1]]]}, ["observations[1] is a list of 1"]),
    "names after arrays": (
        {"observations": [[[1, 1, 1, 0], [1, 1, 0, 0], [1, 1]], good()]},
        ["observations[1] is an object"],
    ),
    "common that is no object": ({"observations": good(), "common": [1]}, ["common is a list of 1"]),
    "common that nobody has": ({"observations": good(), "common": {"moon": 1}}, ["common has 'moon'"]),
    "common that is no number": (
        {"observations": changed("Building_10", hour=None), "common": {"hour": "noon"}},
        ["Building_10, hour", "'noon'"],
    ),
    "common with arrays": (
        {"observations": [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1]], "common": {"hour": 1}},
        ["common belongs to observations by name"],
    ),
    "a sequence of one without a list": ({"observations": good(), "sequence": True}, ["sequence is true", "a single one"]),
    "a sequence that is no truth value": ({"observations": [good()], "sequence": 1}, ["sequence is 1", "true or false"]),
    "too many observations": ({"observations": [good()] * 257}, ["257 entries", "at most 256"]),
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused_with_their_place(app: PolicyApp, name: str) -> None:
    body, parts = BAD_NAMES[name]
    detail = require_problem(post(app, ACTIONS, body), 422)["detail"]
    assert [part for part in parts if part not in detail] == []


def test_hints_are_not_asked_for_in_sequences(app: PolicyApp) -> None:
    body = {"observations": [good()], "sequence": True}
    assert "sequence is for actions" in require_problem(post(app, HINTS, body), 422)["detail"]


WHOLE = ("hour", "Building_2", "observations", "electrical_storage_soc")


@pytest.mark.parametrize(
    ("url", "twice"),
    [(url, name) for url in (ACTIONS, HINTS) for name in WHOLE]
    + [(own("Building_10"), name) for name in ("hour", "observation")],
)
def test_a_name_that_stands_twice_is_refused_as_parsers_would_drop_one(app: PolicyApp, url: str, twice: str) -> None:
    text = json.dumps({"observations": good()} if url in (ACTIONS, HINTS) else {"observation": good()["Building_10"]})
    assert post(app, url, text).status_code == 200
    doubled = text.replace(f'"{twice}": ', f'"{twice}": null, "{twice}": ', 1)
    assert doubled != text
    assert f"'{twice}' stands twice" in require_problem(post(app, url, doubled), 422)["detail"]


def test_many_names_do_not_hold_the_server_up(app: PolicyApp) -> None:
    """Looking for the name that stands twice must not take the square of their number."""
    names = ",".join(f'"{number:x}":0' for number in range(90_000))
    body = f'{{"observations": {{"Building_1": {{{names},"15f8f":0}}}}}}'
    started = time.perf_counter()
    assert "'15f8f' stands twice" in require_problem(post(app, ACTIONS, body), 422)["detail"]
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"observations": "\xff"}', b"\x00" * 10, '{"\x00": 1}'.encode("utf-16")])
def test_bytes_that_are_no_utf8_json_are_refused(app: PolicyApp, content: bytes) -> None:
    response = post(app, ACTIONS, content)
    assert response.status_code in (400, 422)
    require_problem(response, response.status_code)
