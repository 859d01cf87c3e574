"""Policies at work: versions of a community's policy, and which of them answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import BundleError, ConfigError
from rllib_citylearn.export.bundle import Bundle, read_bundle
from rllib_citylearn.export.gateway import BuildingRuntime
from rllib_citylearn.export.rows import listed
from rllib_citylearn.export.runtime import PolicyRuntime
from serve.observations import NamedRows
from serve.recorder import Recorder
from serve.settings import Canary


class Model:
    """One version of a community's policy.

    Args:
        label: what the configuration calls it.
        bundle: its content.

    Attributes:
        runtime: the policy at work.
        named: reads and writes its community's rows by name.
        check: what it was found to be like before it answered, for operators to read.
    """

    def __init__(self, label: str, bundle: Bundle) -> None:
        self.label = label
        self.bundle = bundle
        self.runtime = PolicyRuntime(bundle)
        self.named = NamedRows(self.runtime.community)
        self.check: dict[str, float | int | None] = {}
        self._buildings: dict[str, BuildingRuntime] = {}

    @property
    def facts(self) -> dict[str, str]:
        """What an answer says about who gave it."""
        return {"name": self.bundle.manifest.name, "version": self.label, "sha256": self.bundle.sha256}

    def building(self, name: str) -> BuildingRuntime:
        """The actor of one building alone.

        Raises:
            FeatureError: there is no such building.
        """
        if name not in self._buildings:
            self._buildings[name] = BuildingRuntime(self.bundle, name, self.runtime.networks)
        return self._buildings[name]


@dataclass
class ServedCommunity:
    """A community and the versions of its policy.

    Attributes:
        name: of the community.
        models: by label.
        serving: label of the one that answers.
        canary: another that answers some of the requests.
        recorder: inputs that were answered lately; it outlives versions.
    """

    name: str
    models: Mapping[str, Model]
    serving: str
    canary: Canary | None = None
    recorder: Recorder = field(default_factory=Recorder)
    _owed: float = 0.0

    def choose(self) -> Model:
        """Who answers the next request: of any hundred, the canary as many as its share says, evenly spread."""
        if self.canary is not None:
            self._owed += self.canary.share
            if self._owed >= 1.0 - 1e-9:
                self._owed -= 1.0
                return self.models[self.canary.version]
        return self.models[self.serving]


def load(label: str, folder: str, known: Mapping[str, Model]) -> Model:
    """Read and verify a bundle and run its policy once.

    Args:
        label: of the version.
        folder: of the bundle.
        known: models that are at work already, by the sha256 of their bundles; one of the same content is taken over.

    Raises:
        BundleError: it is damaged, of another format or does not run.
        ConfigError: the folder can't be read.
    """
    try:
        bundle = read_bundle(Path(folder))
    except OSError as error:
        raise ConfigError(f"The bundle {folder} can't be read ({error}); see to it on every node.") from error
    there = known.get(bundle.sha256)
    return there if there is not None and there.label == label else Model(label, bundle)


def _apart(mine: Any, theirs: Any) -> str:
    """What one of two has and the other has not; all of it where that is not the difference."""
    if not isinstance(mine, list) or not isinstance(theirs, list):
        return str(mine)
    own = [str(one) for one in mine if one not in theirs]
    return listed(own) if own else f"a list of {len(mine)}"


def require_same_community(name: str, models: Mapping[str, Model]) -> None:
    """Versions of one policy take the same observations and give the same actions, so that clients need not know of them.

    Raises:
        BundleError: two of them differ.
    """
    first, *others = models.values()
    for other in others:
        mine, theirs = (model.bundle.manifest.community.to_dict()["buildings"] for model in (first, other))
        for one, two in zip(mine, theirs, strict=False):
            for what in ("name", "features", "actions", "action_low", "action_high"):
                if one[what] != two[what]:
                    here, there = _apart(one[what], two[what]), _apart(two[what], one[what])
                    raise BundleError(
                        f"The versions {first.label} and {other.label} of {name} are of different communities: {what} of "
                        f"{one['name']} is {here} in the one and {there} in the other. Serve two communities."
                    )
        if len(mine) != len(theirs):
            raise BundleError(
                f"The versions {first.label} and {other.label} of {name} are of {len(mine)} and {len(theirs)} buildings. "
                "Serve them as two communities."
            )


def require_same_memory(name: str, serving: Model, canary: Model) -> None:
    """A canary remembers what the serving version does: hour by hour, one has to go on with what the other gave.

    Raises:
        BundleError: they remember different things.
    """
    mine, theirs = ([agent.memory for agent in model.runtime.community.agents] for model in (serving, canary))
    if mine != theirs:
        raise BundleError(
            f"The canary {canary.label} of {name} remembers other things than {serving.label}: at each change between "
            "them the community would begin afresh. Roll to it without a canary, or serve two communities."
        )
