"""YAML files with keys at the top, read strictly."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from rllib_citylearn.errors import ConfigError


class _Strict(yaml.SafeLoader):
    """PyYAML's, but a key that comes twice is an error: PyYAML takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} comes twice", key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_keys(path: Path, what: str, example: str) -> dict[str, Any]:
    """The keys of a YAML file.

    Args:
        path: of the file.
        what: what it is called, such as "preset".
        example: where one of its kind can be seen.

    Raises:
        ConfigError: it can't be read, is no YAML, has a key twice, or holds no keys.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Strict)
    except OSError as error:
        raise ConfigError(f"The {what} {path} can't be read: {error.strerror}. See {example}.") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes that are no text, dates that do not exist
        raise ConfigError(f"The {what} {path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"The {what} {path} holds no keys; see {example} for the form.")
    return values
