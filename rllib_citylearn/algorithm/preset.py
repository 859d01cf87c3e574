"""Presets: a YAML file that says everything about a training run, with the same keys as the config classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.runner_choice import runner_class
from rllib_citylearn.algorithm.training_keys import refuse_idle, training_kinds
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.checks import checked_keys, from_mapping, nearest
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.limits import SEED, STEPS, WINDOW, Limit, are_steps, check_limits, is_seed, is_window
from rllib_citylearn.env.members import member_count
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import CommunityModuleConfig
from rllib_citylearn.yaml_file import read_keys


@dataclass(frozen=True)
class StopConfig:
    """When training ends, whichever comes first.

    Attributes:
        minutes: wall-clock minutes of training (> 0), over all starts of a resumed run.
        env_steps: environment steps (>= 1); None sets no limit.
        updates: gradient steps (>= 1); None sets no limit.
        target_score: a validation whose objective is at or below it (any number) ends the run; the objective is the score
            where nobody but batteries is served (``algorithm.objective``). None sets no target.
        patience_minutes: minutes of training (> 0) without a better validation that end the run; None waits for ever.
        patience_validations: validations in a row (>= 1), none of them better, that end the run; None waits for ever.
    """

    minutes: float = 4.0
    env_steps: int | None = None
    updates: int | None = None
    target_score: float | None = None
    patience_minutes: float | None = None
    patience_validations: int | None = None


@dataclass(frozen=True)
class RunnersConfig:
    """Who samples and who learns.

    Attributes:
        num_env_runners: processes that step environments; 0 samples in the driver.
        num_envs_per_env_runner: copies of the community in each, which on the engine ``fast`` are stepped as one.
        rollout_fragment_length: hours that each copy plays between two rounds of learning.
        num_learners: processes that learn together, each from its share of a batch; 0 learns in the driver.
        num_gpus_per_learner: GPUs of a learner, 0 learns on the CPU.
    """

    num_env_runners: int = 2
    num_envs_per_env_runner: int = 1
    rollout_fragment_length: int = 50
    num_learners: int = 0
    num_gpus_per_learner: float = 0


@dataclass(frozen=True)
class ValidationConfig:
    """How the best policy of a run is found: by playing the same stretches of the training data without noise.

    Where ``environment.held_out`` names buildings, the policy also plays the same stretches of theirs, and the best on them
    is kept apart (``best-held-out``); they never decide which policy is the run's.

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
    seed: int = 0
    environment: CommunityEnvConfig = field(default_factory=CommunityEnvConfig)
    model: CommunityModuleConfig = field(default_factory=CommunityModuleConfig)
    training: Mapping[str, Any] = field(default_factory=dict)
    runners: RunnersConfig = field(default_factory=RunnersConfig)
    stop: StopConfig = field(default_factory=StopConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """A preset from a mapping; unknown and missing keys and values that can't work are refused by name."""
        preset = from_mapping(cls, values)
        refuse_idle(preset.training)
        checked_keys(training_kinds(), preset.training, "training")
        preset._check()
        return preset

    @classmethod
    def read(cls, path: Path) -> Preset:
        """A preset from a YAML file."""
        return cls.from_dict(read_keys(path, "preset", "tune_configs/quick.yaml"))

    def __post_init__(self) -> None:
        check_limits(self, LIMITS)
        for name in self.report.baselines:
            if name not in BASELINES:
                raise ConfigError(f"report.baselines has {name!r}, which is no baseline.{nearest(name, BASELINES)}")

    def _check(self) -> None:
        if self.environment.random_fleet is not None:
            raise ConfigError(
                "environment.random_fleet is given, but a run is judged on its data set as it is, without such cars; lay "
                "a fleet over it with `rllib-citylearn datasets add-vehicles` and name the new folder."
            )
        waiting = [name for name in _OF_VALIDATION if getattr(self.stop, name) is not None]
        if waiting and not self.validation.starts:
            raise ConfigError(
                f"stop.{waiting[0]} ends a run by its validations, but validation.starts is empty; say where the stretches "
                "start."
            )
        try:
            config = self.config()
            config.validate()
        except (ConfigError, TypeError, ValueError) as error:  # RLlib's own checks raise the latter two
            raise ConfigError(f"training and runners: {error}") from error
        judges = max(1, config.evaluation_num_env_runners)
        if len(self.validation.starts) % judges:
            raise ConfigError(
                f"validation.starts has {len(self.validation.starts)} entries for {judges} runner(s), which share them "
                f"evenly; expected a multiple of {judges}."
            )

    def to_dict(self) -> dict[str, Any]:
        """The preset as plain values, ready for YAML and JSON."""
        return {
            "name": self.name,
            "seed": self.seed,
            "environment": _plain(asdict(self.environment)),
            "model": asdict(self.model),
            "training": _plain(self.training),
            "runners": asdict(self.runners),
            "stop": asdict(self.stop),
            "validation": _plain(asdict(self.validation)),
            "report": _plain(asdict(self.report)),
        }

    def stretches(self) -> CommunityEnvConfig:
        """The environment in which policies are validated."""
        return replace(
            self.environment,
            starts=self.validation.starts,
            episode_steps=self.validation.episode_steps,
            random_initial_soc=False,
            forecast_noise=0.0,
            variants=0 if self.environment.draws else self.environment.variants,
        )

    @property
    def validation_episodes(self) -> int:
        """Episodes of a validation: every stretch in every community."""
        return len(self.validation.starts) * member_count(self.stretches())

    def held_out_stretches(self) -> CommunityEnvConfig | None:
        """The same stretches with the held-out buildings; None where there are none, or no validation.

        The data have to be at hand.
        """
        if self.environment.held_out is None or not self.validation.starts:
            return None
        return replace(
            self.environment.held_out_config(),
            starts=self.validation.starts,
            episode_steps=self.validation.episode_steps,
        )

    def config(self) -> CooperativeMADDPGConfig:
        """The RLlib config of this run."""
        configured: CooperativeMADDPGConfig = (
            CooperativeMADDPGConfig()
            .training(**self.training)
            .environment(CityLearnMultiAgentEnv, env_config=asdict(self.environment))
            .env_runners(
                num_env_runners=self.runners.num_env_runners,
                num_envs_per_env_runner=self.runners.num_envs_per_env_runner,
                rollout_fragment_length=self.runners.rollout_fragment_length,
            )
            .learners(num_learners=self.runners.num_learners, num_gpus_per_learner=self.runners.num_gpus_per_learner)
            .rl_module(model_config=asdict(self.model))
            .debugging(seed=self.seed, log_level="ERROR")
        )
        if self.validation.starts:
            # Copies that are stepped as one start at steps of their own, and play a validation in a second or two, here;
            # others would all play the same.
            vectorised = runner_class(configured) is CommunityVectorRunner
            configured.evaluation(
                evaluation_num_env_runners=0 if vectorised else max(1, self.runners.num_env_runners),
                evaluation_interval=_ON_DEMAND,
                evaluation_config={
                    "env_config": asdict(self.stretches()),
                    "explore": False,
                    "num_envs_per_env_runner": self.validation_episodes if vectorised else 1,
                },
            )
        return configured


LIMITS: tuple[Limit, ...] = (
    ("name", "letters, digits, - and _", lambda name: name.replace("-", "").replace("_", "").isalnum()),
    ("seed", SEED, is_seed),
    ("runners.num_env_runners", "0 or more", lambda runners: runners >= 0),
    ("runners.num_envs_per_env_runner", "at least 1", lambda copies: copies >= 1),
    ("runners.rollout_fragment_length", "at least 1", lambda hours: hours >= 1),
    ("runners.num_learners", "0 or more", lambda learners: learners >= 0),
    ("runners.num_gpus_per_learner", "from 0 to 1,024", lambda gpus: 0 <= gpus <= 1024),
    ("stop.minutes", "a number above 0", lambda minutes: 0 < minutes < float("inf")),
    ("stop.env_steps", "at least 1", lambda steps: steps >= 1),
    ("stop.updates", "at least 1", lambda updates: updates >= 1),
    ("stop.patience_minutes", "a number above 0", lambda minutes: 0 < minutes < float("inf")),
    ("stop.patience_validations", "at least 1", lambda validations: validations >= 1),
    ("validation.starts", STEPS, are_steps),
    ("validation.episode_steps", "at least 1", lambda steps: steps >= 1),
    ("validation.every_minutes", "a number above 0", lambda minutes: 0 < minutes < float("inf")),
    ("report.window", WINDOW, is_window),
    ("report.processes", "at least 1", lambda processes: processes >= 1),
)
"""What values have to be beyond their types. The environment, the model and the training check their own."""


_OF_VALIDATION = ("target_score", "patience_minutes", "patience_validations")
"""Keys of ``stop`` that validations decide."""


_ON_DEMAND = 10**9
"""Iterations between RLlib's own evaluations: without a number it makes no runner for those that are asked for."""


def _plain(value: Any) -> Any:
    """Tuples as lists and mappings as dicts, as YAML and JSON have them."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
