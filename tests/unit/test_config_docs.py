"""Tables of the config's fields: everything is described, and every number has a range."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

import pytest
import yaml
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.config_page import (
    PRESET_SECTIONS,
    RLLIB_FIELDS,
    ConfigField,
    class_fields,
    descriptions,
    environment_fields,
    preset_fields,
    training_fields,
)
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import CommunityModuleConfig

SECTIONS = {
    "training": training_fields(),
    "model": class_fields(CommunityModuleConfig),
    "environment": environment_fields(),
    "": preset_fields(),
}
FIELDS = [pytest.param(field, id=f"{section}.{field.name}") for section, those in SECTIONS.items() for field in those]
NUMBERS = [param for param in FIELDS if param.values[0].numeric]


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_described_in_a_sentence(field: ConfigField) -> None:
    assert len(field.meaning.split()) > 2
    assert field.meaning.endswith((".", "..)."))


@pytest.mark.parametrize("field", NUMBERS)
def test_every_number_has_a_range(field: ConfigField) -> None:
    assert field.values


@pytest.mark.parametrize("field", [param for param in FIELDS if param.values[0].kind in (str, bool)])
def test_every_word_has_its_choices(field: ConfigField) -> None:
    assert field.values
    if field.kind is str and "`" in field.values:
        assert f"`{field.default}`" in field.values


@pytest.mark.parametrize("field", NUMBERS)
def test_numbers_of_something_that_is_counted_say_of_what(field: ConfigField) -> None:
    if re.search(r"_(steps|minutes|length|updates|delay|capacity|runners?|learners?|horizon|size)$", field.name):
        assert field.unit != "-"


@pytest.mark.parametrize("field", [param for param in NUMBERS if isinstance(param.values[0].default, (int, float))])
def test_defaults_are_within_their_ranges_and_what_is_below_is_refused(field: ConfigField) -> None:
    least, strictly = _lowest(field.values)
    if least is None:
        pytest.skip(f"{field.values!r} has no lower bound in figures")
    assert field.default > least if strictly else field.default >= least
    kind = int if isinstance(field.default, int) else float
    with pytest.raises(ConfigError, match=rf"{field.name.rpartition('.')[2]}|batch of") as refused:
        Preset.from_dict(_preset_with(field, kind(least) if strictly else kind(least - 1)))
    assert "has no key" not in str(refused.value)


def _lowest(values: str) -> tuple[float | None, bool]:
    """The lower bound that a range says, and whether it is excluded."""
    patterns = (
        (r">= ([\d.]+)$", False),
        (r"> ([\d.]+)$", True),
        (r"\[([\d.]+), ", False),
        (r"\(([\d.]+), ", True),
        (r"at least ([\d.]+)$", False),
        (r"([\d.]+) or more$", False),
        (r"a number above ([\d.]+)$", True),
        (r"([\d.]+) to ", False),
    )
    for pattern, strictly in patterns:
        found = re.match(pattern, values)
        if found:
            return float(found[1]), strictly
    return None, False


def _preset_with(field: ConfigField, value: float) -> dict[str, object]:
    section, _, key = field.name.rpartition(".")
    section = section or next(name for name, those in SECTIONS.items() if field in those)
    # A horizon makes the checks of what belongs to it count.
    beside = {"model_horizon": 1} if field.name == "model_batch_size" else {}
    return {"name": "x", section: {**beside, key: value}}


def test_no_field_of_rllib_is_missing_whose_default_differs() -> None:
    ours, theirs = CooperativeMADDPGConfig(), AlgorithmConfig()
    of_training = set(inspect.signature(AlgorithmConfig.training).parameters) - {"self", "learner_class"}
    differ = {name for name in of_training if getattr(ours, name, None) != getattr(theirs, name, None)}
    assert {"gamma", "train_batch_size_per_learner"} < differ
    assert differ <= set(RLLIB_FIELDS) <= of_training


def test_every_section_of_a_preset_is_there() -> None:
    known = {name for name, value in Preset(name="x").to_dict().items() if isinstance(value, dict)}
    assert known == {"training", "model", "environment", *PRESET_SECTIONS}


def test_defaults_are_shown_as_yaml_has_them() -> None:
    for field in [*SECTIONS["model"], *SECTIONS["environment"], *SECTIONS["training"]]:
        shown = field.row().split(" | ")[1].strip("`")
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        assert yaml.safe_load(shown) == default, field.name


def test_descriptions_are_read_to_their_end() -> None:
    @dataclass
    class Two:
        """What it is.

        Attributes:
            first, second: both
                of them: always.
            third: alone.

        More: nothing of it belongs to a field.
        """

    assert descriptions(Two) == {"first": "both of them: always.", "second": "both of them: always.", "third": "alone."}
