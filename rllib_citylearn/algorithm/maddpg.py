"""Cooperative MADDPG: sample, store, learn, synchronise."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    ENV_RUNNER_SAMPLING_TIMER,
    EPISODE_RETURN_MEAN,
    LEARNER_RESULTS,
    LEARNER_UPDATE_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    REPLAY_BUFFER_ADD_DATA_TIMER,
    REPLAY_BUFFER_SAMPLE_TIMER,
    SYNCH_WORKER_WEIGHTS_TIMER,
    TIMERS,
)

from rllib_citylearn.algorithm.community_record import CommunityRecord, Record, record_of, record_of_layout
from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.demonstrations import demonstrations
from rllib_citylearn.algorithm.exploration_state import exploration_states, restore_exploration_states
from rllib_citylearn.algorithm.names import COMMUNITY, SHARE_DONE, TD_ERRORS
from rllib_citylearn.algorithm.replay import JointReplay
from rllib_citylearn.algorithm.replay.priorities import annealed_beta
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.members import member_count
from rllib_citylearn.errors import TrainingError
from rllib_citylearn.modules.layout import JointLayout

_REPLAY = "joint_replay"
_RECORD = "trained_on"
_RUNNERS = "runners"

_ASK_LOST_EVERY_S = 10.0
"""Between two looks after a lost runner, each of which takes ``env_runner_health_probe_timeout_s`` if it is not back."""

_DRAWN_BYTES = 64 * 2**20
"""Of minibatches drawn at once for the learners, which may be other processes."""


class CooperativeMADDPG(Algorithm):
    """Centralised training with one shared critic, decentralised execution with one actor a building.

    Results carry, at their top level, so that Tune can stop and choose by them: ``score`` (mean of cost, carbon and grid of
    the latest training episodes relative to no control; with exploration noise; lower is better), ``team_return`` (an
    episode's team rewards summed), ``env_steps``, ``updates``, ``env_steps_per_s`` and ``updates_per_s``.

    Attributes:
        replay: what was sampled.
        share_done: how much of the run is done, 0 to 1, which whoever drives it sets between two calls of ``train()``;
            learning rates fall with it (``final_lr_share``).
        saves_replay: whether checkpoints hold the replay, which is nearly all of their size; for policies that nobody learns
            on from it may be left out.
    """

    saves_replay = True

    @classmethod
    def get_default_config(cls) -> CooperativeMADDPGConfig:
        """RLlib's hook."""
        return CooperativeMADDPGConfig()

    def setup(self, config: Any) -> None:
        """Build runners and learner, then the replay, whose shape follows from their spaces."""
        super().setup(config)
        layout = JointLayout(*self.spaces[COMMUNITY])
        self.replay = JointReplay(
            self.config.replay_capacity,
            layout,
            seed=self.config.seed or 0,
            states=self._state_size(),
            **self._masks(layout),
            prioritised_alpha=self.config.prioritised_alpha if self.config.replay == "prioritised" else None,
        )
        self._agents = layout.agents
        self._unlike = len(layout.communities) > 1
        self._record = CommunityRecord(self._records(layout))
        self.share_done = 0.0
        self._update_debt = 0.0
        self._updates = 0
        self._standardised = False
        self._score = self._team_return = float("nan")
        self._asked = -math.inf

    def _state_size(self) -> int:
        """Numbers of an engine's state in the runners' fragments."""
        if not self.config.model_horizon:
            return 0
        sizes: list[int] = self.env_runner_group.foreach_env_runner(
            _state_size, local_env_runner=self.config.num_env_runners == 0
        )
        return sizes[0]

    def _communities(self) -> int:
        """How many communities the runners play."""
        if not issubclass(self.config.env_runner_cls, CommunityVectorRunner):
            return 1
        return member_count(CommunityEnvConfig.from_dict(self.config.env_config))

    def _masks(self, layout: JointLayout) -> dict[str, Any]:
        """Which actions and columns the buildings of each community have; nothing where the layout's is the only one."""
        count = self._communities()
        if count == 1:
            return {}
        tables: Sequence[Any] = layout.communities
        if len(tables) == 1:  # variants of one community have the same buildings
            tables = [layout] * count
        return {
            "action_masks": [table.action_mask for table in tables],
            "observation_masks": [table.observation_mask for table in tables],
        }

    def _records(self, layout: JointLayout) -> list[Record]:
        """Of all communities; variants of one have its record."""
        if len(layout.communities) > 1:
            return [record_of(table) for table in layout.communities]
        return [record_of_layout(layout)] * self._communities()

    def restore_env_runners(self, env_runner_group: Any) -> list[int]:
        """RLlib's hook before every round: take runners back that were lost and have been started again.

        Only now and then: whoever asks one that is not back waits for it, and without its machine it stays away for long.
        """
        now = time.monotonic()
        if now - self._asked < _ASK_LOST_EVERY_S:
            return []
        restored: list[int] = super().restore_env_runners(env_runner_group)
        if now + 0.5 * self.config.env_runner_health_probe_timeout_s < time.monotonic():
            self._asked = time.monotonic()
        return restored

    def training_step(self) -> None:
        """One round: every runner a fragment, then the gradient steps that these environment steps have earned."""
        config = self.config
        if config.demonstrations and not self.replay.demonstrations:
            self.replay.add_demonstrations(demonstrations(config))
        with self.metrics.log_time((TIMERS, ENV_RUNNER_SAMPLING_TIMER)):
            samples, results = synchronous_parallel_sample(
                worker_set=self.env_runner_group,
                concat=True,
                sample_timeout_s=config.sample_timeout_s,
                _uses_new_env_runners=True,
                _return_metrics=True,
            )
        self.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
        with self.metrics.log_time((TIMERS, REPLAY_BUFFER_ADD_DATA_TIMER)):
            added = self.replay.add(samples)
        if self.replay.added < config.warmup_steps or not len(self.replay):
            return
        if not self._standardised:
            self._standardise()
        self._update_debt += added * config.updates_per_env_step
        updates = int(self._update_debt)
        if not updates:
            return
        self._update_debt -= updates
        at_once = max(1, _DRAWN_BYTES // (self.replay.transition_bytes * config.total_train_batch_size))
        for first in range(0, updates, at_once):
            self._learn(min(at_once, updates - first))
        with self.metrics.log_time((TIMERS, SYNCH_WORKER_WEIGHTS_TIMER)):
            self.env_runner_group.sync_weights(
                from_worker_or_learner_group=self.learner_group, policies=[COMMUNITY], inference_only=True
            )

    def _standardise(self) -> None:
        """Measure observation columns and rewards once, in what the runners saw before the first gradient step."""
        moments = self.replay.column_moments(), self.replay.value_moments(self.config.gamma)
        self.learner_group.foreach_learner(_Standardise(*moments))
        self._standardised = True

    def _learn(self, updates: int) -> None:
        """``updates`` gradient steps in one call of the learner group."""
        config = self.config
        batch_size = config.total_train_batch_size
        with self.metrics.log_time((TIMERS, REPLAY_BUFFER_SAMPLE_TIMER)):
            batch = self.replay.sample(
                batch_size,
                config.n_step,
                config.gamma,
                minibatches=updates,
                demonstration_share=config.demonstration_share if self.replay.demonstrations else 0.0,
                beta=annealed_beta(config.prioritised_beta, self.replay.added / config.prioritised_beta_steps),
            )
        with self.metrics.log_time((TIMERS, LEARNER_UPDATE_TIMER)):
            results = self.learner_group.update(
                batch=MultiAgentBatch({COMMUNITY: SampleBatch(batch)}, env_steps=batch_size * updates),
                timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.replay.added, SHARE_DONE: self.share_done},
                num_epochs=1,
                minibatch_size=config.train_batch_size_per_learner,
                shuffle_batch_per_epoch=False,
            )
        if not all(result.get() for result in self.learner_group.foreach_learner(_weights_are_finite)):
            raise TrainingError(
                f"The networks' weights are no longer finite after {self._updates + updates} gradient steps. Lower the "
                "learning rates or set grad_clip."
            )
        self._updates += updates
        if config.replay == "prioritised":
            errors = [error for result in results for error in result[COMMUNITY].pop(TD_ERRORS).peek()]
            self.replay.update_priorities(self.replay.drawn, np.concatenate(errors))
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

    def step(self) -> dict[str, Any]:
        """RLlib's iteration, with the flat metrics on top of its nested ones."""
        steps, updates, start = self.replay.added, self._updates, time.perf_counter()
        result: dict[str, Any] = super().step()
        seconds = time.perf_counter() - start
        runners = result.get(ENV_RUNNER_RESULTS, {})
        result["env_steps"] = self.replay.added
        result["updates"] = self._updates
        result["env_steps_per_s"] = (self.replay.added - steps) / seconds
        result["updates_per_s"] = (self._updates - updates) / seconds
        score = float(runners.get("kpis", {}).get("score", float("nan")))
        team_return = self._mean_team_return(runners)
        # Iterations in which no episode ended say nothing new.
        self._score = self._score if math.isnan(score) else score
        self._team_return = self._team_return if math.isnan(team_return) else team_return
        result["score"], result["team_return"] = self._score, self._team_return
        return result

    def _mean_team_return(self, runners: Mapping[str, Any]) -> float:
        """Mean of the latest episodes' team returns; NaN where none has ended."""
        if self._unlike:  # an episode's return is that of all its agents together, however many they are; all have the first
            return float(runners.get("agent_episode_returns_mean", {}).get(self._agents[0], float("nan")))
        return float(runners.get(EPISODE_RETURN_MEAN, float("nan"))) / len(self._agents)

    def get_checkpointable_components(self) -> list[tuple[str, Any]]:
        """RLlib's components and the replay, which it would leave out; first what refuses a checkpoint that does not fit."""
        replay = [(_REPLAY, self.replay)] if self.saves_replay else []
        return [(_RECORD, self._record), *super().get_checkpointable_components(), *replay]

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, the replay, the counters and where the runners' random numbers stand."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self.saves_replay and self._check_component(_REPLAY, components, not_components):
            state[_REPLAY] = self.replay.get_state()
        if self._check_component(_RECORD, components, not_components):
            state[_RECORD] = self._record.get_state()
        return state | {
            "update_debt": self._update_debt,
            "updates": self._updates,
            "standardised": self._standardised,
            "latest": (self._score, self._team_return),
            _RUNNERS: exploration_states(self.env_runner_group),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``; with other runners, those that were there go on and new ones begin.

        Raises:
            CheckpointError: the state is of other buildings, columns or actions.
        """
        if _RECORD in state:
            self._record.set_state(state[_RECORD])
        super().set_state(state)
        if _REPLAY in state:
            self.replay.set_state(state[_REPLAY])
        if "updates" in state:
            self._update_debt = state["update_debt"]
            self._updates = state["updates"]
            self._standardised = state["standardised"]
            self._score, self._team_return = state["latest"]
            restore_exploration_states(self.env_runner_group, state[_RUNNERS])


def _weights_are_finite(learner: Any) -> bool:
    """Whether all weights of a learner are numbers; a gradient can overflow although its loss did not."""
    return all(bool(torch.isfinite(weights).all()) for weights in learner.community.parameters())


def _state_size(runner: Any) -> int:
    size: int = runner.state_size
    return size


class _Standardise:
    """Tells a learner the moments of columns and values; a class, because it travels to other processes."""

    def __init__(self, columns: Any, values: Any) -> None:
        self.columns, self.values = columns, values

    def __call__(self, learner: Any) -> None:
        learner.standardise(self.columns, self.values)
