"""What every request goes through before it is answered: its id, its deadline, its body."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from serve.problems import ProblemError
from serve.settings import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[str, str]

JSON = "application/json"

_LONGEST_WAIT_S = 86_400.0

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class ClientDisconnectedError(Exception):
    """The client closed the connection before its request was complete; there is nobody to answer."""


def headers_of(scope: Scope) -> Headers:
    """The request's headers by lower-case name; of a repeated one, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def request_id(headers: Headers) -> str:
    """The client's own id of the request, if it sent one that can stand in logs, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else os.urandom(12).hex()


def require_time(headers: Headers) -> None:
    """Don't compute what nobody waits for any more.

    Raises:
        ProblemError: 504 if the deadline in ``x-deadline`` (seconds since 1970, UTC) is past, 400 if it is no time.
    """
    text = headers.get("x-deadline")
    if text is None:
        return
    try:
        deadline = float(text)
    except ValueError:
        deadline = math.nan
    if not math.isfinite(deadline) or deadline > time.time() + _LONGEST_WAIT_S:  # milliseconds, for one
        detail = f"The header x-deadline is {ascii(text)[:40]}; expected seconds since 1970 (UTC), such as 1767225600.5."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    if deadline < time.time():
        raise ProblemError(HTTPStatus.GATEWAY_TIMEOUT, "The request's deadline is past; nothing was computed.")


def require_json(headers: Headers) -> None:
    """Refuse what says that it is not JSON. No content type at all is taken for JSON.

    Raises:
        ProblemError: 415 for another type, or for anything compressed, whose size nobody knows before it is unpacked.
    """
    media_type = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type != JSON:
        detail = f"The body's content-type is {ascii(media_type)[:60]}; send JSON with 'content-type: {JSON}'."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"accept-post": JSON})
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        detail = f"The body's content-encoding is {ascii(encoding)[:60]}; send it uncompressed."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"accept-encoding": "identity"})


async def read_body(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    """The request's body.

    Raises:
        ProblemError: 413 for a body larger than ``limits.body_bytes``, read no further; 408 for one that takes too long.
        ClientDisconnectedError: the client left.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:18]) > limits.body_bytes:
        raise _too_large(limits)
    parts = bytearray()
    more = True
    try:
        async with asyncio.timeout(limits.body_seconds):
            while more and len(parts) <= limits.body_bytes:
                message = _still_there(await receive())
                parts += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise _too_slow(limits) from error
    if len(parts) > limits.body_bytes:
        raise _too_large(limits)
    return bytes(parts)


def _still_there(message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if message["type"] == "http.disconnect":
        raise ClientDisconnectedError
    return message


def _too_large(limits: Limits) -> ProblemError:
    # The connection stays: a server that closes one on which a body is still coming in takes its own answer with it.
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is larger than {limits.body_bytes} bytes; send fewer observations in one request.",
    )


def _too_slow(limits: Limits) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_TIMEOUT,
        f"The body did not arrive within {limits.body_seconds:g} s.",
        {"connection": "close"},
    )
