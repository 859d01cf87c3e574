"""``train --set``: one value of a preset changed, everything else left alone."""

from __future__ import annotations

from typing import Any

import pytest

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.cli.settings import setting
from rllib_citylearn.dotted import with_values
from rllib_citylearn.errors import ConfigError

PRESET = Preset.from_dict({"name": "x"})


def with_setting(values: dict[str, Any], text: str) -> dict[str, Any]:
    return with_values(values, dict([setting(text)]))


@pytest.mark.parametrize(
    ("text", "section", "key", "value"),
    [
        ("model.coordinator=none", "model", "coordinator", "none"),
        ("training.model_horizon=24", "training", "model_horizon", 24),
        ("training.actor_lr=[[0, 0.01], [100, 0.001]]", "training", "actor_lr", [[0, 0.01], [100, 0.001]]),
        ("environment.held_out=6-17", "environment", "held_out", "6-17"),
        ("report.baselines=[]", "report", "baselines", []),
    ],
)
def test_one_value_changes_and_no_other(text: str, section: str, key: str, value: object) -> None:
    before = PRESET.to_dict()
    after = with_setting(before, text)
    assert after[section][key] == value
    assert before == PRESET.to_dict(), "the given values are left alone"
    after[section].pop(key)
    before[section].pop(key, None)
    assert after == before
    assert Preset.from_dict(with_setting(PRESET.to_dict(), text)) != PRESET


def test_deeper_keys_are_reached() -> None:
    after = with_setting(PRESET.to_dict(), "environment.reward_weights.cost=0.5")
    assert Preset.from_dict(after).environment.reward_weights["cost"] == 0.5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model.coordinator", "SECTION.KEY=VALUE"),
        ("coordinator=none", "SECTION.KEY=VALUE"),
        ("model.=none", "SECTION.KEY=VALUE"),
        ("modle.coordinator=none", "no section 'modle' of a preset. Did you mean 'model'"),
        ("model.coordinator.kind=none", "names no section 'coordinator' of a preset"),
        ("model.hidden=[", "not valid YAML"),
    ],
)
def test_what_can_not_be_read_is_said(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        with_setting(PRESET.to_dict(), text)


def test_what_a_preset_may_not_hold_is_refused_by_the_preset() -> None:
    with pytest.raises(ConfigError, match="hidden"):
        Preset.from_dict(with_setting(PRESET.to_dict(), "model.hiden=3"))
