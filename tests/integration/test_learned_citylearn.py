"""CityLearn's learning agents as baselines: they learn by their own code, and act alike when they are read again."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rllib_citylearn.baselines.learned import LearnedSpec, citylearn_family, train_learned, trainer
from rllib_citylearn.baselines.learned.citylearn_family import trained_agent
from rllib_citylearn.baselines.learned.citylearn_state import ARRAYS, write_state
from rllib_citylearn.baselines.learned.record import RECORD
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.errors import CheckpointError, ConfigError, TrainingError
from rllib_citylearn.evaluation import evaluate
from tests.learned import budget_of, played, train_rounds
from tests.small_data import short

HOURS, LEARNING = 264, 4
"""Of exploration, as short as SAC can be, whose batches have 256; and of learning."""

COMMUNITY: dict[str, Any] = {"buildings": ["Building_1", "Building_10"], "window": (300, 300 + HOURS)}

each = pytest.mark.parametrize("name", ["citylearn-sac", pytest.param("citylearn-marlisa", marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def data(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_2", "Building_10"))


class Learnt:
    """Baselines that explored for an episode and learnt a few hours, each trained when it is first asked for."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._data, self._folder = data, folder
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> tuple[LearnedSpec, Any]:
        """The spec, and the agent that learnt."""
        if name not in self._found:
            agents: list[Any] = []

            def noted(folder: Path, agent: Any) -> None:
                agents.append(agent)
                write_state(folder, agent)

            level = logging.getLogger().level
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(citylearn_family, "write_state", noted)
                task = {"schema": self._data, "folder": self._folder / name, **COMMUNITY}
                self._found[name] = (train_rounds(patch, name, HOURS + LEARNING, **task), agents.pop())
            assert logging.getLogger().level == level
        return self._found[name]


@pytest.fixture(scope="module")
def learnt(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    return Learnt(data, tmp_path_factory.mktemp("learnt"))


@each
def test_what_was_learnt_acts_as_the_agent_that_learnt_it(name: str, learnt: Learnt, data: Path) -> None:
    spec, agent = learnt[name]
    taken = []
    for _, observations, actions in played(spec.make(), data, 40, **COMMUNITY):
        assert actions == [row.tolist() if hasattr(row, "tolist") else row for row in agent.predict(observations, True)]
        taken.append(actions)
    assert np.std(taken) > 0
    again = [actions for _, _, actions in played(spec.make(), data, 40, **COMMUNITY)]
    assert again == taken, "nothing is drawn"


@each
def test_the_record_says_how_far_it_got(name: str, learnt: Learnt) -> None:
    spec, agent = learnt[name]
    reached = json.loads((Path(spec.folder) / RECORD).read_text())["reached"]
    assert reached["env_steps"] == HOURS + LEARNING
    assert reached["updates"] == agent.update_per_time_step * (LEARNING + 1), "the last hour of exploration is learnt from"
    assert reached["reward"] == "the data set's own, citylearn.reward_function.RewardFunction"
    assert reached["hours_an_episode"] == HOURS
    for optimiser in agent.policy_optimizer:
        steps = {int(state["step"]) for state in optimiser.state.values()}
        assert steps == {reached["updates"]}


@each
def test_nothing_is_pickled(name: str, learnt: Learnt) -> None:
    with np.load(Path(learnt[name][0].folder) / ARRAYS, allow_pickle=False) as arrays:
        assert all(arrays[array].dtype.kind == "f" for array in arrays.files)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["citylearn-sac", "citylearn-marlisa"])
def test_it_is_evaluated_on_both_engines(name: str, learnt: Learnt, data: Path) -> None:
    spec, _ = learnt[name]
    fast, slow = (evaluate([spec], data, engine=engine, processes=1, **COMMUNITY)[0] for engine in ("fast", "citylearn"))
    assert fast.policy == name
    assert fast.score.score == pytest.approx(slow.score.score, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"buildings": ["Building_1"]}, "other buildings: Building_1, Building_10, not Building_1"),
        ({"buildings": ["Building_1", "Building_2"]}, "other buildings"),
    ],
)
@each
def test_another_community_is_refused(name: str, change: Any, told: str, learnt: Learnt, data: Path) -> None:
    with pytest.raises(CheckpointError, match=told):
        next(played(learnt[name][0].make(), data, 1, **{**COMMUNITY, **change}))


def test_other_data_of_the_same_buildings_are_refused(learnt: Learnt, challenge_2022: Path, tmp_path: Path) -> None:
    other = short(challenge_2022, tmp_path, ("Building_1", "Building_2", "Building_10"), 999)
    with pytest.raises(CheckpointError, match="other data"):
        next(played(learnt["citylearn-sac"][0].make(), other, 1, **COMMUNITY))


def test_buildings_with_other_batteries_are_refused(learnt: Learnt, data: Path) -> None:
    env = make_citylearn_env(data, **COMMUNITY)
    env.reset()
    env.buildings[1].electrical_storage.nominal_power *= 2
    env.buildings[1].observation_space = env.buildings[1].estimate_observation_space()
    with pytest.raises(CheckpointError, match="other devices in Building_10"):
        learnt["citylearn-sac"][0].make().reset(env)


@each
def test_another_window_of_the_same_data_is_no_other_community(name: str, learnt: Learnt, data: Path) -> None:
    assert len(list(played(learnt[name][0].make(), data, 5, **{**COMMUNITY, "window": (0, 50)}))) == 5


def test_the_same_seed_begins_with_the_same_networks_and_actions(data: Path, tmp_path: Path) -> None:
    def begun(seed: int) -> tuple[Any, Any]:
        task = trainer._task("citylearn-sac", data, COMMUNITY["buildings"], COMMUNITY["window"], seed, 1.0, None)
        agents: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(citylearn_family, "_require_learnt", lambda agent, *_: agents.append(agent))
            trained_agent(task, budget_of(3)(1.0))
        weights = [value for net in agents[0].policy_net for value in net.state_dict().values()]
        return weights, [row[2] for row in agents[0].replay_buffer[1].buffer]  # rewards of what was done

    (first, done), (second, again), (third, other) = begun(1), begun(1), begun(2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert done == again
    assert not all(torch.equal(a, b) for a, b in zip(first, third, strict=True))
    assert done != other


def test_too_little_time_is_said_with_what_it_would_take(data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(TrainingError, match=r"first episode of 264 hours .* through 30 of them in 1 minutes"):
        train_rounds(monkeypatch, "citylearn-sac", 30, schema=data, folder=tmp_path / "learnt", **COMMUNITY)
    assert list(tmp_path.iterdir()) == []


def test_an_episode_shorter_than_a_batch_is_refused_at_once(data: Path, tmp_path: Path) -> None:
    short_window = {**COMMUNITY, "window": (0, 200)}
    with pytest.raises(ConfigError, match=r"batches of 256 hours, but the window 0\.\.200 has 200; give it 265"):
        train_learned("citylearn-sac", schema=data, seed=0, minutes=1, folder=tmp_path / "learnt", **short_window)


def test_marlisa_needs_a_building_a_round(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs 2 buildings or more, and there is 1"):
        train_learned(
            "citylearn-marlisa", schema=data, buildings=["Building_1"], seed=0, minutes=1.0, folder=tmp_path / "marlisa"
        )


def test_marlisa_needs_buildings_that_are_alike(tmp_path: Path) -> None:
    spec = SyntheticSpec(buildings=4, days=3, seed=3, vehicle_share=0.5, tank_share=0.5)
    unlike = make_community(spec, tmp_path / "unlike")
    with pytest.raises(ConfigError, match="do not observe and control the same"):
        train_learned("citylearn-marlisa", schema=unlike, seed=0, minutes=1.0, folder=tmp_path / "marlisa")
