"""Presets: a YAML file that says everything about a training run, with the same keys as the config classes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv, CommunityEnvConfig
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import CommunityModuleConfig


@dataclass(frozen=True)
class StopConfig:
    """When training ends, whichever comes first.

    Attributes:
        minutes: wall-clock minutes of training (> 0).
        env_steps: environment steps; None sets no limit.
    """

    minutes: float = 4.0
    env_steps: int | None = None


@dataclass(frozen=True)
class RunnersConfig:
    """Who samples and who learns.

    Attributes:
        num_env_runners: processes that step environments; 0 samples in the driver.
        num_gpus_per_learner: GPUs of the learner, 0 learns on the CPU.
    """

    num_env_runners: int = 2
    num_gpus_per_learner: float = 0


@dataclass(frozen=True)
class ValidationConfig:
    """How the best policy of a run is found: by playing the same stretches of the training data without noise.

    Attributes:
        starts: time steps of the data at which the stretches start; none trains without validation and keeps the last.
        episode_steps: length of a stretch in time steps.
        every_minutes: minutes of training between two validations; one is made before the first and after the last too.
    """

    starts: tuple[int, ...] = ()
    episode_steps: int = 336
    every_minutes: float = 1.0


@dataclass(frozen=True)
class ReportConfig:
    """How the trained policy is judged, always by CityLearn's own ``evaluate()``.

    Attributes:
        baselines: names of the controllers beside it.
        window: first and last time step, both included; None is all of the data.
        processes: controllers that are simulated at the same time.
    """

    baselines: tuple[str, ...] = ("no-control", "bau", "net-zero")
    window: tuple[int, int] | None = None
    processes: int = 2


@dataclass(frozen=True)
class Preset:
    """A training run, completely described.

    Attributes:
        name: short name; the run's folder begins with it.
        seed: seed of networks, exploration, replay and start times.
        environment: fields of ``CommunityEnvConfig``.
        model: fields of ``CommunityModuleConfig``.
        training: arguments of ``CooperativeMADDPGConfig.training``.
        runners, stop, validation, report: see their classes.
    """

    name: str
    seed: int
    environment: CommunityEnvConfig
    model: CommunityModuleConfig
    training: Mapping[str, Any]
    runners: RunnersConfig = field(default_factory=RunnersConfig)
    stop: StopConfig = field(default_factory=StopConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """A preset from a mapping; unknown and missing keys are refused by name."""
        _only_known("the preset", values, {f.name for f in fields(cls)})
        if not isinstance(values.get("name"), str) or not values["name"].replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"A preset needs a name of letters, digits, - and _; got {values.get('name')!r}.")
        sections = {}
        kinds: dict[str, type[Any]] = {
            "runners": RunnersConfig,
            "stop": StopConfig,
            "validation": ValidationConfig,
            "report": ReportConfig,
        }
        for key, kind in kinds.items():
            sections[key] = _section(key, kind, values.get(key))
        model = dict(values.get("model") or {})
        _only_known("model", model, {f.name for f in fields(CommunityModuleConfig)})
        preset = cls(
            name=values["name"],
            seed=int(values.get("seed", 0)),
            environment=CommunityEnvConfig.from_dict(values.get("environment") or {}),
            model=CommunityModuleConfig(**model),
            training=dict(values.get("training") or {}),
            **sections,
        )
        preset._check()
        return preset

    @classmethod
    def read(cls, path: Path) -> Preset:
        """A preset from a YAML file."""
        try:
            values = yaml.safe_load(path.read_text())
        except OSError as error:
            raise ConfigError(f"The preset {path} can't be read: {error.strerror}. See tune_configs/.") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"The preset {path} is not valid YAML: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"The preset {path} holds no keys; see tune_configs/quick.yaml for the form.")
        return cls.from_dict(values)

    def _check(self) -> None:
        if self.stop.minutes <= 0 or (self.stop.env_steps is not None and self.stop.env_steps < 1):
            raise ConfigError("stop.minutes has to be above 0 and stop.env_steps at least 1.")
        if self.runners.num_env_runners < 0 or self.report.processes < 1:
            raise ConfigError("runners.num_env_runners must not be negative, report.processes has to be at least 1.")
        runners = max(1, self.runners.num_env_runners)
        if len(self.validation.starts) % runners or self.validation.every_minutes <= 0:
            raise ConfigError(
                f"validation.starts has {len(self.validation.starts)} entries for {runners} runner(s), which share them "
                "evenly; give a multiple, and validation.every_minutes above 0."
            )
        self.config().validate()

    def to_dict(self) -> dict[str, Any]:
        """The preset as plain values, ready for YAML and JSON."""
        return {
            "name": self.name,
            "seed": self.seed,
            "environment": _plain(asdict(self.environment)),
            "model": asdict(self.model),
            "training": _plain(dict(self.training)),
            "runners": asdict(self.runners),
            "stop": asdict(self.stop),
            "validation": _plain(asdict(self.validation)),
            "report": _plain(asdict(self.report)),
        }

    def config(self) -> CooperativeMADDPGConfig:
        """The RLlib config of this run."""
        try:
            config = CooperativeMADDPGConfig().training(**self.training)
        except TypeError as error:
            raise ConfigError(f"training: {error}. See CooperativeMADDPGConfig.training for the names.") from error
        configured: CooperativeMADDPGConfig = (
            config.environment(CityLearnMultiAgentEnv, env_config=asdict(self.environment))
            .env_runners(num_env_runners=self.runners.num_env_runners)
            .learners(num_learners=0, num_gpus_per_learner=self.runners.num_gpus_per_learner)
            .rl_module(model_config=asdict(self.model))
            .debugging(seed=self.seed, log_level="ERROR")
        )
        if self.validation.starts:
            stretches = replace(
                self.environment,
                starts=self.validation.starts,
                episode_steps=self.validation.episode_steps,
                random_initial_soc=False,
            )
            configured.evaluation(
                evaluation_num_env_runners=max(1, self.runners.num_env_runners),
                evaluation_config={"env_config": asdict(stretches), "explore": False},
            )
        return configured


def _section(key: str, kind: type[Any], values: Any) -> Any:
    values = dict(values or {})
    _only_known(key, values, {f.name for f in fields(kind)})
    for name in ("baselines", "window", "starts"):
        if values.get(name) is not None:
            values[name] = tuple(values[name])
    return kind(**values)


def _only_known(where: str, values: Mapping[str, Any], known: set[str]) -> None:
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known are {', '.join(sorted(known))}."
            raise ConfigError(f"{where} has no key {key!r}.{hint}")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Tuples as lists and mappings as dicts, as YAML and JSON have them."""
    return {
        key: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
