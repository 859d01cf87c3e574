"""A local Ray Serve for one policy: started, announced, and ended by SIGINT or SIGTERM without anything left behind."""

from __future__ import annotations

import errno
import http.client
import logging
import signal
import socket
import time
from pathlib import Path
from types import FrameType

from rllib_citylearn.errors import ConfigError, UserError
from rllib_citylearn.export.bundle import read_bundle

READY_TIMEOUT_S = 60.0


class _StopError(BaseException):
    """A signal asked the server to stop. Not an ``Exception``, so that no library takes it for a failure of its own."""


def serve_locally(bundle: Path, host: str, port: int) -> None:
    """Serve a bundle from this machine until a signal arrives.

    Ray's default proxy is used: its HAProxy ingress answers more requests, but listens on all interfaces whatever host
    is asked for, which a local server must not do without being told.

    Args:
        bundle: folder of the policy bundle.
        host: address to listen at.
        port: TCP port to listen at.

    Raises:
        BundleError: the bundle is damaged.
        ConfigError: the address can't be listened at.
        UserError: the server did not start in time.
    """
    name = read_bundle(bundle).manifest.name
    _require_free(host, port)
    try:
        _handle_signals()
        print(f"Starting Ray Serve for the policy {name!r} ...", flush=True)
        _start(bundle.resolve(), host, port)
        _wait_until_ready(host, port)
        _announce(name, host, port)
        while True:
            signal.pause()
    except _StopError:
        print("Stopping ...", flush=True)
    finally:
        _stop()


def _handle_signals() -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second one would interrupt the clean-up
        raise _StopError

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _start(bundle: Path, host: str, port: int) -> None:
    import ray
    from ray import serve as ray_serve

    from serve.app import build_app

    ray.init(
        address="local",
        num_cpus=1,
        num_gpus=0,
        include_dashboard=False,
        object_store_memory=100 * 1024**2,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    _handle_signals()  # ray.init replaced the one for SIGTERM
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    ray_serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port})
    ray_serve.run(build_app({"bundle": str(bundle)}), name="policy", route_prefix="/")


def _stop() -> None:
    import ray
    from ray import serve as ray_serve

    if ray.is_initialized():
        ray_serve.shutdown()
        ray.shutdown()


def _require_free(host: str, port: int) -> None:
    """Say that the port is taken before anything is started; Serve would only say so in a proxy's log."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            message = f"Port {port} of {host} is in use; end what uses it, or choose another with --port."
        else:
            message = f"Can't listen at {host}, port {port} ({error}); give other values for --host or --port."
        raise ConfigError(message) from error


def _wait_until_ready(host: str, port: int) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(_reachable(host), port, timeout=5)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet: the deadline ends this
        finally:
            connection.close()
        time.sleep(0.1)
    raise UserError(
        f"The server was not ready after {READY_TIMEOUT_S:g} s. Ray's logs say why: see session_latest/logs/serve in Ray's "
        "temporary folder."
    )


def _announce(name: str, host: str, port: int) -> None:
    address = _reachable(host)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
    print(
        f"Serving {name!r} at {url}\n\n"
        "Try it with observations in the middle of their ranges:\n"
        f"  curl -s {url}/example | curl -s -H 'content-type: application/json' -d @- {url}/predict\n\n"
        f"Also: {url}/ready {url}/health {url}/metrics. Stop with Ctrl-C.",
        flush=True,
    )


def _reachable(host: str) -> str:
    """The address at which this machine reaches a server that listens at ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
