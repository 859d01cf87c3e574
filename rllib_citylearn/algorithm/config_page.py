"""Every field that a training run can set, as Markdown tables (``docs/maddpg.md``).

Names and defaults come from the config classes, meanings and units from their docstrings, where a number's unit is what its
description begins with, or stands behind "in". Ranges are there too, as ``(>= 0)``, ``[0, 1)`` or ``0 to 1``; where they are
not, they are those by which presets and environments check their values.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ray.rllib.algorithms.algorithm_config import NotProvided

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.preset import LIMITS, ReportConfig, RunnersConfig, StopConfig, ValidationConfig
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.limits import ENVIRONMENT, Limit
from rllib_citylearn.modules.config import CommunityModuleConfig

RLLIB_FIELDS: Mapping[str, str] = {
    "gamma": "discount an hour, [0, 1).",
    "train_batch_size_per_learner": "rows of a gradient step, on each learner (>= 1).",
    "grad_clip": "bound of an optimiser's gradients (>= 0); 0 or null is none.",
    "grad_clip_by": "what is bounded: ``global_norm``, the ``norm`` of each tensor, or every ``value``.",
}
"""RLlib's own fields of ``training`` whose defaults this algorithm sets, and what they are."""

_UNITS = (
    "environment steps",
    "gradient steps",
    "time steps",
    "minutes",
    "hours",
    "action units",
    "units of the action's half range",
    "joint rows",
    "rows",
    "rewards",
    "processes",
    "copies",
    "GPUs",
    "share",
    "numbers",
    "controllers",
)
_UNIT = "|".join(_UNITS)
_BEGINS = re.compile(rf"(?:wall-clock )?({_UNIT})\b")
_WITHIN = re.compile(rf"\b(?:in|as a) ({_UNIT})\b")
_RANGES = (
    re.compile(r" \(((?:>=|>) [^)]+)\)"),
    re.compile(r"(?:, in|, within|,) ([\[(]-?[\d.]+, -?[\d.]+[\])])"),
    re.compile(r"\b(-?[\d.]+ to -?[\d.]+)\b"),
    re.compile(r" \((any number)\)"),
)
_QUOTED = re.compile(r"``([\w+-]+)``")


@dataclass(frozen=True)
class ConfigField:
    """One field.

    Attributes:
        name: its key.
        kind: its annotation.
        default: its value if nothing is said.
        meaning: what its class's docstring says of it, in one line; empty if nothing.
        limit: what its values are checked for, in words; empty if the docstring says that.
    """

    name: str
    kind: Any
    default: Any
    meaning: str
    limit: str = ""

    @property
    def numeric(self) -> bool:
        """Whether it is a number, or holds some."""
        return self.kind is Any or _has_numbers(self.kind)

    @property
    def values(self) -> str:
        """What it can be: a number's range, the words to choose from, true and false; empty if that is not said."""
        if get_origin(self.kind) is Literal:
            return " or ".join(f"`{choice}`" for choice in get_args(self.kind))
        if self.kind is bool:
            return "`true` or `false`"
        found = [match for pattern in _RANGES if (match := pattern.search(self.meaning))]
        if found and self.numeric:
            return found[0].group(1)
        if self.limit:
            return self.limit
        choices = list(dict.fromkeys(_QUOTED.findall(self.meaning))) if self.kind is str else []
        return " or ".join(f"`{choice}`" for choice in choices) if len(choices) > 1 else ""

    @property
    def unit(self) -> str:
        """Of a number; a dash where it has none."""
        found = _BEGINS.match(self.meaning) or _WITHIN.search(self.meaning)
        return found.group(1) if found and self.numeric else "-"

    def row(self) -> str:
        """As a row of a table."""
        meaning = self.meaning.replace("``", "`")
        return f"| `{self.name}` | {_shown(self.default)} | {self.unit} | {self.values or '-'} | {_capitalised(meaning)} |"


def training_fields() -> list[ConfigField]:
    """The keyword arguments of ``CooperativeMADDPGConfig.training``, and RLlib's own whose defaults are set here."""
    config = CooperativeMADDPGConfig()
    method = CooperativeMADDPGConfig.training
    said, kinds = descriptions(method), get_type_hints(method, vars(inspect.getmodule(method)))
    own = [name for name, given in inspect.signature(method).parameters.items() if given.default is NotProvided]
    entries = [ConfigField(name, kinds[name], getattr(config, name), said.get(name, "")) for name in own]
    return entries + [
        ConfigField(name, type(getattr(config, name)), getattr(config, name), meaning)
        for name, meaning in RLLIB_FIELDS.items()
    ]


def class_fields(kind: type, limits: Sequence[Limit] = (), section: str = "") -> list[ConfigField]:
    """The fields of a config dataclass.

    Args:
        kind: the class.
        limits: what its values are checked by.
        section: what stands before its keys there, with a dot.
    """
    said, kinds = descriptions(kind), get_type_hints(kind)
    checked = {key: expected for key, expected, _ in limits}
    entries: tuple[Field[Any], ...] = fields(kind)
    return [
        ConfigField(
            f"{section}{entry.name}",
            kinds[entry.name],
            _default(entry),
            said.get(entry.name, ""),
            checked.get(f"{section}{entry.name}", ""),
        )
        for entry in entries
    ]


def environment_fields() -> list[ConfigField]:
    """The fields of ``CommunityEnvConfig``."""
    return class_fields(CommunityEnvConfig, ENVIRONMENT)


def preset_fields() -> list[ConfigField]:
    """The fields of a preset's other sections, by their sections' names."""
    sections = PRESET_SECTIONS.items()
    return [field for section, kind in sections for field in class_fields(kind, LIMITS, f"{section}.")]


PRESET_SECTIONS: Mapping[str, type] = {
    "runners": RunnersConfig,
    "stop": StopConfig,
    "validation": ValidationConfig,
    "report": ReportConfig,
}
"""The sections of a preset beside ``environment``, ``model`` and ``training``."""


def descriptions(documented: Any) -> dict[str, str]:
    """What a docstring says under ``Args`` or ``Attributes``, by name, each in one line."""
    said: dict[str, str] = {}
    names: list[str] = []
    for line in _section(inspect.getdoc(documented) or ""):
        begun = re.match(r"    (\*{0,2}\w+(?:, \w+)*): (.+)", line)
        if begun:
            names = begun[1].split(", ")
            said |= dict.fromkeys(names, begun[2].strip())
        elif names:
            said |= {name: f"{said[name]} {line.strip()}".strip() for name in names}
    return said


def _section(text: str) -> Iterator[str]:
    """The lines of the section of arguments or attributes."""
    inside = False
    for line in text.splitlines():
        if not line.startswith(" ") and line:
            inside = line in ("Args:", "Attributes:")
        elif inside:
            yield line


def training_table() -> str:
    """``training``: this algorithm's own fields, then RLlib's whose defaults are set here."""
    return _table(field.row() for field in training_fields())


def model_table() -> str:
    """``model``: sizes and kinds of the networks, exploration."""
    return _table(field.row() for field in class_fields(CommunityModuleConfig))


def environment_table() -> str:
    """``environment``: the community, its episodes and its reward."""
    return _table(field.row() for field in environment_fields())


def preset_table() -> str:
    """The other sections of a preset."""
    return _table(field.row() for field in preset_fields())


def _table(rows: Iterator[str]) -> str:
    return "\n".join(["| Key | Default | Unit | Values | What it is |", "|---|---|---|---|---|", *rows])


def _has_numbers(kind: Any) -> bool:
    return kind in (int, float) or (get_origin(kind) is not Literal and any(map(_has_numbers, get_args(kind))))


def _default(entry: Field[Any]) -> Any:
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


def _shown(value: Any) -> str:
    """A default as YAML has it."""
    if isinstance(value, Mapping):
        return "`{" + ", ".join(f"{key}: {entry}" for key, entry in value.items()) + "}`"
    if isinstance(value, (list, tuple)):
        return "`[" + ", ".join(map(str, value)) + "]`"
    if value is None or isinstance(value, bool):
        return {None: "`null`", True: "`true`", False: "`false`"}[value]
    return f"`{value}`"


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
