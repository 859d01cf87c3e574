"""One request with all its attempts, up to the deadline of the call it belongs to. No input or output here."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rllib_citylearn.client import retries
from rllib_citylearn.client.errors import AnswerError, DeadlineError, PolicyRequestError
from rllib_citylearn.client.steps import Lost, Reply, Send, Steps, Wait

_SHOWN = 300
"""Characters of a refusal without problem details that an error quotes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """Where time and chance come from.

    Attributes:
        monotonic: seconds that never go back; deadlines are kept by it.
        wall: seconds since 1970 (UTC), for the server, which has another monotonic clock.
        draw: uniform numbers within [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    draw: Callable[[], float] = random.random


@dataclass(frozen=True)
class Request:
    """What is asked for: the same in every attempt.

    Attributes:
        method: ``GET`` or ``POST``.
        url: where to.
        headers: by lower-case name; those of an attempt come on top.
        content: the body; None for none.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


@dataclass(frozen=True)
class Call:
    """The time and the attempts of one call of the user; it may take several requests.

    Attributes:
        id: sent with every attempt of every request, and found in the server's log.
        server: its address, for messages.
        timeout_s: the whole time.
        deadline: when it ends, by ``timing.monotonic``.
        attempt_timeout_s: longest that one attempt may take.
        attempts: most attempts of a request.
        timing: where time and chance come from.
    """

    id: str
    server: str
    timeout_s: float
    deadline: float
    attempt_timeout_s: float
    attempts: int
    timing: Timing

    def left_s(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - self.timing.monotonic()

    def no_answer(self, attempts: int, last: str, why: str) -> DeadlineError:
        """The error that ends a call without an answer.

        Args:
            attempts: how many there were.
            last: what came of the last of them, without a full stop; empty if there was none.
            why: there is no further one.
        """
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        found = f" The last: {last}." if last else ""
        return DeadlineError(
            f"The policy server at {self.server} gave no usable answer in {times}, and {why}.{found}", attempts, self.id
        )


def exchange(call: Call, request: Request, read: Callable[[Reply], T]) -> Steps[tuple[T, int]]:
    """Send a request until it is answered, refused, or there is no time or attempt left.

    Args:
        call: whose time it takes.
        request: what is sent.
        read: reads the body of a response with status 200; raises ``AnswerError`` for what can't be one.

    Returns:
        What was read, and how many attempts it took.

    Raises:
        DeadlineError: no usable answer came.
        PolicyRequestError: the server refused; it would refuse again.
    """
    attempts, server_failures, last, with_deadline = 0, 0, "", True
    while True:
        left = call.left_s()
        if left <= 0:
            raise call.no_answer(attempts, last, f"the {call.timeout_s:g} s of the call are over")
        outcome = yield _attempt(call, request, min(left, call.attempt_timeout_s), with_deadline=with_deadline)
        attempts += 1
        reply = outcome if isinstance(outcome, Reply) else None
        if reply is not None and reply.status == 200:
            try:
                return read(reply), attempts
            except AnswerError as error:
                last = str(error)
        else:
            last = _failure(outcome, call)
        status = None if reply is None else reply.status
        server_failures += status == retries.SERVER_FAILED
        with_deadline = with_deadline and status != retries.TOO_LATE  # a server whose clock is ahead refuses them all
        if attempts >= call.attempts:
            raise call.no_answer(attempts, last, "no further one is allowed")
        if server_failures >= retries.FAILURES_ALLOWED:
            raise call.no_answer(attempts, last, f"status {retries.SERVER_FAILED} is not tried a third time")
        wait = retries.wait_s(attempts, {} if reply is None else reply.headers, call.timing.draw)
        if wait >= call.left_s():
            raise call.no_answer(attempts, last, f"the {call.timeout_s:g} s of the call end before the next")
        yield Wait(wait)


def _attempt(call: Call, request: Request, seconds: float, *, with_deadline: bool) -> Send:
    headers = {**request.headers, "x-request-id": call.id}
    if with_deadline:
        headers["x-deadline"] = f"{call.timing.wall() + seconds:.3f}"
    return Send(request.method, request.url, headers, request.content, seconds)


def _failure(outcome: Reply | Lost | None, call: Call) -> str:
    """What came instead of an answer, without a full stop.

    Raises:
        PolicyRequestError: a refusal that would come again.
    """
    if not isinstance(outcome, Reply):
        return "" if outcome is None else outcome.reason
    detail = _detail(outcome)
    if outcome.status not in retries.RETRIED:
        raise PolicyRequestError(outcome.status, detail, call.id)
    return f"status {outcome.status}, {detail.rstrip('.')}"


def _detail(reply: Reply) -> str:
    """What a refusal says: the detail of its problem (RFC 9457), where it leads, or the beginning of its text."""
    try:
        content = json.loads(reply.body)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and isinstance(content.get("detail"), str) and content["detail"]:
        return content["detail"]
    if "location" in reply.headers:
        return f"it leads to {reply.headers['location']!a}; give the server's own URL."
    text = " ".join(reply.body[:_SHOWN].decode("utf-8", "replace").split())
    return f"it says {text!a}." if text else "without a word."
