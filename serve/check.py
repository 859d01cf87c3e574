"""Settings looked at before they are deployed: Serve itself says little of what is wrong, and late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rllib_citylearn.errors import ConfigError
from serve.asgi import PolicyApp
from serve.models import ServedCommunity
from serve.policy import DEPLOYMENT, IMPORT_PATH
from serve.settings import Settings, settings


def check(path: Path) -> dict[str, ServedCommunity]:
    """Everything that a file of settings, or a Serve config file, would serve: read, verified, run and compared.

    Raises:
        ConfigError: the file can't be read, or has settings that can't be used.
        BundleError: a bundle is damaged, does not run, or is of another community than the other versions.
    """
    served: dict[str, ServedCommunity] = {}
    for wanted in _wanted(read_yaml(path), path):
        served |= PolicyApp().prepare(wanted)[1]
    return served


def read_yaml(path: Path) -> dict[str, Any]:
    """The settings in a YAML file.

    Raises:
        ConfigError: it can't be read, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read ({error}); name a YAML file of settings.") from error
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:  # of dates, numbers, tags
        raise ConfigError(f"{path} has a value that can't be read ({error}); name a YAML file of settings.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} does not hold settings by name; see the user_config in serve/config.yaml.")
    return content


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a YAML file of nothing else.

    Raises:
        ConfigError: it can't be read, or is a Serve config file.
    """
    content = read_yaml(path)
    if "applications" in content:
        raise ConfigError(
            f"{path} is a Serve config file; deploy it on a Ray cluster by `serve deploy {path}`, or give a file of what "
            "its user_config holds."
        )
    return content


def _wanted(content: dict[str, Any], path: Path) -> Iterator[Settings]:
    if "applications" not in content:
        yield settings(content)
        return
    applications = content["applications"]
    ours = [
        application
        for application in (applications if isinstance(applications, list) else [])
        if isinstance(application, dict) and application.get("import_path") == IMPORT_PATH
    ]
    if not ours:
        raise ConfigError(f"{path} has no application with the import_path {IMPORT_PATH}.")
    for application in ours:
        deployments = application.get("deployments") or []
        given = next((one.get("user_config") for one in deployments if one.get("name") == DEPLOYMENT), None)
        if not (given or application.get("args")):
            name = application.get("name")
            raise ConfigError(f"The application {name!r} in {path} has neither args nor a user_config for {DEPLOYMENT}.")
        yield settings(given or application["args"])
