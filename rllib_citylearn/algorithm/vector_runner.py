"""The env runner on the compiled engine: E copies of a community at once, in arrays from end to end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.callbacks.utils import make_callback
from ray.rllib.core.columns import Columns
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
from ray.rllib.utils.metrics import (
    ENV_RESET_TIMER,
    ENV_STEP_TIMER,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    RLMODULE_INFERENCE_TIMER,
)

from rllib_citylearn.algorithm.community_episode import CommunityEpisode
from rllib_citylearn.algorithm.exploration_state import EXPLORATION, identity, of_runner
from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import ACTION_MASK, COMMUNITY, PRESENT
from rllib_citylearn.algorithm.recording import Recording
from rllib_citylearn.algorithm.sampled_counts import SampledCounts
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.engines import FastEngine
from rllib_citylearn.env.lockstep import LockstepCommunities, LockstepHour
from rllib_citylearn.env.metrics import log_communities
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import RESET
from rllib_citylearn.simulator.differentiable.rows import StateRows

Singles = npt.NDArray[np.float32]

_LONGEST_UNKEPT = 24
"""Hours held at once where nobody wants the rows."""


class CommunityVectorRunner(MultiAgentEnvRunner):
    """Plays ``num_envs_per_env_runner`` copies of a community on the compiled engine, with one forward pass an hour.

    To RLlib it is its own multi-agent runner: weights, sequence numbers, callbacks, metrics, restarts and evaluation are
    the same, and so are the module's spaces. Samples are ``JointFragment``s instead of episodes. The connectors are there
    because RLlib synchronises their states, but the arrays don't pass through them.

    All copies are in the same hour of their episodes. Seeds are ``config.seed`` plus the number of the runner; a run
    begins with them once, and evaluation each time it counts in episodes, to judge policies on the same ones.
    """

    env: LockstepCommunities
    _seed: int | None

    def __init__(self, **kwargs: Any) -> None:
        self.counts = SampledCounts()
        self._episodes: list[CommunityEpisode] = []
        self._finished: list[CommunityEpisode] = []
        super().__init__(**kwargs)
        self._begin_exploration()
        self._hears_steps = bool(self.config.callbacks_on_episode_step) or any(
            type(callback).on_episode_step is not RLlibCallback.on_episode_step for callback in self._callbacks
        )

    def make_env(self) -> None:
        """Build the communities; once more after the config has changed."""
        if self.env is not None:
            self.env.close()
        worker = max(int(self.worker_index or 0), 0)
        context = EnvContext(self.config.env_config, worker_index=worker, num_workers=self.config.num_env_runners)
        # RLlib numbers remote runners from 1: each begins with a start of its own and steps over the others'.
        self.env = LockstepCommunities(
            CommunityEnvConfig.from_dict(self.config.env_config),
            self.config.num_envs_per_env_runner,
            turn=max(worker - 1, 0),
            turns=max(int(self.config.num_env_runners), 1),
        )
        self.num_envs = self.env.num_envs
        self._needs_initial_reset, self._seeded = True, False
        self._masks = self._make_masks()
        self._state_rows = self._make_state_rows()
        make_callback(
            "on_environment_created",
            callbacks_objects=self._callbacks,
            callbacks_functions=self.config.callbacks_on_environment_created,
            kwargs={"env_runner": self, "metrics_logger": self.metrics, "env": self.env, "env_context": context},
        )

    def get_spaces(self) -> dict[str, Any]:
        """The community's spaces under RLlib's names, and as the module's."""
        if self.env is None:
            spaces: dict[str, Any] = self.spaces
            return spaces
        community = (self.env.single_observation_space, self.env.single_action_space)
        return {INPUT_ENV_SPACES: community, INPUT_ENV_SINGLE_SPACES: community, COMMUNITY: community}

    def _begin_exploration(self) -> None:
        """Generators of this runner's own, for its random actions and for the module's noise."""
        self._random = np.random.default_rng(self._seed)
        if self._seed is not None:
            self.module[COMMUNITY].seed_exploration(self._seed)

    def _begin_later(self, steps: int) -> None:
        """Take the place of a runner that was lost, without its first episodes and noise once more."""
        if steps and self._seed is not None:
            self._seed = (int(self.config.seed or 0) + self.worker_index + 7919 * int(steps)) % 2**31
            self._begin_exploration()

    def _make_masks(self) -> dict[str, torch.Tensor]:
        """Batch columns that say which buildings and actions a copy has, where communities differ in them."""
        if self.env.present is None:
            return {}
        masks = {PRESENT: self.env.present, ACTION_MASK: self.env.action_mask.astype(np.float32)}
        return {name: torch.from_numpy(mask).to(self._device) for name, mask in masks.items()}

    def _make_state_rows(self) -> list[StateRows]:
        """How to pack where the engine stands, for a learner that simulates on from there; none if nobody does."""
        horizon = getattr(self.config, "model_horizon", 0)
        if not horizon or self.config.in_evaluation:
            return []
        engines: list[Any] = [vector.engine for vector in self.env.vectors]
        if any(not isinstance(engine, FastEngine) for engine in engines):
            raise ConfigError(
                f"model_horizon is {horizon}, but only the engine 'fast' says where it stands; set it to 0, or the engine."
            )
        return [StateRows(engine.community.description) for engine in engines]

    @property
    def state_size(self) -> int:
        """Numbers S of a state in this runner's fragments; 0 if they carry none."""
        return max((rows.size for rows in self._state_rows), default=0)

    def _sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> list[JointFragment]:
        """What RLlib's ``sample`` returns: as many hours as it takes all copies together, rounded up."""
        if num_episodes is not None:
            hours = self._prepare_episodes(num_episodes)
        else:
            if force_reset or self._needs_initial_reset:
                self._begin_episodes()
            by_agents = self.config.count_steps_by == "agent_steps"
            hours = math.ceil((num_timesteps or 0) / (self.env.agent_steps if by_agents else self.num_envs))
        return [one for stretch in self._play(hours, explore, random_actions, longest=hours) for one in stretch]

    def _prepare_episodes(self, episodes: int) -> int:
        """Begin new episodes; the hours that it takes to play so many."""
        if self.config.in_evaluation:
            self._seeded = False
        self._begin_episodes()
        self._needs_initial_reset = True
        return math.ceil(episodes / self.num_envs) * self.env.episode_steps

    def last_infos(self, episodes: int) -> list[Mapping[str, Any]]:
        """Play whole episodes without exploration noise, keeping no rows; the info of the last hour of each."""
        hours = self._prepare_episodes(episodes)
        before = len(self._finished)
        for _ in self._play(hours, explore=False, random_actions=False, longest=_LONGEST_UNKEPT):
            pass
        infos = [episode.get_infos() for episode in self._finished[before : before + episodes]]
        self.get_metrics()
        return infos

    def _begin_episodes(self) -> None:
        """Start an episode in every copy, whatever they were doing."""
        if not self._seeded and self._seed is not None:
            self.env.seed(self._seed)
        self._seeded = True
        self._episodes = [CommunityEpisode(self.env.agents_of(e)) for e in range(self.num_envs)]
        for e in range(self.num_envs):
            self._call_back("on_episode_created", e)
        with self.metrics.log_time(ENV_RESET_TIMER):
            self.env.reset()
        self._returns = np.zeros(self.num_envs)
        self._needs_initial_reset = False
        self._reset = torch.ones(self.num_envs, dtype=torch.bool, device=self._device)
        for e in range(self.num_envs):
            self._call_back("on_episode_start", e)

    def _play(self, hours: int, explore: bool, random_actions: bool, longest: int) -> Iterator[list[JointFragment]]:
        """So many hours in stretches, none longer than ``longest`` or beyond the end of episodes."""
        played = 0
        while played < hours:
            if not self.env.hours_left:
                again = self._needs_initial_reset
                self._begin_episodes()
                self._needs_initial_reset = again
            count = min(hours - played, self.env.hours_left, longest)
            yield self._stretch(count, played, explore, random_actions)
            played += count

    def _stretch(self, hours: int, played: int, explore: bool, random_actions: bool) -> list[JointFragment]:
        """Play some hours of an episode; one fragment a community."""
        record = Recording(self.env, hours, self.state_size)
        acting = stepping = 0.0
        for t in range(hours):
            if self._state_rows:
                pairs = zip(self._state_rows, self.env.vectors, strict=True)
                record.put_states(t, [rows.pack(vector) for rows, vector in pairs])
            begun = time.perf_counter()
            seen = record.observations[t]
            actions = self._act_randomly() if random_actions else self._act(seen, explore, played + t)
            acted = time.perf_counter()
            hour = self.env.step(actions)
            stepping += time.perf_counter() - acted
            acting += acted - begun
            record.put(t, actions, hour)
            self._note(hour)
        self.metrics.log_value(RLMODULE_INFERENCE_TIMER, acting / hours, reduce="ema")
        self.metrics.log_value(ENV_STEP_TIMER, stepping / hours, reduce="ema")
        self._count(hours)
        return record.fragments()

    def _act_randomly(self) -> Singles:
        """Joint actions ``[E, N, A]`` drawn evenly."""
        drawn = self._random.uniform(-1.0, 1.0, (self.num_envs, *self.env.action_shape)).astype(np.float32)
        actions: Singles = drawn * self.env.action_mask
        return actions

    def _act(self, observations: Singles, explore: bool, played: int) -> Singles:
        """Joint actions ``[E, N, A]`` for joint observations ``[E, N, D]``, ``played`` hours into this sample."""
        batch = {Columns.OBS: torch.from_numpy(observations).to(self._device), RESET: self._reset, **self._masks}
        if explore:
            # As RLlib's runner: its own share of the run's steps so far stands for that of all runners.
            runners = self.config.num_env_runners or 1
            steps = (self.num_env_steps_sampled_lifetime // runners + played * self.num_envs) * runners
            chosen = self.module[COMMUNITY].forward_exploration(batch, t=steps)
        else:
            chosen = self.module[COMMUNITY].forward_inference(batch)
        self._reset = torch.zeros_like(self._reset)
        actions: Singles = chosen[Columns.ACTIONS].cpu().numpy()
        return actions

    def _note(self, hour: LockstepHour) -> None:
        """Tell the episodes of this hour, if anybody listens or it was their last."""
        self._returns += hour.team_reward
        if not (hour.ended or self._hears_steps):
            return
        played = self.env.episode_steps - self.env.hours_left
        for e, episode in enumerate(self._episodes):
            episode.note(played, float(self._returns[e]), self.env.info(hour, e), hour.ended)
            if self._hears_steps:
                self._call_back("on_episode_step", e)
            if hour.ended:
                self._call_back("on_episode_end", e, prev_episode_chunks=[])
        if hour.ended:
            log_communities(self.metrics, [[one.get_infos() for one in self._episodes[at]] for at in self.env.slices])
            self._finished += self._episodes

    def _count(self, hours: int) -> None:
        steps = hours * self.num_envs
        ended = 0 if self.env.hours_left else self.num_envs
        self.counts.add(steps, hours * self.env.agent_steps, ended)
        self._log_env_steps(metric=self._metrics_num_env_steps_sampled, num_steps=steps)

    def _call_back(self, which: str, e: int, **more: Any) -> None:
        make_callback(
            which,
            callbacks_objects=self._callbacks,
            callbacks_functions=getattr(self.config, f"callbacks_{which}"),
            kwargs={
                "episode": self._episodes[e],
                "env_runner": self,
                "metrics_logger": self.metrics,
                "env": self.env,
                "rl_module": self.module,
                "env_index": e,
                **more,
            },
        )

    def get_metrics(self) -> Any:
        """RLlib's metrics since the last call, those of finished episodes among them."""
        self.counts.log(self.metrics)
        for episode in self._finished[-self.config.metrics_num_episodes_for_smoothing :]:
            self._log_episode_metrics(
                len(episode),
                episode.get_return(),
                episode.get_duration_s(),
                dict.fromkeys(episode.agent_ids, episode.get_agent_return()),
                {COMMUNITY: episode.get_return()},
                dict.fromkeys(episode.agent_ids, len(episode)),
            )
        self._finished = []
        return super().get_metrics()

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and where the random numbers stand."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self.env is not None and self._check_component(EXPLORATION, components, not_components):
            state[EXPLORATION] = {
                "runner": identity(self),
                "noise": self.module[COMMUNITY].exploration_state(),
                "actions": self._random.bit_generator.state,
                "communities": self.env.random_state(),
                "seeded": self._seeded,
            }
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``; new episodes are begun, since the hours in between are nowhere kept."""
        super().set_state(state)
        if self.env is None:
            return
        exploration = of_runner(self, state)
        if exploration is None:
            if not (self._episodes or self.config.in_evaluation):
                self._begin_later(state.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))
            return
        self.module[COMMUNITY].set_exploration_state(exploration["noise"])
        self._random.bit_generator.state = exploration["actions"]
        self.env.set_random_state(exploration["communities"])
        self._seeded, self._needs_initial_reset = exploration["seeded"], True
