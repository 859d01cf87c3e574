"""A cluster for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.network import Cluster, running_cluster, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A head and two workers with a core each; tests leave all three running."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    with running_cluster() as made:
        yield made
