"""Clients for tests: a clock that only sleeping and slow answers advance, and a server made of a list of outcomes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from rllib_citylearn.client import AsyncPolicyClient, PolicyClient
from rllib_citylearn.client.exchange import Timing
from tests.bundles import small_community

T = TypeVar("T")

MODEL = {"name": "test-policy", "version": "current", "sha256": "5" * 64}
ROWS = [[0.5], [0.125, -1.0], [0.75]]
NAMED = {
    "Building_1": {"electrical_storage": 0.5},
    "Building_2": {"dhw_storage": 0.125, "electrical_storage": -1.0},
    "Building_10": {"cooling_device": 0.75},
}
DESCRIPTION = {"name": "default", "model": MODEL, **small_community().to_dict()}
EPOCH = 1.7e9

Outcome = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.timing = Timing(lambda: self.now, lambda: EPOCH + self.now, random.Random(seed).random)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class TimedClient(PolicyClient):
    clock: Clock

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def _within(self, seconds: float, function: Callable[[], T]) -> T:
        return function()  # a busy machine may take seconds to start a thread


class TimedAsyncClient(AsyncPolicyClient):
    clock: Clock

    async def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)


class Awaited:
    """An asynchronous client to be called like the other one."""

    def __init__(self, client: AsyncPolicyClient) -> None:
        object.__setattr__(self, "client", client)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not asyncio.iscoroutinefunction(value):
            return value
        return lambda *args, **kwargs: asyncio.run(value(*args, **kwargs))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.client, name, value)


class Scripted:
    """Answers POST requests with one outcome after the other, the last one again and again, and describes a community.

    Args:
        outcomes: responses, errors to raise, or functions of the request.
        clock: advanced by ``seconds`` with every POST.
    """

    def __init__(self, *outcomes: Outcome, clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.clock, self.seconds = clock, seconds
        self.description: dict[str, Any] = DESCRIPTION
        self.posts: list[httpx.Request] = []
        self.gets: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.gets.append(request)
            return httpx.Response(200, json=self.description)
        request.read()
        outcome = self.outcomes[min(len(self.posts), len(self.outcomes) - 1)]
        self.posts.append(request)
        if self.clock is not None:
            self.clock.now += self.seconds
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, httpx.Response):  # a response can be read once only
            return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)
        return outcome(request)


def make(kind: str, server: Scripted, clock: Clock, **options: Any) -> Any:
    """A client of either kind at a scripted server."""
    transport = httpx.MockTransport(server)
    if kind == "sync":
        client = TimedClient("http://policies", timing=clock.timing, transport=transport, **options)
        client.clock = clock
        return client
    other = TimedAsyncClient("http://policies", timing=clock.timing, transport=transport, **options)
    other.clock = clock
    return Awaited(other)


def answer(actions: Any = NAMED, **others: Any) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json={"actions": actions, "model": MODEL, **others})


def problem(status: int, detail: str = "Something is wrong.", **headers: str) -> httpx.Response:
    """A refusal as the server writes it."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"status": status, "detail": detail}, headers=given)
