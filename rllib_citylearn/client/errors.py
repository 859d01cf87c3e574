"""What can go wrong between a client and a policy server."""

from __future__ import annotations

from rllib_citylearn.errors import UserError


class PolicyRequestError(UserError):
    """The server refused a request, and would refuse it again: a wrong observation, token, community or path.

    Args:
        status: of the response, such as 422.
        detail: what the server says is wrong, in words.
        request_id: which the server's log has too.
    """

    def __init__(self, status: int, detail: str, request_id: str) -> None:
        super().__init__(status, detail, request_id)
        self.status = status
        self.detail = detail
        self.request_id = request_id

    def __str__(self) -> str:
        return f"The policy server refused the request {self.request_id} with status {self.status}: {self.detail}"


class DeadlineError(UserError):
    """No usable answer came within the time and the attempts of a call.

    Args:
        reason: what happened, a sentence.
        attempts: how often the request was sent.
        request_id: of all those attempts.
        advice: what to do, a sentence.
    """

    def __init__(self, reason: str, attempts: int, request_id: str, advice: str = "") -> None:
        super().__init__(reason, attempts, request_id, advice)
        self.reason = reason
        self.attempts = attempts
        self.request_id = request_id
        self.advice = advice

    def __str__(self) -> str:
        return " ".join(part for part in (self.reason, self.advice) if part)


class AnswerError(Exception):
    """A response with status 200 that is not what was asked for; the message says what it is instead."""
