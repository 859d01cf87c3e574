"""Nodes that don't run the same code are found before anything is started on them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from rllib_citylearn import __version__
from tests.cluster.network import REPOSITORY, Cluster

pytestmark = pytest.mark.cluster

_CHECK = """
import sys
from rllib_citylearn.cluster.connection import cluster_session
from rllib_citylearn.cluster.nodes import check_nodes
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import prepare_environment

prepare_environment(cluster=True)
with cluster_session(sys.argv[1]):
    try:
        nodes = check_nodes(print)
        print([(node.address, node.cpus, node.gpus) for node in nodes])
    except ConfigError as error:
        print(error)
"""


def _said(cluster: Cluster) -> str:
    done = cluster.python(_CHECK, cluster.address)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _package(folder: Path) -> Path:
    """A copy of this package, in a folder that Python can import it from."""
    ignore = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(REPOSITORY / "rllib_citylearn", folder / "rllib_citylearn", ignore=ignore)


def test_nodes_that_are_alike_are_listed(cluster: Cluster) -> None:
    said = _said(cluster)
    assert said.splitlines() == [
        "Cluster: 3 nodes, 3 CPUs, 0 GPUs.",
        str([(node.address, 1.0, 0) for node in cluster.nodes]),
    ]


def test_a_copy_of_the_same_source_is_alike_and_gpus_are_found(cluster: Cluster, tmp_path: Path) -> None:
    _package(tmp_path)
    with cluster.joined({"PYTHONPATH": str(tmp_path)}, gpus=2) as node:
        assert f"Cluster: 4 nodes, 4 CPUs, 2 GPUs (on {node.address})." in _said(cluster)


def test_a_node_with_another_version_is_named(cluster: Cluster, tmp_path: Path) -> None:
    init = _package(tmp_path) / "__init__.py"
    init.write_text(init.read_text().replace(f'"{__version__}"', '"0.0.7"'))
    with cluster.joined({"PYTHONPATH": str(tmp_path)}) as node:
        said = _said(cluster)
        assert f"node {node.address}: rllib_citylearn 0.0.7 from {init.parent}, here {__version__}. All nodes need" in said
        assert not any(other.address + ":" in said for other in cluster.nodes)
        # The same version of another source is found, too, while the node lives on: a process of its own looks.
        init.write_text(init.read_text().replace('"0.0.7"', f'"{__version__}"  # changed'))
        assert f"node {node.address}: another source of rllib_citylearn {__version__} in {init.parent}" in _said(cluster)


def test_a_node_that_can_not_import_the_package_or_has_other_ones_is_named(cluster: Cluster, tmp_path: Path) -> None:
    broken = tmp_path / "rllib_citylearn" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("import no_such_module\n")
    info = tmp_path / "numpy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    with cluster.joined({"PYTHONPATH": str(tmp_path)}) as node:
        said = _said(cluster)
    assert f"node {node.address}: numpy 1.0, here 2." in said
    assert "rllib_citylearn can't be imported (ModuleNotFoundError: No module named 'no_such_module')" in said
    assert "ray job submit --working-dir" in said


def test_nodes_import_what_a_job_brings_along(cluster: Cluster, tmp_path: Path) -> None:
    """Their own package is another one; what counts is what the job's processes import."""
    init = _package(tmp_path) / "__init__.py"
    init.write_text(init.read_text() + "\n# brought along\n")
    (tmp_path / "job.py").write_text(_CHECK + "\nimport rllib_citylearn; print(rllib_citylearn.__file__)\n")
    process = cluster.submit([sys.executable, "job.py", "auto"], working_dir=tmp_path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "Cluster: 3 nodes, 3 CPUs, 0 GPUs." in output
    assert str(cluster.head.folder / "r") in output.partition("Cluster:")[2]
