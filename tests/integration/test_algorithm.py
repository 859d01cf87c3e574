"""Cooperative MADDPG inside RLlib: alignment through real runners, restoring, remote runners, Tune."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPG, CooperativeMADDPGConfig
from rllib_citylearn.algorithm.optimisers import OPTIMISERS
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.errors import CheckpointError, ConfigError
from tests.envs import HIGH, NUMBERS, WIDTH, MeetingEnv, NumberedEnv

pytestmark = pytest.mark.usefixtures("ray_session")


def config(env: type = NumberedEnv, **training: object) -> CooperativeMADDPGConfig:
    """A small run in the driver."""
    settings = {
        "warmup_steps": 20,
        "train_batch_size_per_learner": 16,
        "updates_per_env_step": 0.5,
        "replay_capacity": 500,
        "critic_warmup_updates": 0,
        **training,
    }
    return (
        CooperativeMADDPGConfig()
        .environment(env)
        .env_runners(num_env_runners=0, rollout_fragment_length=25)
        .training(**settings)
        .reporting(min_sample_timesteps_per_iteration=50)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4})
        .debugging(seed=3)
    )


@pytest.mark.parametrize("num_envs", [1, 3])
def test_numbered_observations_and_actions_arrive_where_they_belong(num_envs):
    algorithm = config().env_runners(num_envs_per_env_runner=num_envs).build_algo()
    try:
        algorithm.train()
        replay = algorithm.replay
        agents = replay.layout.agents
        assert set(agents) == set(NUMBERS)
        reference = agents.index("Building_2")
        received = [env.unwrapped.received for env in algorithm.env_runner.env.envs]
        checked = 0
        for row in np.flatnonzero(replay.rows.startable):
            episode, t = replay.rows.observations[row, reference, 1:3].astype(int)
            for i, agent in enumerate(agents):
                want = [NUMBERS[agent], episode, t, NUMBERS[agent] * t, 7][: WIDTH[agent]]
                assert np.array_equal(replay.rows.observations[row, i, : WIDTH[agent]], want)
                follows = replay.rows.observations[(row + 1) % replay.capacity, i]
                assert follows[2] == t + 1
                assert replay.rows.building_rewards[row, i] == NUMBERS[agent] * 1000 + t
            # The environment got the same action in its own limits (one of the copies, if there are several).
            assert any(
                (episode, t) in log and all(_same(replay, row, i, a, log[episode, t][a]) for i, a in enumerate(agents))
                for log in received
            )
            checked += 1
        assert checked == len(replay) >= 50
    finally:
        algorithm.stop()


def _same(replay, row, i, agent, native):
    normalised = replay.rows.actions[row, i, : len(native)]
    low, high = -HIGH[agent] / 2, HIGH[agent]
    return np.allclose(low + (normalised + 1) / 2 * (high - low), native, atol=1e-5)


def weights(algorithm: CooperativeMADDPG) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in algorithm.learner_group._learner.community.state_dict().items()}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_restoring_gives_the_same_actions_and_the_same_next_update(optimiser: str, tmp_path: Path):
    algorithm = config(actor_optimiser=optimiser).build_algo()
    algorithm.train()
    algorithm.train()
    path = algorithm.save_to_path(str(tmp_path / "checkpoint"))
    again = CooperativeMADDPG.from_checkpoint(path)
    try:
        observations = torch.rand(4, 3, 5)
        module, restored = (a.learner_group._learner.community for a in (algorithm, again))
        assert torch.equal(module.act(observations), restored.act(observations))
        runner = again.env_runner.module["community"]
        assert torch.equal(runner.act(observations), module.act(observations))
        assert len(again.replay) == len(algorithm.replay) > 0
        for a in (algorithm, again):
            a._learn(5)
        first, second = weights(algorithm), weights(again)
        assert first.keys() == second.keys()
        assert any("target_critics" in key for key in first)
        for key, value in first.items():
            assert torch.equal(value, second[key]), key
        assert again._updates == algorithm._updates
        again.train()
    finally:
        algorithm.stop()
        again.stop()


def test_the_same_seed_gives_the_same_weights():
    results = []
    for _ in range(2):
        algorithm = config().build_algo()
        algorithm.train()
        results.append(weights(algorithm))
        algorithm.stop()
    for key, value in results[0].items():
        assert torch.equal(value, results[1][key]), key


@pytest.mark.slow
def test_remote_runners_sample_for_the_learner():
    algorithm = config().env_runners(num_env_runners=2).build_algo()
    try:
        result = algorithm.train()
        result = algorithm.train()
        assert result["updates"] > 0
        assert result["env_steps"] == algorithm.replay.added
        assert result["env_steps"] == result["env_runners"]["num_env_steps_sampled_lifetime"]
        assert result["team_return"] == pytest.approx(
            sum(np.mean([1000 * k + t for k in NUMBERS.values()]) - t for t in range(7)), rel=1e-5
        )
        mine = algorithm.learner_group._learner.community
        theirs = algorithm.env_runner_group.foreach_env_runner(
            lambda runner: {k: v.numpy() for k, v in runner.module["community"].policy.state_dict().items()},
            local_env_runner=False,
        )
        assert len(theirs) == 2
        for state in theirs:
            for key, value in mine.policy.state_dict().items():
                assert np.array_equal(state[key], value.numpy()), key
    finally:
        algorithm.stop()


def test_tune_runs_it_and_finds_flat_metrics(tmp_path: Path):
    from ray import tune

    results = tune.Tuner(
        CooperativeMADDPG,
        param_space=config().training(actor_lr=tune.grid_search([1e-4, 1e-3])),
        tune_config=tune.TuneConfig(metric="team_return", mode="max", max_concurrent_trials=1),
        run_config=tune.RunConfig(
            stop={"training_iteration": 1},
            storage_path=str(tmp_path),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
            verbose=0,
        ),
    ).fit()
    assert len(results) == 2
    assert not results.errors
    best = results.get_best_result()
    assert math.isfinite(best.metrics["team_return"])
    again = CooperativeMADDPG.from_checkpoint(best.checkpoint.path)
    assert len(again.replay) > 0
    again.stop()


def test_learning_rates_and_the_pull_to_the_rule_follow_their_schedules():
    algorithm = config(actor_lr=[[0, 1e-3], [100, 1e-4]], rule_weight=[[0, 2.0], [100, 0.0]]).build_algo()
    try:
        algorithm.train()
        learner = algorithm.learner_group._learner
        assert 0.0 < learner._rule_weight < 2.0
        early = float(learner.get_optimizer("community", "actor").param_groups[0]["lr"])
        for _ in range(3):
            algorithm.train()
        late = float(learner.get_optimizer("community", "actor").param_groups[0]["lr"])
        assert 1e-4 < early < 1e-3
        assert late == pytest.approx(1e-4)
        assert learner._rule_weight == 0.0
    finally:
        algorithm.stop()


def test_learning_rates_fall_with_the_run_to_the_share_that_is_left_of_them():
    algorithm = config(actor_lr=1e-3, critic_lr=2e-3, actor_optimiser="muon", final_lr_share=0.1).build_algo()
    learner = algorithm.learner_group._learner
    names = ("critic", "actor", "actor_matrices")

    def rates() -> list[float]:
        return [float(learner.get_optimizer("community", name).param_groups[0]["lr"]) for name in names]

    try:
        algorithm.train()
        assert rates() == pytest.approx([2e-3, 1e-3, 1e-3])
        algorithm.share_done = 0.5
        algorithm.train()
        assert rates() == pytest.approx([1.1e-3, 5.5e-4, 5.5e-4])
        algorithm.share_done = 1.0
        algorithm.train()
        assert rates() == pytest.approx([2e-4, 1e-4, 1e-4])
    finally:
        algorithm.stop()


def test_muon_steps_no_layer_that_leads_to_actions():
    algorithm = config(actor_optimiser="muon").build_algo()
    try:
        learner = algorithm.learner_group._learner
        actor = learner.community.policy.actor
        stepped = {id(w) for w in learner.get_optimizer("community", "actor_matrices").param_groups[0]["params"]}
        assert id(actor.inner.weight) in stepped
        assert not stepped & {id(w) for layer in actor.last_layers for w in layer.parameters()}
        assert min(layer.weight.shape[0] for layer in actor.last_layers) > 1, "one action would be Adam's anyway"
    finally:
        algorithm.stop()


def test_a_checkpoint_whose_optimisers_step_other_weights_is_refused_in_a_sentence():
    algorithm = config(actor_optimiser="muon").build_algo()
    try:
        learner = algorithm.learner_group._learner
        state = learner.get_state()
        (name,) = (key for key in state["optimizer"] if key.endswith("actor_matrices"))
        group = state["optimizer"][name]["state"]["param_groups"][0]
        group["params"] = [*group["params"], len(group["params"])]
        with pytest.raises(CheckpointError, match="step other weights than this version's"):
            learner.set_state(state)
    finally:
        algorithm.stop()


@pytest.mark.parametrize("reward_scale", [1.0, 0.01])
def test_critics_begin_at_the_size_that_values_have(reward_scale: float):
    """Rewards of thousands an hour are worth hundreds of thousands: no run of a few steps would get there from zero."""
    algorithm = config(gamma=0.99, reward_scale=reward_scale).build_algo()
    try:
        algorithm.train()
        rows = algorithm.replay.rows
        sampled = np.flatnonzero(rows.startable)
        hourly = rows.building_rewards[sampled].mean() + rows.district_reward[sampled].mean()
        ends = rows.terminated[sampled].mean()
        module = algorithm.learner_group._learner.community
        batch = algorithm.replay.sample(64, 1, 0.99)
        observations, actions = (torch.from_numpy(batch[name]) for name in ("obs", "actions"))
        for critic in (*module.critics, *module.target_critics):
            with torch.no_grad():
                building, district = critic(observations, actions)
            team = float((building.mean(-1) + district).mean())
            assert hourly > 1000.0
            assert team == pytest.approx(reward_scale * hourly / (1 - 0.99 * (1 - ends)), rel=0.2)
    finally:
        algorithm.stop()


def test_the_critic_learns_first_if_told_to():
    algorithm = config(critic_warmup_updates=10**6).build_algo()
    try:
        before = weights(algorithm)
        algorithm.train()
        after = weights(algorithm)
        trained = [key for key in before if "standardise" not in key and "scale" not in key]
        changed = {key.split(".")[0] for key in trained if not torch.equal(before[key], after[key])}
        assert changed == {"critics", "target_critics"}
    finally:
        algorithm.stop()


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"replay_capacity": 10}, "replay_capacity"),
        ({"n_step": 26}, "n_step"),
        ({"tau": 0.0}, "tau"),
        ({"gamma": 1.0}, "gamma"),
        ({"updates_per_env_step": 0}, "updates_per_env_step"),
        ({"policy_delay": 0}, "policy_delay"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"target_noise": -0.1}, "target_noise"),
        ({"reward_scale": float("inf")}, "reward_scale"),
        ({"policy_delay": 1.5}, "policy_delay is 1.5; expected a whole number"),
        ({"demonstrations": "net-zero"}, "demonstrations is the text 'net-zero'"),
        ({"demonstrations": ["net-zero"]}, "CityLearnMultiAgentEnv only"),
        ({"lr": 5e-4}, "set actor_lr and critic_lr"),
        ({"train_batch_size": 64}, "set train_batch_size_per_learner"),
    ],
)
def test_impossible_settings_are_refused_before_anything_starts(wrong, name):
    with pytest.raises(ConfigError, match=name):
        config(**wrong).validate()


def test_steps_are_compared_with_episodes_and_demonstrators_with_those_there_are():
    def homes(env_config: dict[str, object], **training: object) -> CooperativeMADDPGConfig:
        env_config = {"dataset": "nowhere", "engine": "fast", **env_config}
        return config(**training).environment(CityLearnMultiAgentEnv, env_config=env_config)

    homes({"episode_steps": 12}, n_step=12).validate()
    with pytest.raises(ConfigError, match=r"n_step=13 has to be at most the steps of an episode \(12\)"):
        homes({"episode_steps": 12}, n_step=13).validate()
    with pytest.raises(ConfigError, match=r"the steps of an episode \(9\)"):
        homes({"window": (100, 109)}, n_step=12).validate()
    with pytest.raises(ConfigError, match="Did you mean 'net-zero'"):
        homes({}, demonstrations=["net-zeroo"]).validate()


def test_a_fragment_left_to_rllib_is_as_long_as_rllib_says():
    one = config().env_runners(rollout_fragment_length="auto").training(n_step=10)
    one.validate()
    with pytest.raises(ConfigError, match="rollout_fragment_length"):
        config().env_runners(rollout_fragment_length="auto").training(n_step=5_000, replay_capacity=100_000).validate()


def test_a_checkpoint_of_other_spaces_is_refused(tmp_path: Path):
    one = config(MeetingEnv).build_algo()
    one.train()
    path = one.save_to_path(str(tmp_path / "checkpoint"))
    other = config(NumberedEnv).build_algo()
    try:
        with pytest.raises(CheckpointError, match="same buildings"):
            other.replay.restore_from_path(str(Path(path) / "joint_replay"))
    finally:
        one.stop()
        other.stop()
