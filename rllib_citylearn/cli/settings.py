"""``--set SECTION.KEY=VALUE``: single values of a preset, changed on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from rllib_citylearn.errors import ConfigError


def with_setting(values: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A preset's values with another one in them; whether the preset may hold it is checked with the whole.

    Args:
        values: ``Preset.to_dict()``.
        text: ``SECTION.KEY=VALUE``, the value as YAML has it; deeper keys follow after further dots.

    Raises:
        ConfigError: ``text`` has another form, or names a section that there is not.
    """
    path, equals, given = text.partition("=")
    sections = path.split(".")
    key = sections.pop()
    if not equals or not sections or not all((key, *sections)):
        raise ConfigError(f"--set {text!r} can't be read; write SECTION.KEY=VALUE, for example model.coordinator=none.")
    try:
        value = yaml.safe_load(given)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {text!r}: {given!r} is not valid YAML: {error}") from error
    result = dict(values)
    inner = result
    for depth, section in enumerate(sections):
        if not isinstance(inner.get(section), Mapping):
            known = ", ".join(name for name, entry in inner.items() if isinstance(entry, Mapping)) or "none"
            where = ".".join(sections[:depth]) or "a preset"
            raise ConfigError(f"--set {text!r}: {where} has no section {section!r}; its sections: {known}.")
        inner[section] = dict(inner[section])
        inner = inner[section]
    inner[key] = value
    return result
