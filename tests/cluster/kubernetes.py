"""As much of the Kubernetes API as Ray's autoscaler asks: a RayCluster and its pods, over HTTPS, for an account's token.

Everything else is 404, another token 401, and a patch that could not be applied 422.
"""

from __future__ import annotations

import copy
import json
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

PORT = 6443
SECRETS = "/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds the token and the certificate."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Patch:
    """What one request changed in a worker group.

    Attributes:
        at: seconds since 1970.
        replicas: that are asked for from now on.
        delete: workers that are named to go.
    """

    at: float
    replicas: int
    delete: tuple[str, ...]


@dataclass
class KubernetesApi:
    """The objects, and who may ask for them.

    Attributes:
        cluster: the RayCluster, as it is now; with one worker group.
        token: of the service account.
        pods: by name.
        patches: all that came.
        looks: how often the pods were listed, which every decision begins with.
    """

    cluster: Object
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    pods: dict[str, Object] = field(default_factory=dict)
    patches: list[Patch] = field(default_factory=list)
    looks: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _version: int = 1

    @property
    def name(self) -> str:
        """Of the cluster."""
        return str(self.cluster["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Of everything."""
        return str(self.cluster["metadata"]["namespace"])

    @property
    def group(self) -> Object:
        """The worker group, as it is now."""
        with self.lock:
            return copy.deepcopy(self._group())

    def _group(self) -> Object:
        (group,) = self.cluster["spec"]["workerGroupSpecs"]
        return cast(Object, group)

    def set_max_replicas(self, most: int) -> None:
        """Bound the worker group, as who patches the RayCluster does."""
        with self.lock:
            self._group()["maxReplicas"] = most

    def put_pod(self, name: str, group: str, address: str) -> None:
        """A pod whose container runs."""
        labels = {
            "ray.io/cluster": self.name,
            "ray.io/node-type": "head" if group == "headgroup" else "worker",
            "ray.io/group": group,
        }
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        status = {"podIP": address, "phase": "Running", "containerStatuses": [{"name": "ray", "state": {"running": {}}}]}
        with self.lock:
            self.pods[name] = {"metadata": metadata, "spec": {"containers": [{"name": "ray"}]}, "status": status}
            self._version += 1

    def mark_deleted(self, name: str) -> None:
        """The pod is going."""
        with self.lock:
            self.pods[name]["metadata"]["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._version += 1

    def remove_pod(self, name: str) -> None:
        """It has gone."""
        with self.lock:
            del self.pods[name]
            self._version += 1

    def answer(self, path: str) -> Object | None:
        """The object, or the list of them, at a path; None if there is none."""
        parts = urlsplit(path)
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        with self.lock:
            if parts.path == self._cluster_path:
                return self._versioned(self.cluster)
            if parts.path == pods:
                query = parse_qs(parts.query)
                if query.pop("labelSelector", None) != [f"ray.io/cluster={self.name}"]:
                    return None
                self.looks += 1
                items = [copy.deepcopy(pod) for pod in self.pods.values()]
                return {"kind": "PodList", "metadata": {"resourceVersion": str(self._version)}, "items": items}
            if parts.path.startswith(f"{pods}/"):
                pod = self.pods.get(parts.path.rpartition("/")[2])
                return None if pod is None else self._versioned(pod)
        return None

    @property
    def _cluster_path(self) -> str:
        return f"/apis/ray.io/v1/namespaces/{self.namespace}/rayclusters/{self.name}"

    def _versioned(self, found: Object) -> Object:
        copied = copy.deepcopy(found)
        copied["metadata"]["resourceVersion"] = str(self._version)
        return copied

    def patch(self, path: str, operations: Any) -> Object | None:
        """Apply a JSON patch of replacements to the RayCluster, all of it or nothing.

        Returns:
            The cluster afterwards; None if there is nothing at that path.

        Raises:
            ValueError: it can't be applied.
        """
        if urlsplit(path).path != self._cluster_path:
            return None
        with self.lock:
            changed = copy.deepcopy(self.cluster)
            for operation in operations:
                if operation["op"] != "replace":
                    raise ValueError(f"{operation['op']!r} is not expected")
                _replace(changed, operation["path"], operation["value"])
            self.cluster = changed
            self._version += 1
            group = self._group()
            delete = tuple(group["scaleStrategy"].get("workersToDelete", []))
            self.patches.append(Patch(time.time(), group["replicas"], delete))
            return self._versioned(self.cluster)


def _replace(document: Object, path: str, value: Any) -> None:
    """As RFC 6902 has it: what isn't there can't be replaced."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path.removeprefix("/").split("/")]
    at: Any = document
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at.get(part, {})
    if isinstance(at, list) or last not in at:
        raise ValueError(f"replace operation does not apply: {path} is missing")
    at[last] = value


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A certificate for an address, and its key; it vouches for itself."""
    paths = folder / "ca.crt", folder / "ca.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=kubernetes"]
    command += ["-addext", f"subjectAltName=IP:{address}", "-out", str(paths[0]), "-keyout", str(paths[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return paths


@contextmanager
def served(api: KubernetesApi, listener: socket.socket, pair: tuple[Path, Path]) -> Iterator[None]:
    """Answer on a listening socket until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self._allowed():
                self._send(api.answer(self.path))

        def do_PATCH(self) -> None:
            operations = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self._allowed():
                return
            if self.headers["content-type"] != "application/json-patch+json":
                self._send({"message": "only JSON patches are expected"}, 415)
                return
            try:
                self._send(api.patch(self.path, operations))
            except ValueError as error:
                self._send({"message": str(error)}, 422)

        def _allowed(self) -> bool:
            if self.headers["authorization"] == f"Bearer {api.token}":
                return True
            self._send({"message": "Unauthorized"}, 401)
            return False

        def _send(self, content: Object | None, status: int = 200) -> None:
            body = json.dumps(content if content is not None else {"message": "not found"}).encode()
            self.send_response(404 if content is None else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Requests stand in ``api.patches``, as far as they change something."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def __init__(self) -> None:
            super().__init__(("", 0), Handler, bind_and_activate=False)
            self.socket.close()
            self.socket = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)

    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10.0)
        server.server_close()
