"""The RayService of k8s/ on this machine: a real Ray cluster that Ray's own autoscaler sizes, asked by real clients."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from tests.cluster.inside import fetch, inside, listening
from tests.cluster.kubernetes import PORT, SECRETS, KubernetesApi, certificate, served
from tests.cluster.network import REPOSITORY, Cluster, running_cluster
from tests.cluster.operator import Operator, node_environment, start_container
from tests.cluster.service import Service
from tests.k8s.documents import K8S, Document, named, render

LIMIT_S = 180.0
"""Longest that a test waits for one step; on a machine with nothing else to do most take a few seconds."""

_BIN = Path(sys.executable).parent
_IMAGE = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_HAPROXY_NBTHREAD": "1",
    "RAY_SERVE_REQUEST_PATH_LOG_BUFFER_SIZE": "1",
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
    "RAY_SERVE_HAPROXY_BINARY_PATH": str(_BIN / "rllib-citylearn-haproxy"),
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
}
"""What the image of the pods sets."""

_SOONER = {
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "5",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "3",
    "RAY_SERVE_SLOW_STARTUP_WARNING_S": "10",
}
"""Replicas and proxies that leave wait so long for requests on their way, and Serve says so soon that a replica waits for
room; all of it takes half a minute otherwise."""


def ray_service() -> Document:
    """The RayService of k8s/base/serving, smaller and quicker where this machine makes it so.

    Five replicas at most in place of eight, since two cores have to start them, and three pods for them. Replicas are to be
    busy for a fifth of the time, so that load on all five leaves cores for what starts. Delays and times of idleness are
    seconds in place of minutes. Sizes of pods and replicas, their least number and everything else are as they are.
    """
    service = named(render(K8S / "base" / "serving"), "RayService", "policy")
    spec = service["spec"]["rayClusterConfig"]
    spec["autoscalerOptions"]["idleTimeoutSeconds"] = 10
    (group,) = spec["workerGroupSpecs"]
    group |= {"maxReplicas": 3, "idleTimeoutSeconds": 10}
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    (deployment,) = config["applications"][0]["deployments"]
    scaling = deployment["autoscaling_config"]
    scaling |= {"max_replicas": 5, "upscale_delay_s": 3, "downscale_delay_s": 10, "look_back_period_s": 5}
    scaling["policy"]["policy_kwargs"]["target"] = 0.2
    deployment["graceful_shutdown_timeout_s"] = 10
    service["spec"]["serveConfigV2"] = yaml.safe_dump(config)
    return service


def ray_cluster(service: Document) -> Document:
    """The RayCluster that KubeRay makes of it; its Go types write empty ``scaleStrategy``."""
    spec = service["spec"]["rayClusterConfig"]
    for group in spec["workerGroupSpecs"]:
        group.setdefault("scaleStrategy", {})
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": f"{service['metadata']['name']}-abcde", "namespace": "rllib-citylearn"},
        "spec": spec,
    }


@dataclass
class Watch:
    """States of the cluster, as ``tests.cluster.watching`` prints them, and what else may go wrong meanwhile."""

    output: Path
    checks: list[Callable[[], None]] = field(default_factory=list)

    def states(self, since: float = 0.0) -> list[Document]:
        """All states at that time (seconds since 1970) and later."""
        lines = self.output.read_text().splitlines() if self.output.exists() else []
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [state for state in found if state["at"] >= since]

    def wait(self, what: str, condition: Callable[[Document], bool], since: float, limit_s: float = LIMIT_S) -> Document:
        """The first state since a time that meets a condition."""
        deadline = time.monotonic() + limit_s
        while True:
            states = self.states(since)
            for state in states:
                if condition(state):
                    return state
            for check in self.checks:
                check()
            last = json.dumps(states[-1:] or self.output.read_text()[-2000:])
            assert time.monotonic() < deadline, f"{what}: not within {limit_s:g} s; the last state is {last}"
            time.sleep(0.2)


@dataclass
class Asking:
    """A process of ``tests.cluster.asking``."""

    process: subprocess.Popen[str]

    def began(self) -> float:
        """When its first request went out, in seconds since 1970; it prints that."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("{"), line + self.process.stdout.read()
        return float(json.loads(line)["began"])

    def end(self) -> Document:
        """End it; what became of its requests."""
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, output
        found: Document = json.loads(output.splitlines()[-1])
        return found

    def check(self) -> None:
        """It still asks."""
        assert self.process.poll() is None, self.process.communicate()[0]


@dataclass
class Scaled:
    """All of it, running."""

    cluster: Cluster
    api: KubernetesApi
    operator: Operator
    service: Service
    watch: Watch
    config: Document
    token: str
    pool: ThreadPoolExecutor

    def deploy(self, config: Document) -> None:
        """Put a Serve config where KubeRay puts it, and again if it is refused, as KubeRay does.

        Serve replaces a proxy that takes too long to start, and refuses what is put meanwhile.
        """
        url = f"{self.cluster.jobs_address}/api/serve/applications/"
        put = partial(fetch, url, token=self.cluster.token, body=json.dumps(config).encode(), method="PUT", timeout_s=60.0)
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                self.pool.submit(put).result()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(2.0)

    def ask(self, how: str, *more: str) -> Asking:
        """Clients of the service, outside the cluster."""
        command = [sys.executable, "-m", "tests.cluster.asking", how, self.service.address, str(self.service.port)]
        process = self.cluster.spare.popen([*command, self.token, *more], stdin=subprocess.PIPE)
        return Asking(process)

    def answered(self) -> int:
        """How many replicas have answered for a policy, by their own metrics."""
        first, last = (int(_variables(self.api)[f"RAY_SERVE_DIRECT_INGRESS_{end}_HTTP_PORT"]) for end in ("MIN", "MAX"))
        ports = range(first, last + 1)
        pods = [pod.node.address for pod in self.operator.present]
        pages = self.pool.map(_page, [f"http://{pod}:{port}/metrics" for pod in pods for port in ports])
        return sum(_answers(page) > 0 for page in pages)

    def status(self) -> str:
        """What `ray status` prints."""
        process = self.cluster.run([str(_BIN / "ray"), "status", "--address", self.cluster.address])
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output

    def said(self) -> str:
        """What Ray's autoscaler wrote down as events."""
        logs = self.cluster.head.folder / "r" / "session_latest" / "logs"
        return "".join(file.read_text() for file in sorted((logs / "events").glob("event_AUTOSCALER*.log")))


def _page(url: str) -> str:
    try:
        return fetch(url, timeout_s=2.0).decode()
    except OSError:
        return ""  # nobody listens there


def _answers(page: str) -> float:
    return sum(map(float, re.findall(r"^citylearn_policy_answers_total\{.*\} (\S+)$", page, flags=re.M)))


@contextmanager
def running() -> Iterator[Scaled]:
    """The service with one replica, gone without a trace when the block ends."""
    manifest = ray_service()
    config = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    api = KubernetesApi(ray_cluster(manifest))
    with ExitStack() as held:
        cluster = held.enter_context(running_cluster(api.group["maxReplicas"], started=False))
        for node in cluster.nodes:
            node.env |= _IMAGE | _SOONER | _variables(api)
        (deployment,) = config["applications"][0]["deployments"]
        tokens = cluster.folder / "tokens"
        tokens.write_text(f"test {cluster.token}\n")
        deployment["user_config"] |= {
            "communities": {
                "default": {"versions": {"full": str(REPOSITORY / "bundles" / "full" / "bundle")}, "serving": "full"}
            },
            "tokens": str(tokens),
        }
        pool = held.enter_context(inside(cluster.spare.namespace, 8))
        service = Service(
            cluster.spare.namespace, f"{cluster.head.address.rpartition('.')[0]}.250", config["http_options"]["port"]
        )
        service.use([])
        _start_head(cluster, api)
        _start_autoscaler(cluster, api, pool, held)
        operator = held.enter_context(Operator(api, cluster.workers, service, pool).running())
        watch = Watch(cluster.folder / "states", [operator.check])
        command = [sys.executable, "-m", "tests.cluster.watching", cluster.address, cluster.jobs_address]
        _keep(held, cluster, watch.output.name, command)
        scaled = Scaled(cluster, api, operator, service, watch, config, cluster.token, pool)
        watch.wait("a worker", lambda state: len(state["nodes"]) == 2, 0.0)
        scaled.deploy(config)
        yield scaled


def _variables(api: KubernetesApi) -> dict[str, str]:
    """What the manifest sets for Ray's containers. Nodes have homes of their own: they share this machine's ``/tmp``."""
    env = api.group["template"]["spec"]["containers"][0]["env"]
    return {one["name"]: one["value"] for one in env if one["name"] != "HOME"}


def _start_head(cluster: Cluster, api: KubernetesApi) -> None:
    """KubeRay leaves scaling to the other container of the head's pod."""
    group = api.cluster["spec"]["headGroupSpec"]
    name = f"{api.name}-head"
    env = node_environment(cluster.head, name, "headgroup", api) | {"RAY_enable_autoscaler_v2": "1"}
    start_container(cluster.head, group, env, "--no-monitor")
    api.put_pod(name, "headgroup", cluster.head.address)


def _start_autoscaler(cluster: Cluster, api: KubernetesApi, pool: ThreadPoolExecutor, held: ExitStack) -> None:
    """Ray's own, as KubeRay starts it beside the head, with a service account of ours where it looks for one."""
    address = cluster.spare.address
    pair = certificate(cluster.folder, address)
    held.enter_context(served(api, listening(pool, address, PORT), pair))
    token = cluster.folder / "account"
    token.write_text(api.token)
    # Seen by this process alone: `ip netns exec` gives each a tree of mounts of its own.
    mount = f"mount -t tmpfs none /run && mkdir -p {SECRETS} && cp {token} {SECRETS}/token && cp {pair[0]} {SECRETS}/ca.crt"
    ray = [str(_BIN / "ray"), "kuberay-autoscaler", "--cluster-name", api.name, "--cluster-namespace", api.namespace]
    env = {
        "KUBERNETES_SERVICE_HOST": address,
        "KUBERNETES_SERVICE_PORT_HTTPS": str(PORT),
        "KUBERAY_CRD_VER": "v1",
        "RAY_HEAD_POD_NAME": f"{api.name}-head",
    }
    command = ["sh", "-c", f'{mount} && exec "$@"', "sh", *ray, "--gcs-address", cluster.address]
    _keep(held, cluster, "autoscaler.log", command, env)


def _keep(
    held: ExitStack, cluster: Cluster, output: str, command: Sequence[str], env: Mapping[str, str] | None = None
) -> None:
    """Run a command on the head until the block ends."""
    with (cluster.folder / output).open("w") as file:
        process = cluster.head.popen(command, env, stdout=file)
    held.callback(process.wait)
    held.callback(process.kill)
