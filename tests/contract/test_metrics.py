"""Metrics are valid text of Prometheus and count what was done."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from tests.bundles import observations
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, ask, own, post, roll, runtime_of

PREFIX = "citylearn_policy_"
LABELS = ("path", "status", "community", "version", "building", "feature", "name", "sha256", "le")


def samples(app: PolicyApp, name: str) -> dict[tuple[str, ...], float]:
    """All values of a metric by the values of its labels, in the order of ``LABELS``."""
    families = list(text_string_to_metric_families(ask(app, "GET", "/metrics").text))
    return {
        tuple(sample.labels[label] for label in LABELS if label in sample.labels): sample.value
        for family in families
        for sample in family.samples
        if sample.name == PREFIX + name
    }


def test_metrics_are_valid_text_with_a_sentence_each(app: PolicyApp, plain: PolicyRuntime) -> None:
    answer(app, ACTIONS, observations=plain.example())
    response = ask(app, "GET", "/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(response.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 10
    for family in families:
        assert family.name.startswith(PREFIX)
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
    keys = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
    assert len(keys) == len(set(keys)), "a series must not stand twice"


def test_requests_are_counted_by_route_and_status(app: PolicyApp) -> None:
    example = ask(app, "GET", "/v1/communities/default/example").content
    expected: Counter[tuple[str, str]] = Counter({("/v1/communities/{community}/example", "200"): 1})
    for method, url, body, key in (
        ("POST", ACTIONS, example, ("/v1/communities/{community}/actions", "200")),
        ("POST", ACTIONS, b"{}", ("/v1/communities/{community}/actions", "422")),
        (
            "POST",
            "/v1/communities/default/versions/current/actions",
            example,
            ("/v1/communities/{community}/actions", "200"),
        ),
        ("POST", "/v1/communities/nowhere/hints", example, ("/v1/communities/{community}/hints", "404")),
        ("POST", own("x"), b"", ("/v1/communities/{community}/buildings/{building}/action", "404")),
        ("GET", "/predict", b"", ("/predict", "405")),
        ("GET", "/x", b"", ("other", "404")),
        ("GET", "/y", b"", ("other", "404")),
        ("BREW", "/z", b"", ("other", "404")),
    ):
        for _ in range(2):
            ask(app, method, url, content=body)
            expected[key] += 1
    assert samples(app, "requests_total") == expected
    seconds = samples(app, "request_seconds_count")
    assert seconds[("/v1/communities/{community}/actions",)] == 6
    assert set(seconds) == {(path,) for path in ("/v1/communities/{community}/" + x for x in ("actions", "hints"))} | {
        ("/v1/communities/{community}/buildings/{building}/action",)
    }
    buckets = samples(app, "request_seconds_bucket")
    values = [value for key, value in buckets.items() if key[0] == "/v1/communities/{community}/actions"]
    assert values == sorted(values)
    assert values[-1] == 6


def test_clients_can_not_make_series_without_end(app: PolicyApp) -> None:
    for url in ("/a", "/v1/communities/one/example", "/v1/communities/two/versions/three/example"):
        ask(app, "GET", url)
    before = len(ask(app, "GET", "/metrics").text.splitlines())
    for number in range(50):
        ask(app, "GET", f"/{number}")
        ask(app, "GET", f"/v1/communities/{number}/versions/{number}/example")
        post(app, ACTIONS, {"observations": {f"Building_{number}": {}}})
    after = ask(app, "GET", "/metrics").text
    assert len(after.splitlines()) < before + 40
    assert "Building_4" not in after


def test_answers_are_counted_by_community_and_version(bundles: Path) -> None:
    """Whatever is asked at random: as many observations as were sent, and who answered them."""
    versions = {"v1": str(bundles / "plain"), "v2": str(bundles / "shifted")}
    canary = {"version": "v2", "share": 0.25}
    app = app_of(
        {
            "communities": {
                "a": {"versions": versions, "serving": "v1", "canary": canary},
                "b": {"versions": {"only": str(bundles / "remembering")}, "serving": "only"},
            }
        }
    )
    rows = runtime_of(bundles / "plain").example()
    chance = random.Random(3)
    answers: Counter[tuple[str, str]] = Counter()
    for _ in range(60):
        community = chance.choice("ab")
        version = chance.choice(["", "/versions/" + chance.choice(["v1", "v2"] if community == "a" else ["only"])])
        what = chance.choice(["actions", "hints", "buildings/Building_1/action"])
        count = chance.choice([1, 2, 5])
        body = {"observation": rows[0]} if what.endswith("action") else {"observations": [rows] * count}
        content = answer(app, f"/v1/communities/{community}{version}/{what}", **body)
        answers[community, content["model"]["version"]] += 1 if what.endswith("action") else count
    assert samples(app, "answers_total") == answers
    assert samples(app, "batch_size_sum") == answers_by_community(answers)
    shares = {key[:2]: value for key, value in samples(app, "model_info").items()}
    assert shares == {("a", "v1"): 0.75, ("a", "v2"): 0.25, ("b", "only"): 1.0}


def answers_by_community(answers: Counter[tuple[str, str]]) -> dict[tuple[str, ...], float]:
    """Sums over versions."""
    sums: Counter[tuple[str, ...]] = Counter()
    for (community, _), count in answers.items():
        sums[(community,)] += count
    return dict(sums)


def test_clipped_and_silent_and_foreign_are_counted(bundles: Path, remembering: PolicyRuntime) -> None:
    app = app_of(bundles / "remembering")
    hot: list[Any] = observations(remembering.community, 0)
    hot[2][1] = 99.0
    hot[0] = None
    foreign = answer(app, own("Building_1"), observation=remembering.example()[0])["state"]
    for url in (ACTIONS, HINTS, "/predict"):
        answer(app, url, observations=[hot, remembering.example(), hot], state=[foreign, None, foreign])
    answer(app, own("Building_10"), observation=hot[2], state=foreign)
    post(app, ACTIONS, {"observations": [hot, [[1]]]})
    assert samples(app, "clipped_values_total") == {("default", "Building_10", "outdoor_dry_bulb_temperature"): 7}
    assert samples(app, "silent_buildings_total") == {("default", "Building_1"): 6}
    assert samples(app, "foreign_states_total") == {("default",): 7}


def test_models_that_are_served_no_longer_are_not_shown(bundles: Path) -> None:
    app = app_of(bundles / "plain")
    answer(app, ACTIONS, observations=runtime_of(bundles / "plain").example())
    versions = {"v1": str(bundles / "shifted"), "v2": str(bundles / "plain")}
    roll(app, {"communities": {"other": {"versions": versions, "serving": "v1"}}})
    sha = [runtime_of(bundles / name).sha256 for name in ("shifted", "plain")]
    assert samples(app, "model_info") == {("other", "v1", "shifted", sha[0]): 1, ("other", "v2", "test-policy", sha[1]): 0}
    assert samples(app, "input_position") == {}
    assert samples(app, "answers_total") == {("default", "current"): 1}, "counts stay"


def moments(runtime: PolicyRuntime, history: list[list[Any]]) -> dict[str, tuple[float, float]]:
    """Mean and deviation of each feature's position by their definition, input by input and feature by feature.

    One input of eight counts, as the mean over the buildings that measured the feature; a new one weighs 1/n until n is
    32, and 1/32 from then on.
    """
    result: dict[str, tuple[float, float, int]] = {}
    for rows in history[::8]:
        found: dict[str, list[float]] = {}
        for agent, row in zip(runtime.community.agents, rows, strict=True):
            for name, value in zip(agent.features, row or [], strict=row is not None):
                feature = runtime.community.feature(name)
                found.setdefault(name, []).append(min(max((value - feature.low) / (feature.high - feature.low), -10), 10))
        for name, values in found.items():
            first, second, count = result.get(name, (0.0, 0.0, 0))
            rate = max(1 / 32, 1 / (count + 1))
            first += rate * (float(np.mean(values)) - first)
            second += rate * (float(np.mean(np.square(values))) - second)
            result[name] = first, second, count + 1
    return {name: (first, max(second - first**2, 0.0) ** 0.5) for name, (first, second, _) in result.items()}


@pytest.mark.parametrize("count", [1, 8, 9, 100, 600])
def test_drift_is_where_inputs_lie_in_their_ranges(app: PolicyApp, plain: PolicyRuntime, count: int) -> None:
    """Against the definition, on random inputs with silent buildings and values far outside, in batches."""
    chance = random.Random(count)
    history: list[list[Any]] = []
    for seed in range(count):
        rows: list[Any] = observations(plain.community, seed)
        rows[2][1] *= chance.choice([1, 1, 1, 1e6])
        history.append([None if i < 2 and chance.random() < 0.3 else row for i, row in enumerate(rows)])
    at = 0
    while at < count:
        size = chance.choice([1, 3, 50])
        answer(app, chance.choice([ACTIONS, HINTS, "/predict"]), observations=history[at : at + size])
        at += size
    expected = moments(plain, history)
    positions, spreads = samples(app, "input_position"), samples(app, "input_spread")
    assert set(positions) == set(spreads) == {("default", name) for name in expected}
    for name, (mean, deviation) in expected.items():
        assert positions["default", name] == pytest.approx(mean, abs=1e-9)
        assert spreads["default", name] == pytest.approx(deviation, abs=1e-6)


def test_a_canary_leaves_the_drift_of_the_serving_version_alone(bundles: Path, plain: PolicyRuntime) -> None:
    """Versions may have other ranges; the gauges are of one policy's inputs, those of the version that serves."""
    versions = {"v1": str(bundles / "plain"), "v2": str(bundles / "shifted")}
    canary = {"version": "v2", "share": 0.5}
    app = app_of({"communities": {"default": {"versions": versions, "serving": "v1", "canary": canary}}})
    heard = []
    for seed in range(80):
        rows = observations(plain.community, seed)
        if answer(app, ACTIONS, observations=rows)["model"]["version"] == "v1":
            heard.append(rows)
    assert len(heard) == 40
    for name, (mean, _) in moments(plain, heard).items():
        assert samples(app, "input_position")["default", name] == pytest.approx(mean, abs=1e-9)
