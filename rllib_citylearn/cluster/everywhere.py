"""The nodes of the cluster that this process is connected to, and small tasks on each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Node:
    """A living node of the cluster.

    Attributes:
        id: Ray's, in hexadecimal.
        address: its IP address.
        cpus: that Ray counts on it, used or not.
        gpus: likewise.
        memory_bytes: that Ray gives to tasks and actors.
    """

    id: str
    address: str
    cpus: float
    gpus: float
    memory_bytes: float


def live_nodes() -> list[Node]:
    """The nodes that live now, by address."""
    import ray

    nodes = []
    for row in ray.nodes():
        if row["Alive"]:
            has = row["Resources"].get
            nodes.append(Node(row["NodeID"], row["NodeManagerAddress"], has("CPU", 0), has("GPU", 0), has("memory", 0)))
    return sorted(nodes, key=lambda node: (node.address, node.id))


def on_each(nodes: Sequence[Node], task: Callable[..., Any], *arguments: Any, limit_s: float) -> dict[Node, Any]:
    """Call a function once on every node, at the same time and beside whatever runs there.

    Args:
        nodes: where.
        task: the function. A nested one is sent as it is; another one has to be importable there.
        arguments: of the function.
        limit_s: how long to wait, in all.

    Returns:
        What came of it by node: what the function returned; or the exception that it raised, or what Ray says of the node;
        a ``TimeoutError`` where nothing came in time. Nodes that have left since are left out.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote = ray.remote(num_cpus=0, max_retries=0)(task)
    deadline = time.monotonic() + limit_s
    refs = {
        node: remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(*arguments)
        for node in nodes
    }
    results: dict[Node, Any] = {}
    for node, ref in refs.items():
        try:
            results[node] = ray.get(ref, timeout=max(0.0, deadline - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            ray.cancel(ref, force=True)
            results[node] = TimeoutError(f"no answer within {limit_s:g} s")
        except ray.exceptions.RayTaskError as error:
            results[node] = error.cause if isinstance(error.cause, Exception) else error
        except ray.exceptions.RayError as error:
            results[node] = error
    alive = {node.id for node in live_nodes()}
    return {node: result for node, result in results.items() if node.id in alive}
