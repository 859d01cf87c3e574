"""Load on a server: one request over and over, on some connections, with every answer counted.

Written on sockets, without an HTTP library: a client that takes longer than the server would measure itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

_LONGEST_S = 30.0
"""An answer that takes longer counts as a broken connection."""


@dataclass
class Load:
    """What became of some requests.

    Attributes:
        seconds: how long they were sent for.
        milliseconds: of each that was answered with 200.
        statuses: how many were answered with which status; 0 is a connection that broke.
        without_retry_after: refusals (503) that did not say when to try again.
    """

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0

    @property
    def per_second(self) -> float:
        """Requests answered with 200, a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds below which a ``share`` of the answers with 200 lie."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


def request(host: str, path: str, body: bytes, token: str | None = None) -> bytes:
    """A POST request of JSON as it goes over the wire."""
    bearer = f"authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{bearer}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def drive(host: str, port: int, sent: bytes, connections: int, seconds: float, pause: float = 0.0) -> Load:
    """Send one request after the other on each of some connections, for some seconds; broken ones are made anew.

    With a ``pause`` each connection waits so many seconds between an answer and its next request.
    """
    load = Load()
    end = time.perf_counter() + seconds
    started = time.perf_counter()
    await asyncio.gather(*(_one(load, host, port, sent, end, pause) for _ in range(connections)))
    load.seconds = time.perf_counter() - started
    return load


async def _one(load: Load, host: str, port: int, sent: bytes, end: float, pause: float) -> None:
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (began := time.perf_counter()) < end:
        try:
            if streams is None:
                streams = await asyncio.open_connection(host, port)
            async with asyncio.timeout(_LONGEST_S):
                status, head = await exchange(*streams, sent)
        except (OSError, EOFError, ValueError, TimeoutError):
            load.statuses[0] += 1
            if streams is not None:
                streams[1].close()
            streams = None
            await asyncio.sleep(0.01)
            continue
        load.statuses[status] += 1
        if status == 200:
            load.milliseconds.append(1e3 * (time.perf_counter() - began))
        elif status == 503:
            load.without_retry_after += b"retry-after:" not in head
            await asyncio.sleep(0.05)
        if pause:
            await asyncio.sleep(pause)
        if b"connection: close" in head:
            streams[1].close()
            streams = None
    if streams is not None:
        streams[1].close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> tuple[int, bytes]:
    """Status and head, in lower case, of the answer to a request."""
    writer.write(sent)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.index(b"content-length:") + 15
    await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    return int(head[9:12]), head
