"""The fast engine and CityLearn side by side: both run the same actions, and every number they give is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.parameters import END_USES

Doubles = npt.NDArray[np.float64]
Run = Mapping[str, Doubles]
"""What happened, by quantity: ``[S, ...]`` for the S hours that were run, observations ``[S + 1, ...]``."""

PATTERNS = ("random", "bang-bang", "correlated", "zero", "out-of-range", "mixed")
OBSERVATIONS = ("encoded", "raw")


def scripted(pattern: str, features: CommunityFeatures, hours: int, seed: int = 0) -> Doubles:
    """Joint actions ``[hours, N, A]`` in CityLearn's units.

    Args:
        pattern: one of ``PATTERNS``; "mixed" takes turns with the others.
        features: the community's feature table; actions that a building lacks get values too, which nothing may read.
        hours: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    shape = (hours, len(features.agents), len(features.actions))
    if pattern == "mixed":
        parts = [scripted(name, features, hours, seed + i) for i, name in enumerate(PATTERNS[:-1])]
        turn = rng.integers(len(parts), size=hours)
        actions = np.stack(parts)[turn, np.arange(hours)]
    elif pattern == "correlated":
        actions = np.zeros(shape)
        for t in range(1, hours):
            actions[t] = 0.9 * actions[t - 1] + rng.normal(0.0, 0.3, shape[1:])
    else:
        drawn = rng.uniform(-1.0, 1.0, shape)
        actions = {"random": drawn, "bang-bang": np.sign(drawn), "zero": 0.0 * drawn, "out-of-range": 3.0 * drawn}[pattern]
    for a, name in enumerate(features.actions):
        if name in ("cooling_device", "heating_device"):
            actions[..., a] = np.abs(actions[..., a])  # CityLearn has no negative demand
        elif name in ("cooling_storage", "heating_storage", "dhw_storage"):
            # In the first hour CityLearn refuses a tank that gives more than the device makes.
            actions[0, :, a] = np.abs(actions[0, :, a])
    return actions


def per_building(features: CommunityFeatures, joint: Doubles) -> list[list[float]]:
    """Joint actions ``[N, A]`` as the Python floats that CityLearn takes, one list a building."""
    return [
        [float(joint[n, features.actions.index(name)]) for name in agent.actions] for n, agent in enumerate(features.agents)
    ]


def record(env: Any, features: CommunityFeatures, actions: Doubles) -> dict[str, Doubles]:
    """What CityLearn makes of ``actions`` ``[S, N, A]`` in an episode of its own, which is started here.

    The observation after the last hour of an episode is left out: CityLearn repeats the one before it.
    """
    observations, _ = env.reset()
    seen, capacities, vehicle_capacities = [observations], [], []
    for joint in actions:
        observations, *_ = env.step(per_building(features, joint))
        capacities.append([b.electrical_storage.degraded_capacity for b in env.buildings])
        vehicle_capacities.append([v.battery.degraded_capacity for v in env.electric_vehicles])
        if not env.terminated:
            seen.append(observations)
    hours, buildings = len(actions), env.buildings

    def side_by_side(series: Sequence[Any]) -> Doubles:
        columns = [np.asarray(values, np.float64)[:hours] for values in series]
        return np.stack(columns, 1) if columns else np.zeros((hours, 0))

    def by_end_use(read: Any) -> Doubles:
        return np.stack([side_by_side([read(b, use) for b in buildings]) for use in END_USES], 2)

    chargers = [charger for b in buildings for charger in b.electric_vehicle_chargers or []]
    return {
        "net": side_by_side([b.net_electricity_consumption for b in buildings]),
        "cost": side_by_side([b.net_electricity_consumption_cost for b in buildings]),
        "emissions": side_by_side([b.net_electricity_consumption_emission for b in buildings]),
        "battery soc": side_by_side([b.electrical_storage.soc for b in buildings]),
        "battery energy": side_by_side([b.electrical_storage.electricity_consumption for b in buildings]),
        "battery capacity": np.array(capacities),
        "load served": side_by_side([b.energy_to_non_shiftable_load for b in buildings]),
        "tank soc": by_end_use(lambda b, use: getattr(b, f"{use}_storage").soc),
        "tank energy": by_end_use(lambda b, use: getattr(b, f"{use}_storage").energy_balance),
        "demand": by_end_use(lambda b, use: getattr(b, f"{use}_demand")),
        "device output": by_end_use(lambda b, use: getattr(b, f"energy_from_{use}_device")),
        "device consumption": by_end_use(lambda b, use: getattr(b, f"{use}_device").electricity_consumption),
        "vehicle soc": side_by_side([v.battery.soc for v in env.electric_vehicles]),
        "vehicle capacity": np.array(vehicle_capacities),
        "charger energy": side_by_side([charger.electricity_consumption for charger in chargers]),
        "appliance energy": side_by_side([a.electricity_consumption for b in buildings for a in b.deferrable_appliances]),
        "temperature": side_by_side([b.indoor_dry_bulb_temperature for b in buildings]),
        "encoded": np.array([features.encode(rows) for rows in seen], np.float64),
        "raw": np.array([[x for row in rows for x in row] for rows in seen], np.float64),
    }


def seed_of(env: Any) -> int:
    """What CityLearn draws the drift of vehicles from in the episode that it is in."""
    return int(env.random_seed) + int(env.episode_tracker.episode)


class Replay:
    """Runs actions in one community of a batch whose other communities do something else, and records all of them.

    Args:
        description: the community.
        communities: how many there are.
        drift_rows: see ``FastCommunity``.
    """

    def __init__(self, description: CommunityDescription, communities: int = 2, drift_rows: int | None = None) -> None:
        self.community = FastCommunity(description, communities, drift_rows=drift_rows)

    def now(self, e: int) -> dict[str, npt.NDArray[Any]]:
        """What happened in community ``e`` in the last hour, by quantity."""
        c = self.community
        return {
            "net": c.net_kwh[e],
            "cost": c.cost[e],
            "emissions": c.emissions[e],
            "battery soc": c.battery_soc[e],
            "battery energy": c.battery_energy_kwh[e],
            "battery capacity": c.battery_capacity_kwh[e],
            "load served": c.load_served_kwh[e],
            "tank soc": c.tank_soc[e],
            "tank energy": c.tank_energy_kwh[e],
            "demand": c.demand_kwh[e],
            "device output": c.device_output_kwh[e],
            "device consumption": c.device_consumption_kwh[e],
            "vehicle soc": c.vehicle_soc[e],
            "vehicle capacity": c.vehicle_capacity_kwh[e],
            "charger energy": c.charger_energy_kwh[e],
            "appliance energy": c.appliance_energy_kwh[e],
            "temperature": c.temperature_c[e],
        }

    def observed(self, e: int) -> dict[str, npt.NDArray[Any]]:
        """What the buildings of community ``e`` see."""
        raw = [x for row in self.community.raw_observations(e) for x in row]
        return {"encoded": self.community.observations[e], "raw": np.array(raw)}

    def run(
        self,
        actions: Doubles,
        *,
        e: int = 0,
        row: int = 0,
        seed: int | None = None,
        disturb: int = 0,
        last_row: int | None = None,
    ) -> Run:
        """Start community ``e`` at ``row`` and run ``actions`` ``[S, N, A]`` in it, in CityLearn's units.

        Args:
            actions: what the community does; the others draw theirs.
            e: the community.
            row: of the description's data.
            seed: of the vehicles' drift.
            disturb: every so many hours, another community is started again somewhere; 0 for never.
            last_row: that CityLearn's episode would end with; None for the end of the data.
        """
        c = self.community
        rng = np.random.default_rng(1234)
        others = [i for i in range(c.communities) if i != e]
        last = c.rows - len(actions) - 1
        if others:
            c.reset(others, rng.integers(0, last + 1, len(others)))
        c.reset([e], row, seeds=seed, last_rows=last_row)
        hours: list[dict[str, Any]] = []
        seen = [{name: np.array(values) for name, values in self.observed(e).items()}]
        joint = np.empty((c.communities, *actions.shape[1:]))
        for t, own in enumerate(actions):
            joint[:] = rng.uniform(-1.0, 1.0, joint.shape)
            joint[e] = own
            if disturb and t % disturb == disturb - 1 and others:
                c.reset([others[t % len(others)]], int(rng.integers(0, last + 1)))
            c.step_physical(joint)
            hours.append({name: np.array(values) for name, values in self.now(e).items()})
            seen.append({name: np.array(values) for name, values in self.observed(e).items()})
        return {name: np.array([x[name] for x in hours], np.float64) for name in hours[0]} | {
            name: np.array([x[name] for x in seen], np.float64) for name in OBSERVATIONS
        }


def errors(expected: Run, found: Run) -> dict[str, float]:
    """Maximum absolute error by quantity; infinite where only one side has a number.

    Quantities that the engine leaves out because the community has no such thing have to be zero in CityLearn.
    """
    result = {}
    for name, reference in expected.items():
        values = found[name]
        if name in OBSERVATIONS:
            assert len(values) - 1 <= len(reference) <= len(values)
            values = values[: len(reference)]
        if name == "temperature" and not values.size:
            continue
        if not values.size:
            values = np.zeros(reference.shape)
        assert values.shape == reference.shape, (name, values.shape, reference.shape)
        both_missing = np.isnan(values) & np.isnan(reference)
        gap = np.where(both_missing, 0.0, np.abs(values - reference))
        result[name] = float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))
    return result


def differing(found: Mapping[str, float], tolerance: Mapping[str, float] | None = None) -> dict[str, float]:
    """The errors that are above what is tolerated (0.0 unless said)."""
    allowed = tolerance or {}
    return {name: error for name, error in found.items() if error > allowed.get(name, 0.0)}


def compare(env: Any, description: CommunityDescription, actions: Doubles, *, row: int = 0) -> dict[str, float]:
    """Maximum absolute error of the engine by quantity, after both did ``actions`` in an episode of their own."""
    expected = record(env, description.features, actions)
    return errors(expected, Replay(description).run(actions, e=1, row=row, seed=seed_of(env)))


def described(
    folder: Path, buildings: Sequence[str] | None, window: tuple[int, int], seed: int | None = None
) -> tuple[Any, CommunityDescription]:
    """An environment and what the engine reads from it."""
    env = make_citylearn_env(folder, buildings=buildings, window=window, random_seed=seed)
    return env, CommunityDescription.read(env, community_features(env))
