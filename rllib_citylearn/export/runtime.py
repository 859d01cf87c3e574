"""Runs a bundle's policy: physical observations in, CityLearn's actions out. Needs numpy and onnxruntime only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.feature_table import Feature
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.measurements import Measurements
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.env.memory_format import OtherMemoryError
from rllib_citylearn.errors import BundleError, FeatureError
from rllib_citylearn.export.bundle import Bundle
from rllib_citylearn.export.fit import Fit
from rllib_citylearn.export.inference import Inference
from rllib_citylearn.export.rows import Row, check_rows, heard_of

Rows = Sequence[Row]


@dataclass(frozen=True)
class Answer:
    """What a policy says to B observations.

    Attributes:
        values: B lists of N lists: actions in CityLearn's units, or hints.
        states: B texts that have to come back with the observations of the hour after; none if the policy has no memory.
        forgotten: which of the B states were another policy's, so that their communities began afresh. A policy without
            memory has no state of its own.
    """

    values: list[list[list[float]]]
    states: list[str]
    forgotten: list[int]


class PolicyRuntime:
    """A policy ready to act, for one thread at a time.

    A community's observation is N rows, one a building in ``building_names`` order. A row holds the building's measured
    features in the order of ``community.agents[i].features``, in physical units; None stands for a building that was not
    heard of. Descriptors (capacities, powers) are not among them: the manifest has them.

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
        self.networks = Inference(bundle)
        self._measurements = Measurements(self.community)
        self._filler = self.example()
        self._require_size()
        self.actions(self.example())  # the first run allocates; a server is ready only after it

    def _require_size(self) -> None:
        size = self.networks.buildings
        if size not in (None, len(self.community.agents)):
            raise BundleError(
                f"The policy {self.manifest.name} has separate actors for {size} buildings, but the community has "
                f"{len(self.community.agents)}; use a policy with shared actors for communities of other sizes."
            )

    @property
    def building_names(self) -> tuple[str, ...]:
        """Names of the N buildings, in the order of the rows."""
        return tuple(agent.name for agent in self.community.agents)

    def actions(self, rows: Rows, memory: Memory | None = None) -> list[list[float]]:
        """CityLearn's actions for one community.

        Args:
            rows: N rows of raw observations. Values outside a feature's range are clipped to it (see ``clipped``).
            memory: what the community remembers, which takes these rows down; None begins afresh. Policies without memory
                features have no use for it.

        Returns:
            N lists, one number for each of ``community.agents[i].actions``, within that action's limits. A building that was
            not heard of is left as nobody would control it: zeros, or what is nearest to them.

        Raises:
            FeatureError: rows that don't fit the feature table; the message names building and feature.
        """
        return self.batch_actions([rows], memory)[0]

    def predict(self, batch: Sequence[Rows], states: Sequence[Any] | None = None, *, sequence: bool = False) -> Answer:
        """``batch_actions`` for whoever keeps no state: memory comes with the observations and goes out with the actions.

        Args:
            batch: B observations.
            states: what ``predict`` gave with the actions of the hour before, one for each; None begins afresh.
            sequence: they are consecutive hours of one community, with one state before the first and one after the last.

        Raises:
            FeatureError: observations or states that don't fit.
        """
        encoded, present, after, forgotten = self._encoded_with(batch, states, sequence=sequence)
        return Answer(self._decoded(encoded, present), after, forgotten)

    def hints(self, batch: Sequence[Rows], states: Sequence[Any] | None = None) -> Answer:
        """The coordinator's hints, for buildings that run their actor themselves (``BuildingRuntime``).

        Raises:
            FeatureError: observations or states that don't fit, or a policy without coordinator.
        """
        if not self.networks.hint_size:
            raise FeatureError(f"The policy {self.manifest.name} gives no hints: each building acts on what it sees alone.")
        encoded, present, after, forgotten = self._encoded_with(batch, states, sequence=False)
        hints = self.networks.hints(self.fit.observations(encoded), present)
        return Answer(hints.astype(float).tolist(), after, forgotten)

    def batch_actions(self, batch: Sequence[Rows], memory: Memory | None = None) -> list[list[list[float]]]:
        """``actions`` for several observations of the community at once, computed in one run of the network."""
        self._check(batch)
        if not batch:
            return []
        if self.community.memory and memory is None:
            memory = Memory(self.community, len(batch))
        return self._decoded(*self._encoded(batch, memory))

    def clipped(self, rows: Rows) -> list[tuple[str, str, float]]:
        """(building, feature, value) of every raw value outside its feature's range, which the policy sees clipped."""
        check_rows(self.community, rows, "observations", silent=True)
        return self.community.clipped(
            [filler if row is None else row for row, filler in zip(rows, self._filler, strict=True)]
        )

    def example(self) -> list[list[float]]:
        """An observation that fits: N rows with every feature in the middle of its range."""
        return [[self._middle(self.community.feature(name)) for name in agent.features] for agent in self.community.agents]

    @staticmethod
    def _middle(feature: Feature) -> float:
        middle = (feature.low + feature.high) / 2.0
        return middle if feature.encoding == "linear" else float(math.floor(middle))

    def _check(self, batch: Sequence[Rows]) -> None:
        for index, rows in enumerate(batch):
            field = "observations" if len(batch) == 1 else f"observations[{index}]"
            check_rows(self.community, rows, field, silent=True)

    def _encoded_with(
        self, batch: Sequence[Rows], states: Sequence[Any] | None, *, sequence: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], list[str], list[int]]:
        """Encoded observations, who was heard of, the states after them, and which of the states before were refused."""
        self._check(batch)
        if not self.community.memory:
            return (*self._encoded(batch, None), [], [e for e, state in enumerate(states or ()) if state is not None])
        memory = Memory(self.community, 1 if sequence else len(batch))
        forgotten = self._recall(memory, states or ())
        if sequence:
            hours = [self._encoded([rows], memory) for rows in batch]
            encoded, present = (np.concatenate(parts) for parts in zip(*hours, strict=True))
            return encoded, present, [memory.to_text()], forgotten
        return (*self._encoded(batch, memory), [memory.to_text(e) for e in range(len(batch))], forgotten)

    @staticmethod
    def _recall(memory: Memory, states: Sequence[Any]) -> list[int]:
        """Let the communities remember; returns those whose states are another policy's."""
        forgotten = []
        for e, state in enumerate(states):
            if state is None:
                continue
            try:
                memory.from_text(state, e, "state" if len(states) == 1 else f"state[{e}]")
            except OtherMemoryError:
                forgotten.append(e)
        return forgotten

    def _encoded(
        self, batch: Sequence[Rows], memory: Memory | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Checked observations, encoded, and which buildings were heard of; the memory takes them down."""
        present = np.stack([heard_of(rows) for rows in batch])
        full = [self._filled(rows) for rows in batch]
        encoded = np.stack([self.community.encode(rows) for rows in full])
        if memory is not None and self.community.memory:
            memory.update(np.stack([self._measurements.of(rows) for rows in full]), present)
            memory.write(encoded)
        return encoded, present

    def _filled(self, rows: Rows) -> list[Sequence[float]]:
        """Rows with something harmless in the place of those that are missing."""
        return [filler if row is None else row for row, filler in zip(rows, self._filler, strict=True)]

    def _decoded(self, encoded: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> list[list[list[float]]]:
        joint = np.clip(self.networks.policy(self.fit.observations(encoded), present), -1.0, 1.0)
        return [
            [
                within_limits(agent, row if heard else [0.0] * len(row))
                for agent, row, heard in zip(self.community.agents, self.community.decode_actions(one), there, strict=True)
            ]
            for one, there in zip(self.fit.actions(joint), present.tolist(), strict=True)
        ]


def within_limits(agent: AgentFeatures, actions: Sequence[float]) -> list[float]:
    """Mapping [-1, 1] onto limits can miss them by rounding, which CityLearn's spaces refuse."""
    return [
        min(max(value, low), high) for value, low, high in zip(actions, agent.action_low, agent.action_high, strict=True)
    ]
