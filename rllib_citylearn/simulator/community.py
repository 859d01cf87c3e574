"""E copies of a community, simulated at once by compiled kernels."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.reward import RewardBuffers, RewardTables
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.arrays import simulation_arrays
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.raw_observations import RawObservations
from rllib_citylearn.simulator.reward_layout import SERVICE_COUNT
from rllib_citylearn.simulator.support import check_versions

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

PATIENCE_S = 5.0
"""How long to wait before saying that kernels are being compiled although the cache held some: those of another copy of
this package, or of another processor. Loading them takes less."""


def load_kernels(report: Callable[[str], None] | None = None) -> Any:
    """The compiled kernels; the first time on a machine they are compiled, which is announced.

    Args:
        report: called with a sentence if it takes long; prints to standard error by default.
    """

    def announce() -> None:
        message = "Compiling the fast engine for this machine, once (about half a minute) ..."
        if report is None:
            print(message, file=sys.stderr, flush=True)
        else:
            report(message)

    if "rllib_citylearn.simulator.kernels.community" not in sys.modules:
        from rllib_citylearn.simulator.kernels.cache import kernel_folder

        cached = any(kernel_folder().glob("**/*.nbi"))
        timer = threading.Timer(PATIENCE_S if cached else 0.0, announce)
        timer.daemon = True
        timer.start()
        try:
            from rllib_citylearn.simulator.kernels import community
        finally:
            timer.cancel()
        return community
    from rllib_citylearn.simulator.kernels import community

    return community


class FastCommunity:
    """CityLearn's physics for E parallel communities, each with a clock of its own.

    ``step`` and ``reset`` write into the arrays below, which stay the same objects; copy what has to be kept. Rows count
    from the first time step of the environment the description was read from. One thread at a time may step it.

    Args:
        description: the community.
        communities: number E of copies.
        reward: what the team reward needs; None computes no rewards.
        drift_rows: the longest episode, in rows, if there are vehicles; None is all of the data, which takes
            8 bytes for each community, row and vehicle.

    Attributes:
        observations: float32 ``[E, N, D]``, encoded by the feature table.
        net_kwh, cost, emissions: of the last hour, float32 ``[E, N]``.
        battery_soc, battery_energy_kwh: at the end of the last hour, and taken from (> 0) or given in it, ``[E, N]``.
        battery_capacity_kwh: what degradation has left, float64 ``[E, N]``.
        tank_soc, tank_energy_kwh, demand_kwh, device_output_kwh, device_consumption_kwh: ``[E, N, 3]``, in the order of
            ``END_USES``; without buildings where nothing is thermal.
        vehicle_soc: at the end of the last hour, ``[E, V]``; vehicle_capacity_kwh: what degradation has left, ``[E, V]``.
        charger_energy_kwh: drawn from (> 0) or given to the building, ``[E, C]``.
        appliance_energy_kwh: drawn by deferrable appliances, ``[E, Q]``; appliance_started: which started a cycle.
        load_served_kwh: load that can't be moved, as far as it was met, ``[E, N]``.
        temperature_c: indoor temperature, ``[E, N]``; without buildings where none has dynamics.
        service: kWh that vehicles lack that left after the last hour, degC outside the comfort band, and kWh of appliances'
            cycles that were given up, ``[E, N, 3]``.
        clock: row of the next hour, ``[E]``.
        rewards: of the last hour; zeros if no reward was asked for.
    """

    def __init__(
        self,
        description: CommunityDescription,
        communities: int = 1,
        *,
        reward: RewardTables | None = None,
        drift_rows: int | None = None,
    ) -> None:
        if not isinstance(communities, int) or communities < 1:
            raise EngineError(f"{communities!r} communities can't be simulated; ask for a whole number from 1 on.")
        if drift_rows is not None and drift_rows < 1:
            raise EngineError(f"drift_rows is {drift_rows}; an episode has at least one row.")
        check_versions(description.versions)
        if reward is not None:
            _check_reward(reward, description)
        load_kernels()
        self.description = description
        self.communities = communities
        self.rows = description.tables.rows
        self._drift_rows = self.rows if drift_rows is None else min(drift_rows + 1, self.rows)
        from rllib_citylearn.simulator.kernels.memory import Memory

        sizes, arrays = simulation_arrays(description, reward, communities, self._drift_rows)
        self._memory = Memory(sizes, arrays)
        self._bind()
        self._actions: Doubles = arrays["actions"]
        self._shape = self._actions.shape
        self._refused: Rows = arrays["refused"]
        self._initial_soc: Doubles = arrays["b_initial"]
        self._drift: Doubles = arrays["drift"]
        self.observations: Singles = arrays["observations"]
        self.net_kwh: Singles = arrays["net"]
        self.cost: Singles = arrays["cost"]
        self.emissions: Singles = arrays["emission"]
        self.battery_soc: Singles = arrays["battery_soc_after"]
        self.battery_energy_kwh: Singles = arrays["battery_energy"]
        self.battery_capacity_kwh: Doubles = arrays["battery_capacity"]
        self.tank_soc: Singles = arrays["tank_soc_after"]
        self.tank_energy_kwh: Singles = arrays["tank_energy"]
        self.demand_kwh: Singles = arrays["demand"]
        self.device_output_kwh: Singles = arrays["device_output"]
        self.device_consumption_kwh: Singles = arrays["device_consumption"]
        self.load_served_kwh: Singles = arrays["load_served"]
        self.vehicle_soc: Singles = arrays["vehicle_soc_after"]
        self.vehicle_capacity_kwh: Doubles = arrays["vehicle_capacity"]
        self.charger_energy_kwh: Singles = arrays["charger_energy"]
        self.appliance_energy_kwh: Singles = arrays["appliance_energy"]
        self.appliance_started: npt.NDArray[np.uint8] = arrays["appliance_started"]
        self._last_row: Rows = arrays["last_row"]
        self.temperature_c: Singles = arrays["temperature"]
        self.service: Doubles = arrays["service"]
        self.clock: Rows = arrays["clock"]
        self.origin: Rows = arrays["origin"]
        self.rewards = RewardBuffers(
            building=arrays["building_reward"],
            district=arrays["district_reward"],
            team=arrays["team_reward"],
            terms=arrays["terms"],
            uncontrolled=arrays["uncontrolled_terms"],
        )
        self._all = np.arange(communities)
        self._raw: RawObservations | None = None
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """A copy, also one in another process, goes on where this one stands."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_kernels", "_step", "_table")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def _bind(self) -> None:
        self._kernels = load_kernels()
        self._step = self._kernels.step
        self._table = self._memory.table

    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """All arrays that the kernels work on, by the names of ``kernels.memory.FIELDS``; not for writing."""
        return self._memory.arrays

    def reset(
        self,
        communities: Sequence[int] | Rows | None = None,
        rows: Sequence[int] | Rows | int = 0,
        *,
        seeds: Sequence[int] | Rows | int | None = None,
        initial_soc: Doubles | None = None,
        last_rows: Sequence[int] | Rows | int | None = None,
    ) -> Singles:
        """Start episodes.

        Args:
            communities: which of the E; None starts all.
            rows: row of the data that each starts at, or one for all.
            seeds: from which the drift of vehicles that are away is drawn. CityLearn takes its random seed plus the number
                of its episode, which is the default with episode 1.
            initial_soc: state of charge of the batteries, ``[len(communities), N]``; None takes the schema's.
            last_rows: row that each episode ends with, or one for all; None is the last of the data. Like CityLearn's, a
                deferrable appliance starts no cycle that would not be done before it. Nothing else depends on it.

        Returns:
            ``observations``.

        Raises:
            EngineError: a row that isn't in the data or a community that there isn't.
        """
        which = self._all if communities is None else _whole("communities", communities)
        at, drawn = self._for_each("rows", rows, which), self._for_each("seeds", seeds, which)
        if which.ndim != 1:
            raise EngineError(f"Communities {which.tolist()} were to be reset; give a list of their numbers.")
        if which.size and not (which.min() >= 0 and which.max() < self.communities):
            raise EngineError(
                f"Communities {which.tolist()} were to be reset, but there are {self.communities}, counted from 0."
            )
        if at.size and not (at.min() >= 0 and at.max() < self.rows - 1):
            raise EngineError(f"Episodes were to start at the rows {at.tolist()}; the data allows 0 to {self.rows - 2}.")
        last = self._for_each("last_rows", self.rows - 1 if last_rows is None else last_rows, which)
        if last.size and not ((last > at).all() and last.max() < self.rows):
            raise EngineError(
                f"Episodes were to end with the rows {last.tolist()}; they start at {at.tolist()}, and the data ends with "
                f"{self.rows - 1}."
            )
        self._last_row[which] = last
        soc = np.asarray(self.description.parameters.batteries.initial_soc if initial_soc is None else initial_soc)
        shape = (len(which), len(self.description.parameters))
        if initial_soc is not None and not (soc.shape == shape and (soc >= 0.0).all() and (soc <= 1.0).all()):
            raise EngineError(f"The initial state of charge has to be numbers between 0 and 1 of the shape {shape}.")
        self._initial_soc[which] = soc
        if self._drift.size:
            for e, row, own in zip(which, at, drawn, strict=True):
                factors = self.description.tables.presence.drift(int(row), self._drift_rows, int(own))
                self._drift[e] = np.nan
                self._drift[e, : len(factors)] = factors
        self._kernels.reset(self._table, np.ascontiguousarray(which), at)
        return self.observations

    def _for_each(self, name: str, values: Sequence[int] | Rows | int | None, which: Rows) -> Rows:
        """One whole number for each community that is reset."""
        given = _whole(name, self.description.parameters.random_seed + 1 if values is None else values)
        if given.shape not in ((), which.shape):
            raise EngineError(f"{given.size} {name} were given for {which.size} communities; give one each, or one for all.")
        return np.array(np.broadcast_to(given, which.shape))

    def step(self, actions: npt.ArrayLike) -> Singles:
        """One hour with joint actions ``[E, N, A]`` in [-1, 1], mapped onto CityLearn's limits. Those that a
        building lacks do nothing, but have to be finite.

        Returns:
            ``observations``.

        Raises:
            EngineError: actions of another shape or that are no numbers, or no data left.
        """
        return self._advance(actions, True)

    def step_physical(self, actions: npt.ArrayLike) -> Singles:
        """One hour with actions ``[E, N, A]`` in CityLearn's units; out-of-range ones do what they do in CityLearn.

        Where CityLearn stops with an assertion instead, a device at less than nothing and tanks that give more in an
        episode's first hour than is asked for, nothing is what is counted.
        """
        return self._advance(actions, False)

    def _advance(self, actions: npt.ArrayLike, decode: bool) -> Singles:
        try:
            given = np.asarray(actions, np.float64)
        except (TypeError, ValueError) as error:
            raise EngineError(
                f"Actions are no array of numbers ({error}); give one of the shape {self._shape}: communities, buildings, "
                f"joint actions ({', '.join(self.description.features.actions)})."
            ) from error
        if given.shape != self._shape:
            e, n, a = self._shape
            raise EngineError(
                f"Actions have the shape {given.shape}; {e} communities of {n} buildings with {a} joint actions "
                f"({', '.join(self.description.features.actions)}) need {self._shape}."
            )
        self._actions[...] = given
        code = self._step(self._table, decode)
        if code:
            self._refuse(code)
        return self.observations

    def _refuse(self, code: int) -> None:
        e, n = self._refused.tolist()
        if code == self._kernels.NOT_A_NUMBER:
            name = self.description.parameters.buildings[n]
            raise EngineError(f"An action of {name} in community {e} is no finite number; every action has to be one.")
        if code == self._kernels.PAST_THE_DRIFT:
            raise EngineError(
                f"The episode of community {e} is {self._drift_rows - 1} hours old, for which the journeys of its vehicles "
                "were drawn; reset it, or make the simulation with more drift_rows."
            )
        raise EngineError(
            f"Community {e} is at row {self.clock[e]}, the last of its data; reset it before the next step (rows 0 to "
            f"{self.rows - 2} can be a start)."
        )

    def raw_observations(self, e: int = 0) -> list[list[float]]:
        """What the buildings of community ``e`` see in physical units, as CityLearn's own observations."""
        if self._raw is None:
            self._raw = RawObservations(self)
        return self._raw.of(e)


def _check_reward(reward: RewardTables, description: CommunityDescription) -> None:
    """Refuse reward tables of another community or window: the kernels would read beside them."""
    tables = description.tables
    covered, needed = reward.reference_net.shape, (tables.rows - 1, len(description.parameters))
    parameters = description.parameters
    serves = len(parameters.chargers) > 0 or tables.comfort is not None or len(parameters.appliances) > 0
    service = (covered[0] if serves else 0, covered[1], SERVICE_COUNT)
    differs = reward.first_step != tables.first_step or reward.reference_service.shape != service
    if differs or covered[0] < needed[0] or covered[1] != needed[1]:
        raise EngineError(
            f"The reward covers {covered[0]} hours of {covered[1]} buildings from the time step {reward.first_step} on, the "
            f"community {needed[0]} hours of {needed[1]} buildings from {tables.first_step} on; make both from one "
            "environment."
        )


def _whole(name: str, values: Any) -> Rows:
    """``values`` as whole numbers."""
    given = np.asarray(values)
    if given.size and given.dtype.kind not in "iu":
        raise EngineError(f"{name} are {given.tolist()}; give whole numbers.")
    return given.astype(np.int64)
