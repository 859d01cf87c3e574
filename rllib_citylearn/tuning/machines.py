"""Where trials run: this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rllib_citylearn.algorithm.session import local_session


@dataclass(frozen=True)
class Machines:
    """What trials need of the machines they run on.

    Attributes:
        folders: the data sets, as every process of the run knows them.
        gpus: how many there are on a cluster; 0 on this machine alone, where presets say what they use.
    """

    folders: tuple[str, ...]
    gpus: float = 0.0


@contextmanager
def machines(
    address: str | None, folders: Sequence[Path], storage: str, cpus: int, say: Callable[[str], None]
) -> Iterator[Machines]:
    """A Ray for the block: the cluster at ``address``, checked, with the data at hand on all nodes; or a local one.

    Args:
        address: of a cluster (``cluster_address``); None for a local Ray.
        folders: of the data sets, on this machine.
        storage: absolute path, or URI, where trials leave their files; all nodes of a cluster have to see it.
        cpus: that a local Ray counts.
        say: called with each line for the user.

    Raises:
        ConfigError: the cluster, its nodes or the storage can't be used.
    """
    if address is None:
        with local_session(cpus):
            yield Machines(tuple(map(str, folders)))
        return
    from rllib_citylearn.cluster.connection import cluster_session
    from rllib_citylearn.cluster.data import shipped
    from rllib_citylearn.cluster.nodes import check_nodes
    from rllib_citylearn.cluster.storage import check_storage

    with cluster_session(address):
        nodes = check_nodes(say)
        check_storage(storage)
        with shipped(folders) as references:
            yield Machines(tuple(references), sum(node.gpus for node in nodes))
