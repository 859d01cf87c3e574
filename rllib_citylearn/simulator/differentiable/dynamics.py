"""Indoor temperatures out of LSTM models (``kernels/lstm.py``), of all communities and buildings at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.differentiable.lstm import ENTER, KEEP, LSTM, NEW, SHOW
from rllib_citylearn.simulator.dynamics import CONTROLLED, Dynamics
from rllib_citylearn.simulator.parameters import END_USES, Flags, Floats

Singles = npt.NDArray[np.float32]

TEMPERATURE = CONTROLLED.index("indoor_dry_bulb_temperature")
"""Place of the temperature among the inputs that depend on the control; before it stand the cold and heat made."""


@dataclass(frozen=True)
class Shares:
    """What the control wants of cooling, heating and hot-water devices; each ``[E, N, 3]``.

    Attributes:
        chosen: whether the control sets what is made, in place of the data's demand.
        share: of what the device can make; where it is not chosen, nothing.
    """

    chosen: torch.Tensor
    share: torch.Tensor


class DeviceActions(Constants):
    """What actions ask of the cooling and heating devices of buildings with a model.

    Args:
        description: the community.
        dynamics: its models.
        dtype: of the values.
    """

    def __init__(self, description: CommunityDescription, dynamics: Dynamics, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        actions, mode = description.parameters.actions, description.tables.hvac_mode
        own, both = actions.device, actions.both_devices[:, None]
        column = np.where(own >= 0, own, both)
        building = np.arange(len(own))[:, None]
        low, high = actions.low[building, column], actions.high[building, column]
        # The common action cools below zero and heats above.
        sign = np.where((own < 0) & (both >= 0), np.array([-1.0, 1.0]), 1.0)

        self.keep("place", np.where(column >= 0, building * actions.mask.shape[1] + column, 0).ravel(), torch.int64)
        self.keep("half_range", sign * (high - low) / 2.0, dtype)
        self.keep("middle", sign * (high + low) / 2.0, dtype)
        self.keep("chosen", _of_three(dynamics.dynamic[:, None] & (column >= 0)), torch.bool)
        self.keep("runs", np.stack([(mode == 1) | (mode == 3), (mode == 2) | (mode == 3)], 2), dtype)  # [T, N, 2]
        self._young = dynamics.lookback + 1

    def forward(self, row: torch.Tensor, origin: torch.Tensor, actions: torch.Tensor) -> Shares:
        """At ``row`` ``[E]`` of episodes that began at ``origin`` ``[E]``, with joint actions ``[E, N * A]`` in [-1, 1]."""
        given = actions.index_select(1, self.place).view(-1, *self.half_range.shape)
        share = torch.addcmul(self.middle, self.half_range, given).clamp(0.0, 1.0) * self.runs.index_select(0, row)
        # The data's demand holds until the models have seen as many hours as they look back.
        old = (row - origin >= self._young)[:, None, None]
        return Shares(self.chosen & old, torch.nn.functional.pad(share, (0, 1)))


class IndoorModel(Constants):
    """The models of N buildings.

    Of an hour's inputs only the cold and heat made in it and the temperature of the hour before depend on the control; what
    the others add to the first layer's gates is in a table.

    Args:
        description: the community.
        dynamics: its models.
        dtype: of the values.
    """

    def __init__(self, description: CommunityDescription, dynamics: Dynamics, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        tables = description.tables
        assert tables.comfort is not None  # there is a band where there is a model
        self.lookback = dynamics.lookback
        self.actions = DeviceActions(description, dynamics, dtype)
        at, (low, high) = dynamics.input_at, np.moveaxis(dynamics.input_range, 2, 0)
        count, size = dynamics.output_weights.shape
        building = np.arange(count)
        below, recurrent, bias = map(_gates, (dynamics.input_weights, dynamics.recurrent_weights, dynamics.bias))
        data = dynamics.inputs.astype(np.float64)
        first = below[:, 0, : data.shape[2]]
        indoor = data[:, building, at[:, TEMPERATURE]]
        data[:, building, at[:, TEMPERATURE]] = 0.0
        scale = np.where(at >= 0, 1.0 / (high - low), 0.0)

        self.keep("gates", np.einsum("tnf,nfg->tng", data, first) + bias[:, 0])  # [T, N, 4H]
        controlled = np.where((at >= 0)[:, :, None], first[building[:, None], at], 0.0)
        self.keep("controlled", controlled.swapaxes(1, 2))  # [N, 4H, 3]
        # As ``LSTM`` has them, [L or L - 1, N, 4H, H or 1].
        self.keep("recurrent", recurrent.transpose(1, 0, 3, 2))
        self.keep("below", below[:, 1:, :size].transpose(1, 0, 3, 2))
        self.keep("bias", bias[:, 1:].swapaxes(0, 1)[..., None])
        self.keep("output_weights", dynamics.output_weights[:, None])
        self.keep("output_bias", dynamics.output_bias[:, None, None])
        self.keep("scale", scale[:, :TEMPERATURE])
        self.keep("shift", -(low * scale)[:, :TEMPERATURE])
        self.keep("degrees", (high - low)[:, TEMPERATURE])
        self.keep("lowest", low[:, TEMPERATURE])
        # Without control: normalised, and degC, which nobody may know of a building without a model, [T, 2, N].
        self.keep("indoor", np.stack([indoor, np.nan_to_num(tables.indoor)], 1))
        self.keep("dynamic", dynamics.dynamic, torch.bool)
        self.keep("coldest", tables.comfort[:, :, 0])
        self.keep("warmest", tables.comfort[:, :, 1])

    def discomfort(self, rows: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        """DegC between temperatures ``[H, E, N]`` in the hours at ``rows`` ``[H, E]`` and the comfort bands."""
        return torch.maximum(temperature - self.warmest[rows], self.coldest[rows] - temperature).clamp(min=0.0)


class IndoorHours:
    """Follows a rollout.

    Args:
        model: of the buildings.
        row: of the data that it begins at, ``[E]``.
        inputs, hidden: what episodes remember there, as in ``State``.
    """

    def __init__(self, model: IndoorModel, row: torch.Tensor, inputs: torch.Tensor, hidden: torch.Tensor) -> None:
        self._model = model
        self._inputs = list(inputs.unbind(1))  # [E, N, 3]
        self._output, self._cell = hidden.permute(3, 2, 1, 4, 0).contiguous().unbind(0)  # [L, N, H, E]
        # What the hours before add to the gates, which all hours in whose look back they are have in common.
        back = torch.arange(1 - model.lookback, 0, device=inputs.device)
        rows = (row.unsqueeze(1) + back).clamp(min=0)  # those before the data are never looked at
        seen = torch.cat([inputs[:, 1:, :, :TEMPERATURE], inputs[:, :-1, :, TEMPERATURE:]], 3)
        self._gates = [self._added(rows[:, s], seen[:, s]) for s in range(rows.shape[1])]

    def predict(self, row: torch.Tensor, origin: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """Indoor temperature of an hour, degC ``[E, N]``.

        Args:
            row: of the data, ``[E]``.
            origin: row at which the episode started, ``[E]``.
            made: what devices and tanks gave to the buildings, kWh, ``[E, N, 3]``.
        """
        model = self._model
        normalised = torch.addcmul(model.shift, model.scale, made[:, :, :TEMPERATURE])
        seen = torch.cat([normalised, self._inputs[-1][:, :, TEMPERATURE:]], 2)
        self._gates = [*self._gates, self._added(row, seen)][-model.lookback :]
        old = row - origin >= model.lookback
        with torch.autocast(row.device.type, enabled=False):  # temperatures need all their digits
            output, cell = LSTM.apply(self._output, self._cell, model.recurrent, model.below, model.bias, *self._gates)
            predicted = torch.baddbmm(model.output_bias, model.output_weights, output[-1]).squeeze(1).t()
        self._output, self._cell = torch.where(old, output, self._output), torch.where(old, cell, self._cell)
        data, data_c = model.indoor.index_select(0, row).unbind(1)
        old = old.unsqueeze(1)
        temperature = torch.where(old, predicted, data)
        self._inputs.append(torch.cat([normalised, temperature.unsqueeze(2)], 2))
        return torch.where(old & model.dynamic, torch.addcmul(model.lowest, model.degrees, predicted), data_c)

    def memory(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and hidden states, as in ``State``."""
        inputs = torch.stack(self._inputs[-self._model.lookback :], 1)
        return inputs, torch.stack([self._output, self._cell]).permute(4, 2, 1, 0, 3)

    def _added(self, row: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What the inputs of the hour at ``row`` ``[E]`` add to the first layer's gates, ``[N, 4H, E]``, of which those that
        depend on the control are ``seen``, ``[E, N, 3]``."""
        model = self._model
        data = model.gates.index_select(0, row).permute(1, 2, 0)
        with torch.autocast(row.device.type, enabled=False):
            return torch.baddbmm(data, model.controlled, seen.permute(1, 2, 0))


def memory_shapes(description: CommunityDescription) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of an episode's inputs and hidden states in ``State``; nothing where no building has a model."""
    dynamics, buildings = description.dynamics, len(description.parameters)
    if dynamics is None:
        return (0, buildings, len(CONTROLLED)), (0, 0, 2, 0)
    layers, size = dynamics.recurrent_weights.shape[1:3]
    return (dynamics.lookback, buildings, len(CONTROLLED)), (buildings, layers, 2, size)


def memory_of(description: CommunityDescription, history: Singles, hidden: Singles) -> tuple[Singles, Singles]:
    """Inputs and hidden states, as in ``State``, of a compiled community.

    Args:
        description: of it.
        history: the kernels' normalised inputs of ``lookback + 1`` hours, ``[E, N, R, F]``.
        hidden: ``[E, N, L, 2, H]``.
    """
    if description.dynamics is None:
        inputs_shape, hidden_shape = memory_shapes(description)
        return np.zeros((len(history), *inputs_shape), np.float32), np.zeros((len(history), *hidden_shape), np.float32)
    at = description.dynamics.input_at[:, None]  # [N, 1, 3]
    inputs = np.where(at >= 0, np.take_along_axis(history[:, :, 1:], np.maximum(at, 0)[None], 3), 0.0)
    return np.swapaxes(inputs, 1, 2).astype(np.float32), hidden


def _gates(weights: Singles) -> Floats:
    """Weights ``[..., 4H]`` with gates in ``LSTM``'s order, from torch's: input, forget, cell, output."""
    enter, keep, new, show = np.split(weights.astype(np.float64), 4, -1)
    gates = {ENTER: enter, KEEP: keep, SHOW: show, NEW: 2.0 * new}
    return np.concatenate([gates[i] for i in sorted(gates)], -1)


def _of_three(flags: Flags) -> Flags:
    """Flags of cooling and heating ``[N, 2]`` as those of all end uses; hot water is the tanks' alone."""
    return np.pad(flags, ((0, 0), (0, len(END_USES) - flags.shape[1])))
