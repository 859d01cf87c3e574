"""What both clients need of httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rllib_citylearn.client.steps import Lost, Reply
from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    import httpx


def import_httpx() -> Any:
    """The module httpx.

    Raises:
        ConfigError: it is missing.
    """
    try:
        import httpx
    except ImportError as error:
        raise ConfigError(
            f"The client sends its requests with httpx, but {error.name} is missing; pip install 'rllib_citylearn[client]'."
        ) from error
    return httpx


def reply_of(response: httpx.Response, body: bytearray) -> Reply:
    """A response whose body was read."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, bytes(body))


def lost(error: Exception) -> Lost:
    """A request that failed on its way; the error's own words, and which it was, as not all of them have words."""
    words = str(error).rstrip(".")
    return Lost(f"{type(error).__name__}: {words}" if words else type(error).__name__)


def too_slow(seconds: float) -> Lost:
    """A request that was given up."""
    return Lost(f"no whole answer within {seconds:.3g} s")


TOO_LARGE = Lost("an answer that does not end")
"""More came than any answer has."""
