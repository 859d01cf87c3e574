"""Search files: the same keys as presets, and a sentence for whatever is wrong in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.dotted import value_of, with_values
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.tuning.search import Search, SearchConfig
from rllib_citylearn.tuning.space import Distribution

SHIPPED = sorted((Path(__file__).parents[2] / "tune_configs" / "searches").glob("*.yaml"))
PRESET = Preset.from_dict({"name": "x", "validation": {"starts": [0]}, "stop": {"minutes": 4.0}})
RATE = {"training.actor_lr": {"loguniform": [1.0e-4, 1.0e-2]}}


def search(**given: Any) -> Search:
    return Search.of(SearchConfig(**{"name": "s", "preset": "x.yaml", "space": RATE, **given}), PRESET)


def read(folder: Path, text: str) -> Search:
    (folder / "x.yaml").write_text("name: x\nvalidation: {starts: [0]}\n")
    (folder / "s.yaml").write_text(text)
    return Search.read(folder / "s.yaml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_searches_fit_their_presets(file: Path) -> None:
    found = Search.read(file)
    assert found.config.name == file.stem
    assert found.combinations > 1
    for key, value in found.start.items():
        assert value_of(found.trial({key: value}).to_dict(), key) == value


def test_there_are_searches_of_every_kind() -> None:
    found = [Search.read(file).config for file in SHIPPED]
    assert {config.algorithm for config in found} == {"random", "optuna", "grid"}
    assert {config.scheduler.name for config in found} == {"none", "asha", "pbt"}


def test_a_search_survives_json() -> None:
    found = search(scheduler=SearchConfig("a", "b").scheduler, fixed={"stop.minutes": 2.0}, trials=3)
    assert Search.from_dict(found.to_dict()) == found


def test_the_best_preset_has_what_was_searched_and_not_what_was_fixed() -> None:
    found = search(fixed={"stop.minutes": 2.0})
    assert found.base.stop.minutes == 2.0
    best = Preset.from_dict(found.best({"training.actor_lr": 0.005}))
    assert best.training["actor_lr"] == 0.005
    assert best.stop.minutes == PRESET.stop.minutes
    assert yaml.safe_load(yaml.safe_dump(best.to_dict())) == best.to_dict()


def test_the_start_is_the_presets_values_and_the_algorithms_where_it_says_none() -> None:
    found = search(space={**RATE, "training.gamma": {"uniform": [0.9, 0.999]}, "model.hidden": {"choice": [32, 64, 128]}})
    assert found.start == {"training.actor_lr": 3e-4, "training.gamma": 0.98, "model.hidden": PRESET.model.hidden}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: s", ["preset is missing"]),
        ("name: s\npreset: y.yaml", ["preset is 'y.yaml'", "no file"]),
        ("name: s\npreset: x.yaml", ["space is empty"]),
        ("name: s\npreset: x.yaml\nspce: {}", ["no key 'spce'", "'space'"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_rl: {choice: [1.0]}}", ["'actor_rl'", "'actor_lr'"]),
        ("name: s\npreset: x.yaml\nspace: {trainig.actor_lr: {choice: [1.0]}}", ["'trainig'", "'training'"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: 3}", ["space.training.actor_lr is 3", "one distribution"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {unifrom: [0, 1]}}", ["'unifrom'", "'uniform'"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {uniform: [1, 0.5]}}", ["low < high"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {uniform: [1]}}", ["two numbers"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {loguniform: [0, 1]}}", ["begins above 0"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {loguniform: [1e-4, 1e-2]}}", ["1.0e-4"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {choice: 3}}", ["expected a list"]),
        ("name: s\npreset: x.yaml\nspace: {training.actor_lr: {choice: [1, 1]}}", ["each value once"]),
        ("name: s\npreset: x.yaml\nspace: {training.gamma: {uniform: [0.5, 1.5]}}", ["space", "gamma=1.5"]),
        ("name: s\npreset: x.yaml\nspace: {training.gamma: {uniform: [0.5, 0.9]}}", ["leaves out", "0.98"]),
        ("name: s\npreset: x.yaml\nspace: {model.hidden: {uniform: [8, 64]}}", ["model.hidden", "whole number"]),
        ("name: s\npreset: x.yaml\nspace: {model.hidden: {grid: [8, 64]}}", ["'grid'", "algorithm: grid"]),
        ("name: s\npreset: x.yaml\nalgorithm: grid\nspace: {seed: {choice: [8, 64]}}", ["'choice'", "{grid: [...]}"]),
        ("name: s\npreset: x.yaml\nspace: {stop.minutes: {uniform: [1, 9]}}", ["can't be compared", "fixed"]),
        ("name: s\npreset: x.yaml\nspace: {environment.dataset: {choice: [a, b]}}", ["can't be compared"]),
        ("name: s\npreset: x.yaml\nfixed: {stop.minute: 3}", ["fixed", "'minute'", "'minutes'"]),
        ("name: s\npreset: x.yaml\nmetric: scor", ["metric is 'scor'", "'score'"]),
        ("name: s\npreset: x.yaml\nmetric: held_out_score\nspace: {seed: {choice: [0]}}", ["held_out names no buildings"]),
        ("name: s\npreset: x.yaml\ntrackers: [mlfow]", ["'mlfow'", "'mlflow'"]),
        ("name: s\npreset: x.yaml\ntrials: 0", ["trials is 0", "1 to 10,000"]),
        ("name: s\npreset: x.yaml\ntrails: 3", ["The search has no key 'trails'", "'trials'"]),
        ("name: s\npreset: x.yaml\ntrials: 3\ntrials: 4", ["the key 'trials' comes twice", "line 4"]),
        ("name: s\npreset: x.yaml\nspace: {seed: {choice: [0]}, seed: {choice: [1]}}", ["'seed' comes twice"]),
        ("name: s\npreset: x.yaml\nalgorithm: bayes", ["'bayes'", "'optuna'"]),
        ("name: s\npreset: x.yaml\nscheduler: {name: hyperband}", ["'hyperband'", "'asha'"]),
        ("name: s\npreset: x.yaml\nscheduler: {name: asha, reduction: 1.0}", ["scheduler.reduction", "above 1"]),
        (
            "name: s\npreset: x.yaml\nspace: {seed: {choice: [0, 1]}}\nscheduler: {name: asha, grace_minutes: 9.0}",
            ["grace_minutes is 9", "give fewer"],
        ),
        ("name: s\npreset: x.yaml\nspace: {seed: {choice: [0]}}\nscheduler: {name: pbt}", ["pbt", "seed"]),
        ("- 1", ["holds no keys"]),
        ("name: [", ["not valid YAML"]),
        ("name: x\nenvironment: {}", ["is a preset", "rllib-citylearn train"]),
    ],
)
def test_what_is_wrong_is_said_with_the_key(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    for part in parts:
        assert part in str(caught.value), str(caught.value)


def test_a_preset_without_validation_can_not_be_searched() -> None:
    with pytest.raises(ConfigError, match=r"no validation\.starts"):
        search(fixed={"validation.starts": []})


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        ({"uniform": [0.0, 1.0]}, [0.0, 0.5, 1], [1.1, -0.1, "a", None]),
        ({"loguniform": [1e-3, 1.0]}, [1e-3, 1.0], [1e-4, True]),
        ({"integer": [2, 5]}, [2, 5], [1, 6, 2.5]),
        ({"log_integer": [2, 5]}, [2, 5], [1, 6]),
        ({"choice": ["a", [1, 2]]}, ["a", [1, 2]], ["b"]),
    ],
)
def test_what_a_distribution_holds_is_what_tune_draws(given: Any, inside: list[Any], outside: list[Any]) -> None:
    distribution = Distribution.read("k", given)
    assert all(distribution.holds(value) for value in inside)
    assert not any(distribution.holds(value) for value in outside)
    drawn = [distribution.domain().sample() for _ in range(200)]
    assert all(distribution.holds(value) for value in drawn)
    if distribution.kind in ("integer", "log_integer", "choice"):
        assert {str(value) for value in drawn} >= {str(value) for value in distribution.values}, "both ends are drawn"


def test_dotted_keys_reach_what_they_name_and_leave_the_rest_alone() -> None:
    before = PRESET.to_dict()
    after = with_values(before, {"model.hidden": 7, "seed": 3})
    assert value_of(after, "model.hidden") == 7
    assert value_of(after, "seed") == 3
    assert before == PRESET.to_dict()
    assert with_values(after, {key: value_of(before, key) for key in ("model.hidden", "seed")}) == before
