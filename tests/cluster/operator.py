"""What KubeRay's operator and the kubelets do for a RayCluster's workers: a Ray node for every replica that is asked for.

After reconcilePods of KubeRay 1.7's raycluster_controller.go: workers that are named in ``workersToDelete`` are ended first;
then as many are started as are missing, up to ``maxReplicas``; none is ended for another reason while Ray's autoscaler
decides. A pod is a network namespace with a Ray node of the group's size. Its readiness probe is the manifest's, and the
service knows the pods that are ready and not going.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.inside import fetch
from tests.cluster.kubernetes import KubernetesApi
from tests.cluster.network import ClusterNode
from tests.cluster.service import Service

_LOOK_S = 0.25
_STARTS = 3
"""How often a pod's container is started."""

_GRACE_S = 15.0
"""After SIGTERM; then what is left of a pod is killed."""


@dataclass
class WorkerPod:
    """A worker.

    Attributes:
        name: of the pod, which is the name of its instance for the autoscaler.
        node: where it runs.
        started: when it was asked for, in seconds since 1970.
        ended: when it was gone.
        ready: whether its readiness probe succeeds.
        going: whether it was named to go.
    """

    name: str
    node: ClusterNode
    started: float
    ended: float | None = None
    ready: bool = False
    going: bool = False
    _failed: int = 0

    def probed(self, succeeded: bool, threshold: int) -> None:
        """Take note of a probe."""
        self._failed = 0 if succeeded else self._failed + 1
        self.ready = succeeded or (self.ready and self._failed < threshold)


def node_environment(node: ClusterNode, pod: str, group: str, api: KubernetesApi) -> dict[str, str]:
    """What KubeRay puts into the Ray container of a pod, and what keeps pods apart that share a machine's files."""
    haproxy = node.folder / "h"  # a socket's path has room for 97 characters, of which Ray's own part takes 57
    haproxy.mkdir(parents=True, exist_ok=True)
    return {
        "RAY_CLUSTER_NAME": api.name,
        "RAY_CLUSTER_NAMESPACE": api.namespace,
        "RAY_CLOUD_INSTANCE_ID": pod,
        "RAY_NODE_TYPE_NAME": group,
        "RAY_USAGE_STATS_KUBERAY_IN_USE": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "a.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "l.sock"),
    }


def start_container(node: ClusterNode, group: Mapping[str, Any], env: Mapping[str, str], *more: str) -> None:
    """Start Ray as a group's ``rayStartParams`` say, and again if it fails, as a container is.

    On a busy machine `ray start` gives up waiting for its own processes.

    Args:
        node: where.
        group: of the RayCluster.
        env: variables over the node's own.
        more: options of `ray start` beside those.
    """
    parameters = dict(group["rayStartParams"])
    node.cpus = int(parameters.pop("num-cpus"))
    parameters.pop("dashboard-host", None)  # the node's address
    options = [*(f"--{name}={value}" for name, value in parameters.items()), *more]
    for left in reversed(range(_STARTS)):
        try:
            node.start(env, options=options, timeout_s=150.0)
            return
        except AssertionError:
            node.kill()
            if not left:
                raise


@dataclass
class Operator:
    """The operator of one cluster.

    Attributes:
        api: where it sees what is wanted, and says what there is.
        nodes: where pods can run.
        service: that knows the pods which are ready.
        pool: threads that reach the pods.
        pods: all that there ever were, in order.
    """

    api: KubernetesApi
    nodes: Sequence[ClusterNode]
    service: Service
    pool: ThreadPoolExecutor
    pods: list[WorkerPod] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _working: Future[None] | None = None
    _changes: list[Future[None]] = field(default_factory=list)
    _probed: float = 0.0

    @property
    def present(self) -> list[WorkerPod]:
        """Pods that are there, or going."""
        return [pod for pod in self.pods if pod.ended is None]

    @contextmanager
    def running(self) -> Iterator[Operator]:
        """Do an operator's work until the block ends; what went wrong in it is raised there."""
        with ThreadPoolExecutor(len(self.nodes) + 1, "operator") as pool:
            self._working = pool.submit(self._work, pool)
            try:
                yield self
            finally:
                self._stopping.set()
                wait([self._working], 60.0)
                while not all(change.done() for change in self._changes):
                    for node in self.nodes:
                        node.kill()  # what is still starting gives up
                    time.sleep(_LOOK_S)
                self._working.result(0.0)

    def check(self) -> None:
        """It still works; what ended it is raised."""
        assert self._working is not None
        if self._working.done():
            self._working.result()

    def _work(self, pool: ThreadPoolExecutor) -> None:
        while not self._stopping.is_set():
            group = self.api.group
            named = set(group["scaleStrategy"].get("workersToDelete", []))
            for pod in self.present:
                if pod.name in named and not pod.going:
                    pod.going = True
                    self.api.mark_deleted(pod.name)
                    self._changes.append(pool.submit(self._end, pod))
            wanted = min(max(group["replicas"], group["minReplicas"]), group["maxReplicas"])
            missing = wanted - sum(not pod.going for pod in self.present)
            self._changes += [pool.submit(self._start, self._new_pod(group), group) for _ in range(missing)]
            self._probe(group)
            for change in [one for one in self._changes if one.done()]:
                self._changes.remove(change)
                change.result()
            time.sleep(_LOOK_S)

    def _new_pod(self, group: Mapping[str, Any]) -> WorkerPod:
        taken = {pod.node.namespace for pod in self.present}
        free = [node for node in self.nodes if node.namespace not in taken]
        assert free, "more pods are wanted than namespaces were prepared"
        name = group["groupName"]
        pod = WorkerPod(f"{self.api.name}-{name}-worker-{secrets.token_hex(3)}", free[0], time.time())
        self.pods.append(pod)
        self.api.put_pod(pod.name, name, pod.node.address)
        return pod

    def _start(self, pod: WorkerPod, group: Mapping[str, Any]) -> None:
        env = node_environment(pod.node, pod.name, group["groupName"], self.api)
        start_container(pod.node, group, env)

    def _end(self, pod: WorkerPod) -> None:
        """As a pod ends: all of its processes are asked to, and killed when the time of grace is over."""
        self._tell_service()
        for pid in pod.node.pids():
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + _GRACE_S
        while pod.node.pids() and time.monotonic() < deadline:
            time.sleep(0.1)
        pod.node.kill()
        pod.ended = time.time()
        self.api.remove_pod(pod.name)

    def _probe(self, group: Mapping[str, Any]) -> None:
        probe = group["template"]["spec"]["containers"][0]["readinessProbe"]
        if time.monotonic() < self._probed + probe["periodSeconds"]:
            return
        self._probed = time.monotonic()
        asked = [(pod, self.pool.submit(self._succeeds, pod, probe)) for pod in self.present if not pod.going]
        for pod, answer in asked:
            pod.probed(answer.result(), probe["failureThreshold"])
        self._tell_service()

    @staticmethod
    def _succeeds(pod: WorkerPod, probe: Mapping[str, Any]) -> bool:
        where = probe["httpGet"]
        try:
            url = f"http://{pod.node.address}:{where['port']}{where['path']}"
            fetch(url, timeout_s=probe["timeoutSeconds"])
        except OSError:
            return False
        return True

    def _tell_service(self) -> None:
        self.service.use(sorted(pod.node.address for pod in self.present if pod.ready and not pod.going))
