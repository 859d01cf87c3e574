"""Presets: whatever is written wrong is answered in a sentence that names the key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "tune_configs"


def read(text: str) -> Preset:
    """The preset ``x`` with the keys of a line of YAML."""
    return Preset.from_dict({"name": "x", **yaml.safe_load(text)})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('stop: {minutes: "4"}', ["stop.minutes", "text '4'", "a number", "Write 4"]),
        ("stop: {minutes: true}", ["stop.minutes", "true", "a number"]),
        ("stop: {minutes: .nan}", ["stop.minutes", "nan", "a number"]),
        ("stop: {minutes: .inf}", ["stop.minutes", "inf", "a number"]),
        ("stop: {minutes: null}", ["stop.minutes", "null", "a number"]),
        ("stop: {minutes: 0}", ["stop.minutes", "0", "above 0"]),
        ("stop: {env_steps: 0}", ["stop.env_steps", "at least 1"]),
        ("stop: {env_steps: 1.0e+3}", ["stop.env_steps", "1000.0", "whole number", "null", "Write 1000."]),
        ("stop: {env_steps: 1e3}", ["stop.env_steps", "text '1e3'", "whole number", "Write 1000,"]),
        ("stop: {5: 3}", ["stop", "no key 5"]),
        ("stop: 5", ["stop is 5", "minutes"]),
        ("stop: [minutes]", ["stop is ['minutes']", "minutes"]),
        ("seed: x", ["seed", "'x'", "whole number"]),
        ("seed: true", ["seed", "true", "whole number"]),
        ("seed: 1.5", ["seed", "1.5", "whole number"]),
        ("seed: -1", ["seed", "-1", "from 0"]),
        ("name: 12", ["name", "12", "text", "quotes"]),
        ("name: ../x", ["name", "'../x'", "letters"]),
        ("model: {hidden: big}", ["model.hidden", "'big'", "whole number"]),
        ("model: {coordinator_width: 33}", ["model", "coordinator_width=33"]),
        ("model: {hiden: 64}", ["model", "'hiden'", "'hidden'"]),
        ("model: {rule: 1}", ["model.rule", "1", "net-zero"]),
        ("model: {reach: .nan}", ["model.reach", "nan"]),
        ("validation: {starts: 5}", ["validation.starts", "5", "a list"]),
        ("validation: {starts: [1, x]}", ["validation.starts[1]", "'x'", "whole number"]),
        ("validation: {starts: [1, -1]}", ["validation.starts", "[1, -1]", "0 or more"]),
        (
            "environment: {engine: citylearn}\nvalidation: {starts: [1, 2, 3]}",
            ["validation.starts", "3 entries", "multiple of 2"],
        ),
        ("validation: {starts: null}", ["validation.starts", "null", "a list"]),
        ("validation: {every_minutes: 0}", ["validation.every_minutes", "above 0"]),
        ("environment: 3", ["environment is 3", "dataset"]),
        ("environment: {datasets: a}", ["environment", "'datasets'", "'dataset'"]),
        ("environment: {dataset: 2022}", ["environment.dataset", "2022", "quotes"]),
        ("environment: {engine: steam}", ["environment.engine", "'steam'", "'fast' or 'citylearn'"]),
        ("environment: {buildings: Building_1}", ["environment", "'Building_1'", "1-5,7"]),
        ("environment: {held_out: 7-}", ["environment", "'7-'", "1-5,7"]),
        ("environment: {load_scaling: [1]}", ["environment.load_scaling", "[1]", "a list of 2 entries"]),
        ("environment: {variants: 2}", ["environment", "variants", "all be the same"]),
        ("environment: {buildings: [1]}", ["environment.buildings[0]", "1", "text"]),
        ("environment: {buildings: []}", ["environment.buildings", "at least one"]),
        ("environment: {window: [0]}", ["environment.window", "[0]", "2 entries"]),
        ("environment: {window: [0, 1, 2]}", ["environment.window", "[0, 1, 2]", "2 entries"]),
        ("environment: {window: [0, b]}", ["environment.window[1]", "'b'", "whole number"]),
        ("environment: {window: [9, 3]}", ["environment.window", "[9, 3]", "first < last"]),
        ("environment: {window: 5}", ["environment.window", "5", "2 entries", "null"]),
        ("environment: {episode_steps: -5}", ["environment.episode_steps", "-5", "at least 1"]),
        ("environment: {random_start: 'yes'}", ["environment.random_start", "'yes'", "true or false"]),
        ("environment: {random_seed: false}", ["environment.random_seed", "false", "whole number"]),
        ("environment: {reward_weights: {cots: 1}}", ["environment.reward_weights", "'cots'", "'cost'"]),
        ("environment: {reward_weights: {cost: -1}}", ["environment.reward_weights", "'cost': -1"]),
        ("environment: {reward_weights: {cost: true}}", ["environment.reward_weights.cost", "true", "a number"]),
        ("environment: {reward_weights: 1}", ["environment.reward_weights", "1", "keys"]),
        ("environment: {ranges: {month: [1]}}", ["environment.ranges", "[low, high]"]),
        ("environment: {ranges: {month: [1, x]}}", ["environment.ranges.month[1]", "'x'", "a number"]),
        ("runners: {num_env_runners: -1}", ["runners.num_env_runners", "-1", "0 or more"]),
        ("report: {baselines: [buu]}", ["report.baselines", "'buu'", "'bau'"]),
        ("report: {baselines: bau}", ["report.baselines", "'bau'", "a list"]),
        ("report: {window: [5, 2]}", ["report.window", "[5, 2]", "first < last"]),
        ("report: {window: [-5, 2]}", ["report.window", "[-5, 2]", "0 <= first"]),
        ("report: {processes: 0}", ["report.processes", "0", "at least 1"]),
        ("training: 5", ["training", "5", "keys"]),
        ("training: {actor_rl: 1.0}", ["training", "'actor_rl'", "'actor_lr'"]),
        ("training: {actor_lr: 5e-4}", ["training.actor_lr", "text '5e-4'", "Write 5.0e-4"]),
        ("training: {actor_lr: [[0, 5e-4], [9, 1.0e-4]]}", ["training.actor_lr[0][1]", "'5e-4'", "Write 5.0e-4"]),
        ("training: {critic_lr: [0, 1]}", ["training.critic_lr[0]", "0", "a list"]),
        ("training: {critic_lr: 0}", ["training", "critic_lr=0", "above 0"]),
        ("training: {tau: x}", ["training.tau", "'x'", "a number"]),
        ("training: {tau: 2}", ["training", "tau=2", "(0, 1]"]),
        ("training: {n_step: 1.5}", ["training.n_step", "1.5", "whole number"]),
        ("training: {gamma: false}", ["training.gamma", "false", "a number"]),
        ("training: {decompose_value: 0}", ["training.decompose_value", "0", "true or false"]),
        ("training: {train_batch_size_per_learner: '64'}", ["training.train_batch_size_per_learner", "'64'", "Write 64"]),
        ("training: {lr: 1.0e-3}", ["training.lr", "actor_lr"]),
        ("training: {train_batch_size: 64}", ["training.train_batch_size", "train_batch_size_per_learner"]),
        ("training: {minibatch_size: 64}", ["training.minibatch_size", "train_batch_size_per_learner"]),
        ("training: {num_epochs: 2}", ["training.num_epochs", "updates_per_env_step"]),
        ("training: {shuffle_batch_per_epoch: true}", ["training.shuffle_batch_per_epoch", "does nothing"]),
        ("training: {model: {}}", ["training.model", "section `model`"]),
        ("training: {optimizer: {}}", ["training.optimizer", "actor_optimiser"]),
        ("training: {learner_config_dict: {}}", ["training", "no key 'learner_config_dict'"]),
        ("stop: {updates: 0}", ["stop.updates", "at least 1"]),
        ("stop: {patience_minutes: 0}", ["stop.patience_minutes", "above 0"]),
        ("stop: {patience_validations: 0}", ["stop.patience_validations", "at least 1"]),
        ("stop: {target_score: low}", ["stop.target_score", "'low'", "a number"]),
        ("stop: {target_score: 0.7}", ["stop.target_score", "validation.starts is empty"]),
        ("training: {grad_clip_by: 3}", ["training.grad_clip_by", "3", "text"]),
        ("training: {grad_clip_by: nonsense}", ["training", "grad_clip_by"]),
    ],
)
def test_a_wrong_value_is_answered_with_its_key_what_it_is_and_what_is_expected(text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert [part for part in parts if part not in str(raised.value)] == [], str(raised.value)


NOTHING_FITS = (object(), {"a": {1: 2}}, [[[]]], float("nan"), "e", "1e", b"4", 10**400)


@pytest.mark.parametrize("value", NOTHING_FITS, ids=lambda value: str(type(value).__name__))
def test_no_value_of_any_key_raises_anything_but_a_sentence(value: Any) -> None:
    whole = read("{}").to_dict()
    keys: dict[str, list[str | None]] = {name: [None] for name in whole}
    for name in ("environment", "model", "runners", "stop", "validation", "report"):
        keys[name] += list(whole[name])
    keys["training"] += list(read_quick().training)
    for section, names in keys.items():
        for name in names:
            wrong = value if name is None else {**whole[section], name: value}
            answer = answer_to({**whole, section: wrong})
            if answer is None:  # text is fine for text, and a huge number where nothing bounds it
                assert isinstance(value, str | int), (section, name)
            else:
                assert section in answer


def answer_to(values: dict[str, Any]) -> str | None:
    """The sentence that refuses a preset; None if it is taken."""
    try:
        Preset.from_dict(values)
    except ConfigError as error:
        return str(error)
    return None


def read_quick() -> Preset:
    return Preset.read(SHIPPED / "quick.yaml")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_presets_that_are_shipped_are_valid_and_called_like_their_files(path: Path) -> None:
    preset = Preset.read(path)
    assert preset.name == path.stem
    assert len(path.read_text().splitlines()) < 80


def test_a_name_is_all_that_a_preset_needs() -> None:
    with pytest.raises(ConfigError, match=r"name is missing; expected text"):
        Preset.from_dict({"seed": 1})
    preset = read("{environment: , model: , training: , stop: }")  # sections whose keys are all commented out
    assert preset == Preset(name="x")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("stop: {minutes: 4}", "stop.minutes", 4),
        ("environment: {window: [3, 40]}", "environment.window", (3, 40)),
        ("environment: {buildings: null}", "environment.buildings", None),
        ("environment: {ranges: {month: [1, 12.5]}}", "environment.ranges", {"month": [1, 12.5]}),
        ("environment: {reward_weights: {cost: 1}}", "environment.reward_weights", {"cost": 1}),
        ("report: {baselines: []}", "report.baselines", ()),
        ("validation: {starts: [1, 2]}", "validation.starts", (1, 2)),
        ("training: {grad_clip: null}", "training", {"grad_clip": None}),
        ("training: {tau: 1}", "training", {"tau": 1}),
        ("training: {actor_lr: [[0, 1], [5, 0.5]]}", "training", {"actor_lr": [[0, 1], [5, 0.5]]}),
    ],
)
def test_a_right_value_arrives_and_survives_yaml(text: str, key: str, value: Any) -> None:
    preset: Any = read(text)
    assert Preset.from_dict(yaml.safe_load(yaml.safe_dump(preset.to_dict()))) == preset
    for name in key.split("."):
        preset = getattr(preset, name)
    assert preset == value
    assert type(preset) is type(value)


@pytest.mark.parametrize("content", [b"name: \xff\xfe", b"seed: 2024-13-45", b"name: [", b"", b"- 1"])
def test_a_file_that_holds_no_preset_is_answered_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        Preset.read(path)


def test_what_replaces_a_value_later_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="seed is -1"):
        replace(read("{}"), seed=-1)


def test_validation_plays_its_stretches_from_what_the_data_holds() -> None:
    preset = read(
        "{environment: {random_initial_soc: true, random_seed: 3, memory: true, forecast_noise: 0.1}, "
        "validation: {starts: [1, 9], episode_steps: 24}}"
    )
    stretches = preset.stretches()
    assert (stretches.starts, stretches.episode_steps, stretches.random_initial_soc) == ((1, 9), 24, False)
    assert stretches.random_seed == 3
    assert (stretches.memory, stretches.forecast_noise) == (True, 0.0)
    assert preset.config().evaluation_config["env_config"]["starts"] == (1, 9)


@pytest.mark.parametrize("name", ["actor_lr", "critic_lr"])
@pytest.mark.parametrize(
    "rate",
    [
        0,
        -1e-3,
        float("nan"),
        float("inf"),
        None,
        "1e-3",
        True,
        [],
        [[0, 1e-3]],
        [[0, 1e-3], [10]],
        [[0, 1e-3], 10],
        [[5, 1e-3], [10, 1e-4]],
        [[0, 1e-3], [10, 0.0]],
        [[0, 1e-3], [10, float("nan")]],
        [[0, 1e-3], [10, 1e-4], [10, 1e-5]],
        [[0, 1e-3], [20, 1e-4], [10, 1e-5]],
        [[0, 1e-3], ["x", 1e-4]],
    ],
    ids=str,
)
def test_learning_rates_that_teach_nothing_are_refused(name: str, rate: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        CooperativeMADDPGConfig().rl_module(model_config={}).training(**{name: rate}).validate()


@pytest.mark.parametrize("rate", [1e-3, 1, [[0, 1e-3], [10, 1e-4]], ((0, 1e-3), (10, 1e-3), (1e6, 1.0))], ids=str)
def test_learning_rates_and_schedules_that_work_pass(rate: Any) -> None:
    CooperativeMADDPGConfig().rl_module(model_config={}).training(actor_lr=rate, critic_lr=rate).validate()


@pytest.mark.parametrize("weight", [0, 0.5, [[0, 3.0], [1000, 0.0]]], ids=str)
def test_pulls_to_the_rule_may_fall_to_zero(weight: Any) -> None:
    CooperativeMADDPGConfig().rl_module(model_config={}).training(rule_weight=weight).validate()


@pytest.mark.parametrize("weight", [-1.0, [[0, 3.0], [1000, -1.0]], [[1, 3.0], [1000, 0.0]], float("nan")], ids=str)
def test_impossible_pulls_to_the_rule_are_refused(weight: Any) -> None:
    with pytest.raises(ConfigError, match="rule_weight"):
        CooperativeMADDPGConfig().rl_module(model_config={}).training(rule_weight=weight).validate()


@pytest.mark.parametrize("key", ["padded", "central_agent", "team_share"])
def test_views_that_the_algorithm_has_no_use_for_are_refused(key: str) -> None:
    config = CooperativeMADDPGConfig().environment(
        CityLearnMultiAgentEnv, env_config={key: 0.5 if key == "team_share" else True}
    )
    with pytest.raises(ConfigError, match=f"env_config has {key}=.*train with another algorithm"):
        config.validate()


def test_fleets_drawn_for_training_have_no_report() -> None:
    with pytest.raises(ConfigError, match=r"environment\.random_fleet .* datasets add-vehicles"):
        Preset.from_dict({"name": "x", "environment": {"random_fleet": {}}})
