"""Every data set that is known by name, tried: built, stepped on both engines, judged by CityLearn.

    python -m benchmarks.every_dataset docs/datasets.md

writes the outcome as a page. ``tests/parity/test_every_dataset.py`` demands what the page shows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rllib_citylearn.datasets import resolve
from rllib_citylearn.datasets.names import known_names
from rllib_citylearn.datasets.schema import read_description
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CITYLEARN, FAST
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.errors import UnsupportedError, UserError
from rllib_citylearn.evaluation import rollout
from rllib_citylearn.files import write_text

WINDOW = (0, 71)
"""Three days, of which CityLearn shows the outcome of two and a half: outages are drawn for whole days."""

SEED = 2


@dataclass(frozen=True)
class Outcome:
    """What came of a data set.

    Attributes:
        name: the data set.
        buildings: how many.
        rows: time steps of its data.
        devices: what it has, each with the number of buildings or pieces.
        columns: width D of a joint observation.
        outside: observations that are not within their space; none should be.
        clipped: features with values beyond their range, which are clipped.
        refusal: why the fast engine doesn't run it; None if it does.
        observation_gap, reward_gap, kpi_gap: largest difference between the engines; None where only one runs it.
        kpis: values that CityLearn's ``evaluate()`` gave for the window.
        no_control_cost: what an uncontrolled district pays over all of the data, in the data's currency.
    """

    name: str
    buildings: int
    rows: int
    devices: str
    columns: int
    outside: tuple[str, ...]
    clipped: tuple[str, ...]
    refusal: str | None
    observation_gap: float | None
    reward_gap: float | None
    kpi_gap: float | None
    kpis: int
    no_control_cost: float | None = None


class _Random:
    """Takes any action within the limits."""

    name = "random"

    def reset(self, env: Any) -> None:
        self._spaces = env.action_space
        self._random = np.random.default_rng(SEED)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        return [self._random.uniform(space.low, space.high).tolist() for space in self._spaces]


def outcome(folder: Path, name: str) -> Outcome:
    """Build a data set, step it on both engines and have CityLearn judge it.

    Args:
        folder: where it lies, in the current format.
        name: what it is called.

    Raises:
        UserError: what keeps it from being used at all.
    """
    description = read_description(folder)
    citylearn = CityLearnMultiAgentEnv(_config(folder, CITYLEARN))
    refusal, fast = None, None
    try:
        fast = CityLearnMultiAgentEnv(_config(folder, FAST))
    except UnsupportedError as error:
        refusal = str(error)
    seen, rewards, outside, clipped = _episode(citylearn)
    kpis = _kpis(folder, CITYLEARN)
    found = Outcome(
        name=name,
        buildings=len(citylearn.possible_agents),
        rows=int(description["simulation_end_time_step"]) - int(description.get("simulation_start_time_step") or 0) + 1,
        devices=_devices(citylearn.citylearn),
        columns=len(citylearn.features.columns),
        outside=outside,
        clipped=clipped,
        refusal=refusal,
        observation_gap=None,
        reward_gap=None,
        kpi_gap=None,
        kpis=int(np.isfinite(kpis.to_numpy()).sum()),
    )
    if fast is None:
        return found
    seen_fast, rewards_fast, outside_fast, _ = _episode(fast)
    return replace(
        found,
        outside=tuple(sorted({*outside, *outside_fast})),
        observation_gap=float(np.abs(seen - seen_fast).max()),
        reward_gap=float(np.abs(rewards - rewards_fast).max()),
        kpi_gap=_gap(kpis, _kpis(folder, FAST)),
    )


def _config(folder: Path, engine: str) -> dict[str, Any]:
    return {"dataset": str(folder), "engine": engine, "window": WINDOW}


def _episode(env: CityLearnMultiAgentEnv) -> tuple[Any, Any, tuple[str, ...], tuple[str, ...]]:
    """Encoded observations and rewards of an episode of random actions, and what left its space or its range."""
    rng = np.random.default_rng(SEED)
    observations, _ = env.reset(seed=SEED)
    seen, rewards, outside, clipped, done = [observations], [], set(), set(), False
    while not done:
        actions = {name: rng.uniform(space.low, space.high) for name, space in env.action_spaces.items()}
        observations, reward, _, truncated, _ = env.step(actions)
        done = truncated["__all__"]
        seen.append(observations)
        rewards.append(next(iter(reward.values())))
        outside |= {name for name, row in observations.items() if not env.observation_spaces[name].contains(row)}
        if env.config.engine == CITYLEARN:
            clipped |= {feature for _, feature, _ in env.features.clipped(env.citylearn.observations)}
    rows = np.array([np.concatenate(list(row.values())) for row in seen])
    return rows, np.array(rewards), tuple(sorted(outside)), tuple(sorted(clipped))


def _kpis(folder: Path, engine: str) -> pd.Series:
    """CityLearn's KPIs of an episode of random actions, by KPI and building."""
    env = make_citylearn_env(folder, window=WINDOW)
    rollout(_Random(), env, engine=engine)
    rows: pd.DataFrame = env.evaluate()
    return rows.set_index(["name", "cost_function"])["value"].astype(float)


def _gap(left: pd.Series, right: pd.Series) -> float:
    """Largest difference; infinite where only one side has a number."""
    if not left.index.equals(right.index) or not (left.isna() == right.isna()).all():
        return np.inf
    return float((left - right).abs().max())


def _devices(env: Any) -> str:
    buildings = env.buildings
    count = {
        "batteries": sum(bool(b.electrical_storage.capacity) for b in buildings),
        "PV": sum(bool(b.pv.nominal_power) for b in buildings),
        "tanks": sum(bool(getattr(b, f"{u}_storage").capacity) for b in buildings for u in ("cooling", "heating", "dhw")),
        "controlled heat pumps": sum(any(a.endswith("_device") for a in b.active_actions) for b in buildings),
        "LSTM dynamics": sum(hasattr(b, "dynamics") for b in buildings),
        "outages": sum(bool(b.simulate_power_outage) for b in buildings),
        "chargers": sum(len(b.electric_vehicle_chargers or []) for b in buildings),
        "vehicles": len(env.electric_vehicles),
        "appliances": sum(len(b.deferrable_appliances or []) for b in buildings),
    }
    return ", ".join(f"{what} ({number})" for what, number in count.items() if number)


def no_control_cost(folder: Path) -> float:
    """What an uncontrolled district pays over all of the data, in the data's currency."""
    reference = no_control(make_citylearn_env(folder))
    return float((np.maximum(reference.net_kwh, 0.0) * reference.price).sum())


PAGE = """# Data sets

Every data set that is known by name (`rllib-citylearn datasets list`), tried with this version: fetched or upgraded, built,
stepped for three days with random actions on both engines, and judged by CityLearn's own `evaluate()`.

Written by `python -m benchmarks.every_dataset docs/datasets.md`; the slow test `tests/parity/test_every_dataset.py` demands
what it says.

{table}

- **D** is the width of the joint observation; every observation lies within its space.
- **Engines**: `both` if the fast engine runs it too. The largest difference between the two engines follows, of any encoded
  observation, of the team reward and of any KPI. It is 0 but where indoor temperatures come out of an LSTM.
- **KPIs**: how many numbers `evaluate()` gave, for buildings and the district.
- **Cost** is what the district pays over all of the data if nobody controls it, in the data's currency.
{notes}
"""


def page(outcomes: Sequence[Outcome], failures: Sequence[tuple[str, str]]) -> str:
    """The outcome as a page.

    Args:
        outcomes: of the data sets that can be used.
        failures: names of the others, each with a sentence.
    """
    titles = ("Data set", "Buildings", "Rows", "Devices", "D", "Engines", "Obs.", "Reward", "KPI", "KPIs", "Cost")
    rows = [titles, tuple("---" for _ in titles)]
    for o in outcomes:
        gaps = [f"{gap:.1g}" if gap else "0" for gap in (o.observation_gap, o.reward_gap, o.kpi_gap) if gap is not None]
        cost = "" if o.no_control_cost is None else f"{o.no_control_cost:,.0f}"
        engines = "both" if o.refusal is None else "`citylearn`"
        cells = (f"`{o.name}`", o.buildings, f"{o.rows:,}", o.devices, o.columns, engines)
        rows.append(tuple(map(str, (*cells, *(gaps or ["", "", ""]), o.kpis, cost))))
    notes = [f"- `{o.name}`: {o.refusal}" for o in outcomes if o.refusal is not None]
    for o in outcomes:
        if o.clipped:
            names = ", ".join(f"`{feature}`" for feature in o.clipped)
            notes.append(f"- `{o.name}`: values beyond the feature table's range, clipped, of {names}.")
    notes += [f"- `{name}` can't be used: {sentence}" for name, sentence in failures]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return PAGE.format(table=table, notes="\n".join(notes)).rstrip() + "\n"


def main(names: Iterable[str], target: Path) -> None:
    """Try the data sets called ``names`` and write the page."""
    outcomes, failures = [], []
    for name in names:
        print(name, "...", file=sys.stderr, flush=True)
        try:
            folder = resolve(name, report=lambda line: print(line, file=sys.stderr, flush=True)).folder
            outcomes.append(replace(outcome(folder, name), no_control_cost=no_control_cost(folder)))
        except UserError as error:
            failures.append((name, str(error)))
    write_text(target, page(outcomes, failures))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.every_dataset PAGE.md")
    main(known_names(), Path(sys.argv[1]))
