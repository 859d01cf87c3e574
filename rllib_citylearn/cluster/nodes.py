"""Do all nodes of a cluster run the same code? Said before anything is started on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rllib_citylearn.cluster.everywhere import Node, live_nodes, on_each
from rllib_citylearn.errors import ConfigError

_OWN = "rllib_citylearn"
_PACKAGES = ("ray", "torch", "numpy", "citylearn", "gymnasium", "numba")
_LIMIT_S = 90.0
"""A node may have to unpack a job's working directory before it answers."""

_ADVICE = (
    "All nodes need the same: start them from one image, or send this package along with "
    "`ray job submit --working-dir FOLDER`, where FOLDER holds rllib_citylearn/."
)


def _say_nothing(message: str) -> None:
    """The default for ``report``."""


def check_nodes(report: Callable[[str], None] = _say_nothing) -> list[Node]:
    """The living nodes of the cluster, each of which has the versions and the source of this package that are here.

    The driver's process has to be connected to Ray.

    Args:
        report: is told what the cluster has, in a line.

    Raises:
        ConfigError: nodes differ, can't import this package, or don't answer; the message names them all.
    """
    survey = _survey()
    ours = survey(_OWN, _PACKAGES)
    answers = on_each(live_nodes(), survey, _OWN, _PACKAGES, limit_s=_LIMIT_S)
    faults: dict[str, list[str]] = defaultdict(list)
    for node, answer in answers.items():
        for fault in _faults(answer, ours):
            faults[fault].append(node.address)
    if faults:
        found = "; ".join(f"{_of(addresses)} {fault}" for fault, addresses in faults.items())
        raise ConfigError(f"The cluster's nodes are not alike: {found}. {_ADVICE}")
    report(f"Cluster: {summary(list(answers))}.")
    return list(answers)


def gpu_nodes(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with at least a GPU, those with most of them first."""
    return sorted((node for node in nodes if node.gpus >= 1), key=lambda node: -node.gpus)


def summary(nodes: Sequence[Node]) -> str:
    """What a cluster has: ``3 nodes, 12 CPUs, 1 GPU (on 10.0.0.2)``."""
    gpus = gpu_nodes(nodes)
    parts = [_count(len(nodes), "node"), _count(sum(node.cpus for node in nodes), "CPU")]
    where = f" (on {', '.join(node.address for node in gpus)})" if gpus else ""
    return ", ".join([*parts, _count(sum(node.gpus for node in gpus), "GPU") + where])


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _of(addresses: Sequence[str]) -> str:
    return f"{'node' if len(addresses) == 1 else 'nodes'} {', '.join(addresses)}:"


def _faults(answer: Mapping[str, Any] | Exception, ours: Mapping[str, Any]) -> list[str]:
    """What sets a node apart, a phrase for each difference."""
    if isinstance(answer, Exception):
        return [f"{str(answer).strip().splitlines()[0] if str(answer).strip() else type(answer).__name__}"]
    faults = []
    for name, version in ours["versions"].items():
        theirs = answer["versions"][name]
        if _public(theirs) != _public(version):
            faults.append(f"{f'{name} {theirs}' if theirs else f'no {name}'}, here {version or 'none'}")
    own, their_own = ours["own"], answer["own"]
    if "error" in their_own:
        return [*faults, f"{_OWN} can't be imported ({their_own['error']})"]
    if their_own["version"] != own["version"]:
        faults.append(f"{_OWN} {their_own['version']} from {their_own['folder']}, here {own['version']}")
    elif their_own["sha256"] != own["sha256"]:
        faults.append(
            f"another source of {_OWN} {own['version']} in {their_own['folder']} (sha256 {their_own['sha256'][:12]}..., "
            f"here {own['sha256'][:12]}... in {own['folder']})"
        )
    return faults


def _public(version: str | None) -> str | None:
    """A version without what names the build: torch for a GPU is torch."""
    return version.split("+")[0] if version else None


def _survey() -> Callable[[str, Sequence[str]], dict[str, Any]]:
    """The function that looks at a node; nested, so that it is sent as it is and runs where this package is not."""

    def survey(own: str, packages: Sequence[str]) -> dict[str, Any]:
        import hashlib
        import importlib
        import importlib.metadata
        import platform
        from pathlib import Path

        versions: dict[str, str | None] = {"python": platform.python_version()}
        for name in packages:
            try:
                versions[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                versions[name] = None
        try:
            module: Any = importlib.import_module(own)
            folder = Path(module.__file__).resolve().parent
            digest = hashlib.sha256()
            for path in sorted(folder.rglob("*.py")):
                digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
                digest.update(path.read_bytes())
            found = {"version": module.__version__, "folder": str(folder), "sha256": digest.hexdigest()}
        except Exception as error:  # noqa: BLE001  whatever it is, the node can't be used, and this says why
            found = {"error": f"{type(error).__name__}: {error}"}
        return {"versions": versions, "own": found}

    return survey
