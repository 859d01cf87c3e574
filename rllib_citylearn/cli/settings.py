"""``--set SECTION.KEY=VALUE``: single values of a preset, changed on the command line."""

from __future__ import annotations

from typing import Any

import yaml

from rllib_citylearn.errors import ConfigError


def setting(text: str) -> tuple[str, Any]:
    """Dotted key and value of a ``--set``; whether a preset may hold it is checked with the whole.

    Args:
        text: ``SECTION.KEY=VALUE``, the value as YAML has it; deeper keys follow after further dots.

    Raises:
        ConfigError: ``text`` has another form.
    """
    key, equals, given = text.partition("=")
    if not equals or "." not in key or not all(key.split(".")):
        raise ConfigError(f"--set {text!r} can't be read; write SECTION.KEY=VALUE, for example model.coordinator=none.")
    try:
        return key, yaml.safe_load(given)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {text!r}: {given!r} is not valid YAML: {error}") from error
