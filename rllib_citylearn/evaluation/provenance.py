"""How the buildings that a policy is judged on relate to those it was trained on, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines.learned.record import read_record
from rllib_citylearn.baselines.learned.spec import LearnedSpec
from rllib_citylearn.evaluation.specs import BundleSpec, CheckpointSpec, ControllerSpec


@dataclass(frozen=True)
class Origin:
    """What a policy was trained on.

    Attributes:
        data: name of the data set; None where the policy doesn't say.
        sha256: its hash; None likewise.
        buildings: names of the buildings; None where there were several communities, or the policy doesn't say.
    """

    data: str | None
    sha256: str | None
    buildings: tuple[str, ...] | None


def origin_of(spec: ControllerSpec) -> Origin | None:
    """Where a policy comes from; None for baselines that are not trained.

    Raises:
        BundleError: the bundle can't be read.
        CheckpointError: the checkpoint can't be read.
    """
    if isinstance(spec, BundleSpec):
        from rllib_citylearn.export.bundle import read_bundle

        manifest = read_bundle(Path(spec.path)).manifest
        return _origin(manifest.training, [agent.name for agent in manifest.community.agents])
    if isinstance(spec, CheckpointSpec):
        from rllib_citylearn.export.checkpoint import load_module, read_run

        community = load_module(Path(spec.path)).layout.community
        return _origin(read_run(Path(spec.path)), None if community is None else [agent.name for agent in community.agents])
    if isinstance(spec, LearnedSpec):
        task = read_record(Path(spec.folder))["task"]
        return _origin(task, task["buildings"])
    return None


def relation(origin: Origin, data: Mapping[str, Any], buildings: Sequence[str]) -> str:
    """A clause on a policy's training, to follow its name.

    Args:
        origin: what it was trained on.
        data: description of the data set that it is judged on (``DatasetSource.describe``).
        buildings: the buildings that it is judged on.
    """
    if origin.data is None and origin.sha256 is None:
        return "does not say what it was trained on"
    # The archive's files differ from the official ones in the last places of some numbers: by name they are the same.
    same = (origin.sha256 is not None and origin.sha256 == data.get("sha256")) or (
        origin.data is not None and origin.data == data.get("name")
    )
    if not same:
        return f"was trained on other data ({origin.data or 'without a name'})"
    if origin.buildings is None:
        return "was trained on several communities of these data; its manifest lists them"
    known = set(origin.buildings) & set(buildings)
    if not known:
        return "saw none of these buildings in training (held out)"
    if known == set(buildings):
        return "was trained on these very buildings (in-sample)"
    return f"was trained on {len(known)} of these {len(buildings)} buildings"


def _origin(training: Mapping[str, Any], buildings: Sequence[str] | None) -> Origin:
    data = training.get("data")
    described: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    preset = training.get("preset")
    environment = preset.get("environment") if isinstance(preset, Mapping) else None
    several = isinstance(environment, Mapping) and bool(environment.get("communities"))
    return Origin(
        data=described.get("name"),
        sha256=described.get("sha256"),
        buildings=None if several or buildings is None else tuple(buildings),
    )
