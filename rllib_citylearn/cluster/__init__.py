"""Work on a Ray cluster: connecting to it, what its nodes must have in common, and data and storage for all of them.

    with cluster_session("auto"):
        nodes = check_nodes(print)
        check_storage("s3://bucket/runs")
        with shipped([source.folder]) as [dataset]:
            ...  # a config with this dataset means the same data on every node

Names are imported on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.cluster.connection import cluster_address, cluster_session
    from rllib_citylearn.cluster.data import shipped
    from rllib_citylearn.cluster.everywhere import Node
    from rllib_citylearn.cluster.nodes import check_nodes, gpu_nodes
    from rllib_citylearn.cluster.storage import check_storage, storage_uri

_HOME = {
    "Node": "rllib_citylearn.cluster.everywhere",
    "check_nodes": "rllib_citylearn.cluster.nodes",
    "check_storage": "rllib_citylearn.cluster.storage",
    "cluster_address": "rllib_citylearn.cluster.connection",
    "cluster_session": "rllib_citylearn.cluster.connection",
    "gpu_nodes": "rllib_citylearn.cluster.nodes",
    "shipped": "rllib_citylearn.cluster.data",
    "storage_uri": "rllib_citylearn.cluster.storage",
}

__all__ = [
    "Node",
    "check_nodes",
    "check_storage",
    "cluster_address",
    "cluster_session",
    "gpu_nodes",
    "shipped",
    "storage_uri",
]

__getattr__ = lazy_names(__name__, _HOME)
