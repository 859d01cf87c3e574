"""Bodies that nobody thought of: generated from the document, mutated byte by byte, and arbitrary JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from serve.openapi import document
from tests.bundles import observations
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, by_name, own, raw, receiving

NAMES = {"community": "default", "version": "current", "building": "Building_1"}

OPERATIONS = [result.ok() for result in schemathesis.openapi.from_dict(document()).get_all_operations()]

CHECKS = [content_type_conformance, negative_data_rejection, response_schema_conformance, status_code_conformance]


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        (each, mode)
        for each in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or each.method == "post"
    ],
    ids=lambda value: value.value if isinstance(value, GenerationMode) else value.label,
)
def test_what_the_document_allows_and_forbids(bundles: Path, operation: Any, mode: GenerationMode) -> None:
    """Requests that conform, and such that do not: no failure of the server, and responses as documented."""
    app = app_of(bundles / "remembering")
    statuses = set()
    runner = asyncio.Runner()

    async def send(options: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(**options)

    @settings(
        max_examples=40 if operation.method == "post" else 4,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if len(case.path_parameters or {}) and hash_of(case) % 4:
            case.path_parameters = {name: NAMES[name] for name in case.path_parameters}
        options = case.as_transport_kwargs(base_url="http://test")
        known = {key: options[key] for key in ("method", "url", "headers", "params", "json", "data") if key in options}
        if "data" in known:
            known["content"] = known.pop("data")
        response = runner.run(send(known))
        statuses.add(response.status_code)
        assert response.status_code < 500 or response.status_code == 504, response.text
        case.validate_response(response, checks=CHECKS)

    run()
    runner.close()
    assert statuses


def hash_of(case: Any) -> int:
    """A number that is the same in each run."""
    return sum(repr(case.body).encode()) + sum(repr(case.path_parameters).encode())


SPLICES = [
    *(b"NaN", b"null", b"[", b"]", b'"', b"{", b"}", b"-", b"1e999", b"\x00", b"\xff", b",", b":", b"9" * 400, b"\\u"),
    *(b"true", b"[]", b"{}", b"0.5", b"1e300", b"[null,null,null]"),
    *(b'"state":', b'"hour":1,', b'"common":{"hour":1},', b'"sequence":true,'),
]


def mutated(chance: random.Random, whole: bytes, most: int) -> bytes:
    """Bytes changed, cut, repeated and spliced in."""
    body = bytearray(whole)
    for _ in range(chance.randint(1, most)):
        place, length = chance.randrange(len(body) + 1), chance.randint(0, 12)
        body[place : place + length] = chance.choice([b"", chance.choice(SPLICES), chance.randbytes(length)])
    return bytes(body)


def bodies(app: PolicyApp, runtime: PolicyRuntime) -> list[tuple[str, bytes]]:
    """Bodies that fit, of every form, with where they go."""
    rows = observations(runtime.community, 0)
    named = by_name(runtime, rows)
    content = answer(app, ACTIONS, observations=rows)
    state = {"state": content["state"]} if "state" in content else {}
    hints = answer(app, HINTS, observations=rows)["hints"]
    return [
        (url, json.dumps(body).encode())
        for url, body in (
            (ACTIONS, {"observations": rows, **state}),
            (ACTIONS, {"observations": named, "common": {"hour": 3}, **state}),
            (ACTIONS, {**state, "sequence": True, "observations": [rows, named and rows]}),
            (HINTS, {"observations": [named, named]}),
            ("/predict", {**state, "observations": rows}),
            (own("Building_1"), {"observation": rows[0], "hint": hints[0]}),
            (own("Building_2"), {"observation": named["Building_2"], "hint": None}),
        )
    ]


async def asked(app: PolicyApp, url: str, body: bytes, statuses: Counter[int]) -> None:
    """One request: 200 or what the client did wrong, and valid JSON either way."""
    status, headers, text = await raw(app, url, receiving(body), [(b"content-type", b"application/json")])
    statuses[status] += 1
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    if status != 200:
        assert status in (400, 422), (url, body, text)
        assert headers["content-type"] == "application/problem+json"
        assert content["detail"].isascii()
        assert len(content["detail"]) < 1000


@pytest.mark.parametrize("bundle", ["plain", "remembering"])
def test_mutated_bodies_never_fail_the_server_nor_fill_its_memory(bundles: Path, bundle: str) -> None:
    app = app_of(bundles / bundle)
    chance = random.Random(2022)
    good = bodies(app, app.communities["default"].models["current"].runtime)
    statuses: Counter[int] = Counter()

    async def run(count: int) -> None:
        for number in range(count):
            url, whole = good[number % len(good)]
            await asked(app, url, mutated(chance, whole, 1 + number % 4), statuses)

    asyncio.run(run(1200))
    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(run(200))
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        asyncio.run(run(600))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert set(statuses) == {200, 400, 422}
    assert min(statuses.values()) > 20, statuses
    assert after - before < 200_000, "600 requests more must not hold more memory than a few recorded inputs"


@pytest.mark.parametrize("make", [dict, list])
def test_arbitrary_json_never_fails_the_server(bundles: Path, make: Callable[[], Any]) -> None:
    app = app_of(bundles / "remembering")
    chance = random.Random(1)
    leaves: list[Any] = [None, True, 0, -1.5, 1e300, 10**30, 10**400, "", "x", "\ud800", float("nan"), float("inf"), -0.0]
    names = [
        "observations",
        "observation",
        "state",
        "common",
        "sequence",
        "hint",
        "hour",
        "Building_1",
        "Building_10",
        "\udc00",
    ]

    def value(depth: int) -> Any:
        if depth == 0 or chance.random() < 0.15:
            return chance.choice(leaves)
        count = chance.choice([0, 1, 2, 3, 4])
        if chance.random() < (0.7 if make is list else 0.3):
            return [value(depth - 1) for _ in range(count)]
        return {chance.choice(names): value(depth - 1) for _ in range(count)}

    statuses: Counter[int] = Counter()

    async def run() -> None:
        for number in range(1200):
            url = [ACTIONS, HINTS, own("Building_1"), "/predict"][number % 4]
            field = "observation" if url == own("Building_1") else "observations"
            content = value(4) if chance.random() < 0.1 else {field: value(4), "state": value(1), "hint": value(1)}
            if chance.random() < 0.7 and isinstance(content, dict):
                content.pop("hint" if field == "observations" else "", None)
            await asked(app, url, json.dumps(content).encode(), statuses)

    asyncio.run(run())
    assert set(statuses) <= {200, 400, 422}


def test_numbers_of_any_size_give_finite_actions_within_their_limits(app: PolicyApp, plain: PolicyRuntime) -> None:
    chance = random.Random(6)
    sizes = [0.0, -0.0, 5e-324, 1e-30, 1.0, 1e30, 1.7e308, 2**63, 2**64 + 1, 10**30, 10**308]
    for _ in range(150):
        rows = [[chance.choice([-1, 1]) * chance.choice(sizes) for _ in agent.features] for agent in plain.community.agents]
        actions = answer(app, ACTIONS, observations=rows)["actions"]
        for agent, row in zip(plain.community.agents, actions, strict=True):
            assert all(low <= v <= high for v, low, high in zip(row, agent.action_low, agent.action_high, strict=True))
