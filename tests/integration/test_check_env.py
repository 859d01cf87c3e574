"""The conformance checks pass on sound environments and find every fault that is put in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityEnvConfig, check_env
from rllib_citylearn.env.check import CHECKS
from rllib_citylearn.env.pool import CommunityPool
from rllib_citylearn.errors import ConfigError, EnvironmentCheckError
from tests.small_data import with_buildings

ALL = {"spaces", "reward", "end of episodes", "seeds", "actions", "infos", "pickling", "engines", "no control"}


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = with_buildings(challenge_2022, tmp_path_factory.mktemp("homes"), ["Building_1", "Building_10"])
    return {"dataset": str(folder), "window": (1000, 1100), "random_start": True}


@pytest.mark.parametrize(
    "mode",
    [
        {},
        {"central_agent": True, "random_initial_soc": True},
        {"padded": True, "communities": [{}, {"buildings": "2", "window": (300, 420)}, {"window": (310, 420)}]},
        {"load_scaling": (0.7, 1.4), "variants": 2, "starts": [1000, 1010, 1040]},
    ],
)
def test_sound_environments_pass(env_config, mode):
    report = check_env({**env_config, **mode}, steps=8)
    assert set(report.passed) == ALL
    assert not report.skipped


def test_vehicles_and_heat(ev_data: Path, shared_datasets: Path, tmp_path: Path):
    """Vehicles drift by chance while they are away; devices have no zero that leaves them alone."""
    vehicles = with_buildings(ev_data, tmp_path, ["Building_1", "Building_15"])
    report = check_env({"dataset": str(vehicles), "window": (100, 200)}, steps=30)
    assert set(report.passed) == ALL
    heat = CommunityEnvConfig(dataset=str(shared_datasets / "citylearn_challenge_2023_phase_1"), buildings="1", padded=True)
    report = check_env(heat, steps=5, episodes=1)
    assert set(report.skipped) <= {"no control", "engines"}
    assert "thermostats" in report.skipped["no control"]


def test_a_building_without_actions_is_no_fault(env_config, tmp_path: Path):
    folder = with_buildings(Path(env_config["dataset"]), tmp_path, ["Building_1", "Building_10"])
    schema = json.loads((folder / "schema.json").read_text())
    schema["buildings"]["Building_10"]["inactive_actions"] = ["electrical_storage"]
    (folder / "schema.json").write_text(json.dumps(schema))
    env = CityLearnMultiAgentEnv({**env_config, "dataset": str(folder), "episode_steps": 5})
    assert env.action_spaces["Building_10"].shape == (0,)
    assert "actions" in check_env(env, steps=5, episodes=1).passed


def test_a_seed_is_of_every_community(env_config, monkeypatch):
    """Starts, charge and errors of whoever plays later; a seed of the first community alone is found."""
    parts = [{"buildings": "1"}, {"buildings": "2"}, {}]
    chance = {"random_start": True, "random_initial_soc": True, "forecast_noise": 0.2}
    env = CityLearnMultiAgentEnv({**env_config, **chance, "padded": True, "communities": parts})

    def episodes(seed: int) -> list[np.ndarray]:
        first = [env.reset(seed=seed if k == 0 else None)[0]["building_1"] for k in range(7)]
        return [row.copy() for row in first]

    def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
        return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    assert same(episodes(3), episodes(3))
    assert not same(episodes(3), episodes(4))

    def first_alone(pool: CommunityPool, seed: int) -> None:
        pool.vectors[0].seed(seed)
        pool._order = [2, 1, 0]

    monkeypatch.setattr(CommunityPool, "seed", first_alone)
    assert not same(episodes(3), episodes(3))
    monkeypatch.setattr("rllib_citylearn.env.check.CHECKS", {"seeds": CHECKS["seeds"]})
    with pytest.raises(EnvironmentCheckError, match="seeds: the same seed and actions gave another episode"):
        check_env(env, steps=4)


class Faulty(CityLearnMultiAgentEnv):
    """One fault, named by ``fault``."""

    fault = ""

    def reset(self, **kwargs: Any) -> Any:
        if self.fault == "start":
            kwargs.pop("seed", None)
        self.ended = False
        return super().reset(**kwargs)

    def step(self, actions: Any) -> Any:
        fault = self.fault
        if fault == "goes on" and self.ended:
            return self.last
        if fault == "wraps actions":
            actions = {a: np.clip(x, -1, 1) if np.abs(x).max() <= 1 else np.zeros_like(x) for a, x in actions.items()}
        if fault == "takes nan":
            actions = {a: np.nan_to_num(x) for a, x in actions.items()}
        if fault == "takes missing":
            actions = {a: np.zeros(1) for a in self.agents} | dict(actions)
        observations, rewards, terminated, truncated, infos = super().step(actions)
        agent = self.agents[-1]
        if fault == "dtype":
            observations[agent] = observations[agent].astype(np.float64)
        if fault == "shape":
            observations[agent] = observations[agent][1:]
        if fault == "range":
            observations[agent][-1] = 1.5
        if fault == "agent":
            del observations[agent]
        if fault == "selfish":
            rewards[agent] += 0.1
        if fault == "parts":
            infos[agent]["building_reward"] += 0.1
        if fault == "terms":
            infos[self.agents[0]]["terms"] = {**infos[agent]["terms"], "cost": 7.0}
        if fault == "nan reward":
            rewards = dict.fromkeys(rewards, float("nan"))
        if fault == "nan info":
            infos[agent]["temperature"] = float("nan")
        if fault == "terminates":
            terminated = dict(truncated)
        if fault == "too long":
            truncated = {"__all__": False}
        if fault == "no score":
            infos = {a: {k: v for k, v in info.items() if k != "episode"} for a, info in infos.items()}
        if fault == "engine" and self.config.engine == "citylearn":
            observations[agent] = observations[agent] * np.float32(0.999)
        if fault == "reference" and truncated["__all__"]:
            infos[self.agents[0]]["episode"] = {**infos[agent]["episode"], "score": 0.9}
        self.ended = truncated["__all__"]
        self.last = observations, rewards, terminated, truncated, infos
        return self.last


@pytest.fixture(scope="module")
def faulty(env_config) -> Faulty:
    return Faulty({**env_config, "episode_steps": 4})


@pytest.mark.parametrize(
    ("fault", "check", "sentence"),
    [
        ("dtype", "spaces", "of Building_10 is float64"),
        ("shape", "spaces", "has the shape"),
        ("range", "spaces", "leaves its space in pv_nominal_power"),
        ("agent", "spaces", "observations are of"),
        ("selfish", "reward", "a team has one"),
        ("nan reward", "reward", "no finite numbers"),
        ("parts", "reward", "mean of building_reward"),
        ("terms", "reward", "weighted sum"),
        ("terminates", "end of episodes", "terminated"),
        ("too long", "end of episodes", "truncated after none"),
        ("no score", "end of episodes", "KPIs is missing"),
        ("goes on", "end of episodes", "has to be refused"),
        ("start", "seeds", "another episode"),
        ("wraps actions", "actions", "not clipped"),
        ("takes nan", "actions", "no number was taken"),
        ("takes missing", "actions", "a missing action was taken"),
        ("nan info", "infos", r"info\['temperature'\] of Building_10"),
        ("engine", "engines", "disagree: observations of Building_10"),
        ("reference", "no control", "0.9"),
    ],
)
def test_every_fault_is_found(env_config, faulty, monkeypatch, fault, check, sentence):
    monkeypatch.setattr(Faulty, "fault", fault)
    if check != "engines":  # which builds two environments
        monkeypatch.delitem(CHECKS, "engines")
    with pytest.raises(EnvironmentCheckError, match=f"{check}: .*{sentence}"):
        check_env(faulty, episodes=1, steps=4)


def test_faults_are_listed_together_once_each(faulty, monkeypatch):
    monkeypatch.setattr(Faulty, "fault", "selfish")
    with pytest.raises(EnvironmentCheckError) as caught:
        check_env(faulty, steps=4)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["- reward", "- no control"]
    assert lines[0].startswith("The environment breaks 2 of")


def test_a_space_that_does_not_survive_pickling_is_found(env_config):
    env = CityLearnMultiAgentEnv({**env_config, "episode_steps": 4})
    env.action_spaces["Building_1"].low = lambda: None  # type: ignore[assignment]
    with pytest.raises(EnvironmentCheckError, match="pickling: it raised"):
        check_env(env, episodes=1, steps=4)


def test_what_cannot_be_built_is_said_as_it_is(env_config):
    with pytest.raises(ConfigError, match="Building_99"):
        check_env({**env_config, "buildings": ["Building_99"]})
