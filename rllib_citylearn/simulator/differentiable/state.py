"""What passes from one hour to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.community import FastCommunity
from rllib_citylearn.simulator.differentiable.appliances import cycles_of
from rllib_citylearn.simulator.differentiable.dynamics import memory_of


@dataclass(frozen=True)
class State:
    """E communities at the start of an hour, as tensors on one device.

    Attributes:
        row: row of the data that the hour stands at, int64 ``[E]``.
        origin: row at which the episode started, int64 ``[E]``.
        battery_soc: state of charge, ``[E, N]``.
        battery_capacity_kwh: what degradation has left, ``[E, N]``.
        tank_soc: ``[E, N, 3]``, in the order of ``END_USES``; without buildings where nothing is thermal.
        vehicle_soc, vehicle_capacity_kwh: ``[E, V]``.
        appliances: where deferrable appliances stand, int64 ``[E, 4, Q]``; ``differentiable.appliances`` says how.
        drift: factors by which the charge of vehicles that are away changes, ``[E, W, V]``; NaN where it does not.
            Beyond them no vehicle drifts.
        drift_row: row at whose start the first of ``drift`` acts, int64 ``[E]``.
        reward: the district's load in the hour before, controlled and uncontrolled, then the month's peaks so far,
            controlled and uncontrolled, kWh, ``[E, 4]``; without columns where no rewards are computed, and within rollouts.
        net_history_kwh: net loads of the last 24 hours, the latest last, zero before there was any, ``[E, 24, N]``; without
            hours where observations hold no mean of them, and within rollouts.
        indoor_inputs: normalised cold and heat made and indoor temperatures of the last hours that LSTM models look back,
            the latest last, ``[E, R, N, 3]``; without hours where no building has a model, and within rollouts.
        indoor_hidden: of these models, outputs and cell states of their layers, ``[E, N, L, 2, H]``; likewise.
        observations: what the buildings see, encoded, ``[E, N, D]``; only the columns that depend on the control within and
            after rollouts with ``partly``.
    """

    row: torch.Tensor
    origin: torch.Tensor
    battery_soc: torch.Tensor
    battery_capacity_kwh: torch.Tensor
    tank_soc: torch.Tensor
    vehicle_soc: torch.Tensor
    vehicle_capacity_kwh: torch.Tensor
    appliances: torch.Tensor
    drift: torch.Tensor
    drift_row: torch.Tensor
    reward: torch.Tensor
    net_history_kwh: torch.Tensor
    indoor_inputs: torch.Tensor
    indoor_hidden: torch.Tensor
    observations: torch.Tensor

    @classmethod
    def of(
        cls,
        fast: FastCommunity,
        *,
        net_history_kwh: npt.NDArray[np.float32] | None = None,
        hours: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> State:
        """Where a compiled community stands.

        Args:
            fast: it may go on; the state is a copy.
            net_history_kwh: ``CommunityVectorEnv.net_history_kwh()``, ``[E, 24, N]``, where observations hold a mean of it.
            hours: for how many hours the drift of vehicles has to be known; None is all that ``fast`` knows.
            dtype, device: those of the ``DifferentiableCommunity`` that goes on from here.

        Raises:
            EngineError: a history of another shape, or none where there has to be one.
        """
        arrays = fast.arrays
        row, origin = arrays["clock"].copy(), arrays["origin"].copy()
        thermal = bool(arrays["tank_soc"].size)
        shape = (len(row), fast.description.net_hours, len(fast.description.parameters))
        history = np.zeros((len(row), 0, shape[2])) if net_history_kwh is None else net_history_kwh
        if history.shape != shape:
            raise EngineError(
                f"The history of net loads has the shape {history.shape}; observations of this community depend on one of "
                f"{shape}: give net_history_kwh() of the vector environment that steps it."
            )

        indoor_inputs, indoor_hidden = memory_of(fast.description, arrays["history"], arrays["hidden"])

        def given(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        return cls(
            row=torch.as_tensor(row, device=device),
            origin=torch.as_tensor(origin, device=device),
            battery_soc=given(arrays["battery_soc"]),
            battery_capacity_kwh=given(arrays["battery_capacity"]),
            tank_soc=given(arrays["tank_soc"] if thermal else arrays["tank_soc"][:, :0]),
            vehicle_soc=given(arrays["vehicle_soc"]),
            vehicle_capacity_kwh=given(arrays["vehicle_capacity"]),
            appliances=torch.as_tensor(cycles_of(arrays), device=device),
            drift=given(_ahead(arrays["drift"], row + 1 - origin, hours)),
            drift_row=torch.as_tensor(row + 1, device=device),
            reward=given(arrays["reward_state"] if arrays["reference_net"].size else arrays["reward_state"][:, :0]),
            net_history_kwh=given(history),
            indoor_inputs=given(indoor_inputs),
            indoor_hidden=given(indoor_hidden),
            observations=given(arrays["observations"]),
        )

    def to(self, device: torch.device | str) -> State:
        """The same state on another device."""
        return State(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @property
    def device(self) -> Any:
        """The ``torch.device`` of all tensors.

        Raises:
            EngineError: they are on several.
        """
        devices = {getattr(self, field.name).device for field in fields(self)}
        if len(devices) > 1:
            raise EngineError(
                f"The tensors of a state are on several devices ({', '.join(sorted(map(str, devices)))}); move all of them "
                "to one with State.to(device)."
            )
        return devices.pop()


def _ahead(drift: np.ndarray, start: np.ndarray, hours: int | None) -> np.ndarray:
    """Factors ``[E, W, V]`` from row ``start`` ``[E]`` of ``drift`` on, for ``hours`` hours; NaN beyond the end."""
    known = drift.shape[1]
    wanted = np.maximum(known - start, 0).max(initial=0) if hours is None else hours
    at = start[:, None] + np.arange(wanted if drift.size else 0)
    factors = drift[np.arange(len(drift))[:, None], np.minimum(at, max(known - 1, 0))] if at.size else drift[:, :0]
    return np.where((at < known)[:, :, None], factors, np.nan)
