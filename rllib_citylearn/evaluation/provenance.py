"""Where a policy comes from, by its own record: the data, buildings and time steps that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines.learned.record import read_record
from rllib_citylearn.baselines.learned.spec import LearnedSpec
from rllib_citylearn.evaluation.specs import BaselineSpec, BundleSpec, CheckpointSpec, ControllerSpec
from rllib_citylearn.export.manifest import MEMBERS


@dataclass(frozen=True)
class TrainedOn:
    """One community that a policy was trained on.

    Attributes:
        data: name of the data set; None where the policy doesn't say.
        sha256: its hash; None likewise.
        buildings: the buildings that were kept, names or positions as text (``1-5,7``); None is all of them.
        held_out: those of them that were left out, in the same forms.
        window: first and last time step, both included; None is all of the data.
    """

    data: str | None
    sha256: str | None = None
    buildings: tuple[str, ...] | str | None = None
    held_out: tuple[str, ...] | str | None = None
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class Origin:
    """What a policy was trained on.

    Attributes:
        communities: none where the policy doesn't say.
        effort: how long it was trained and how far it got, in words; empty where the policy doesn't say.
    """

    communities: tuple[TrainedOn, ...]
    effort: str = ""


def origin_of(spec: ControllerSpec) -> Origin | None:
    """Where a policy comes from; None for baselines that are not trained.

    Raises:
        BundleError: the bundle can't be read.
        CheckpointError: the checkpoint can't be read.
    """
    if isinstance(spec, BundleSpec):
        from rllib_citylearn.export.bundle import read_bundle

        manifest = read_bundle(Path(spec.path)).manifest
        return recorded_origin(manifest.training, [agent.name for agent in manifest.community.agents])
    if isinstance(spec, CheckpointSpec):
        from rllib_citylearn.export.checkpoint import load_module, read_run

        community = load_module(Path(spec.path)).layout.community
        agents = [] if community is None else [agent.name for agent in community.agents]
        return recorded_origin(read_run(Path(spec.path)), agents)
    if isinstance(spec, LearnedSpec):
        record = read_record(Path(spec.folder))
        task, reached = record["task"], record["reached"]
        effort = (
            f"{task['minutes']:g} minutes with seed {task['seed']}, {reached['env_steps']:,} hours played, "
            f"{reached['updates']:,} gradient steps"
        )
        return replace(recorded_origin(task, task["buildings"]), effort=effort)
    if isinstance(spec, BaselineSpec):
        return None
    return Origin(())


def recorded_origin(training: Mapping[str, Any], agents: Sequence[str]) -> Origin:
    """What a run's record says.

    Args:
        training: the record, as ``train`` writes it into checkpoints and bundles, or ``combine`` into ensembles.
        agents: names of the policy's agents: the buildings, unless those were drawn or there were several communities.
    """
    if MEMBERS in training:
        members = [recorded_origin(_mapping(member), agents) for member in training[MEMBERS]]
        # An ensemble knows what any of its members knows; if one doesn't say, nobody can tell.
        every = all(member.communities for member in members)
        return Origin(tuple(dict.fromkeys(one for member in members for one in member.communities)) if every else ())
    data, environment = _mapping(training.get("data")), _environment(training)
    name, sha256 = data.get("name"), data.get("sha256")
    if name is None and sha256 is None:
        return Origin(())
    communities = environment.get("communities")
    if not communities:
        # Agents are then places, or all buildings together.
        drawn = environment.get("random_buildings") is not None or bool(environment.get("central_agent"))
        own = (environment.get("buildings"), environment.get("held_out")) if drawn else (agents or None, None)
        return Origin((TrainedOn(name, sha256, _chosen(own[0]), _chosen(own[1]), _window(environment)),))
    found: list[TrainedOn] = []
    first = {**environment, **communities[0]}.get("dataset")
    for part in ({**environment, **_mapping(one)} for one in communities):
        # The record has the name and hash of the first community's data, and of the others what the preset calls them.
        known = part.get("dataset") == first
        found.append(
            TrainedOn(
                data=name if known else Path(str(part.get("dataset"))).name,
                sha256=sha256 if known else None,
                buildings=_chosen(part.get("buildings")),
                held_out=_chosen(part.get("held_out")),
                window=_window(part),
            )
        )
    return Origin(tuple(found))


def _environment(training: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a preset says of the environment; learning baselines have no preset, and say it themselves."""
    return _mapping(_mapping(training["preset"]).get("environment")) if "preset" in training else training


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _chosen(value: Any) -> tuple[str, ...] | str | None:
    return value if value is None or isinstance(value, str) else tuple(str(name) for name in value)


def _window(environment: Mapping[str, Any]) -> tuple[int, int] | None:
    window = environment.get("window")
    return None if window is None else (int(window[0]), int(window[1]))
