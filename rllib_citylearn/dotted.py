"""Values of a preset by dotted keys, as search files and trials have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rllib_citylearn.checks import nearest
from rllib_citylearn.errors import ConfigError


def with_values(preset: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's plain values with others in them; whether the preset may hold those is checked with the whole.

    Args:
        preset: ``Preset.to_dict()``.
        values: by dotted key, such as ``training.actor_lr``.

    Raises:
        ConfigError: a key names no section of the preset.
    """
    result = dict(preset)
    for key, value in values.items():
        *sections, name = key.split(".")
        inner = result
        for section in sections:
            if not isinstance(inner.get(section), Mapping):
                known = [entry for entry, found in inner.items() if isinstance(found, Mapping)]
                raise ConfigError(f"{key} names no section {section!r} of a preset.{nearest(section, known)}")
            inner[section] = dict(inner[section])
            inner = inner[section]
        inner[name] = value
    return result


def value_of(preset: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of ``Preset.to_dict()``.

    Raises:
        KeyError: there is none.
    """
    inner: Any = preset
    for part in key.split("."):
        inner = inner[part]
    return inner
