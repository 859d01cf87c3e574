"""A real Ray cluster on one machine: every node in a network namespace of its own, joined by a bridge in another one.

Nothing of it is seen from outside: no interface in the machine's own namespace, no port, no file outside one folder. The
names of the namespaces are drawn anew for every cluster, so that several test runs get along. Processes are ended by
their ids, which are those that the kernel says live in a namespace of ours.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_BIN = Path(sys.executable).parent
_GCS_PORT, _DASHBOARD_PORT = 6379, 8265
_OBJECT_STORE_BYTES = 160_000_000


def why_not() -> str | None:
    """Why no cluster can be made on this machine; None if one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip (iproute2)"
    name = f"rc{secrets.token_hex(4)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"this machine allows no network namespaces: {made.stderr.strip()}"
    _ip("netns", "delete", name)
    return None


@dataclass
class ClusterNode:
    """A node of the cluster: a network namespace with a Ray node in it.

    Attributes:
        namespace: its name.
        address: its IP address.
        folder: holds Ray's files, the home and the cache of this node.
        cpus: that Ray counts on it.
        head: the address of the cluster's Ray that it joins; None for the head itself.
        env: variables for everything that runs on this node.
    """

    namespace: str
    address: str
    folder: Path
    cpus: int
    head: str | None
    env: dict[str, str]

    @property
    def cache(self) -> Path:
        """This node's own cache folder."""
        return self.folder / "cache"

    def start(
        self,
        env: Mapping[str, str] | None = None,
        *,
        gpus: int = 0,
        options: Sequence[str] = (),
        setup: str = ":",
        timeout_s: float = 90.0,
    ) -> None:
        """Start Ray on this node.

        Args:
            env: variables over the node's own.
            gpus: that Ray counts on it.
            options: more of `ray start`.
            setup: shell commands to run first; what they mount is seen by this node alone.
            timeout_s: time limit.
        """
        command = [str(_BIN / "ray"), "start", f"--node-ip-address={self.address}", f"--num-cpus={self.cpus}"]
        command += [f"--num-gpus={gpus}", f"--object-store-memory={_OBJECT_STORE_BYTES}", "--disable-usage-stats"]
        if self.head is None:
            command += ["--head", f"--port={_GCS_PORT}", f"--dashboard-host={self.address}"]
            command += [f"--dashboard-port={_DASHBOARD_PORT}"]
        else:
            command += [f"--address={self.head}"]
        # A socket's path has room for 107 characters, of which Ray's own part takes about 70.
        command += [f"--temp-dir={self.folder / 'r'}", *options]
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "start.log").open("w+") as log:
            # Not captured by a pipe: Ray's processes keep it open, and nobody would ever see its end.
            try:
                shell = ["sh", "-c", f'{setup} && exec "$@"', "sh"]
                done = self.popen([*shell, *command], env, stdout=log, stderr=log).wait(timeout_s)
            except subprocess.TimeoutExpired:
                done = -1
            log.seek(0)
            assert done == 0, f"Ray did not start on {self.address} ({done}): {log.read()}"

    def popen(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        cwd: Path | None = None,
        stdout: object = subprocess.PIPE,
        stderr: object = subprocess.STDOUT,
        stdin: object = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        """Start a command on this node, in an empty folder: Ray puts a driver's folder on every worker's path."""
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            ["ip", "netns", "exec", self.namespace, *command],
            env={**self.env, **(env or {})},
            cwd=cwd or empty,
            stdout=stdout,
            stderr=stderr,
            stdin=stdin,
            text=True,
        )

    def pids(self) -> list[int]:
        """The ids of all processes on this node."""
        return _pids(self.namespace)

    def kill(self) -> None:
        """End everything on this node at once, as a power cut does."""
        _end_all(self.namespace)


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: everything it writes lies in here.
        token: that every request to it needs.
        head: the node where commands are run.
        workers: the other nodes.
        spare: a node where no Ray runs, which may join.
    """

    folder: Path
    token: str
    head: ClusterNode
    workers: list[ClusterNode]
    spare: ClusterNode

    @property
    def nodes(self) -> list[ClusterNode]:
        """All nodes that are meant to run, the head first."""
        return [self.head, *self.workers]

    @property
    def address(self) -> str:
        """Of the cluster's Ray, as ``--address`` takes it."""
        return f"{self.head.address}:{_GCS_PORT}"

    @property
    def jobs_address(self) -> str:
        """Of the server that takes jobs."""
        return f"http://{self.head.address}:{_DASHBOARD_PORT}"

    def run(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        cwd: Path | None = None,
        interactive: bool = False,
    ) -> subprocess.Popen[str]:
        """Start a command on the head node; its output and errors come in one pipe, ``interactive`` reads another."""
        return self.head.popen(command, env, cwd=cwd, stdin=subprocess.PIPE if interactive else subprocess.DEVNULL)

    def python(
        self,
        code: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        timeout_s: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a script on the head node to its end; what it prints and its errors are apart.

        Args:
            code: of the script.
            arguments: of the script.
            env: variables over the node's own.
            prefix: a command that runs another one, with its options.
            timeout_s: time limit.
        """
        script = self.folder / "scripts" / f"{secrets.token_hex(4)}.py"
        script.parent.mkdir(exist_ok=True)
        script.write_text(code)
        command = [*prefix, sys.executable, str(script), *arguments]
        process = self.head.popen(command, env, stderr=subprocess.PIPE)
        try:
            output, errors = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def submit(
        self, command: Sequence[str], *, working_dir: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """``ray job submit``: the command is run by the cluster, and its output comes in the pipe.

        Args:
            command: with its arguments.
            working_dir: a folder that is sent along; the command and all of its workers run in a copy of it.
            env: variables of the submitting command alone.
        """
        options = [] if working_dir is None else ["--working-dir", str(working_dir)]
        submit = [str(_BIN / "ray"), "job", "submit", *options, "--", *command]
        return self.head.popen(submit, {"RAY_ADDRESS": self.jobs_address, **(env or {})})

    @contextmanager
    def joined(self, env: Mapping[str, str] | None = None, *, gpus: int = 0, setup: str = ":") -> Iterator[ClusterNode]:
        """One more node, with variables, GPUs and file systems of its own, until the block ends."""
        try:
            self.spare.start(env, gpus=gpus, setup=setup)
            yield self.spare
        finally:
            self.spare.kill()
            self.wait_for_nodes(len(self.nodes))

    def wait_for_nodes(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until the cluster counts so many living nodes."""
        code = (
            "import sys, time, ray\n"
            "ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR')\n"
            "deadline = time.monotonic() + float(sys.argv[3])\n"
            "while (alive := sum(node['Alive'] for node in ray.nodes())) != int(sys.argv[2]):\n"
            "    assert time.monotonic() < deadline, f'{alive} nodes'\n"
            "    time.sleep(0.2)\n"
        )
        done = self.python(code, self.address, str(count), str(timeout_s), timeout_s=timeout_s + 60)
        assert done.returncode == 0, f"no {count} nodes within {timeout_s:g} s: {done.stderr}"


@contextmanager
def running_cluster(
    workers: int = 2, *, cpus: int = 1, env: Mapping[str, str] | None = None, started: bool = True
) -> Iterator[Cluster]:
    """A cluster of a head and so many workers, gone without a trace when the block ends.

    Args:
        workers: nodes beside the head.
        cpus: that Ray counts on each node.
        env: more variables for all nodes.
        started: whether Ray is started on all of them.
    """
    run = f"rc{secrets.token_hex(3)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{run}."))
    token, subnet = secrets.token_hex(32), f"10.{secrets.randbelow(100) + 100}.{secrets.randbelow(250)}"
    switch, namespaces = f"{run}-switch", [f"{run}-{number}" for number in range(workers + 2)]
    nodes = []
    # Clears up when its input ends: at the end of the block, and also when this process is killed.
    clearing = subprocess.Popen(
        [sys.executable, __file__, str(folder), *namespaces, switch], stdin=subprocess.PIPE, start_new_session=True
    )
    assert clearing.stdin is not None
    try:
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for number, namespace in enumerate(namespaces):
            address = f"{subnet}.{number + 1}"
            _add_node(switch, namespace, f"port{number}", address)
            own = folder / str(number)
            head = f"{subnet}.1:{_GCS_PORT}" if number else None
            nodes.append(ClusterNode(namespace, address, own, cpus, head, _environment(own, token, env or {})))
            own.mkdir()
        cluster = Cluster(folder, token, nodes[0], nodes[1:-1], nodes[-1])
        if started:
            for node in cluster.nodes:
                node.start()
            cluster.wait_for_nodes(workers + 1)
        yield cluster
    finally:
        clearing.stdin.close()
        assert clearing.wait(timeout=60) == 0


def _add_node(switch: str, namespace: str, port: str, address: str) -> None:
    """A namespace with an address, joined to the bridge in the namespace ``switch``."""
    _ip("netns", "add", namespace)
    _ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", port, "netns", switch)
    _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
    _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
    _ip("-n", namespace, "link", "set", "eth0", "up")
    _ip("-n", namespace, "link", "set", "lo", "up")


def _environment(folder: Path, token: str, more: Mapping[str, str]) -> dict[str, str]:
    """What everything on a node runs with: little of the machine's own, so that tests mean the same everywhere."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **kept,
        **threads,
        "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder / "home"),
        "RLLIB_CITYLEARN_CACHE": str(folder / "cache"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        **more,
    }


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def _pids(namespace: str) -> list[int]:
    """The ids of all processes in a namespace; none if there is no such namespace."""
    found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _end_all(namespace: str, timeout_s: float = 20.0) -> None:
    """End all processes in a namespace."""
    deadline = time.monotonic() + timeout_s
    while pids := _pids(namespace):
        assert time.monotonic() < deadline, f"the processes {pids} of {namespace} can't be ended"
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _clear_up(folder: Path, namespaces: Sequence[str]) -> None:
    """Remove everything that a cluster was made of."""
    for namespace in namespaces:
        _end_all(namespace)
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    _clear_up(Path(sys.argv[1]), sys.argv[2:])
