"""Connecting to a running Ray cluster, with a sentence within seconds where that can't be done.

Ray by itself waits for minutes where nobody answers, and ends the process where a token is missing. So the address is
asked first: its port by a plain connection, then what listens there by a process of its own (``probe.py``).
"""

from __future__ import annotations

import json
import logging
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import quiet

_PORT_LIMIT_S = 5.0
_PROBE_LIMIT_S = 30.0
"""A probe takes 2 s where a cluster answers, 11 s where something else listens; more only if it hangs."""

_WHERE_TO_RUN = (
    "Run the command on a node of the cluster, or have the cluster run it: "
    "`ray job submit --address http://HEAD:8265 -- rllib-citylearn ... --address auto`."
)
_TOKEN_HOWTO = (
    "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the cluster's token or RAY_AUTH_TOKEN_PATH to a file that holds it."
)


def cluster_address(given: str | None) -> str | None:
    """The address of the cluster that is meant; None if a local Ray is.

    As Ray itself does, ``RAY_ADDRESS`` is taken where no address is given, or ``auto``. The word ``local`` means a local
    Ray whatever ``RAY_ADDRESS`` says.

    Args:
        given: what the option ``--address`` says; None if it was not given.
    """
    address = given
    if given in (None, "", "auto"):
        address = os.environ.get("RAY_ADDRESS") or given
    return None if address in (None, "", "local") else address


@contextmanager
def cluster_session(address: str) -> Iterator[None]:
    """A connection to a running cluster, unless the caller has connected to one already.

    Args:
        address: ``auto`` for the cluster that this machine is a node of, or ``HOST:PORT`` of its head.

    Raises:
        ConfigError: no cluster answers there, it is not one for this Ray or Python, it wants another token, or this
            machine is not a node of it.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    _require_cluster(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        said = str(error.__cause__ or error).strip().splitlines()
        raise ConfigError(
            f"The Ray cluster at {address} could not be joined: {said[-1] if said else error!r} Look at the cluster with "
            "`ray status` on one of its nodes."
        ) from error
    quiet()
    try:
        yield
    finally:
        ray.shutdown()


def _require_cluster(address: str) -> None:
    """Refuse an address where no cluster of ours can be reached.

    Raises:
        ConfigError: says why.
    """
    if "://" in address:
        raise ConfigError(
            f"The address {address!r} has a protocol; HOST:PORT of the head or 'auto' was expected. {_WHERE_TO_RUN}"
        )
    place = _found() if address == "auto" else address
    _require_listener(place, address)
    answer = _probe(place)
    if answer["state"] != "cluster":
        raise ConfigError(_refusal(answer, address))
    theirs = answer["versions"]
    for name, version in _own_versions().items():
        if not _fits(name, version, str(theirs.get(name))):
            raise ConfigError(
                f"The Ray cluster at {address} runs {name} {theirs.get(name)}, and this command {version}; they must be the "
                "same. Run it with the cluster's own installation, or start the cluster from the image of this one."
            )
    if not answer["is_node"]:
        raise ConfigError(f"This machine is not a node of the Ray cluster at {address}. {_WHERE_TO_RUN}")


def _found() -> str:
    """``HOST:PORT`` of the cluster that this machine is a node of.

    Raises:
        ConfigError: it is a node of none, or of several.
    """
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
    from ray._private.services import canonicalize_bootstrap_address_or_die

    # What ray.init(address="auto") does, too: a token that lies in its usual place is used.
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    try:
        place: str = canonicalize_bootstrap_address_or_die("auto")
    except ConnectionError as error:
        several = "multiple" in str(error)
        raise ConfigError(
            "Several Ray clusters run on this machine; give the address of the one that is meant, HOST:PORT."
            if several
            else f"No Ray cluster runs on this machine, which the address 'auto' asks for. Start one with `ray start`, or "
            f"give the address of its head, HOST:PORT. {_WHERE_TO_RUN}"
        ) from error
    return place


def _require_listener(place: str, address: str) -> None:
    """Refuse an address where nobody listens.

    Raises:
        ConfigError: says what was found.
    """
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ConfigError(f"The address {address!r} is not one of a Ray cluster; HOST:PORT or 'auto' was expected.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PORT_LIMIT_S).close()
    except (OSError, UnicodeError) as error:  # the latter of names that are too long
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConfigError(
            f"No Ray cluster answers at {place} ({reason or error}). Give the address of a running cluster's head, "
            "HOST:PORT as `ray start --head` printed it (the port is 6379 if nothing else was asked for); without an "
            "--address, a local Ray is started."
        ) from error


def _probe(place: str) -> dict[str, Any]:
    """What a process of its own found at an address that something listens at."""
    limits = {"RAY_py_gcs_connect_timeout_s": "3", "RAY_gcs_rpc_server_connect_timeout_s": "3"}
    script = Path(__file__).with_name("probe.py")
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(script), place],
            env={**os.environ, **limits, "RAY_BACKEND_LOG_LEVEL": "fatal"},
            capture_output=True,
            text=True,
            timeout=_PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"state": "silent"}
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return {"state": "failed", "reason": last}
    return answer


def _refusal(answer: dict[str, Any], address: str) -> str:
    """Why a probe's answer is not that of a cluster that can be used."""
    if answer["state"] == "no-token":
        return f"RAY_AUTH_MODE is token, but no token for the Ray cluster at {address} is to be found. {_TOKEN_HOWTO}"
    if answer["state"] == "token":
        wrong = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
        what = "refuses this token" if wrong else "asks for a token, and none was sent"
        return f"The Ray cluster at {address} {what}. {_TOKEN_HOWTO}"
    if answer["state"] == "failed":
        return f"The Ray cluster at {address} could not be asked: {answer['reason']}. See what rllib-citylearn doctor says."
    return (
        f"Something listens at {address}, but it does not answer as a Ray cluster does. Give HOST:PORT of the head as "
        "`ray start --head` printed it; the dashboard's port (8265) and Ray Client's (10001) are others."
    )


def _fits(name: str, ours: str, theirs: str) -> bool:
    """Whether Ray lets a driver of our version into a cluster of theirs."""
    if name == "Python" and os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL") == "minor":
        return ours.split(".")[:2] == theirs.split(".")[:2]
    return ours == theirs


def _own_versions() -> dict[str, str]:
    import ray

    return {"Ray": ray.__version__, "Python": platform.python_version()}
