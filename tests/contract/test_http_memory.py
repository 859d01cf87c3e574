"""Memory over HTTP: it goes out with the answer, comes back with the next request, and any replica can take it."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import httpx
import numpy as np
import pytest

from rllib_citylearn.env.memory import Memory
from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.asgi import PolicyApp
from tests.bundles import observations, write_small_bundle


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> PolicyRuntime:
    path = tmp_path_factory.mktemp("bundles") / "remembering"
    write_small_bundle(path, memory=True)
    return PolicyRuntime(read_bundle(path))


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> PolicyRuntime:
    path = tmp_path_factory.mktemp("bundles") / "forgetful"
    write_small_bundle(path)
    return PolicyRuntime(read_bundle(path))


def ask(policy: PolicyRuntime, method: str, url: str, body: Any = None) -> httpx.Response:
    """The answer of a replica that was started for this request."""
    app = PolicyApp(max_body_bytes=100_000)
    app.load(policy)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, url, json=body)

    return asyncio.run(send())


def post(app: PolicyApp, body: bytes) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/predict", content=body)

    return asyncio.run(send())


def predict(policy: PolicyRuntime, **body: Any) -> Any:
    response = ask(policy, "POST", "/predict", body)
    assert response.status_code == 200, response.text
    return response.json()


def test_replicas_that_pass_memory_on_act_as_one_that_remembers(policy: PolicyRuntime) -> None:
    stays = Memory(policy.community)
    travels: dict[str, Any] = {}
    forgot = []
    for hour in range(60):
        rows = observations(policy.community, hour)
        answer = predict(policy, observations=rows, **travels)
        assert answer["actions"] == policy.actions(rows, stays)
        travels = {"memory": answer["memory"]}
        forgot.append(answer["actions"] != policy.actions(rows))
    assert not forgot[0]
    assert all(forgot[1:]), "memory has to matter in this test"


def test_a_batch_carries_a_memory_each_and_null_begins_afresh(policy: PolicyRuntime) -> None:
    first = [observations(policy.community, seed) for seed in range(3)]
    then = [observations(policy.community, seed) for seed in range(3, 6)]
    memories = predict(policy, observations=first)["memory"]
    assert len(memories) == 3
    together = predict(policy, observations=then, memory=[memories[0], None, memories[2]])
    for e, known in enumerate((True, False, True)):
        alone = predict(policy, observations=then[e], memory=memories[e] if known else None)
        assert alone["memory"] == together["memory"][e]
        for row, other in zip(alone["actions"], together["actions"][e], strict=True):
            assert row == pytest.approx(other, abs=1e-6)


def test_the_example_has_no_memory_and_begins_afresh(policy: PolicyRuntime) -> None:
    example = ask(policy, "GET", "/example").json()
    assert set(example) == {"observations"}
    hours = {len(row) for rows in predict(policy, **example)["memory"].values() for row in rows}
    assert hours == {1}


def test_policies_without_memory_neither_give_nor_take_it(forgetful: PolicyRuntime) -> None:
    rows = observations(forgetful.community, 0)
    assert set(predict(forgetful, observations=rows)) == {"actions"}
    response = ask(forgetful, "POST", "/predict", {"observations": rows, "memory": {}})
    assert response.status_code == 422
    assert "unknown field 'memory'" in response.json()["detail"]
    assert ask(forgetful, "POST", "/predict", {"observations": rows, "memory": None}).status_code == 200


def cases(good: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    load = good["base_load"]
    return {
        "a number": (7, "memory is not an object"),
        "a list": ([good], "memory is not an object"),
        "an empty object": ({}, "exactly the fields"),
        "too few buildings": ({**good, "base_load": load[:2]}, "memory.base_load is not a list of 3 lists"),
        "uneven hours": ({**good, "base_load": [[1], [1, 2], [1]]}, "memory.base_load[1] is not a list of 1 whole"),
        "text": ({**good, "base_load": [["1"], *load[1:]]}, "memory.base_load[0] has something else"),
        "a fraction": ({**good, "base_load": [[0.5], *load[1:]]}, "memory.base_load[0] has something else"),
        "a huge number": ({**good, "base_load": [[10**40], *load[1:]]}, "memory.base_load[0] has something else"),
    }


@pytest.mark.parametrize("name", cases({"base_load": [[1]] * 3}))
def test_a_malformed_memory_is_refused_in_a_sentence(policy: PolicyRuntime, name: str) -> None:
    rows = observations(policy.community, 0)
    memory, sentence = cases(predict(policy, observations=rows)["memory"])[name]
    response = ask(policy, "POST", "/predict", {"observations": rows, "memory": memory})
    assert response.status_code == 422
    assert sentence in response.json()["detail"]


def test_memories_have_to_fit_the_batch(policy: PolicyRuntime) -> None:
    rows = observations(policy.community, 0)
    good = predict(policy, observations=rows)["memory"]
    for memory in (good, [good], [good] * 3):
        response = ask(policy, "POST", "/predict", {"observations": [rows, rows], "memory": memory})
        assert response.status_code == 422
        assert "one for each of the 2 observations" in response.json()["detail"]
    response = ask(policy, "POST", "/predict", {"observations": [rows, rows], "memory": [good, 3]})
    assert "memory[1] is not an object" in response.json()["detail"]


def test_mutated_memories_never_fail_the_server(policy: PolicyRuntime) -> None:
    """Bytes changed, cut, repeated and spliced in: 200 or 4xx, and valid JSON either way."""
    chance = random.Random(7)
    rows = observations(policy.community, 0)
    whole = json.dumps({"memory": predict(policy, observations=rows)["memory"], "observations": rows}).encode()
    end = whole.index(b'"observations"')
    splices = [
        b"NaN",
        b"null",
        b"[",
        b"]",
        b"{",
        b"}",
        b"-",
        b"1e999",
        b"9" * 400,
        b"0.5",
        b"true",
        b",",
        b"1,1",
        b"",
        b"\xff",
    ]
    app = PolicyApp(max_body_bytes=100_000)
    app.load(policy)
    statuses = set()
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(end)
            body[place : place + chance.randint(0, 5)] = chance.choice(splices)
        response = post(app, bytes(body))
        assert response.status_code in (200, 400, 422), bytes(body)
        statuses.add(response.status_code)
        response.json()
    assert statuses == {200, 400, 422}


def test_the_manifest_says_so(policy: PolicyRuntime, forgetful: PolicyRuntime) -> None:
    manifest = policy.manifest.to_dict()["community"]
    assert [f["name"] for f in manifest["features"] if f["source"] == "memory"] == list(policy.community.memory)
    assert [len(b["memory"]) for b in manifest["buildings"]] == [26, 26, 0]
    assert forgetful.community.memory == ()


def test_bodies_with_memory_stay_small(policy: PolicyRuntime) -> None:
    """At most ten characters a number: three buildings with 2 fields of 24 hours, measured up to 7.5 kWh."""
    memory = Memory(policy.community)
    generator = np.random.default_rng(0)
    for _ in range(30):
        memory.update(generator.uniform(-7.5, 7.5, (1, 3, 4)))
    assert len(json.dumps(memory.to_json())) < 3 * 2 * 24 * 10
