"""A community's state as a row of numbers: what a replay keeps, so that a learner can simulate on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.appliances import cycles_of
from rllib_citylearn.simulator.differentiable.drift import fresh_drift
from rllib_citylearn.simulator.differentiable.dynamics import memory_of, memory_shapes
from rllib_citylearn.simulator.differentiable.state import State

if TYPE_CHECKING:
    from rllib_citylearn.env.vector_env import CommunityVectorEnv

LARGEST_WHOLE = 2**24
"""Whole numbers up to here are exact as float32."""

LOWEST = float(np.finfo(np.float32).min)
"""Stands for minus infinity, the peak of a month that begins: rows hold finite numbers only."""

Singles = npt.NDArray[np.float32]


class StateRows:
    """States of a community as flat float32 rows, and back.

    Rows hold no observations, which a replay has anyway, and nothing of the future: the drift of vehicles that are away is
    drawn afresh, as a learner's model must not know how the dice fall.

    Args:
        description: the community.

    Attributes:
        size: numbers S in a row.

    Raises:
        EngineError: more rows of data than float32 can count.
    """

    def __init__(self, description: CommunityDescription) -> None:
        if description.tables.rows > LARGEST_WHOLE:
            raise EngineError(
                f"The data has {description.tables.rows} rows, but states as float32 can name {LARGEST_WHOLE} at most; "
                "shorten the window."
            )
        self.description = description
        n, v = len(description.parameters), len(description.parameters.vehicles)
        tanks = n if description.thermal else 0
        history = description.net_hours
        inputs, hidden = memory_shapes(description)
        # Each with its shape; the first two and the appliances' are whole numbers.
        self._shapes: dict[str, tuple[int, ...]] = {
            "row": (),
            "age": (),
            "battery_soc": (n,),
            "battery_capacity_kwh": (n,),
            "tank_soc": (tanks, 3),
            "vehicle_soc": (v,),
            "vehicle_capacity_kwh": (v,),
            "appliances": (4, len(description.parameters.appliances)),
            "reward": (4,),
            "net_history_kwh": (history, n),
            "indoor_inputs": inputs,
            "indoor_hidden": hidden,
        }
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()]).tolist()
        self._places = dict(zip(self._shapes, map(slice, [0, *ends[:-1]], ends), strict=True))
        self.size: int = ends[-1]
        self._drifts = torch.as_tensor(description.tables.presence.drifts)

    def pack(self, env: CommunityVectorEnv) -> Singles:
        """Where the communities of ``env`` stand, ``[E, S]``; a copy.

        Raises:
            EngineError: ``env`` is not on the fast engine, or of another community.
        """
        fast = getattr(env.engine, "community", None)
        if fast is None:
            raise EngineError(
                f"The states of communities on the engine {env.config.engine!r} can't be packed; use the engine 'fast', or "
                "set the learner to zero simulated hours."
            )
        mine, theirs = self.description, fast.description
        if theirs.parameters.buildings != mine.parameters.buildings or theirs.tables.rows != mine.tables.rows:
            raise EngineError(
                f"The environment has {len(theirs.parameters)} buildings ({', '.join(theirs.parameters.buildings)}) and "
                f"{theirs.tables.rows} rows of data; these rows are of {len(mine.parameters)} buildings "
                f"({', '.join(mine.parameters.buildings)}) and {mine.tables.rows} rows. Make StateRows of its description."
            )
        arrays = fast.arrays
        count = fast.communities
        packed = np.empty((count, self.size), np.float32)
        packed[:, 0] = fast.clock
        packed[:, 1] = fast.clock - fast.origin
        at = self._places
        packed[:, at["battery_soc"]] = arrays["battery_soc"]
        packed[:, at["battery_capacity_kwh"]] = arrays["battery_capacity"]
        if self._shapes["tank_soc"][0]:
            packed[:, at["tank_soc"]] = arrays["tank_soc"].reshape(count, -1)
        packed[:, at["vehicle_soc"]] = arrays["vehicle_soc"]
        packed[:, at["vehicle_capacity_kwh"]] = arrays["vehicle_capacity"]
        if self._shapes["appliances"][1]:
            packed[:, at["appliances"]] = cycles_of(arrays).reshape(count, -1)
        packed[:, at["reward"]] = np.maximum(arrays["reward_state"], LOWEST)
        if self._shapes["net_history_kwh"][0]:
            packed[:, at["net_history_kwh"]] = env.net_history_kwh().reshape(count, -1)
        if mine.dynamics is not None:
            inputs, hidden = memory_of(mine, arrays["history"], arrays["hidden"])
            packed[:, at["indoor_inputs"]] = inputs.reshape(count, -1)
            packed[:, at["indoor_hidden"]] = hidden.reshape(count, -1)
        return packed

    def unpack(
        self,
        rows: torch.Tensor,
        observations: torch.Tensor,
        *,
        hours: int,
        generator: torch.Generator | None = None,
    ) -> State:
        """States to simulate on from, on the device of ``rows``.

        Args:
            rows: what ``pack`` gave, ``[B, S]``.
            observations: what the buildings saw there, encoded, ``[B, N, D]``; its dtype is the state's.
            hours: for how many hours vehicles that are away may drift.
            generator: of the drift, on the device of ``rows``; None takes torch's own.

        Raises:
            EngineError: rows of another size, or observations of another shape.
        """
        grid = self.description.features.observation_mask.shape
        if rows.ndim != 2 or rows.shape[1] != self.size or observations.shape != (len(rows), *grid):
            raise EngineError(
                f"Packed states have the shape {tuple(rows.shape)} and observations {tuple(observations.shape)}; those of "
                f"this community are [B, {self.size}] and [B, {grid[0]}, {grid[1]}]. Take both from runs of the same data "
                "set, buildings and features."
            )
        if self._drifts.device != rows.device:
            self._drifts = self._drifts.to(rows.device)
        given = rows.to(observations.dtype)

        def part(name: str) -> torch.Tensor:
            return given[:, self._places[name]].reshape(len(rows), *self._shapes[name])

        row, age = rows[:, 0].long(), rows[:, 1].long()
        reward = part("reward")
        return State(
            row=row,
            origin=row - age,
            appliances=rows[:, self._places["appliances"]].long().reshape(len(rows), *self._shapes["appliances"]),
            reward=torch.where(reward > LOWEST, reward, -torch.inf),
            drift=fresh_drift(self._drifts, row, hours, observations.dtype, generator),
            drift_row=row + 1,
            observations=observations,
            **{name: part(name) for name in _CARRIED},
        )


_CARRIED: tuple[Any, ...] = (
    "battery_soc",
    "battery_capacity_kwh",
    "tank_soc",
    "vehicle_soc",
    "vehicle_capacity_kwh",
    "net_history_kwh",
    "indoor_inputs",
    "indoor_hidden",
)
