"""The client for programs with an event loop of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from rllib_citylearn.client.answers import Actions, Hints
from rllib_citylearn.client.calls import PolicyCalls
from rllib_citylearn.client.community import Community
from rllib_citylearn.client.http import TOO_LARGE, import_httpx, lost, reply_of, too_slow
from rllib_citylearn.client.observations import Observations
from rllib_citylearn.client.steps import MOST_BYTES, Lost, Reply, Send, Steps, Wait

T = TypeVar("T")


class AsyncPolicyClient(PolicyCalls):
    """``PolicyClient`` with calls to be awaited, and with the same arguments. A fallback is an ordinary function here too.

    ``async with AsyncPolicyClient(url) as client`` closes its connections at the end.
    """

    async def act(self, observations: Observations, *, common: Mapping[str, float] | None = None) -> Actions:
        """See ``PolicyClient.act``."""
        return await self._run(self._act(observations, common))

    async def hints(self, observations: Observations, *, common: Mapping[str, float] | None = None) -> Hints:
        """See ``PolicyClient.hints``."""
        return await self._run(self._hints(observations, common))

    async def community(self) -> Community:
        """See ``PolicyClient.community``."""
        return await self._run(self._describe())

    async def example(self) -> dict[str, dict[str, float]]:
        """See ``PolicyClient.example``."""
        return await self._run(self._example())

    async def models(self) -> list[dict[str, Any]]:
        """See ``PolicyClient.models``."""
        return await self._run(self._models())

    async def ready(self) -> bool:
        """See ``PolicyClient.ready``."""
        return await self._run(self._ready())

    async def close(self) -> None:
        """Close all connections; calls fail afterwards."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self, transport: Any) -> None:
        self._httpx = import_httpx()
        self._http = self._httpx.AsyncClient(transport=transport)

    async def _run(self, steps: Steps[T]) -> T:
        """Do what a call wants done, until it is over."""
        outcome: Reply | Lost | None = None
        try:
            while True:
                try:
                    wanted = steps.send(outcome)
                except StopIteration as end:
                    result: T = end.value
                    return result
                if isinstance(wanted, Wait):
                    await self._sleep(wanted.seconds)
                    outcome = None
                else:
                    outcome = await self._send(wanted)
        finally:
            steps.close()  # also where the wait was cancelled: the client is free again

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _send(self, wanted: Send) -> Reply | Lost:
        try:
            async with asyncio.timeout(wanted.seconds):
                return await self._request(wanted)
        except (TimeoutError, self._httpx.TimeoutException):
            return too_slow(wanted.seconds)
        except self._httpx.RequestError as error:
            return lost(error)

    async def _request(self, wanted: Send) -> Reply | Lost:
        body = bytearray()
        async with self._http.stream(
            wanted.method, wanted.url, headers=wanted.headers, content=wanted.content, timeout=wanted.seconds
        ) as response:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    return TOO_LARGE
        return reply_of(response, body)
