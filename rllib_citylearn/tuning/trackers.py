"""Where trials' metrics go beside the search's own files."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.tuning.search import SearchConfig

_PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def loggers(config: SearchConfig) -> list[Any]:
    """Tune's callbacks for the files of a search and its trackers.

    Raises:
        ConfigError: a tracker's package is missing, or its settings are not what Ray's logger takes.
    """
    from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback

    return [JsonLoggerCallback(), CSVLoggerCallback(), *(_logger(name, config) for name in config.trackers)]


def _logger(name: str, config: SearchConfig) -> Any:
    package = _PACKAGES[name]
    if find_spec(package) is None:
        raise ConfigError(
            f"trackers has {name!r}, but {package} is not installed; `pip install {package}`, or leave it out."
        )
    settings = dict(config.tracker_settings.get(name, {}))
    try:
        return _make(name, settings, config.name)
    except TypeError as error:
        raise ConfigError(f"tracker_settings.{name}: {error}.") from error


def _make(name: str, settings: dict[str, Any], search: str) -> Any:
    if name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        return MLflowLoggerCallback(**{"experiment_name": search, **settings})
    if name == "wandb":
        from ray.air.integrations.wandb import WandbLoggerCallback

        return WandbLoggerCallback(**{"project": search, **settings})
    from ray.tune.logger import TBXLoggerCallback

    return TBXLoggerCallback(**settings)
