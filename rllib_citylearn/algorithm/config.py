"""Configuration of cooperative MADDPG, in RLlib's fluent style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig, NotProvided
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from rllib_citylearn.algorithm.connectors import joint_env_to_module, joint_module_to_env
from rllib_citylearn.algorithm.names import COMMUNITY, community_of_agent
from rllib_citylearn.algorithm.optimisers import OPTIMISERS
from rllib_citylearn.algorithm.requirements import (
    refuse_compiled_learner,
    require_demonstrators,
    require_gpus,
    require_model,
)
from rllib_citylearn.algorithm.runner_choice import runner_class
from rllib_citylearn.algorithm.schedules import Schedule, schedule_fault
from rllib_citylearn.algorithm.training_keys import refuse_idle, training_kinds
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.checks import checked_keys
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import CommunityModuleConfig, CommunityRLModule

LONGEST_HORIZON = 168
"""Hours: a week. Gradients through more of them take long and say nothing new."""


class CooperativeMADDPGConfig(AlgorithmConfig):
    """Everything that can be set, with its default; ``training`` documents this algorithm's own fields.

    Example:
        >>> config = (
        ...     CooperativeMADDPGConfig()
        ...     .environment(CityLearnMultiAgentEnv, env_config={"dataset": "citylearn_challenge_2022_phase_all"})
        ...     .env_runners(num_env_runners=2)
        ...     .training(actor_lr=3e-4)
        ... )
    """

    def __init__(self, algo_class: type | None = None) -> None:
        if algo_class is None:
            from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

            algo_class = CooperativeMADDPG
        super().__init__(algo_class=algo_class)
        self.env_runner_cls: type | None
        self.actor_lr = 3e-4
        self.actor_optimiser = "adam"
        self.critic_lr = 1e-3
        self.final_lr_share = 1.0
        self.gamma = 0.98
        self.n_step = 1
        self.tau = 0.005
        self.policy_delay = 2
        self.critic_warmup_updates = 500
        self.target_noise = 0.1
        self.target_noise_clip = 0.25
        self.reward_scale = 1.0
        self.rule_weight: Schedule = 3.0
        self.decompose_value = True
        self.model_horizon = 0
        self.model_batch_size = 64
        self.replay = "uniform"
        self.replay_capacity = 50_000
        self.prioritised_alpha = 0.6
        self.prioritised_beta = 0.4
        self.prioritised_beta_steps = 100_000
        self.demonstrations: Sequence[str] = ()
        self.demonstration_share = 0.1
        self.cloning_weight = 0.0
        self.precision = "float32"
        self.warmup_steps = 1_000
        self.updates_per_env_step = 0.5
        # RLlib's own fields, with defaults that fit.
        self.train_batch_size_per_learner = 128
        self.rollout_fragment_length = 50
        self.grad_clip = 10.0
        self.grad_clip_by = "global_norm"
        self.min_sample_timesteps_per_iteration = 400
        self.env_runner_health_probe_timeout_s = 1.0
        self.env_runners(
            env_to_module_connector=joint_env_to_module,
            module_to_env_connector=joint_module_to_env,
            add_default_connectors_to_env_to_module_pipeline=False,
            add_default_connectors_to_module_to_env_pipeline=False,
        )
        self.multi_agent(policies={COMMUNITY}, policy_mapping_fn=community_of_agent)

    def training(
        self,
        *,
        actor_lr: Any = NotProvided,
        actor_optimiser: str = NotProvided,
        critic_lr: Any = NotProvided,
        final_lr_share: float = NotProvided,
        n_step: int = NotProvided,
        tau: float = NotProvided,
        policy_delay: int = NotProvided,
        critic_warmup_updates: int = NotProvided,
        target_noise: float = NotProvided,
        target_noise_clip: float = NotProvided,
        reward_scale: float = NotProvided,
        rule_weight: Any = NotProvided,
        decompose_value: bool = NotProvided,
        model_horizon: int = NotProvided,
        model_batch_size: int = NotProvided,
        replay: str = NotProvided,
        replay_capacity: int = NotProvided,
        prioritised_alpha: float = NotProvided,
        prioritised_beta: float = NotProvided,
        prioritised_beta_steps: int = NotProvided,
        demonstrations: Sequence[str] = NotProvided,
        demonstration_share: float = NotProvided,
        cloning_weight: float = NotProvided,
        precision: str = NotProvided,
        warmup_steps: int = NotProvided,
        updates_per_env_step: float = NotProvided,
        **kwargs: Any,
    ) -> CooperativeMADDPGConfig:
        """Set this algorithm's fields; the rest goes to ``AlgorithmConfig.training``.

        Args:
            actor_lr, critic_lr: learning rates (> 0), or schedules ``[[environment step, rate], ...]``.
            actor_optimiser: ``adam``, or ``muon``: Muon for hidden layers, Adam for the rest; takes gradients through
                simulated hours further in the same time.
            final_lr_share: what is left of both rates at the end of a run, (0, 1]; they fall in a straight line with the
                share of the run that is done. 1 leaves them as they are. Of account where a run's end is known: in presets.
            n_step: rewards summed before the critic's value of what follows (>= 1).
            tau: share by which targets move towards their networks every ``policy_delay`` gradient steps, (0, 1].
            policy_delay: gradient steps of the critics for one of the policy (>= 1).
            critic_warmup_updates: gradient steps of the critics before the policy's first (>= 0); a policy that follows
                critics which know nothing yet forgets the rule it started from.
            target_noise: standard deviation of the noise on the target policy's actions (>= 0), in action units.
            target_noise_clip: bound of that noise (>= 0), in action units.
            reward_scale: factor on rewards before learning (> 0).
            rule_weight: pull of the policy towards the rule it corrects, against one spread of values in a batch (>= 0),
                or a schedule ``[[environment step, pull], ...]``; nothing where there is no rule.
            decompose_value: learn a value for every building and one for the district, each from its own part of the
                reward (True), or their sum from the team reward only (False). The reward is the same either way.
            model_horizon: hours H simulated on from a batch's rows, with gradients, before the critics' value, [0, 168]; 0
                is classic MADDPG, 24 to 48 see a day's cycle. Needs the engine ``fast`` and a community without outages.
            model_batch_size: rows of a batch that are simulated on from (>= 1), at most the batch; of several communities,
                those of the first row's.
            replay: ``uniform`` draws all transitions alike, ``prioritised`` those more often about which the critics were
                wrong.
            replay_capacity: joint rows kept (> batch size); an hour of the whole community is one.
            prioritised_alpha: how much priorities count, [0, 1].
            prioritised_beta: exponent of the importance weights at the start, [0, 1]; it rises to 1.
            prioritised_beta_steps: environment steps after which it is 1 (>= 1).
            demonstrations: names of baselines, or folders of bundles, whose run over the training data is kept in replay.
            demonstration_share: share of each batch that is drawn from demonstrations, [0, 1); of no account without any.
            cloning_weight: pull of the policy towards demonstrated actions that the critic finds better than its own,
                against one spread of values in a batch (>= 0).
            precision: ``float32``, or ``bfloat16`` for the networks in the learner (the simulation keeps 32 bits); pays on
                GPUs.
            warmup_steps: environment steps before the first gradient step (>= 0).
            updates_per_env_step: gradient steps per environment step (> 0).
            **kwargs: RLlib's own fields.
        """
        own = {
            name: value
            for name, value in locals().items()
            if name not in ("self", "kwargs", "__class__") and value is not NotProvided
        }
        # RLlib itself hands over what it has already, where it makes a config from a dictionary.
        refuse_idle({name: value for name, value in kwargs.items() if value != getattr(self, name, None)})
        super().training(**kwargs)
        for name, value in own.items():
            setattr(self, name, value)
        return self

    def validate(self) -> None:
        """Refuse what cannot work before anything is started."""
        if self.env_runner_cls is None and self.env is not None:
            self.env_runner_cls = runner_class(self)
        super().validate()
        if self.in_evaluation:
            return  # RLlib validates a copy for its evaluation runners, which neither replay nor learn
        kinds = training_kinds()
        checked_keys(kinds, {name: getattr(self, name) for name in kinds}, "training")
        CommunityModuleConfig.from_dict(dict(self.model_config))
        self._require_playable_communities()
        require_gpus(self)
        require_model(self)
        refuse_compiled_learner(self)
        require_demonstrators(self)
        batch = self.total_train_batch_size
        hours = self.get_rollout_fragment_length()
        fragment = hours * self.num_envs_per_env_runner
        steps = _episode_steps(self.env_config)
        simulated = self.model_horizon > 0
        checks = {
            f"replay_capacity={self.replay_capacity} has to be larger than the batch ({batch}) and the rows of a fragment "
            f"({fragment})": self.replay_capacity > max(batch, fragment),
            f"warmup_steps={self.warmup_steps} has to be between 0 and replay_capacity": 0
            <= self.warmup_steps
            <= self.replay_capacity,
            f"n_step={self.n_step} has to be between 1 and rollout_fragment_length ({hours})": 1 <= self.n_step <= hours,
            f"n_step={self.n_step} has to be at most the steps of an episode ({steps})": steps is None
            or self.n_step <= steps,
            f"tau={self.tau} has to be within (0, 1]": 0 < self.tau <= 1,
            f"gamma={self.gamma} has to be within [0, 1)": 0 <= self.gamma < 1,
            f"policy_delay={self.policy_delay} has to be at least 1": self.policy_delay >= 1,
            f"critic_warmup_updates={self.critic_warmup_updates} must not be negative": self.critic_warmup_updates >= 0,
            f"updates_per_env_step={self.updates_per_env_step} has to be above 0": self.updates_per_env_step > 0,
            f"grad_clip={self.grad_clip} must not be negative": self.grad_clip is None or self.grad_clip >= 0,
            f"reward_scale={self.reward_scale} has to be above 0": self.reward_scale > 0,
            f"target_noise={self.target_noise} and target_noise_clip={self.target_noise_clip} must not be negative": (
                self.target_noise >= 0 and self.target_noise_clip >= 0
            ),
            f"num_envs_per_env_runner={self.num_envs_per_env_runner} and a batch of {batch} have to be at least 1": (
                self.num_envs_per_env_runner >= 1 and batch >= 1
            ),
            f"model_horizon={self.model_horizon} has to be between 0 and {LONGEST_HORIZON} hours": 0
            <= self.model_horizon
            <= LONGEST_HORIZON,
            f"model_batch_size={self.model_batch_size} has to be between 1 and train_batch_size_per_learner "
            f"({self.train_batch_size_per_learner})": not simulated
            or 1 <= self.model_batch_size <= int(self.train_batch_size_per_learner or 0),
            f"replay={self.replay!r} has to be 'uniform' or 'prioritised'": self.replay in ("uniform", "prioritised"),
            f"prioritised_alpha={self.prioritised_alpha} and prioritised_beta={self.prioritised_beta} have to be within "
            "[0, 1]": 0 <= self.prioritised_alpha <= 1 and 0 <= self.prioritised_beta <= 1,
            f"prioritised_beta_steps={self.prioritised_beta_steps} has to be at least 1": self.prioritised_beta_steps >= 1,
            f"demonstration_share={self.demonstration_share} has to be within [0, 1)": 0 <= self.demonstration_share < 1,
            f"cloning_weight={self.cloning_weight} must not be negative": self.cloning_weight >= 0,
            f"cloning_weight={self.cloning_weight} has nothing to pull towards; name some demonstrations, with a "
            "demonstration_share above 0": not self.cloning_weight or bool(self.demonstrations and self.demonstration_share),
            f"actor_optimiser={self.actor_optimiser!r} has to be one of {', '.join(OPTIMISERS)}": self.actor_optimiser
            in OPTIMISERS,
            f"final_lr_share={self.final_lr_share} has to be within (0, 1]": 0 < self.final_lr_share <= 1,
            f"precision={self.precision!r} has to be 'float32' or 'bfloat16'": self.precision in ("float32", "bfloat16"),
        }
        schedules = (
            schedule_fault("actor_lr", self.actor_lr),
            schedule_fault("critic_lr", self.critic_lr),
            schedule_fault("rule_weight", self.rule_weight, zero=True),
        )
        wrong = [sentence for sentence, fine in checks.items() if not fine] + [fault for fault in schedules if fault]
        if wrong:
            raise ConfigError("This configuration can't work: " + "; ".join(wrong) + ".")

    def _require_playable_communities(self) -> None:
        """Refuse an ``env_config`` whose communities this algorithm can't see or learn from."""
        given = self.env_config
        several = [key for key in ("communities", "random_buildings", "random_fleet") if given.get(key) is not None]
        if given.get("central_agent") or (given.get("padded") and not several):
            mode = "central_agent" if given.get("central_agent") else "padded"
            raise ConfigError(
                f"env_config has {mode}=True, but CooperativeMADDPG sees a community's buildings side by side and places "
                "their numbers by itself; leave it out, or train with another algorithm. To train over several communities, "
                "give padded=True together with communities, random_buildings or random_fleet."
            )
        if given.get("team_share", 1.0) != 1.0:
            raise ConfigError(
                f"env_config has team_share={given['team_share']}, but CooperativeMADDPG's critics learn the team's reward "
                "from its parts; leave it out, or train with another algorithm."
            )
        if not given.get("padded"):
            return
        if self.env_runner_cls is None or not issubclass(self.env_runner_cls, CommunityVectorRunner):
            raise ConfigError(
                f"env_config has {', '.join(several)}, but communities of unlike buildings can be played by "
                "CityLearnMultiAgentEnv on the engine 'fast' only, with the joint connectors; set engine to 'fast', or give "
                "one community."
            )
        if self.model_config.get("actors") == "separate":
            raise ConfigError(
                f"actors is 'separate', but env_config has {', '.join(several)}: a building's actor would control another "
                "building in every community. Set actors to 'shared'."
            )

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The community module."""
        return RLModuleSpec(module_class=CommunityRLModule)

    def get_default_learner_class(self) -> type:
        """The learner of cooperative MADDPG."""
        from rllib_citylearn.algorithm.learner import CooperativeMADDPGLearner

        return CooperativeMADDPGLearner


def _episode_steps(env_config: Mapping[str, Any]) -> int | None:
    """The longest that an episode can be by what an ``env_config`` says of episodes and window; None if it says nothing."""
    window = env_config.get("window")
    said = [env_config.get("episode_steps"), None if window is None else window[1] - window[0]]
    return min((steps for steps in said if steps is not None), default=None)
