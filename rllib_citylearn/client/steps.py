"""What the logic of a call wants done, and what came of it: the border between decisions and input and output.

A call is a generator of ``Send`` and ``Wait``. Whoever drives it does what it yields, and sends back what came of it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar


@dataclass(frozen=True)
class Send:
    """Send a request and read the whole response.

    Attributes:
        method: ``GET`` or ``POST``.
        url: where to.
        headers: by lower-case name.
        content: the body; None for none.
        seconds: after which it is given up, wherever it stands.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    seconds: float


@dataclass(frozen=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Reply:
    """A whole response.

    Attributes:
        status: such as 200.
        headers: by lower-case name.
        body: unpacked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Lost:
    """There was no response, or not a whole one.

    Attributes:
        reason: why, as part of a sentence.
    """

    reason: str


T = TypeVar("T")

Steps: TypeAlias = Generator[Send | Wait, Reply | Lost | None, T]
"""A call in progress, which ends with a ``T``."""

MOST_BYTES = 1 << 26
"""Largest response that is read: many times what a community of a thousand buildings needs."""
