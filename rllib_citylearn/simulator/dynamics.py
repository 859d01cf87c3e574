"""LSTM models of the indoor temperature, as arrays (``citylearn.dynamics.LSTMDynamics``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import EngineError, UnsupportedError
from rllib_citylearn.simulator.comfort import simulates_temperature
from rllib_citylearn.simulator.tables import CommunityTables

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Singles = npt.NDArray[np.float32]

CONTROLLED = ("cooling_demand", "heating_demand", "indoor_dry_bulb_temperature")
"""Inputs that depend on the control."""

ELSEWHERE = ("solar_generation", "power_outage", "dhw_demand")
"""Inputs that CityLearn doesn't take from the data as they stand there."""

PERIODS = {"hour": 24, "day_type": 7, "month": 12, "minutes": 59, "seconds": 59}
"""Largest value of each periodic observation: CityLearn's ``PeriodicNormalization``."""


@dataclass(frozen=True)
class Dynamics:
    """Models of N buildings; all of one size. Gates stand in torch's order: input, forget, cell, output.

    Attributes:
        dynamic: which buildings have a model, ``[N]``.
        lookback: hours that a prediction looks back.
        inputs: normalised inputs that are data, ``[T, N, F]``; those in ``CONTROLLED`` are zero but for the temperature
            without control.
        input_at: place of the ``CONTROLLED`` inputs, ``[N, 3]``; -1 where a model has none.
        input_range: their normalisation, ``[N, 3, 2]``.
        input_weights: ``[N, L, I, 4H]``, recurrent_weights: ``[N, L, H, 4H]``, bias: ``[N, L, 4H]``.
        output_weights: ``[N, H]``, output_bias: ``[N]``.
    """

    dynamic: npt.NDArray[np.bool_]
    lookback: int
    inputs: Singles
    input_at: npt.NDArray[np.int64]
    input_range: npt.NDArray[np.float64]
    input_weights: Singles
    recurrent_weights: Singles
    bias: Singles
    output_weights: Singles
    output_bias: Singles

    @classmethod
    def read(cls, env: CityLearnEnv, tables: CommunityTables) -> Dynamics | None:
        """From an environment that has been reset; None if no building has a model.

        Raises:
            EngineError: models of different sizes, or with an input that the engine doesn't know.
        """
        models = [getattr(b, "dynamics", None) if simulates_temperature(b) else None for b in env.buildings]
        given = [model for model in models if model is not None]
        for building, model in zip(env.buildings, models, strict=True):
            if model is not None and (type(model).__name__ != "LSTMDynamics" or model.dropout.p > 0.0):
                raise UnsupportedError(
                    f"The dynamics of {building.name} are a {type(model).__name__} with a dropout of {model.dropout.p:g}; "
                    "the fast engine knows CityLearn's LSTMDynamics without dropout.",
                    "Use the engine 'citylearn'.",
                )
        if not given:
            return None
        sizes = {(m.hidden_size, m.num_layers, m.lookback, len(m.input_observation_names)) for m in given}
        if len(sizes) > 1:
            raise UnsupportedError(
                f"The buildings' LSTM models have different sizes (hidden, layers, look back, inputs): {sorted(sizes)}. The "
                "fast engine needs one size for all.",
                "Use the engine 'citylearn'.",
            )
        hidden, layers, lookback, inputs = sizes.pop()
        count, widest = len(models), max(inputs, hidden)
        result = cls(
            dynamic=np.array([model is not None for model in models]),
            lookback=lookback,
            inputs=np.zeros((tables.rows, count, inputs), np.float32),
            input_at=np.full((count, 3), -1, np.int64),
            input_range=np.tile([0.0, 1.0], (count, 3, 1)),
            input_weights=np.zeros((count, layers, widest, 4 * hidden), np.float32),
            recurrent_weights=np.zeros((count, layers, hidden, 4 * hidden), np.float32),
            bias=np.zeros((count, layers, 4 * hidden), np.float32),
            output_weights=np.zeros((count, hidden), np.float32),
            output_bias=np.zeros(count, np.float32),
        )
        for n, (building, model) in enumerate(zip(env.buildings, models, strict=True)):
            if model is not None:
                result._fill_weights(n, model)
                result._fill_inputs(n, building, model)
        return result

    def _fill_weights(self, n: int, model: Any) -> None:
        weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
        for layer in range(self.bias.shape[1]):
            into = weights[f"l_lstm.weight_ih_l{layer}"].T
            self.input_weights[n, layer, : len(into)] = into
            self.recurrent_weights[n, layer] = weights[f"l_lstm.weight_hh_l{layer}"].T
            self.bias[n, layer] = weights[f"l_lstm.bias_ih_l{layer}"] + weights[f"l_lstm.bias_hh_l{layer}"]
        self.output_weights[n] = weights["l_linear.weight"][0]
        self.output_bias[n] = weights["l_linear.bias"][0]

    def _fill_inputs(self, n: int, building: Any, model: Any) -> None:
        names = model.input_observation_names
        ranges = zip(names, model.input_normalization_minimum, model.input_normalization_maximum, strict=True)
        for f, (name, low, high) in enumerate(ranges):
            if name in CONTROLLED:
                self.input_at[n, CONTROLLED.index(name)] = f
                self.input_range[n, CONTROLLED.index(name)] = low, high
            if name not in CONTROLLED[:2]:
                series = _series(building, name)
                if not np.isfinite(series).all():
                    raise EngineError(
                        f"The input {name} of {building.name}'s LSTM model has values that are no finite numbers; mend the "
                        "data set's file."
                    )
                self.inputs[:, n, f] = (series - low) / (high - low)
        if self.input_at[n, 2] < 0:
            raise EngineError(f"The LSTM model of {building.name} has no input 'indoor_dry_bulb_temperature'.")


def _series(building: Any, name: str) -> Any:
    """Data behind an input, ``[T]``."""
    base, _, wave = name.rpartition("_")
    periodic = wave in ("sin", "cos") and base in PERIODS
    sources = () if name in ELSEWHERE else (building.energy_simulation, building.weather)
    for source in (*sources, building.pricing, building.carbon_intensity):
        try:
            values = np.asarray(getattr(source, base if periodic else name))
        except AttributeError:
            continue
        if not periodic:
            return values
        angle = 2.0 * np.pi * values / PERIODS[base]
        return np.sin(angle) if wave == "sin" else np.cos(angle)
    raise UnsupportedError(
        f"The fast engine does not know the input {name!r} of {building.name}'s LSTM model.", "Use the engine 'citylearn'."
    )
