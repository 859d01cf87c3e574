"""Search files: a preset, what may be other than in it, and how to look for the best."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.resuming import FIXED
from rllib_citylearn.algorithm.training_keys import training_defaults
from rllib_citylearn.checks import from_mapping, nearest
from rllib_citylearn.dotted import value_of, with_values
from rllib_citylearn.env.limits import SEED, Limit, check_limits, is_seed
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.tuning.metrics import METRICS
from rllib_citylearn.tuning.space import Distribution
from rllib_citylearn.yaml_file import read_keys

_OF_THE_RUN = ("name", "environment.dataset", "environment.communities", "report", "runners", "stop", "validation")
"""What is the same in all trials: data, limits and whatever trials are compared by."""


_LIMITING = ("runners", "stop", "validation")
"""Sections that say how long a trial is, and with what."""


@dataclass(frozen=True)
class SchedulerConfig:
    """Which trials go on.

    Attributes:
        name: ``none``: all to their end; ``asha`` (Li 2020): at ``grace_minutes`` of training, and at each of its multiples
            by powers of ``reduction``, only the best 1/``reduction`` of those that came as far go on; ``pbt`` (Jaderberg
            2017): every ``grace_minutes`` the worst quarter goes on from where one of the best quarter stands, with its
            values changed a little.
        grace_minutes: minutes of training (> 0).
        reduction: more than 1; of account for ``asha``.
    """

    name: Literal["none", "asha", "pbt"] = "none"
    grace_minutes: float = 1.0
    reduction: float = 3.0


@dataclass(frozen=True)
class SearchConfig:
    """A search, completely described.

    Attributes:
        name: short name; the folder of the search begins with it.
        preset: file of the preset, from the folder of the search file.
        space: by key of the preset (``training.actor_lr``): what to try, see ``Distribution``.
        fixed: by key of the preset: what all trials have in place of the preset's value, such as a shorter time.
        algorithm: ``random``; ``optuna``, its tree-structured Parzen estimator (Bergstra 2011); ``grid``, every combination.
        trials: how many (>= 1); with ``grid``, how many of every combination.
        seed: of what is tried. Networks and exploration have the preset's.
        scheduler: which trials go on.
        metric: what trials are compared by, lower is better.
        max_failures: how often a trial whose machine or process was lost goes on from its last checkpoint (>= 0).
        trackers: besides the files of the search: ``tensorboard``, ``mlflow`` and ``wandb``, by which settings
            ``tracker_settings`` says.
        tracker_settings: arguments of Ray's logger of that tracker, by its name.
    """

    name: str
    preset: str
    space: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    algorithm: Literal["random", "optuna", "grid"] = "random"
    trials: int = 1
    seed: int = 0
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    metric: str = "best_objective"
    max_failures: int = 3
    trackers: tuple[str, ...] = ("tensorboard",)
    tracker_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_limits(self, LIMITS)
        if self.metric not in METRICS:
            raise ConfigError(f"metric is {self.metric!r}, which no trial reports.{nearest(self.metric, METRICS)}")
        for name in (*self.trackers, *self.tracker_settings):
            if name not in TRACKERS:
                raise ConfigError(f"trackers has {name!r}, which is none.{nearest(name, TRACKERS)}")


TRACKERS = ("tensorboard", "mlflow", "wandb")

LIMITS: tuple[Limit, ...] = (
    ("name", "letters, digits, - and _", lambda name: name.replace("-", "").replace("_", "").isalnum()),
    ("trials", "1 to 10,000", lambda trials: 1 <= trials <= 10_000),
    ("seed", SEED, is_seed),
    ("scheduler.grace_minutes", "a number above 0", lambda minutes: 0 < minutes < float("inf")),
    ("scheduler.reduction", "a number above 1", lambda factor: 1 < factor < float("inf")),
    ("max_failures", "0 or more", lambda failures: failures >= 0),
)


@dataclass(frozen=True)
class Search:
    """A search file that fits its preset.

    Attributes:
        config: the file.
        base: the preset with the ``fixed`` values in it, which trials start from.
        preset: the preset as it is.
        space: by key of the preset.
    """

    config: SearchConfig
    base: Preset
    preset: Preset
    space: Mapping[str, Distribution]

    @classmethod
    def read(cls, path: Path) -> Search:
        """A search from a YAML file, and the preset it names.

        Raises:
            ConfigError: no such file, keys or values that the search or the preset can't have; names them.
        """
        values = _mapping(path)
        config = from_mapping(SearchConfig, values, whole="The search")
        preset_file = path.parent / config.preset
        if not preset_file.is_file():
            raise ConfigError(f"preset is {config.preset!r}, but there is no file {preset_file}; give its path from {path}.")
        return cls.of(config, Preset.read(preset_file))

    @classmethod
    def of(cls, config: SearchConfig, preset: Preset) -> Search:
        """A search around a preset.

        Raises:
            ConfigError: keys or values that the search or the preset can't have.
        """
        base = _with("fixed", preset, config.fixed)
        space = {key: Distribution.read(key, given) for key, given in config.space.items()}
        _check_space(config, base, space)
        return cls(config, base, preset, space)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Search:
        """The inverse of ``to_dict``."""
        return cls.of(from_mapping(SearchConfig, values["search"], whole="The search"), Preset.from_dict(values["preset"]))

    def to_dict(self) -> dict[str, Any]:
        """The search and its preset as plain values, for JSON."""
        return {"search": json.loads(json.dumps(asdict(self.config))), "preset": self.preset.to_dict()}

    @property
    def start(self) -> dict[str, Any]:
        """The preset's own values of what is searched."""
        values = _with_defaults(self.base.to_dict())
        return {key: value_of(values, key) for key in self.space}

    @property
    def combinations(self) -> int:
        """How many trials there will be."""
        count = self.config.trials
        for distribution in self.space.values():
            count *= len(distribution.values) if distribution.is_grid else 1
        return count

    def trial(self, values: Mapping[str, Any]) -> Preset:
        """The preset of the trial with these values."""
        return _with("space", self.base, values)

    def best(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What to train with these values, as plain values: the preset without the limits of the search's trials."""
        fixed = {key: value for key, value in self.config.fixed.items() if key.split(".")[0] not in _LIMITING}
        return {**with_values(self.preset.to_dict(), {**fixed, **values}), "name": f"{self.config.name}-best"}


def _mapping(path: Path) -> Mapping[str, Any]:
    values = read_keys(path, "search", "tune_configs/searches/asha.yaml")
    if "environment" in values and "preset" not in values:
        raise ConfigError(f"{path} is a preset; train it by `rllib-citylearn train {path}`, or name it in a search file.")
    return values


def _with(section: str, preset: Preset, values: Mapping[str, Any]) -> Preset:
    try:
        return Preset.from_dict(with_values(preset.to_dict(), values))
    except ConfigError as error:
        raise ConfigError(f"{section}: {error}") from error


def _with_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """A preset's values with the algorithm's own where its section ``training`` says nothing."""
    return {**values, "training": {**training_defaults(), **values["training"]}}


def _check_space(config: SearchConfig, base: Preset, space: Mapping[str, Distribution]) -> None:
    if not space:
        raise ConfigError(
            "space is empty; say what may be tried, for example training.actor_lr: {loguniform: [1.0e-4, 1.0e-2]}."
        )
    for key, distribution in space.items():
        if any(key == name or key.startswith(f"{name}.") for name in _OF_THE_RUN):
            raise ConfigError(f"space.{key} would make trials that can't be compared; give one value under fixed.")
        if distribution.is_grid != (config.algorithm == "grid"):
            other = "{grid: [...]}" if config.algorithm == "grid" else "another distribution, or algorithm: grid"
            raise ConfigError(
                f"space.{key} is of the kind {distribution.kind!r}, with algorithm {config.algorithm!r}; give {other}."
            )
        for value in distribution.corners:
            _with("space", base, {key: value})
    if config.scheduler.name == "pbt":
        fixed = [key for key in space if key.split(".")[0] in FIXED]
        if fixed:
            raise ConfigError(
                f"scheduler pbt changes values while a trial runs, and {', '.join(fixed)} can't change then; search keys of "
                "`training`, or take another scheduler."
            )
        if config.algorithm != "random":
            raise ConfigError(f"algorithm is {config.algorithm!r}, but scheduler pbt draws by itself; expected 'random'.")
        if config.metric.startswith("best_"):
            raise ConfigError(
                f"metric is {config.metric!r}, but scheduler pbt copies what a trial has now, not what was best in it; give "
                f"{config.metric.removeprefix('best_')!r}."
            )
    if config.scheduler.name != "none" and config.scheduler.grace_minutes >= base.stop.minutes:
        raise ConfigError(
            f"scheduler.grace_minutes is {config.scheduler.grace_minutes:g}, but a trial has {base.stop.minutes:g} minutes "
            "(stop.minutes); give fewer."
        )
    if not base.validation.starts:
        raise ConfigError(
            "Trials are compared by validation, but the preset has no validation.starts; give some under fixed."
        )
    if config.metric in ("held_out_score", "best_held_out_score") and base.environment.held_out is None:
        raise ConfigError(f"metric is {config.metric!r}, but environment.held_out names no buildings.")
    if config.metric in ("held_out_score", "best_held_out_score") and base.model.actors == "separate":
        raise ConfigError(
            f"metric is {config.metric!r}, but separate actors fit no held-out buildings; set model.actors: shared."
        )
    own = {} if config.algorithm == "grid" else Search(config, base, base, space).start
    for key, value in own.items():
        if not space[key].holds(value):
            raise ConfigError(
                f"space.{key} leaves out the preset's own value, {value!r}, which is tried first, to compare with; widen it."
            )
