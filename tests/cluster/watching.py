"""Prints, twice a second and a JSON object a line, what Serve wants and has, and what Ray's autoscaler knows.

    python -m tests.cluster.watching GCS_ADDRESS DASHBOARD_URL

Runs on a node of the cluster, with its token in the environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from ray._raylet import GcsClient
from ray.core.generated.autoscaler_pb2 import GetClusterStatusReply, NodeStatus

from tests.cluster.inside import fetch


def autoscaling(gcs: GcsClient) -> dict[str, Any]:
    """Resources that wait for room, those that no group has room for, and the nodes."""
    reply = GetClusterStatusReply()
    reply.ParseFromString(gcs.get_cluster_status(timeout_s=30))
    state = reply.cluster_resource_state
    return {
        "pending": [[dict(one.request.resources_bundle), one.count] for one in state.pending_resource_requests],
        "infeasible": [[dict(one.resources_bundle), 1] for one in reply.autoscaling_state.infeasible_resource_requests],
        "nodes": {
            node.instance_id: {
                "status": NodeStatus.Name(node.status),
                "cpus": node.total_resources.get("CPU", 0.0),
                "idle_s": node.idle_duration_ms / 1000,
            }
            for node in state.node_states
        },
    }


def serving(url: str, token: str) -> dict[str, Any]:
    """Every deployment with its target, its replicas by state, and what it says of itself."""
    found = {}
    for application in json.loads(fetch(f"{url}/api/serve/applications/", token=token, timeout_s=30.0))[
        "applications"
    ].values():
        for name, deployment in application["deployments"].items():
            states = [replica["state"] for replica in deployment["replicas"]]
            found[f"{application['name']}/{name}"] = {
                "target": deployment["target_num_replicas"],
                "states": {state: states.count(state) for state in set(states)},
                "nodes": [replica["node_ip"] for replica in deployment["replicas"] if replica["state"] == "RUNNING"],
                "message": deployment["message"],
            }
    return found


def main() -> None:
    """Until it is ended."""
    address, url = sys.argv[1:]
    gcs, token = GcsClient(address), os.environ["RAY_AUTH_TOKEN"]
    while True:
        print(json.dumps({"at": time.time(), **autoscaling(gcs), "serve": serving(url, token)}), flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
