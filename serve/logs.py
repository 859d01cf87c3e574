"""Logs as JSON, one object a line, each with the id of its request."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

NAME = "serve"


class JsonLines(logging.Formatter):
    """A record as a line of JSON: ``time``, ``level``, ``logger``, ``message``, and what ``extra={"facts": {...}}`` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= getattr(record, "facts", {})
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(content).decode()


class Few:
    """Lets so many lines a second through: a server that is asked too much must not be kept from it by writing that down."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = per_second, clock
        self._second, self._count = 0, 0

    def written(self) -> bool:
        """Whether one more line is written in this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self._most


def log_as_json() -> None:
    """Let this package's loggers write JSON lines to standard error, which Ray keeps as ``worker-*.err`` among its logs.

    The one that the process began with: Ray Serve puts another in its place, which keeps lines back by the thousand.
    """
    logger = logging.getLogger(NAME)
    if not any(isinstance(handler.formatter, JsonLines) for handler in logger.handlers):
        handler = logging.StreamHandler(sys.__stderr__)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
