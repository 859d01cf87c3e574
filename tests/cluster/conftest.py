"""Clusters for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rllib_citylearn.files import cache_folder
from tests.cluster.network import Cluster, running_cluster, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A head and two workers with a core each; tests leave all three running."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    with running_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head that does no work, as in production, and three workers with two cores each."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    # One cache for all nodes, with the kernels that are compiled already: half a minute of both cores a node.
    cache = tmp_path_factory.mktemp("cache")
    (cache_folder() / "kernels").mkdir(parents=True, exist_ok=True)
    (cache / "kernels").symlink_to(cache_folder() / "kernels")
    with running_cluster(3, cpus=2, env={"RLLIB_CITYLEARN_CACHE": str(cache)}, started=False) as made:
        made.head.cpus = 0
        for node in made.nodes:
            node.start()
        made.wait_for_nodes(4)
        yield made
