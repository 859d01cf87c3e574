"""The client for programs without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from rllib_citylearn.client.answers import Actions, Hints
from rllib_citylearn.client.calls import PolicyCalls
from rllib_citylearn.client.community import Community
from rllib_citylearn.client.http import TOO_LARGE, import_httpx, lost, reply_of, too_slow
from rllib_citylearn.client.observations import Observations
from rllib_citylearn.client.steps import MOST_BYTES, Lost, Reply, Send, Steps, Wait

T = TypeVar("T")


class PolicyClient(PolicyCalls):
    """Asks a policy server for a community's actions, hour by hour.

    One client controls one community, one hour after the other. Calls must not overlap: each needs the state of the last.
    ``with PolicyClient(url) as client`` closes its connections at the end.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000``.
        community: its name at the server.
        version: label of the version of its policy that is to answer; None takes what the server chooses.
        token: bearer token.
        token_file: or a file of nothing but the token, read at every call, such as a mounted secret.
        timeout_s: seconds for a call with all its attempts. Afterwards comes the fallback.
        attempt_timeout_s: seconds for one attempt, so that one replica that hangs does not take the whole time.
        attempts: most attempts of a request.
        fallback: what is done without an answer: ``"rest"`` (zero for every action, or the limit nearest to it), None for
            ``DeadlineError``, or a function that gets the observations as they were given and returns actions, which are
            passed on as they are.
        timing: where time and chance come from; None takes the machine's.
        transport: of httpx, for servers that are reached in another way; None is the network.

    Raises:
        ConfigError: one of these can't be used, or httpx is missing.
    """

    def act(self, observations: Observations, *, common: Mapping[str, float] | None = None) -> Actions:
        """The actions of this hour; the state moves on with them.

        Args:
            observations: by building and feature, or one row of numbers a building in the order of ``community()``, in
                physical units; None for a building that was not heard of.
            common: by feature, what holds for all buildings that have the feature and none of their own; only with
                observations by name.

        Raises:
            FeatureError: the observations are of no form that can be sent.
            PolicyRequestError: the server refused, and would refuse again.
            DeadlineError: no answer came, and there is no fallback.
            ConfigError: the token's file can't be read any more.
        """
        return self._run(self._act(observations, common))

    def hints(self, observations: Observations, *, common: Mapping[str, float] | None = None) -> Hints:
        """The coordinator's hints, for buildings that act for themselves; the state moves on with them.

        Ask for an hour's hints or for its actions, not for both with one client: memory would hold the hour twice.

        Args:
            observations, common: see ``act``.

        Raises:
            FeatureError, PolicyRequestError, ConfigError: see ``act``.
            DeadlineError: no answer came. Buildings go on with the last hint they have.
        """
        return self._run(self._hints(observations, common))

    def community(self) -> Community:
        """Buildings, features, actions and limits, as the server has them now.

        Raises:
            PolicyRequestError: the server refused, and would refuse again.
            DeadlineError: no answer came.
        """
        return self._run(self._describe())

    def example(self) -> dict[str, dict[str, float]]:
        """Observations by name that fit, every feature in the middle of its range.

        Raises:
            PolicyRequestError, DeadlineError: see ``community``.
        """
        return self._run(self._example())

    def models(self) -> list[dict[str, Any]]:
        """All versions of all policies that the server has, with what they scored.

        Raises:
            PolicyRequestError, DeadlineError: see ``community``.
        """
        return self._run(self._models())

    def ready(self) -> bool:
        """Whether the server answers for this community now, and takes the token; without retries.

        Raises:
            PolicyRequestError: it refuses the token, or what answers is no policy server.
        """
        return self._run(self._ready())

    def close(self) -> None:
        """Close all connections; calls fail afterwards."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, transport: Any) -> None:
        self._httpx = import_httpx()
        self._http = self._httpx.Client(transport=transport)

    def _run(self, steps: Steps[T]) -> T:
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
                    self._sleep(wanted.seconds)
                    outcome = None
                else:
                    outcome = self._send(wanted)
        finally:
            steps.close()  # also where the wait was cancelled: the client is free again

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _send(self, wanted: Send) -> Reply | Lost:
        try:
            return self._within(wanted.seconds, partial(self._request, wanted))
        except (TimeoutError, self._httpx.TimeoutException):
            return too_slow(wanted.seconds)
        except self._httpx.RequestError as error:
            return lost(error)

    def _within(self, seconds: float, function: Callable[[], T]) -> T:
        return within(seconds, function)

    def _request(self, wanted: Send) -> Reply | Lost:
        end = time.monotonic() + wanted.seconds
        body = bytearray()
        with self._http.stream(
            wanted.method, wanted.url, headers=wanted.headers, content=wanted.content, timeout=wanted.seconds
        ) as response:
            for part in response.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    return TOO_LARGE
                if time.monotonic() > end:  # a server may send a byte now and then for ever
                    return too_slow(wanted.seconds)
        return reply_of(response, body)


def within(seconds: float, function: Callable[[], T]) -> T:
    """What ``function`` returns or raises, unless it takes too long.

    httpx limits each single operation only, and looking up a name not at all: a server that sends its headers byte by byte,
    or a resolver that is away, would hold the caller for minutes. So another thread waits; if it has to be left, it
    ends when its own operation does, and nobody waits for it, not even the interpreter's end.

    Raises:
        TimeoutError: it did.
    """
    box: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            box.put((function(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it belongs
            box.put((None, error))

    Thread(target=work, name="policy-request", daemon=True).start()
    try:
        result, error = box.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
