"""Where a cluster's runs and checkpoints go: can every node write there, and does it see what the others wrote?"""

from __future__ import annotations

import errno
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from rllib_citylearn.cluster.everywhere import Node, live_nodes, on_each
from rllib_citylearn.cluster.stored import opened
from rllib_citylearn.errors import ConfigError

_LIMIT_S = 20.0
_DRIVER_LIMIT_S = 12.0
_SEEN_WITHIN_S = 5.0
"""A network file system may show a new folder a moment late."""

_CLEANING_LIMIT_S = 5.0
_PROBE_BYTES = 2**16
_DRIVER = "driver"

_IN_MEMORY = ("memory", "mock")
_SCHEME = re.compile(r"(?:fsspec\+)?([A-Za-z][A-Za-z0-9+.\-]+):/")
_SHARE = "Give a folder that every node can write to and sees the same (NFS, say), or a store such as s3://BUCKET/FOLDER."
_CREDENTIALS = (
    "Check the address, and the store's credentials and packages: every node needs them before Ray is started there (for "
    "s3:// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for gs:// GOOGLE_APPLICATION_CREDENTIALS)."
)


def storage_uri(given: str) -> str:
    """What Tune's ``storage_path`` takes for a place that a user gave: a path of this machine is made absolute.

    Raises:
        ConfigError: it is empty, or in the home of somebody whom this machine does not know.
    """
    if not given:
        raise ConfigError(f"--storage is empty. {_SHARE}")
    try:
        return given if _SCHEME.match(given) else Path(given).expanduser().absolute().as_posix()
    except RuntimeError as error:
        raise ConfigError(f"Runs can't be stored in {given}: this machine knows no such user. {_SHARE}") from error


def check_storage(uri: str) -> None:
    """Refuse a place where not every node can write and read what the others wrote; nothing is left behind there.

    It is resolved as Tune resolves its ``storage_path``. A process that is not connected to Ray checks itself alone.

    Args:
        uri: a path, or an address that ``pyarrow`` knows: ``s3://``, ``gs://``, ``abfs://``, ``file://``, and of what fsspec
            knows ``fsspec+PROTOCOL://``.

    Raises:
        ConfigError: within 30 s, with the nodes that can't and what to do.
    """
    import ray

    deadline = time.monotonic() + _LIMIT_S
    uri = storage_uri(uri)
    scheme = _SCHEME.match(uri)
    if scheme is not None and scheme[1] in _IN_MEMORY:
        raise ConfigError(f"Runs can't be stored in {_shown(uri)}: it lies in the memory of a single process. {_SHARE}")
    probe, created = f".rllib-citylearn-probe-{secrets.token_hex(8)}", list[str]()
    try:
        fault = _fault(lambda: _begin(uri, probe, created), _DRIVER_LIMIT_S)
        if fault is not None:
            raise ConfigError(f"Runs can't be stored in {_shown(uri)}: {fault}. {_advice(uri)}")
        if ray.is_initialized():
            _ask_nodes(uri, probe, deadline)
    finally:
        _fault(lambda: _remove(uri, probe, created), _CLEANING_LIMIT_S)


def _ask_nodes(uri: str, probe: str, deadline: float) -> None:
    """Have every node read the driver's file and write one, and read those.

    Raises:
        ConfigError: names the nodes that can't.
    """
    answers = on_each(live_nodes(), _visit, uri, probe, limit_s=max(5.0, deadline - time.monotonic()))
    faults: dict[str, list[str]] = defaultdict(list)
    for node, answer in answers.items():
        fault = _said(answer) if isinstance(answer, Exception) else answer
        if fault is not None:
            faults[fault].append(node.address)
    unseen = [node for node, answer in answers.items() if answer is None]
    fault = _fault(lambda: _look_for(uri, probe, unseen), _CLEANING_LIMIT_S)
    for node in unseen:
        faults[f"it wrote there, but where this command runs that is not to be seen ({fault})"].append(node.address)
    if faults:
        found = "; ".join(f"on {', '.join(addresses)}: {fault}" for fault, addresses in faults.items())
        raise ConfigError(f"Runs can't be stored in {_shown(uri)}, which every node has to reach: {found}. {_advice(uri)}")


def _begin(uri: str, probe: str, created: list[str]) -> None:
    """Make the probe's folder with the driver's file; ``created`` gets the folders that were not there, deepest first."""
    fs, path = opened(uri)
    place = PurePosixPath(path)
    created += [
        str(folder) for folder in (place, *place.parents) if str(folder) not in ("/", ".") and not _exists(fs, folder)
    ]
    fs.create_dir(str(place / probe))
    _write(fs, place / probe / _DRIVER)


def _look_for(uri: str, probe: str, unseen: list[Node]) -> None:
    """Read what nodes have written; those whose file was read are taken from the list."""
    for node in list(unseen):
        _read(uri, probe, node.id)
        unseen.remove(node)


def _visit(uri: str, probe: str) -> str | None:
    """What a node does: read the driver's file and write its own; returns what is wrong, None if nothing is."""
    import ray

    deadline = time.monotonic() + _SEEN_WITHIN_S
    try:
        fs, path = opened(uri)
        folder = PurePosixPath(path) / probe
        while not _exists(fs, folder / _DRIVER):
            if time.monotonic() > deadline:
                return "what the command wrote there is not to be seen; it is another folder of the same name, or none"
            time.sleep(0.2)
        _read(uri, probe, _DRIVER)
        _write(fs, folder / ray.get_runtime_context().get_node_id())
    except Exception as error:  # noqa: BLE001  whatever it is, the place can't be used, and this says why
        return _said(error)
    return None


def _exists(fs: Any, path: PurePosixPath) -> bool:
    import pyarrow.fs

    return fs.get_file_info(str(path)).type != pyarrow.fs.FileType.NotFound


def _write(fs: Any, path: PurePosixPath) -> None:
    with fs.open_output_stream(str(path)) as file:
        file.write(b"\0" * _PROBE_BYTES)


def _read(uri: str, probe: str, name: str) -> None:
    fs, path = opened(uri)
    with fs.open_input_stream(str(PurePosixPath(path) / probe / name)) as file:
        if file.read() != b"\0" * _PROBE_BYTES:
            raise OSError("what was written there reads otherwise")


def _remove(uri: str, probe: str, created: list[str]) -> None:
    """Remove the probe's folder and the folders above it that were made for it, unless others use them by now."""
    from pyarrow.fs import FileSelector

    fs, path = opened(uri)
    if _exists(fs, PurePosixPath(path) / probe):
        fs.delete_dir(str(PurePosixPath(path) / probe))
    for folder in created:
        if _exists(fs, PurePosixPath(folder)):
            if fs.get_file_info(FileSelector(folder)):
                break
            fs.delete_dir(folder)


def _fault(work: Callable[[], None], limit_s: float) -> str | None:
    """What went wrong with some work, ``None`` if nothing did; it is left to itself after its time."""
    faults: list[str] = ["no answer within its time"]

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever a file system raises, the place can't be used
            faults.append(_said(error))
        else:
            faults.clear()

    # A store that does not answer, or a file system that hangs, can't be interrupted; the process must end without it.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    return faults[-1] if faults else None


def _said(error: Exception) -> str:
    """An error as a phrase."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return str(error)
    if isinstance(error, ImportError):
        return f"a package is missing ({error})"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "there is no room left"
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return first.rstrip(".")


def _shown(uri: str) -> str:
    """An address without the key and the secret that may be in it."""
    return re.sub(r"://[^/@]*@", "://...@", uri)


def _advice(uri: str) -> str:
    return _SHARE if uri.startswith(("/", "file:/")) else _CREDENTIALS
