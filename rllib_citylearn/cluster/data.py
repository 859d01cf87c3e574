"""Data sets for every node of a cluster: held by the run that uses them, fetched by each node that needs them, once.

A config that travels to other nodes names a data set by a text that ``datasets.resolve`` understands everywhere in the
run, whether the node was there from the start or joined later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.datasets.content import folder_sha256
from rllib_citylearn.datasets.shipping import Reference, kept, pack, receive
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import cache_folder

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

_NAME = "data"
_CALL_LIMIT_S = 60.0
_FETCH_LIMIT_S = 600.0


class _Keeper:
    """Knows the data sets of one run; an actor on the node of the driver, which owns the archives themselves."""

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}
        self.archives: dict[str, list[ObjectRef]] = {}
        self.holders: dict[str, int] = {}
        self.sent_to: dict[str, list[str]] = {}

    def hold(self, sha256: str, folder: str, archive: list[ObjectRef]) -> None:
        """Keep a data set until it was released as often as it was held."""
        self.folders[sha256], self.archives[sha256] = folder, archive
        self.holders[sha256] = self.holders.get(sha256, 0) + 1

    def release(self, sha256: str) -> bool:
        """Let go of a data set; returns whether nothing is held any more."""
        self.holders[sha256] -= 1
        if not self.holders[sha256]:
            for table in (self.folders, self.archives, self.holders):
                table.pop(sha256)
        return not self.holders

    def folder(self, sha256: str) -> str | None:
        """Where a data set lies on this actor's own node; None if it is not held."""
        return self.folders.get(sha256)

    def archive(self, sha256: str, node: str) -> list[ObjectRef]:
        """The archive of a data set for a node; empty if it is not held. In a list, or Ray would fetch it first."""
        self.sent_to.setdefault(sha256, []).append(node)
        return self.archives.get(sha256, [])

    def node(self) -> str:
        """The node that this actor is on."""
        return _this_node()

    def sent(self) -> dict[str, list[str]]:
        """The nodes that fetched each data set, by its sha256."""
        return self.sent_to


@contextmanager
def shipped(folders: Sequence[Path]) -> Iterator[list[str]]:
    """Hold data sets ready for all nodes while the block runs; yields a text for each that ``resolve`` understands.

    The texts mean the same in every process of this job. They depend on the data alone, so that a run which goes on later
    means the same data by them. The driver's process has to be connected to Ray.

    Args:
        folders: of data sets, in CityLearn 3.0.2's format.

    Raises:
        DatasetError: one can't be read, or Ray starts no process for them.
    """
    import ray

    if not ray.is_initialized():
        raise RuntimeError("shipped() was called without a connection to Ray; connect first, with cluster_session().")
    references = [Reference(folder.resolve().name, folder_sha256(folder)) for folder in folders]
    archives = [pack(folder) for folder in folders]
    keeper = _new_keeper()
    held = []
    try:
        for reference, folder, archive in zip(references, folders, archives, strict=True):
            ray.get(keeper.hold.remote(reference.sha256, str(folder.resolve()), [ray.put(archive)]), timeout=_CALL_LIMIT_S)
            held.append(reference.sha256)
        yield [str(reference) for reference in references]
    finally:
        _release(keeper, held)


def _release(keeper: ActorHandle, held: Sequence[str]) -> None:
    """Let go of data sets, and of the keeper if it holds none any more; either may be gone with Ray."""
    import ray

    if not ray.is_initialized():
        return  # asking would start a Ray
    with suppress(ray.exceptions.RayError):
        if any(ray.get(keeper.release.remote(sha256), timeout=_CALL_LIMIT_S) for sha256 in held):
            ray.kill(keeper)


def sent() -> dict[str, list[str]]:
    """The ids of the nodes that fetched each data set which this job holds, by its sha256.

    Raises:
        DatasetError: it holds none.
    """
    return dict(_asked(_keeper("The data sets of this run"), "sent"))


def obtain(reference: Reference) -> Path:
    """The folder of a data set that the run holds ready: on the driver's node the original, elsewhere a copy.

    The copy is kept in the cache folder; where that can't be written to, as in containers with a read-only root, in the
    folder of Ray's session, which is on every node and can.

    Raises:
        DatasetError: it can't be had, or not be kept.
    """
    import ray

    what = f"The data set {reference.name}"
    roots = [cache_folder()]
    if ray.is_initialized():
        roots.append(Path(ray._private.worker._global_node.get_session_dir_path()) / "rllib_citylearn")
    place = kept(reference, roots)
    if place is not None:
        return place
    keeper = _keeper(what)
    original = _asked(keeper, "folder", reference.sha256)
    if original is None:
        raise DatasetError(f"{what} ({reference}) is not one of those that this run holds ready. Start the run again.")
    if _asked(keeper, "node") == _this_node() and _is(Path(original), reference):
        return Path(original)
    return receive(reference, roots, lambda: _fetched(keeper, reference, what))


def _fetched(keeper: ActorHandle, reference: Reference, what: str) -> bytes:
    """The archive of a data set, through Ray's object store."""
    import ray

    archive = _asked(keeper, "archive", reference.sha256, _this_node())
    try:
        fetched: bytes = ray.get(archive[0], timeout=_FETCH_LIMIT_S)
    except (IndexError, ray.exceptions.RayError) as error:
        raise _lost(what) from error
    return fetched


def _is(folder: Path, reference: Reference) -> bool:
    """Whether a folder still holds the data that are meant; in another container on the same node it may not be there."""
    try:
        return folder.is_dir() and folder_sha256(folder) == reference.sha256
    except DatasetError:
        return False


def _new_keeper() -> ActorHandle:
    """This job's keeper, on the node of this process: worker nodes may come and go."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(_this_node(), soft=False)
    keeper = ray.remote(_Keeper).options(
        name=_NAME, namespace=_namespace(), get_if_exists=True, num_cpus=0, scheduling_strategy=here
    )
    handle: ActorHandle = keeper.remote()
    try:
        ray.get(handle.node.remote(), timeout=_CALL_LIMIT_S)
    except ray.exceptions.RayError as error:
        raise DatasetError(
            f"Ray started no process on this node within {_CALL_LIMIT_S:g} s to hold the data sets for the others "
            f"({type(error).__name__}). Look at the cluster with `ray status`."
        ) from error
    return handle


def _keeper(what: str) -> ActorHandle:
    """The keeper of the job that this process belongs to."""
    import ray

    if not ray.is_initialized():
        raise DatasetError(
            f"{what} is held by a run on a Ray cluster, and this process is none of that run's. Give a data set's folder "
            "or name."
        )
    try:
        return ray.get_actor(_NAME, namespace=_namespace())
    except ValueError as error:
        raise _lost(what) from error


def _asked(keeper: ActorHandle, method: str, *arguments: str) -> Any:
    import ray

    try:
        return ray.get(getattr(keeper, method).remote(*arguments), timeout=_CALL_LIMIT_S)
    except ray.exceptions.RayError as error:
        raise _lost("A data set of this run") from error


def _lost(what: str) -> DatasetError:
    return DatasetError(
        f"{what} can't be fetched: the process that held it for the cluster is gone, or does not answer. It runs beside the "
        "command that started the run and ends with it. Start the run again."
    )


def _namespace() -> str:
    """Of this job alone, in which its actors' names are."""
    import ray

    return f"rllib-citylearn-{ray.get_runtime_context().get_job_id()}"


def _this_node() -> str:
    import ray

    node: str = ray.get_runtime_context().get_node_id()
    return node
