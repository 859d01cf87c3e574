"""What a client did wrong, as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec


class ProblemDetails(msgspec.Struct):
    """Body of every response that reports an error (``application/problem+json``).

    Attributes:
        type: always ``about:blank``: the status says what kind of problem it is.
        title: the status in words.
        status: the HTTP status.
        detail: a sentence: what was wrong, what was expected.
        instance: the request's id, which the server's log has too.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str


class ProblemError(Exception):
    """Ends a request with an error response.

    Args:
        status: the HTTP status.
        detail: a sentence for the client.
        headers: further headers of the response, by lower-case name.
    """

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self, request: str) -> bytes:
        """The response's body; ``request`` is the request's id."""
        if self.status == HTTPStatus.NO_CONTENT:
            return b""
        title = self.status.phrase
        return msgspec.json.encode(
            ProblemDetails("about:blank", title, int(self.status), self.detail, f"urn:request:{request}")
        )
