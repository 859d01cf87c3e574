"""What happens to a community whatever it does: time series read from a live CityLearn environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.comfort import comfort_limits
from rllib_citylearn.simulator.parameters import END_USES, ThermalDevices
from rllib_citylearn.simulator.presence import Presence

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CommunityTables:
    """Time series of N buildings over the T rows of an environment's window.

    Attributes:
        first_step: the data's time step that row 0 stands for.
        load: load that can't be moved, kWh, ``[T, N]``.
        generation: photovoltaic generation as a negative load, kWh, ``[T, N]``.
        price: currency/kWh, ``[T, N]``.
        carbon: kgCO2/kWh, ``[T, N]``.
        heat_demand: cooling, heating and hot-water demand, kWh, ``[T, N, 3]``.
        outdoor: outdoor dry-bulb temperature, degC, ``[T, N]``.
        outage: 1 while the grid is out, ``[T, N]``; None where no building simulates outages.
        islanded_load: load without control less generation, kWh, ``[T, N]``: what a battery may feed in an outage.
        hvac_mode: 0 off, 1 cooling, 2 heating, 3 both, ``[T, N]``.
        indoor: indoor temperature without control, degC, ``[T, N]``.
        comfort: lowest and highest comfortable temperature, degC, ``[T, N, 2]``; None where no temperature is simulated.
        presence: where the vehicles are.
    """

    first_step: int
    load: Singles
    generation: Singles
    price: Singles
    carbon: Singles
    heat_demand: Singles
    outdoor: Singles
    outage: npt.NDArray[np.uint8] | None
    islanded_load: npt.NDArray[np.float64] | None
    hvac_mode: npt.NDArray[np.int64]
    indoor: Singles
    comfort: Singles | None
    presence: Presence

    @property
    def rows(self) -> int:
        """Number T of rows."""
        return len(self.load)

    @classmethod
    def read(cls, env: CityLearnEnv, devices: ThermalDevices) -> CommunityTables:
        """From an environment that has been reset.

        Raises:
            EngineError: a series has a value that is no number.
        """
        buildings = env.buildings
        energy = [building.energy_simulation for building in buildings]
        generation = _columns("solar_generation", buildings, [-generation_kwh(building) for building in buildings])
        demand = np.stack(
            [_columns(f"{u}_demand", buildings, [getattr(e, f"{u}_demand") for e in energy]) for u in END_USES], 2
        )
        outdoor = _columns(
            "outdoor_dry_bulb_temperature", buildings, [b.weather.outdoor_dry_bulb_temperature for b in buildings]
        )
        load = _columns("non_shiftable_load", buildings, [e.non_shiftable_load for e in energy])
        outage = islanded = None
        if any(building.simulate_power_outage for building in buildings):
            outage = np.stack([_outage(building) for building in buildings], 1)
            islanded = _islanded_load(load, generation, demand, outdoor, devices)
        return cls(
            first_step=int(env.episode_tracker.episode_start_time_step),
            load=load,
            generation=generation,
            price=_columns("electricity_pricing", buildings, [b.pricing.electricity_pricing for b in buildings]),
            carbon=_columns("carbon_intensity", buildings, [b.carbon_intensity.carbon_intensity for b in buildings]),
            heat_demand=np.ascontiguousarray(demand),
            outdoor=outdoor,
            outage=outage,
            islanded_load=islanded,
            hvac_mode=np.stack([np.asarray(e.hvac_mode, np.int64) for e in energy], 1),
            indoor=_columns(
                "indoor_dry_bulb_temperature", buildings, [e.indoor_dry_bulb_temperature for e in energy], finite=False
            ),
            comfort=comfort_limits(env),
            presence=Presence.read(env, len(load)),
        )


def _columns(name: str, buildings: Sequence[Any], series: Sequence[Any], *, finite: bool = True) -> Singles:
    """Series of all buildings side by side, ``[T, N]``."""
    for building, values in zip(buildings, series, strict=True):
        if finite and not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise EngineError(
                f"{name} of {building.name} is {np.asarray(values)[row]} at row {row} of the data; every value must be a "
                "finite number. Mend the data set's file."
            )
    return np.ascontiguousarray(np.stack([np.asarray(values, np.float32) for values in series], 1))


def generation_kwh(building: Any) -> Singles:
    """Photovoltaic generation, kWh a time step, as CityLearn rounds it."""
    generation = np.array(building.pv.get_generation(building.energy_simulation.solar_generation), np.float32)
    if building.pv.generation_mode == "absolute":
        generation = generation * float(building.time_step_ratio or 1.0)
    return generation


def _outage(building: Any) -> npt.NDArray[np.uint8]:
    return (np.asarray(building.reset_power_outage_signal()) != 0).astype(np.uint8)


def _islanded_load(
    load: Singles, generation: Singles, demand: Singles, outdoor: Singles, devices: ThermalDevices
) -> npt.NDArray[np.float64]:
    """Electricity that all devices would take without control, less generation: ``[T, N]`` kWh.

    CityLearn bounds a battery's discharge in an outage by it (``BuildingOpsService._estimate_base_power_at_step``).
    """
    from rllib_citylearn.simulator.kernels.thermal import performance

    total = np.zeros(load.shape)
    for u in range(len(END_USES)):
        for n in range(load.shape[1]):
            kind = int(devices.kind[n, u])
            if kind:
                efficiency, target = devices.efficiency[n, u], devices.target_temperature[n, u]
                cop = np.array([performance(kind, efficiency, target, float(x)) for x in outdoor[:, n]])
                total[:, n] += demand[:, n, u].astype(float) / cop
    return total + load.astype(float) + generation.astype(float)
