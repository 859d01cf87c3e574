"""What a client is made with, checked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from rllib_citylearn.errors import ConfigError

REST: Literal["rest"] = "rest"
"""The fallback that asks for nothing: zero for every action, or what its limits have nearest to it."""

Fallback: TypeAlias = Literal["rest"] | Callable[[Any], Any] | None

_TOKEN = re.compile(r"[\x21-\x7e]+")


def base_url(url: str) -> str:
    """A server's URL, to put paths behind.

    Raises:
        ConfigError: it is none.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", url):
        raise ConfigError(f"The server's URL is {url!a}; give one such as http://127.0.0.1:8000, without a query.")
    if "@" in parts.netloc:
        raise ConfigError("The server's URL holds a user or a password; leave them out, and give a token instead.")
    return url.rstrip("/")


def community_path(community: str, version: str | None) -> str:
    """Where a community, or one version of its policy, is found.

    Raises:
        ConfigError: an empty name.
    """
    for what, name in (("community", community), ("version", version)):
        if name == "":
            raise ConfigError(f"The {what} has an empty name; leave it out for the default.")
    path = f"/v1/communities/{quote(community, safe='')}"
    return path if version is None else f"{path}/versions/{quote(version, safe='')}"


class Token:
    """A bearer token, given or in a file that may be renewed.

    Args:
        text: the token itself.
        file: or a file of nothing but the token; it is read at every call.

    Raises:
        ConfigError: both, or one that can't be a token; the message never holds it.
    """

    def __init__(self, text: str | None, file: str | Path | None) -> None:
        if text is not None and file is not None:
            raise ConfigError("A token and a file of it are given; give one of them.")
        self._file = None if file is None else Path(file)
        self._text = None if text is None else _checked(text, "The token")
        self.headers()  # a file that can't be read is said at the start

    def headers(self) -> dict[str, str]:
        """What a request has to carry.

        Raises:
            ConfigError: the file can't be read, or holds no token.
        """
        text = self._text
        if self._file is not None:
            try:
                text = _checked(self._file.read_text(encoding="utf-8").strip(), f"The token in {self._file}")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"The token's file can't be read ({error}); give a file of nothing but the token."
                ) from error
        return {} if text is None else {"authorization": f"Bearer {text}"}


def _checked(token: str, what: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f"{what} is empty, or has blanks or characters beyond ASCII; give the token alone.")
    return token


def require_times(timeout_s: float, attempt_timeout_s: float, attempts: int) -> None:
    """Refuse times and attempts that no call could be made with.

    Raises:
        ConfigError: one of them is not positive.
    """
    for name, seconds in (("timeout_s", timeout_s), ("attempt_timeout_s", attempt_timeout_s)):
        if not (math.isfinite(seconds) and seconds > 0):
            raise ConfigError(f"{name} is {seconds}; give seconds above 0.")
    if attempts < 1:
        raise ConfigError(f"attempts is {attempts}; give at least 1.")


def require_fallback(fallback: Any) -> None:
    """Refuse what is no fallback.

    Raises:
        ConfigError: it is neither ``"rest"`` nor None nor callable.
    """
    if not (fallback is None or fallback == REST or callable(fallback)):
        raise ConfigError(f"fallback is {fallback!a}; give 'rest', a function of the observations, or None for an error.")
