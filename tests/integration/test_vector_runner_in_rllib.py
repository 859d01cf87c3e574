"""The vector runner under RLlib's algorithm: replay, remote runners and their loss, evaluation, checkpoints."""

from __future__ import annotations

import os
import signal
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.algorithm.env_runner import CommunityEnvRunner
from rllib_citylearn.algorithm.exploration_state import exploration_states, restore_exploration_states
from rllib_citylearn.algorithm.validation import validate
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env import CityLearnMultiAgentEnv
from tests.small_data import short

pytestmark = pytest.mark.usefixtures("ray_session")

HOURS, COPIES, FRAGMENT = 12, 3, 6
STARTS = (700, 761, 803, 844)


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_10"))
    return {"dataset": str(folder), "window": (700, 900), "episode_steps": HOURS, "random_start": True}


def config(
    env_config: dict[str, Any], runners: int = 0, judges: int = 0, kind: type = CommunityVectorRunner
) -> CooperativeMADDPGConfig:
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(
            env_runner_cls=kind,
            num_env_runners=runners,
            num_envs_per_env_runner=COPIES,
            rollout_fragment_length=FRAGMENT,
        )
        .training(warmup_steps=20, train_batch_size_per_learner=16, replay_capacity=2000, critic_warmup_updates=0)
        .reporting(min_sample_timesteps_per_iteration=50)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4})
        .evaluation(
            evaluation_num_env_runners=judges,
            evaluation_duration=4,
            evaluation_config={
                "env_config": {**env_config, "random_start": False, "starts": STARTS},
                "explore": False,
                # All copies on RLlib's runner play the same starts; two of ours play each of the four once.
                "num_envs_per_env_runner": 2 if kind is CommunityVectorRunner else 1,
            },
        )
        .debugging(seed=3)
    )


@pytest.mark.slow
def test_a_killed_runner_costs_at_most_its_fragment(env_config):
    algorithm = config(env_config, runners=2).build_algo()
    try:
        group = algorithm.env_runner_group
        before = algorithm.train()
        assert before["updates"] > 0
        assert before["env_steps"] == algorithm.replay.added == before["env_runners"]["num_env_steps_sampled_lifetime"]
        rows = algorithm.replay.rows.observations[: before["env_steps"]].copy()
        pids = group.foreach_env_runner(lambda runner: os.getpid(), local_env_runner=False)
        killer = threading.Timer(0.05, os.kill, (pids[0], signal.SIGKILL))
        killer.start()
        results = [before, algorithm.train()]
        killer.join()
        while len(results) < 12 and not (group.num_healthy_remote_workers() == 2 and len(_pids(group)) == 2):
            results.append(algorithm.train())
        after = results[-1]
        assert pids[0] not in _pids(group)
        assert len(_pids(group)) == 2
        # What had been sampled is there, and everything in it is counted.
        assert np.array_equal(algorithm.replay.rows.observations[: len(rows)], rows)
        assert after["env_steps"] == algorithm.replay.added == after["env_runners"]["num_env_steps_sampled_lifetime"]
        # In a round every runner that is there plays a fragment; the one that was killed loses what it was playing.
        for one, following in pairwise(results):
            rounds = following["num_training_step_calls_per_iteration"]
            fragments, rest = divmod(following["env_steps"] - one["env_steps"], FRAGMENT * COPIES)
            assert rest == 0
            assert rounds <= fragments <= 2 * rounds
        # The runner that came back has the weights of the others.
        states = group.foreach_env_runner(
            lambda runner: [p.detach().numpy().copy() for p in runner.module["community"].parameters()],
            local_env_runner=False,
        )
        assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
        full = algorithm.train()
        rounds = full["num_training_step_calls_per_iteration"]
        assert full["env_steps"] - after["env_steps"] == 2 * rounds * FRAGMENT * COPIES
    finally:
        algorithm.stop()


def _pids(group: Any) -> list[int]:
    pids: list[int] = group.foreach_env_runner(lambda runner: os.getpid(), local_env_runner=False)
    return pids


@pytest.mark.slow
def test_validation_and_evaluation_are_those_of_rllibs_runner(env_config):
    scores, returns = [], []
    for kind in (CommunityVectorRunner, CommunityEnvRunner):
        algorithm = config(env_config, judges=1, kind=kind).build_algo()
        try:
            scores += [validate(algorithm, len(STARTS)), validate(algorithm, len(STARTS))]
            evaluated = algorithm.evaluate()["env_runners"]
            returns.append(evaluated["episode_return_mean"])
            assert evaluated["num_episodes"] >= len(STARTS)
            assert evaluated["episode_len_mean"] == HOURS
        finally:
            algorithm.stop()
    assert all(score == pytest.approx(scores[0], abs=1e-5) for score in scores)
    assert returns[0] == pytest.approx(returns[1], rel=1e-4)


def test_checkpoints_hold_where_exploration_stood(env_config, tmp_path: Path):
    saved = config(env_config).build_algo()
    saved.train()
    path = saved.save_to_path(str(tmp_path / "checkpoint"))
    states = exploration_states(saved.env_runner_group)
    again = CooperativeMADDPG.from_checkpoint(path)
    try:
        restore_exploration_states(saved.env_runner_group, states)  # new episodes here, too
        one, other = (a.env_runner.sample()[0] for a in (saved, again))
        assert np.array_equal(one.observations, other.observations)
        assert np.array_equal(one.actions, other.actions)
        assert len(states) == 1
    finally:
        saved.stop()
        again.stop()
