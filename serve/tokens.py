"""Bearer tokens (RFC 6750) from a file, such as a mounted secret that is renewed while the server runs."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from http import HTTPStatus
from pathlib import Path

from rllib_citylearn.errors import ConfigError
from serve.problems import ProblemError

_LOOK_EVERY_S = 5.0

_SHORTEST = 16

log = logging.getLogger(__name__)


class Tokens:
    """Who may call. The file is read again when it changes; one that can't be read leaves the tokens as they were.

    Args:
        path: a file with a name and a token a line, blank lines and lines that begin with # aside.

    Raises:
        ConfigError: it can't be read, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._looked = time.monotonic()
        self._digests = self._read()

    def holder(self, header: str | None) -> str:
        """Name of the token in an ``Authorization`` header.

        All known tokens are compared, each in constant time: how long it takes tells nothing of any.

        Raises:
            ProblemError: 401 without a token or with an unknown one.
        """
        self._look()
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unauthorized("The request has no bearer token; send 'authorization: Bearer TOKEN'.", "")
        digest = hashlib.sha256(token.strip().encode("latin-1")).digest()  # the bytes that came
        found = [name for name, known in self._digests.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise _unauthorized("The bearer token is not one that this server knows.", ', error="invalid_token"')
        return found[0]

    def _look(self) -> None:
        if time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        try:
            if self._stamped() != self._stamp:
                self._digests = self._read()
        except (OSError, ValueError, ConfigError) as error:  # as a secret is being renewed its file may be away for a moment
            log.warning("the tokens stay as they were: %s", error)

    def _stamped(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> dict[str, bytes]:
        try:
            stamp = self._stamped()
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:  # such as a path with a zero byte
            raise ConfigError(f"The tokens in {self._path} can't be read ({error}).") from error
        digests: dict[str, bytes] = {}
        for number, line in enumerate(lines, 1):
            parts = line.split()
            if not parts or line.lstrip().startswith("#"):
                continue
            # Never a part of the line: either may be the token.
            if len(parts) != 2 or parts[0] in digests:
                raise ConfigError(f"Line {number} of {self._path} is not 'NAME TOKEN' with a name of its own.")
            if len(parts[1]) < _SHORTEST:
                raise ConfigError(f"The token in line {number} of {self._path} is shorter than {_SHORTEST} characters.")
            digests[parts[0]] = hashlib.sha256(parts[1].encode()).digest()
        if not digests:
            raise ConfigError(f"{self._path} holds no token; write 'NAME TOKEN' lines, or leave 'tokens' out.")
        self._stamp = stamp
        return digests


def _unauthorized(detail: str, error: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"www-authenticate": f'Bearer realm="policies"{error}'})
