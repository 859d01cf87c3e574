"""All that a client decides, without input or output: what it sends, what it remembers, when it falls back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rllib_citylearn.client.answers import Actions, Answer, Hints, answer_of, json_of, object_of
from rllib_citylearn.client.community import Community, community_of
from rllib_citylearn.client.errors import AnswerError, DeadlineError
from rllib_citylearn.client.exchange import Call, Request, Timing, exchange
from rllib_citylearn.client.observations import Observations, body_of, is_named
from rllib_citylearn.client.options import (
    REST,
    Fallback,
    Token,
    base_url,
    community_path,
    require_fallback,
    require_times,
)
from rllib_citylearn.client.steps import Reply, Steps
from rllib_citylearn.errors import ConfigError

T = TypeVar("T")

_UNKNOWN = (
    "There is no fallback either: which actions there are is not known before the first contact. Call community() once at "
    "the start, or give a fallback of your own."
)


class PolicyCalls:
    """What both clients have in common, and nothing that they do; its arguments are those of ``PolicyClient``."""

    def __init__(
        self,
        url: str,
        community: str = "default",
        *,
        version: str | None = None,
        token: str | None = None,
        token_file: str | Path | None = None,
        timeout_s: float = 5.0,
        attempt_timeout_s: float = 2.0,
        attempts: int = 5,
        fallback: Fallback = REST,
        timing: Timing | None = None,
        transport: Any = None,
    ) -> None:
        require_times(timeout_s, attempt_timeout_s, attempts)
        require_fallback(fallback)
        self.url = base_url(url)
        self._name = community
        self._path = community_path(community, version)
        self._token = Token(token, token_file)
        self._timeout_s = timeout_s
        self._attempt_timeout_s = attempt_timeout_s
        self._attempts = attempts
        self._fallback = fallback
        self._timing = Timing() if timing is None else timing
        self._state: str | None = None
        self._asking = False
        self._community: Community | None = None
        self._open(transport)

    def _open(self, transport: Any) -> None:
        """Prepare to send."""
        raise NotImplementedError

    @property
    def state(self) -> str | None:
        """What the policy remembers, as the last answer gave it; None before the first, or if it remembers nothing.

        Save it with the hour it is of and set it after a restart: memory spans a day.
        """
        return self._state

    @state.setter
    def state(self, state: str | None) -> None:
        if state is not None and not isinstance(state, str):
            raise ConfigError(
                f"The state is a {type(state).__name__}; set what `state` gave before, or None to begin afresh."
            )
        self._state = state

    def reset(self) -> None:
        """Begin without a memory, as before the first call."""
        self._state = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While a call needs the state and brings another one.

        Raises:
            ConfigError: another call is under way.
        """
        if self._asking:
            raise ConfigError(
                "Two calls of one client overlap, and each needs the state that the last one brings; await the first, or "
                "make a client for each community."
            )
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def _act(self, observations: Observations, common: Mapping[str, float] | None) -> Steps[Actions]:
        with self._alone():
            return (yield from self._act_alone(observations, common))

    def _act_alone(self, observations: Observations, common: Mapping[str, float] | None) -> Steps[Actions]:
        named = is_named(observations)
        body = body_of(observations, common, self._state)
        call = self._begin()
        try:
            if self._fallback == REST and self._community is None:
                yield from self._describe(call)
            answer, attempts = yield from self._ask(call, "actions", body, named=named)
        except DeadlineError as error:
            return self._instead(observations, error, named=named)
        if self._community is not None and not self._community.is_of(answer.values):
            self._community = None  # it is another one now; what it needs to rest is asked for with the next call
        return Actions(
            answer.values,
            answer.model,
            answer.degraded,
            answer.clipped,
            answer.clipped_values,
            answer.forgotten,
            fallback=False,
            reason=None,
            attempts=attempts,
            request_id=call.id,
        )

    def _instead(self, observations: Observations, error: DeadlineError, *, named: bool) -> Actions:
        """The fallback. The state stays as it was: the policy never saw this hour."""
        if callable(self._fallback):
            actions = self._fallback(observations)
        elif self._fallback is None:
            raise error
        elif self._community is None:
            raise DeadlineError(error.reason, error.attempts, error.request_id, _UNKNOWN) from error
        else:
            actions = self._community.rest(named=named)
        return Actions(
            actions,
            None,
            {},
            (),
            0,
            False,
            fallback=True,
            reason=error.reason,
            attempts=error.attempts,
            request_id=error.request_id,
        )

    def _hints(self, observations: Observations, common: Mapping[str, float] | None) -> Steps[Hints]:
        with self._alone():
            body = body_of(observations, common, self._state)
            call = self._begin()
            answer, attempts = yield from self._ask(call, "hints", body, named=is_named(observations))
        return Hints(
            answer.values,
            answer.model,
            answer.degraded,
            answer.clipped,
            answer.clipped_values,
            answer.forgotten,
            attempts,
            call.id,
        )

    def _ask(self, call: Call, what: str, body: bytes, *, named: bool) -> Steps[tuple[Answer, int]]:
        """The answer to an observation. The state moves on when it is there, whole and checked, and not before."""
        headers = {**self._token.headers(), "content-type": "application/json"}
        request = Request("POST", f"{self.url}{self._path}/{what}", headers, body)
        answer, attempts = yield from exchange(call, request, lambda reply: answer_of(reply, what, named=named))
        self._state = answer.state
        return answer, attempts

    def _describe(self, call: Call | None = None) -> Steps[Community]:
        found = yield from self._get(self._path, community_of, call)
        self._community = found
        return found

    def _example(self) -> Steps[dict[str, dict[str, float]]]:
        return (yield from self._get(f"{self._path}/example", lambda content: _part(content, "observations", dict)))

    def _models(self) -> Steps[list[dict[str, Any]]]:
        return (yield from self._get("/v1/models", lambda content: _part(content, "models", list)))

    def _ready(self) -> Steps[bool]:
        call = self._begin(attempts=1)
        try:
            names = yield from self._get("/ready", lambda content: _part(content, "communities", list), call)
            if self._name in names:
                yield from self._get(self._path, community_of, call)  # which asks for the token, unlike the first
        except DeadlineError:
            return False
        return self._name in names

    def _get(self, path: str, read: Callable[[Any], T], call: Call | None = None) -> Steps[T]:
        call = self._begin() if call is None else call
        request = Request("GET", f"{self.url}{path}", self._token.headers())
        found, _ = yield from exchange(call, request, lambda reply: read(_content(reply)))
        return found

    def _begin(self, attempts: int | None = None) -> Call:
        timing = self._timing
        return Call(
            os.urandom(12).hex(),
            self.url,
            self._timeout_s,
            timing.monotonic() + self._timeout_s,
            self._attempt_timeout_s,
            self._attempts if attempts is None else attempts,
            timing,
        )


def _content(reply: Reply) -> dict[str, Any]:
    return object_of(json_of(reply), "the answer")


def _part(content: dict[str, Any], name: str, kind: type) -> Any:
    if not isinstance(content.get(name), kind):
        raise AnswerError(f"the answer has no {name}")
    return content[name]
