"""RLlib's algorithms and independent DDPG as baselines: what they learn becomes a bundle that acts as they do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.baselines.learned import LEARNED, LearnedSpec, ddpg_family, rllib_family, train_learned, trainer
from rllib_citylearn.baselines.learned.rllib_family import SharedTraining
from rllib_citylearn.baselines.learned.validation import Stretches, Validations
from rllib_citylearn.errors import BundleError, TrainingError
from rllib_citylearn.evaluation import evaluate
from rllib_citylearn.export import read_bundle
from rllib_citylearn.export.bundle import open_model
from tests.learned import budget_of, played, train_rounds
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

ROUNDS = 3
COMMUNITY: dict[str, Any] = {"buildings": ["Building_1", "Building_10"], "window": (300, 420)}

SMALL: dict[str, Any] = {
    "rllib-ppo": {"train_batch_size_per_learner": 32, "minibatch_size": 32, "num_epochs": 2},
    "rllib-sac": {
        "train_batch_size_per_learner": 16,
        "num_steps_sampled_before_learning_starts": 8,
        "training_intensity": 2,
    },
}

each = pytest.mark.parametrize("name", ["rllib-ppo", "rllib-sac"])


@pytest.fixture(scope="module")
def data(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_2", "Building_10"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of 32 hours, small batches."""
    for name, training in SMALL.items():
        settings = {**LEARNED[name].settings, "copies": 2, "hours": 16}
        settings["training"] = {**settings["training"], **training}
        monkeypatch.setitem(LEARNED, name, replace(LEARNED[name], settings=settings))
    monkeypatch.setattr("rllib_citylearn.baselines.learned.rllib_configs._ITERATION_S", 0.0)


class Learnt:
    """Baselines that learnt for a few rounds, each trained when it is first asked for."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._data, self._folder = data, folder
        self._found: dict[str, Any] = {}

    def __getitem__(self, name: str) -> tuple[LearnedSpec, dict[str, Any]]:
        """The spec; the last policy, the best one, and what RLlib itself saw and did with the last one."""
        if name not in self._found:
            live: dict[str, Any] = {}

            class Noted(SharedTraining):
                def close(self) -> None:
                    live["last"], live["best"] = self.policy(), self.best()
                    live["played"] = self._algorithm.env_runner.sample(num_episodes=1, explore=False, force_reset=True)
                    super().close()

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(rllib_family, "SharedTraining", Noted)
                task = {"schema": self._data, "folder": self._folder / name, **COMMUNITY}
                self._found[name] = (train_rounds(patch, name, ROUNDS, **task), live)
        return self._found[name]


@pytest.fixture(scope="module")
def learnt(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    return Learnt(data, tmp_path_factory.mktemp("learnt"))


@each
@pytest.mark.slow
def test_the_policy_does_what_rllib_does_without_exploration(name: str, learnt: Learnt) -> None:
    _, live = learnt[name]
    hours = 0
    for episode in live["played"]:
        for agent in episode.agent_episodes.values():
            seen, done = np.stack(agent.get_observations()[:-1]), np.stack(agent.get_actions())
            # Without exploration RLlib's SAC forgets the tanh that squashes all the actions it learns from.
            expected = np.tanh(done) if name == "rllib-sac" else np.clip(done, -1.0, 1.0)
            assert np.allclose(live["last"].act(seen[:, None])[:, 0], expected, atol=1e-5)
            assert np.std(done) > 0
            hours += len(done)
    assert hours >= 80


@each
@pytest.mark.slow
def test_what_is_read_again_acts_as_the_best_policy(name: str, learnt: Learnt, data: Path) -> None:
    spec, live = learnt[name]
    bundle = read_bundle(Path(spec.folder) / rllib_family.BUNDLE)
    width = len(bundle.manifest.community.columns)
    observations = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 2, width)).astype(np.float32)
    (actions,) = open_model(bundle.models["policy"], "policy.onnx").run(["actions"], {"observations": observations})
    assert np.allclose(actions, live["best"].act(observations), atol=1e-5)
    assert np.std(actions) > 0
    taken = [actions for _, _, actions in played(spec.make(), data, 30, **COMMUNITY)]
    again = [actions for _, _, actions in played(spec.make(), data, 30, **COMMUNITY)]
    assert taken == again, "nothing is drawn"


@each
@pytest.mark.slow
def test_the_record_says_how_far_it_got_and_which_policy_was_kept(name: str, learnt: Learnt) -> None:
    reached = json.loads((Path(learnt[name][0].folder) / "learned.json").read_text())["reached"]
    assert reached["env_steps"] >= 2 * 32
    assert reached["updates"] >= 2
    assert "what it earned itself and what the district earned" in reached["reward"]
    history = reached["validations"]
    assert history[0]["updates"] == 0
    assert history[-1]["updates"] == reached["updates"]
    best = min(history[1:], key=lambda entry: entry["objective"])
    assert reached["updates_of_the_policy"] == best["updates"]


@each
@pytest.mark.slow
def test_a_shared_policy_acts_in_other_communities_if_it_fits_them(
    name: str, learnt: Learnt, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, _ = learnt[name]
    everybody = {"window": COMMUNITY["window"]}
    assert {len(actions) for _, _, actions in played(spec.make(), data, 5, **everybody)} == {3}
    schema = json.loads((data / "schema.json").read_text())
    schema["actions"]["electrical_storage"]["active"] = False
    for file in data.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "schema.json").unlink()
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(BundleError, match=r"does not fit these buildings: of its actions they have none"):
        next(played(spec.make(), tmp_path, 1, **everybody))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rllib-ppo", "rllib-sac"])
def test_it_is_evaluated_on_both_engines(name: str, learnt: Learnt, data: Path) -> None:
    scores = [
        evaluate([learnt[name][0]], data, engine=engine, processes=1, **COMMUNITY)[0].score.score
        for engine in ("fast", "citylearn")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rllib-ppo", "rllib-sac"])
def test_the_same_seed_begins_with_the_same_policy(name: str, data: Path) -> None:
    def begun(seed: int) -> Any:
        task = trainer._task(name, data, COMMUNITY["buildings"], COMMUNITY["window"], seed, 1.0, None)
        env = rllib_family.training_env(task, task.settings["environment"], padded=True)
        training = SharedTraining(task, budget_of(1)(1.0), Validations(Stretches(replace(env, starts=(300,)))))
        try:
            return training.policy().state_dict()
        finally:
            training.close()

    first, second, third = begun(1), begun(1), begun(2)
    assert all(first[key].equal(second[key]) for key in first)
    assert not all(first[key].equal(third[key]) for key in first)


def test_time_that_is_over_before_the_first_update_is_refused(data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(TrainingError, match="before the first update, after 0 hours"):
        train_rounds(monkeypatch, "rllib-ppo", 1, schema=data, folder=tmp_path / "learnt", **COMMUNITY)
    assert list(tmp_path.iterdir()) == []


def test_independent_ddpg_is_the_preset_classic_but_for_what_is_cooperative(data: Path) -> None:
    classic = Path(__file__).parents[2] / "tune_configs" / "classic.yaml"
    task = trainer._task("independent-ddpg", data, None, None, 0, 15.0, None)
    theirs, ours = Preset.read(classic).to_dict(), ddpg_family.ddpg_preset(replace(task, window=(0, 8759)), 15.0).to_dict()
    assert yaml.safe_load(classic.read_text())["training"] == LEARNED["independent-ddpg"].settings["training"]
    different = {
        f"{section}.{key}"
        for section in theirs
        if isinstance(theirs[section], dict)
        for key in theirs[section]
        if theirs[section][key] != ours[section][key]
    }
    assert different == {
        *("model.coordinator", "model.critic"),
        *("environment.dataset", "environment.buildings", "environment.window", "environment.random_seed"),
        *("validation.starts", "report.baselines"),
    }
    assert (ours["model"]["coordinator"], ours["model"]["critic"]) == ("none", "independent")
    assert np.abs(np.subtract(theirs["validation"]["starts"], ours["validation"]["starts"])).max() <= 2


@pytest.mark.slow
def test_independent_ddpg_learns_and_acts(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**LEARNED["independent-ddpg"].settings}
    settings["training"] = {**settings["training"], "warmup_steps": 64, "critic_warmup_updates": 0, "replay_capacity": 5000}
    settings["runners"] = {**settings["runners"], "num_envs_per_env_runner": 4}
    monkeypatch.setitem(LEARNED, "independent-ddpg", replace(LEARNED["independent-ddpg"], settings=settings))
    told: list[tuple[float, float]] = []
    task = {"schema": data, "folder": tmp_path / "learnt", "seed": 1, **COMMUNITY}
    folder = train_learned("independent-ddpg", minutes=0.1, report=lambda done, total: told.append((done, total)), **task)
    spec = LearnedSpec("independent-ddpg", str(folder))
    assert {file.name for file in folder.iterdir()} == {"bundle", "learned.json"}
    assert told[-1] == (6.0, 6.0)
    reached = json.loads((folder / "learned.json").read_text())["reached"]
    assert reached["updates"] > 0
    assert reached["env_steps"] > 64
    taken = [actions for _, _, actions in played(spec.make(), data, 30, **COMMUNITY)]
    assert np.std(taken) > 0
    assert evaluate([spec], data, **COMMUNITY)[0].score.score > 0
