"""Runs a bundle's policy: physical observations in, CityLearn's actions out. Needs numpy and onnxruntime only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rllib_citylearn.env.feature_table import Feature
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import Measurements
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.errors import BundleError, FeatureError
from rllib_citylearn.export.bundle import Bundle, buildings_of, open_model
from rllib_citylearn.export.fit import Fit


class PolicyRuntime:
    """A policy ready to act, for one thread at a time.

    A community's observation is N rows, one a building in ``building_names`` order. A row holds the building's measured
    features in the order of ``community.agents[i].features``, in physical units. Descriptors (capacities, powers) are
    not among them: the manifest has them.

    Args:
        bundle: from ``read_bundle``.
        community: the feature table of another community to act on, with the ranges of the bundle's; None is the bundle's.

    Attributes:
        manifest: the bundle's description.
        sha256: identifies the bundle's content.
        community: the feature table of the community that it acts on.
        fit: how that differs from the bundle's.

    Raises:
        BundleError: the policy does not run, or not on the community that the manifest describes.
    """

    def __init__(self, bundle: Bundle, community: CommunityFeatures | None = None) -> None:
        self.manifest = bundle.manifest
        self.sha256 = bundle.sha256
        self.community = bundle.manifest.community if community is None else community
        self.fit = Fit(bundle.manifest.community, self.community)
        self._measurements = Measurements(self.community)
        self._session = open_model(bundle.models["policy"], "policy.onnx")
        self._require_size()
        self.actions(self.example())  # the first run allocates; a server is ready only after it

    def _require_size(self) -> None:
        size = buildings_of(self._session)
        if size not in (None, len(self.community.agents)):
            raise BundleError(
                f"The policy {self.manifest.name} has separate actors for {size} buildings, but the community has "
                f"{len(self.community.agents)}; use a policy with shared actors for communities of other sizes."
            )

    @property
    def building_names(self) -> tuple[str, ...]:
        """Names of the N buildings, in the order of the rows."""
        return tuple(agent.name for agent in self.community.agents)

    def actions(self, rows: Sequence[Sequence[float]], memory: Memory | None = None) -> list[list[float]]:
        """CityLearn's actions for one community.

        Args:
            rows: N rows of raw observations. Values outside a feature's range are clipped to it (see ``clipped``).
            memory: what the community remembers, which takes these rows down; None begins afresh. Policies without memory
                features have no use for it.

        Returns:
            N lists, one number for each of ``community.agents[i].actions``, within that action's limits.

        Raises:
            FeatureError: rows that don't fit the feature table; the message names building and feature.
        """
        return self.batch_actions([rows], memory)[0]

    def predict(
        self, batch: Sequence[Sequence[Sequence[float]]], memories: Sequence[Any] | None = None
    ) -> tuple[list[list[list[float]]], list[Any]]:
        """``batch_actions`` for whoever keeps no state: memory comes with the observations and goes out with the actions.

        Args:
            batch: B observations.
            memories: what ``predict`` gave with the actions of the hour before, one for each; None begins afresh.

        Returns:
            The actions, and B memories that can be written as JSON; none if the policy has no memory.

        Raises:
            FeatureError: observations or memories that don't fit.
        """
        if not self.community.memory:
            if memories is not None:
                raise FeatureError(f"The policy {self.manifest.name} has no memory; send its observations alone.")
            return self.batch_actions(batch), []
        memory = Memory(self.community, len(batch))
        for e, content in enumerate(memories or ()):
            if content is not None:
                memory.from_json(content, e, "memory" if len(batch) == 1 else f"memory[{e}]")
        actions = self.batch_actions(batch, memory)
        return actions, [memory.to_json(e) for e in range(len(batch))]

    def batch_actions(
        self, batch: Sequence[Sequence[Sequence[float]]], memory: Memory | None = None
    ) -> list[list[list[float]]]:
        """``actions`` for several observations of the community at once, computed in one run of the network."""
        for index, rows in enumerate(batch):
            check_rows(self.community, rows, "observations" if len(batch) == 1 else f"observations[{index}]")
        if not batch:
            return []
        encoded = np.stack([self.community.encode(rows) for rows in batch])
        if self.community.memory:
            memory = Memory(self.community, len(batch)) if memory is None else memory
            memory.update(np.stack([self._measurements.of(rows) for rows in batch]))
            memory.write(encoded)
        try:
            (joint,) = self._session.run(["actions"], {"observations": self.fit.observations(encoded)})
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise BundleError(f"policy.onnx does not run ({error}). Export the bundle again.") from error
        if not np.isfinite(joint).all():
            raise BundleError("policy.onnx gives actions that are not finite numbers. Export a policy that trained well.")
        joint = self.fit.actions(np.clip(joint, -1.0, 1.0))
        return [self._within_limits(self.community.decode_actions(one)) for one in joint]

    def clipped(self, rows: Sequence[Sequence[float]]) -> list[tuple[str, str, float]]:
        """(building, feature, value) of every raw value outside its feature's range, which the policy sees clipped."""
        check_rows(self.community, rows, "observations")
        return self.community.clipped(rows)

    def example(self) -> list[list[float]]:
        """An observation that fits: N rows with every feature in the middle of its range."""
        return [[self._middle(self.community.feature(name)) for name in agent.features] for agent in self.community.agents]

    @staticmethod
    def _middle(feature: Feature) -> float:
        middle = (feature.low + feature.high) / 2.0
        return middle if feature.encoding == "linear" else float(math.floor(middle))

    def _within_limits(self, actions: list[list[float]]) -> list[list[float]]:
        """Mapping [-1, 1] onto limits can miss them by rounding, which CityLearn's spaces refuse."""
        return [
            [min(max(value, low), high) for value, low, high in zip(row, agent.action_low, agent.action_high, strict=True)]
            for agent, row in zip(self.community.agents, actions, strict=True)
        ]


def check_rows(community: CommunityFeatures, rows: Any, field: str) -> None:
    """Refuse what is not one finite number for each measured feature of each building.

    Args:
        community: the feature table that the rows have to fit.
        rows: a value from outside, of any type.
        field: what the caller calls it, for the message.

    Raises:
        FeatureError: a sentence with the place, its building and feature, and what was expected there.
    """
    names = ", ".join(agent.name for agent in community.agents)
    if not _is_list(rows):
        raise FeatureError(f"{field} is {_shown(rows)}; expected a list of {len(community.agents)} rows ({names}).")
    if len(rows) != len(community.agents):
        raise FeatureError(
            f"{field} has {len(rows)} rows; expected {len(community.agents)}, one a building in this order: {names}."
        )
    for i, (agent, row) in enumerate(zip(community.agents, rows, strict=True)):
        place = f"{field}[{i}] ({agent.name})"
        expected = f"a list of {len(agent.features)} numbers in this order: {', '.join(agent.features)}"
        if not _is_list(row):
            raise FeatureError(f"{place} is {_shown(row)}; expected {expected}.")
        if len(row) != len(agent.features):
            raise FeatureError(f"{place} has {len(row)} values; expected {expected}.")
        for j, (name, value) in enumerate(zip(agent.features, row, strict=True)):
            if not _is_finite_number(value):
                feature = community.feature(name)
                raise FeatureError(
                    f"{field}[{i}][{j}] ({agent.name}, {name}) is {_shown(value)}; expected a finite number between "
                    f"{feature.low:g} and {feature.high:g} {feature.unit.strip('-')}".rstrip()
                    + "."
                )


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def _is_finite_number(value: Any) -> bool:
    if type(value) is float:  # nearly all values of a request are; the rest of this function is for the others
        return math.isfinite(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    """A value from outside as it may stand in a message: short, and in ASCII whatever it holds."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number too large to compute with"
    text = "null" if value is None else ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
