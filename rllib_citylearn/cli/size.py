"""``rllib-citylearn size``: how many replicas, pods and nodes some load takes on Kubernetes."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rllib_citylearn.cli.json_output import write_result
from rllib_citylearn.errors import ConfigError


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "size",
        help="say how many replicas, pods and nodes some load takes on Kubernetes",
        description=(
            "Say how many replicas Serve asks for under a steady load, how many worker pods KubeRay runs for them, how many "
            "nodes those fill, and what bound is in the way: kubectl kustomize k8s/overlays/production | rllib-citylearn "
            "size 500 --manifest -"
        ),
    )
    parser.add_argument("rate", type=float, metavar="REQUESTS_PER_S", help="requests a second, of all clients together")
    parser.add_argument(
        "--manifest", required=True, metavar="FILE|-", help="rendered manifests with the RayService; - reads standard input"
    )
    parser.add_argument(
        "--request-ms",
        type=float,
        default=1.0,
        metavar="MS",
        help="how long a request keeps a replica busy (default: %(default)s, 17 buildings; see docs/deploy.md)",
    )
    parser.add_argument(
        "--node-cores", type=float, default=8.0, metavar="N", help="cores of a node for pods (default: %(default)g)"
    )
    parser.add_argument("--json", metavar="FILE|-", help="write the result as JSON; - prints it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan; returns the exit status: 1 if some bound is in the way of the load."""
    from serve.sizing import bounds_of, plan

    given = {"REQUESTS_PER_S": args.rate, "--request-ms": args.request_ms, "--node-cores": args.node_cores}
    for option, value in given.items():
        if not 0 < value < float("inf"):
            raise ConfigError(f"{option} is {value:g}; give a number above 0.")
    bounds = bounds_of(_ray_service(args.manifest))
    busy = args.rate * args.request_ms / 1000
    found = plan(busy, bounds, args.node_cores)
    print(f"replicas {found.replicas} (of {bounds.min_replicas} to {bounds.max_replicas}; the load asks for {found.wanted})")
    print(f"CPUs     {found.cpus:g} asked of Ray, {bounds.pod_cpus:g} in a pod")
    cores = found.pods * bounds.pod_cores
    print(f"pods     {found.pods} (of {bounds.min_pods} to {bounds.max_pods}), requesting {cores:g} cores")
    print(f"nodes    {found.nodes} of {args.node_cores:g} cores; the head and what else runs there come on top")
    if found.bound:
        print(f"Too little: {found.bound}")
    write_result(args.json, {"requests_per_s": args.rate, "busy": busy, "bounds": asdict(bounds), "plan": asdict(found)})
    return 1 if found.bound else 0


def _ray_service(source: str) -> Any:
    """The RayService among the manifests of a file."""
    import yaml

    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        documents = list(yaml.safe_load_all(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{source} can't be read ({error}); give manifests as `kubectl kustomize` prints them.") from error
    found = [document for document in documents if isinstance(document, dict) and document.get("kind") == "RayService"]
    if len(found) != 1:
        raise ConfigError(f"{source} has {len(found)} manifests of a RayService; give one.")
    return found[0]
