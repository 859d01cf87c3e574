"""A building's own gateway: its actor alone, with the last hint it got. Needs numpy and onnxruntime only.

A community can be run from one place (``PolicyRuntime``), or from as many as it has buildings: somebody asks the coordinator
for hints now and then (``PolicyRuntime.hints``), and every building acts on what it measures itself and on its last hint,
also while it can reach nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import Measurements
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.env.memory_format import OtherMemoryError
from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.bundle import Bundle
from rllib_citylearn.export.inference import Inference
from rllib_citylearn.export.rows import check_row, is_finite_number, shown
from rllib_citylearn.export.runtime import within_limits

LARGEST_HINT = 1e6
"""Largest absolute number in a hint; trained coordinators stay far below, and networks can't compute with numbers without
end."""


class BuildingRuntime:
    """One building's actor, for one thread at a time.

    Args:
        bundle: from ``read_bundle``.
        building: its name in the manifest.
        networks: of the same bundle, where they are at work already.

    Attributes:
        agent: what the building measures and sets.
        community: a feature table of this building alone, with the community's columns.

    Raises:
        FeatureError: the manifest has no such building.
    """

    def __init__(self, bundle: Bundle, building: str, networks: Inference | None = None) -> None:
        trained = bundle.manifest.community
        names = [agent.name for agent in trained.agents]
        if building not in names:
            raise FeatureError(f"There is no building {shown(building)}; there are {', '.join(names)}.")
        self._index, self._of = names.index(building), len(names)
        self.agent = trained.agents[self._index]
        self.community = CommunityFeatures(
            [self.agent], trained.ranges, [feature.name for feature in trained.features], trained.actions
        )
        self._networks = Inference(bundle) if networks is None else networks
        self._measurements = Measurements(self.community)

    def act(
        self, row: Sequence[float], hint: Sequence[float] | None = None, state: Any = None
    ) -> tuple[list[float], str | None]:
        """CityLearn's actions of the building.

        Args:
            row: its measured features in the order of ``agent.features``, in physical units.
            hint: the last that it got, H numbers; None acts without any, as in training every tenth hour.
            state: what ``act`` gave the hour before; None begins without a memory.

        Returns:
            One number for each of ``agent.actions``, and the state; None if the policy has no memory.

        Raises:
            OtherMemoryError: the state is of another building or policy.
            FeatureError: row, hint or state that don't fit.
        """
        check_row(self.community, self.agent, row, "observation")
        encoded = self.community.encode([row])[None]
        after = None
        if self.community.memory:
            memory = Memory(self.community)
            if state is not None:
                memory.from_text(state, name="state")
            memory.update(self._measurements.of([row])[None])
            memory.write(encoded)
            after = memory.to_text()
        elif state is not None:
            raise OtherMemoryError("state was given by another policy: this one has no memory.")
        joint = np.clip(self._joint(encoded, self._hints(hint)), -1.0, 1.0)
        (actions,) = self.community.decode_actions(joint)
        return within_limits(self.agent, actions), after

    def _hints(self, hint: Any) -> np.ndarray:
        size = self._networks.hint_size
        if hint is None:
            return np.zeros((1, 1, size), np.float32)
        if not isinstance(hint, (list, tuple, np.ndarray)) or len(hint) != size or not all(map(is_finite_number, hint)):
            raise FeatureError(
                f"hint is {shown(hint)}; expected {size} numbers, as the coordinator gave them, or null to act without."
            )
        if any(abs(number) > LARGEST_HINT for number in hint):
            raise FeatureError(
                f"hint has a number beyond {LARGEST_HINT:g}; send what the coordinator gave, or null to act without."
            )
        return np.asarray(hint, np.float32)[None, None]

    def _joint(self, encoded: np.ndarray, hints: np.ndarray) -> np.ndarray:
        """The actor's row for this building, ``[1, A]``; separate actors want a row for each of theirs."""
        if self._networks.buildings is None:
            return self._networks.actor(encoded, hints)[0]
        place = (1, self._of)
        rows, given = np.zeros((*place, encoded.shape[2]), np.float32), np.zeros((*place, hints.shape[2]), np.float32)
        rows[:, self._index], given[:, self._index] = encoded[0], hints[0]
        return self._networks.actor(rows, given)[0, self._index : self._index + 1]
