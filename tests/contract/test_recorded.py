"""A new version is compared on recorded inputs before it answers anybody."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.errors import BundleError, ConfigError
from rllib_citylearn.export import PolicyRuntime
from serve.policy import PolicyServer
from serve.recorder import KEPT, Recorder
from tests.bundles import observations, write_small_bundle
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, ask, model_of, roll, runtime_of


def config(bundle: Path, **more: Any) -> dict[str, Any]:
    """A community with one version."""
    return {"communities": {"default": {"versions": {"current": str(bundle)}, "serving": "current", **more}}}


def change(one: PolicyRuntime, other: PolicyRuntime, inputs: list[Any]) -> float:
    """Mean distance of two policies' actions in shares of each action's range, by its definition."""
    low = np.concatenate([agent.action_low for agent in one.community.agents])
    high = np.concatenate([agent.action_high for agent in one.community.agents])
    flat = [[np.concatenate(policy.actions(rows)) for rows in inputs] for policy in (one, other)]
    return float(np.mean(np.abs(np.subtract(*flat)) / (high - low)))


def test_live_inputs_decide_whether_another_policy_may_answer(bundles: Path) -> None:
    """Of every 16 requests one is kept; the measured change is the mean over those, and the limit is one on it."""
    plain, shifted = runtime_of(bundles / "plain"), runtime_of(bundles / "shifted")
    sent = [observations(plain.community, seed) for seed in range(50)]
    wanted = change(plain, shifted, sent[::16])
    app = app_of(config(bundles / "plain"))
    for rows in sent:
        answer(app, ACTIONS, observations=rows)
    with pytest.raises(BundleError, match=rf"by {wanted:.3f} of an action's range, as a mean over 4 recorded"):
        roll(app, config(bundles / "shifted", largest_change=wanted * 0.999))
    assert answer(app, ACTIONS, observations=sent[0])["model"]["name"] == "test-policy"
    roll(app, config(bundles / "shifted", largest_change=wanted * 1.001))
    check = model_of(app).check
    assert check["mean_change"] == pytest.approx(wanted, abs=1e-9)
    assert check["recorded_inputs"] == 4
    assert ask(app, "GET", "/v1/models").json()["models"][0]["check"] == check


def test_the_comparison_is_with_what_serves_not_with_what_served_once(bundles: Path) -> None:
    """Recorded inputs outlive versions, and so do not carry the answers of versions before."""
    app = app_of(config(bundles / "plain"))
    for seed in range(20):
        answer(app, ACTIONS, observations=observations(model_of(app).runtime.community, seed))
    roll(app, config(bundles / "shifted"))
    with pytest.raises(BundleError, match="acts otherwise than version"):
        roll(app, config(bundles / "plain", largest_change=1e-6))
    roll(app, config(bundles / "shifted", largest_change=1e-6))


def test_a_file_of_inputs_decides_too(bundles: Path, tmp_path: Path) -> None:
    """Named or as arrays, one or a batch a line, with blank lines: the comparison is over all observations."""
    plain, shifted = runtime_of(bundles / "plain"), runtime_of(bundles / "shifted")
    inputs = [observations(plain.community, seed) for seed in range(6)]
    named = ask(app_of(bundles / "plain"), "GET", "/v1/communities/default/example").json()
    lines = [json.dumps({"observations": inputs[0]}), "", json.dumps({"observations": inputs[1:]}), json.dumps(named), " "]
    (tmp_path / "recorded").write_text("\n".join(lines))
    wanted = change(plain, shifted, [*inputs, plain.example()])
    app = app_of(config(bundles / "plain", recorded=str(tmp_path / "recorded"), largest_change=1e-6))
    new = {"recorded": str(tmp_path / "recorded")}
    with pytest.raises(BundleError, match="as a mean over 7 recorded"):
        roll(app, config(bundles / "shifted", largest_change=wanted * 0.999, **new))
    roll(app, config(bundles / "shifted", largest_change=wanted * 1.001, **new))
    assert model_of(app).check["mean_change"] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("begin", [False, True])
def test_a_sequence_in_the_file_is_its_hours_with_the_state_passed_on(bundles: Path, tmp_path: Path, begin: bool) -> None:
    write_small_bundle(tmp_path / "next", memory=True, bias=0.3)
    now, then = runtime_of(bundles / "remembering"), runtime_of(tmp_path / "next")
    hours = [observations(now.community, seed) for seed in range(5)]
    state = now.predict([hours[-1]]).states[0] if begin else None
    (tmp_path / "recorded").write_text(json.dumps({"observations": hours, "sequence": True, "state": state}))
    both = [policy.predict(hours, [state], sequence=True).values for policy in (now, then)]
    spans = [
        [high - low for low, high in zip(agent.action_low, agent.action_high, strict=True)] for agent in now.community.agents
    ]
    flat = [np.array([np.concatenate(actions) for actions in values]) for values in both]
    wanted = float(np.mean(np.abs(flat[0] - flat[1]) / np.concatenate(spans)))
    app = app_of(config(bundles / "remembering"))
    roll(app, config(tmp_path / "next", recorded=str(tmp_path / "recorded")))
    assert model_of(app).check == {
        "median_run_ms": model_of(app).check["median_run_ms"],
        "recorded_inputs": 5,
        "mean_change": pytest.approx(wanted, abs=1e-6),
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Line 2 .* not valid JSON"),
        ('{"observations": []}', "Line 2 .* 0 rows"),
        ('{"observations": {"Building_3": {}}}', "Line 2 .* unknown building"),
        ('{"observations": [[1, 1, 1, 0.5], [1, 1, 0, 0], [1, 1]], "memory": "x"}', "Line 2 .* unknown field"),
        ('{"observations": [[1, 1, 1, 0.5], [1, 1, 0, 0], [1, 1]], "sequence": true}', "Line 2 .* sequence is true"),
    ],
)
def test_a_line_that_does_not_fit_is_named(bundles: Path, tmp_path: Path, line: str, sentence: str) -> None:
    good = json.dumps({"observations": runtime_of(bundles / "plain").example()})
    (tmp_path / "recorded").write_text(f"{good}\n{line}\n")
    with pytest.raises(ConfigError, match=sentence):
        app_of(config(bundles / "plain", recorded=str(tmp_path / "recorded")))


def test_policies_with_and_without_memory_can_follow_each_other(bundles: Path, remembering: PolicyRuntime) -> None:
    """What was recorded with states is asked without them where the other version has no memory."""
    app = app_of(config(bundles / "remembering"))
    state = None
    for seed in range(40):
        state = answer(app, ACTIONS, observations=observations(remembering.community, seed), state=state)["state"]
    roll(app, config(bundles / "plain", largest_change=1.0))
    assert model_of(app).check["recorded_inputs"] == 3
    roll(app, config(bundles / "remembering", largest_change=1.0))
    assert model_of(app).check["mean_change"] > 0.0  # type: ignore[operator]


def test_a_replica_goes_on_with_the_policy_before(bundles: Path) -> None:
    server = PolicyServer()
    app = server.__serve_build_asgi_app__()
    rows = observations(runtime_of(bundles / "plain").community, 0)

    async def run() -> None:
        await server.reconfigure(config(bundles / "plain"))

    asyncio.run(run())
    before = answer(app, ACTIONS, observations=rows)
    asyncio.run(server.reconfigure(config(bundles / "shifted", largest_change=0.01)))
    said = ask(app, "GET", "/v1/models").json()["refused_configuration"]
    assert "acts otherwise than version" in said
    assert answer(app, ACTIONS, observations=rows) == before
    asyncio.run(server.reconfigure(config(bundles / "shifted", largest_change=1.0)))
    assert answer(app, ACTIONS, observations=rows)["model"]["name"] == "shifted"


def test_a_canary_is_compared_before_it_answers_anybody(bundles: Path) -> None:
    app = app_of(config(bundles / "plain"))
    answer(app, ACTIONS, observations=model_of(app).runtime.example())
    new = config(bundles / "plain", canary={"version": "next", "share": 0.01}, largest_change=0.01)
    new["communities"]["default"]["versions"]["next"] = str(bundles / "shifted")
    with pytest.raises(BundleError, match="Version next of default acts otherwise"):
        roll(app, new)


def test_a_version_that_answers_nobody_yet_is_not_compared(bundles: Path) -> None:
    app = app_of(config(bundles / "plain"))
    answer(app, ACTIONS, observations=model_of(app).runtime.example())
    new = config(bundles / "plain", largest_change=0.01)
    new["communities"]["default"]["versions"]["next"] = str(bundles / "shifted")
    roll(app, new)
    assert model_of(app, version="next").check == {}


def test_hints_and_sequences_are_not_recorded_and_few_inputs_are_kept(bundles: Path, plain: PolicyRuntime) -> None:
    app = app_of(config(bundles / "plain"))
    recorder = app.communities["default"].recorder
    answer(app, HINTS, observations=plain.example())
    answer(app, ACTIONS, observations=[plain.example()] * 3, sequence=True)
    assert list(recorder) == []
    kept = Recorder()
    for number in range(5000):
        kept.see([[float(number)]], None)
    numbers = [one.rows[0][0] for one in kept if one.rows[0] is not None]
    assert numbers == [16.0 * place for place in range(5000 // 16 + 1)][-KEPT:]
