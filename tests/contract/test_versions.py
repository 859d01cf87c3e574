"""Several communities and versions of their policies: which answers, and how one takes the place of another."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.errors import BundleError, ConfigError
from rllib_citylearn.export import write_bundle
from serve.policy import PolicyServer
from tests.bundles import observations, small_community, small_manifest, small_models
from tests.contract.asking import ACTIONS, answer, app_of, ask, post, raw, receiving, require_problem, roll, runtime_of

A, B = "/v1/communities/a", "/v1/communities/b"


def two(bundles: Path) -> dict[str, Any]:
    """Two communities, one of which has two versions."""
    versions = {"v1": str(bundles / "plain"), "v2": str(bundles / "shifted")}
    return {
        "communities": {
            "a": {"versions": versions, "serving": "v1"},
            "b": {"versions": {"only": str(bundles / "remembering")}, "serving": "only"},
        }
    }


def with_canary(bundles: Path, share: float) -> dict[str, Any]:
    """The first of the two, with its other version as a canary."""
    config = two(bundles)
    config["communities"]["a"]["canary"] = {"version": "v2", "share": share}
    return config


def test_communities_and_versions_answer_at_paths_of_their_own(bundles: Path) -> None:
    app = app_of(two(bundles))
    runtimes = {name: runtime_of(bundles / name) for name in ("plain", "shifted", "remembering")}
    rows = observations(small_community(), 0)
    expected = {name: runtime.actions(rows) for name, runtime in runtimes.items()}
    assert len({json.dumps(actions) for actions in expected.values()}) == 3
    for base, name, version in (
        (A, "plain", "v1"),
        (f"{A}/versions/v1", "plain", "v1"),
        (f"{A}/versions/v2", "shifted", "v2"),
        (B, "remembering", "only"),
        (f"{B}/versions/only", "remembering", "only"),
    ):
        content = answer(app, f"{base}/actions", observations=rows)
        assert content["actions"] == expected[name]
        assert content["model"] == ask(app, "GET", base).json()["model"]
        assert content["model"]["version"] == version
        assert answer(app, f"{base}/hints", observations=rows)["hints"] == runtimes[name].hints([rows]).values[0]
        own = answer(app, f"{base}/buildings/Building_2/action", observation=rows[1], hint=[0, 0, 0])
        assert own["model"] == content["model"]
        assert ask(app, "GET", f"{base}/example").status_code == 200


def test_what_is_served_is_listed(bundles: Path) -> None:
    app = app_of(with_canary(bundles, 0.25))
    assert ask(app, "GET", "/ready").json() == {"status": "ready", "communities": ["a", "b"]}
    names = ["Building_1", "Building_2", "Building_10"]
    canary = {"version": "v2", "share": 0.25}
    assert ask(app, "GET", "/v1/communities").json() == {
        "communities": [
            {"name": "a", "buildings": names, "versions": ["v1", "v2"], "serving": "v1", "canary": canary},
            {"name": "b", "buildings": names, "versions": ["only"], "serving": "only", "canary": None},
        ]
    }
    models = ask(app, "GET", "/v1/models").json()["models"]
    assert [(m["community"], m["version"], m["serving"]) for m in models] == [
        ("a", "v1", True),
        ("a", "v2", False),
        ("b", "only", True),
    ]
    assert [m["sha256"] for m in models] == [runtime_of(bundles / n).sha256 for n in ("plain", "shifted", "remembering")]
    assert {json.dumps(m["kpis"]) for m in models} == {'{"cost_total": 0.75, "discomfort": null}'}
    assert all(m["check"]["median_run_ms"] > 0 for m in models)


def test_the_simple_form_is_of_the_only_community_or_the_default_one(bundles: Path) -> None:
    rows = observations(small_community(), 0)
    for url, method in (("/predict", "POST"), ("/example", "GET")):
        body = json.dumps({"observations": rows}) if method == "POST" else None
        require_problem(ask(app_of(two(bundles)), method, url, content=body), 404)
        config = two(bundles)
        config["communities"]["default"] = config["communities"].pop("b")
        assert ask(app_of(config), method, url, content=body).status_code == 200
        del config["communities"]["default"]
        assert ask(app_of(config), method, url, content=body).status_code == 200


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 1 / 3, 0.5, 0.75, 1.0])
def test_a_canary_answers_its_exact_share_evenly_spread(bundles: Path, share: float) -> None:
    """After each request, the canary's count is what its share says, rounded down."""
    app = app_of(with_canary(bundles, share))
    choose = app.communities["a"].choose
    counts = 0
    for number in range(1, 1001):
        counts += choose().label == "v2"
        assert counts == int(number * share + 1e-6)


def test_a_canary_answers_over_http_and_says_so(bundles: Path) -> None:
    app = app_of(with_canary(bundles, 0.25))
    rows = observations(small_community(), 0)
    expected = {v: runtime_of(bundles / n).actions(rows) for v, n in (("v1", "plain"), ("v2", "shifted"))}
    contents = [answer(app, f"{A}/actions", observations=rows) for _ in range(40)]
    assert [content["model"]["version"] for content in contents].count("v2") == 10
    assert all(content["actions"] == expected[content["model"]["version"]] for content in contents)
    pinned = {answer(app, f"{A}/versions/v1/actions", observations=rows)["model"]["version"] for _ in range(10)}
    assert pinned == {"v1"}


def test_looking_at_a_community_takes_no_turn_of_its_canary(bundles: Path) -> None:
    app = app_of(with_canary(bundles, 0.5))
    rows = observations(small_community(), 0)
    versions = []
    for _ in range(6):
        assert ask(app, "GET", A).json()["model"]["version"] == "v1"
        assert ask(app, "GET", f"{A}/example").status_code == 200
        versions.append(answer(app, f"{A}/actions", observations=rows)["model"]["version"])
    assert versions == ["v1", "v2"] * 3


def test_rolling_forward_and_back(bundles: Path) -> None:
    app = app_of(two(bundles))
    rows = observations(small_community(), 0)
    for serving, name in (("v2", "shifted"), ("v1", "plain"), ("v2", "shifted")):
        config = two(bundles)
        config["communities"]["a"]["serving"] = serving
        roll(app, config)
        content = answer(app, f"{A}/actions", observations=rows)
        assert content["actions"] == runtime_of(bundles / name).actions(rows)
        assert content["model"]["version"] == serving
    roll(app, {"bundle": str(bundles / "plain"), "limits": {"body_bytes": 10}})
    require_problem(ask(app, "GET", A), 404)
    require_problem(post(app, ACTIONS, {"observations": rows}), 413)


def test_versions_of_unlike_communities_are_refused(bundles: Path, tmp_path: Path) -> None:
    """Clients need not know of versions: all of them take the same observations and give the same actions."""
    whole = small_community()
    fewer = type(whole)(whole.agents[:2], whole.ranges)
    other = type(whole)([*whole.agents[:2], type(whole.agents[2])("Shed", *_without_name(whole.agents[2]))], whole.ranges)
    for name, community, sentence in (
        ("fewer", fewer, "are of 3 and 2 buildings"),
        ("other", other, "name of Building_10 is Building_10 in the one and Shed in the other"),
    ):
        write_bundle(tmp_path / name, manifest=small_manifest(community), models=small_models(community))
        config = two(bundles)
        config["communities"]["a"]["versions"]["v2"] = str(tmp_path / name)
        with pytest.raises(BundleError, match=sentence):
            app_of(config)


def _without_name(agent: Any) -> tuple[Any, ...]:
    return agent.features, agent.descriptors, agent.actions, agent.action_low, agent.action_high


def test_another_community_takes_the_place_of_one_without_being_compared(bundles: Path, tmp_path: Path) -> None:
    """Inputs of the old buildings fit the new ones no more; a label called "before" is one like any other."""
    whole = small_community()
    fewer = type(whole)(whole.agents[:2], whole.ranges)
    write_bundle(tmp_path / "fewer", manifest=small_manifest(fewer), models=small_models(fewer))
    (tmp_path / "recorded").write_text(json.dumps({"observations": observations(fewer, 0)}))
    app = app_of(bundles / "plain")
    for seed in range(40):
        answer(app, ACTIONS, observations=observations(whole, seed))
    new = {
        "versions": {"before": str(tmp_path / "fewer")},
        "serving": "before",
        "recorded": str(tmp_path / "recorded"),
        "largest_change": 0.001,
    }
    roll(app, {"communities": {"default": new}})
    assert len(answer(app, ACTIONS, observations=observations(fewer, 1))["actions"]) == 2
    require_problem(post(app, ACTIONS, {"observations": observations(whole, 0)}), 422)


async def reconfigured(server: PolicyServer, *configs: Any) -> None:
    for config in configs:
        await server.reconfigure(config)


def test_a_configuration_that_can_not_be_used_keeps_what_is_served_and_is_told(bundles: Path, tmp_path: Path) -> None:
    """Damaged bundles, unreadable files, wrong settings: the replica that serves goes on, and says what is wrong."""
    server = PolicyServer()
    app = server.__serve_build_asgi_app__()
    good = {"bundle": str(bundles / "plain")}
    asyncio.run(reconfigured(server, good))
    rows = observations(small_community(), 0)
    before = answer(app, ACTIONS, observations=rows)
    shutil.copytree(bundles / "shifted", tmp_path / "damaged")
    file = tmp_path / "damaged" / "actor.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    wrong = {
        "does not match its checksum": {"bundle": str(tmp_path / "damaged")},
        "There is no bundle at": {"bundle": str(tmp_path / "nowhere")},
        "give either 'bundle' or 'communities'": {},
        "bundel": {"bundel": "x"},
        "tokens in": good | {"tokens": str(tmp_path / "none")},
        "which is none of its versions": {"communities": {"default": {"versions": {}, "serving": "v1"}}},
        "can't be read": {
            "communities": {
                "default": {"versions": {"x": good["bundle"]}, "serving": "x", "recorded": str(tmp_path / "none")}
            }
        },
    }
    for count, (sentence, config) in enumerate(wrong.items(), 1):
        asyncio.run(reconfigured(server, config))
        assert sentence in ask(app, "GET", "/v1/models").json()["refused_configuration"]
        ready = ask(app, "GET", "/ready")
        assert ready.status_code == 200
        assert ready.json()["refused_configuration"] is True, "which file it was is not for everybody"
        assert answer(app, ACTIONS, observations=rows) == before
        told = ask(app, "GET", "/metrics").text
        assert re.search(rf'^citylearn_policy_refused_configurations_total{{replica="\S+"}} {count:.1f}$', told, re.M)
    asyncio.run(reconfigured(server, {"bundle": str(bundles / "shifted")}))
    assert "refused_configuration" not in ask(app, "GET", "/ready").json()
    assert answer(app, ACTIONS, observations=rows)["model"]["name"] == "shifted"


@pytest.mark.parametrize("config", [None, {}, {"bundle": 3}, {"bundle": "b", "bundel": "b"}, [], "b"])
def test_a_first_configuration_that_can_not_be_used_is_an_error(config: Any) -> None:
    with pytest.raises(ConfigError, match="configuration can't be used"):
        asyncio.run(reconfigured(PolicyServer(), config))


def test_a_first_bundle_that_is_damaged_is_an_error(bundles: Path, tmp_path: Path) -> None:
    shutil.copytree(bundles / "plain", tmp_path / "damaged")
    (tmp_path / "damaged" / "actor.onnx").unlink()
    with pytest.raises(BundleError, match=r"no file actor\.onnx"):
        asyncio.run(reconfigured(PolicyServer(), {"bundle": str(tmp_path / "damaged")}))


def test_requests_during_a_roll_are_answered_by_one_policy_or_the_other(bundles: Path) -> None:
    """Never by a mixture, and none of them fails, while configurations come one after the other."""
    server = PolicyServer()
    app = server.__serve_build_asgi_app__()
    rows = observations(small_community(), 1)
    expected = {runtime_of(bundles / name).sha256: runtime_of(bundles / name).actions(rows) for name in ("plain", "shifted")}

    async def run() -> set[str]:
        await server.reconfigure({"bundle": str(bundles / "plain")})
        body = json.dumps({"observations": rows}).encode()
        done, seen = asyncio.Event(), set()

        async def asks() -> None:
            while not done.is_set():
                status, _, text = await raw(app, ACTIONS, receiving(body))
                content = json.loads(text)
                assert status == 200
                assert content["actions"] == expected[content["model"]["sha256"]]
                seen.add(content["model"]["sha256"])
                await asyncio.sleep(0)

        asking = asyncio.create_task(asks())
        for name in ("shifted", "plain", "shifted"):
            await server.reconfigure({"bundle": str(bundles / name)})
            await asyncio.sleep(0.02)
        done.set()
        await asking
        return seen

    assert asyncio.run(run()) == set(expected)


def test_the_endpoint_needs_neither_torch_nor_citylearn_nor_ray(bundles: Path) -> None:
    code = (
        "import asyncio, sys; from serve.policy import PolicyServer\n"
        "server = PolicyServer(); asyncio.run(server.reconfigure({'bundle': sys.argv[1]}))\n"
        "wrong = {'torch', 'citylearn', 'ray', 'gymnasium', 'numba', 'fastapi', 'opentelemetry'} & set(sys.modules)\n"
        "print(sorted(wrong))"
    )
    command = [sys.executable, "-c", code, str(bundles / "plain")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_canary_that_remembers_other_things_is_refused(bundles: Path) -> None:
    """At each change between the two the community would begin afresh."""
    versions = {"a": str(bundles / "remembering"), "b": str(bundles / "plain")}
    district = {"versions": versions, "serving": "a"}
    app_of({"communities": {"district": district}})
    with pytest.raises(BundleError, match="The canary b of district remembers other things than a"):
        app_of({"communities": {"district": district | {"canary": {"version": "b", "share": 0.5}}}})
