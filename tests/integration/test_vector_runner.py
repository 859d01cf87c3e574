"""The vector runner: what RLlib's own runner gives, on the same data, with the same weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from ray.rllib.callbacks.callbacks import RLlibCallback

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.env_runner import CommunityEnvRunner
from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.runner_choice import runner_class
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityMetrics
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.community_module import RESET
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.simulator.differentiable.rows import StateRows
from tests.small_data import short

HOURS = 12
STARTS = (700, 761, 803, 844)
CLOSE = {"rtol": 0.0, "atol": 2e-6}


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two buildings and the first weeks of the data, since every runner reads and checks them anew."""
    folder = short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_10"))
    return {
        "dataset": str(folder),
        "window": (700, 900),
        "episode_steps": HOURS,
        "starts": STARTS,
        "memory": True,
    }


def config(env_config: dict[str, Any], copies: int = 2, runners: int = 0, **more: Any) -> CooperativeMADDPGConfig:
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config={**env_config, **more})
        .env_runners(num_env_runners=runners, num_envs_per_env_runner=copies, rollout_fragment_length=5)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4})
        .debugging(seed=3)
    )


def runner(configured: Any, index: int = 0, kind: type = CommunityVectorRunner) -> Any:
    return kind(config=configured, worker_index=index, num_workers=configured.num_env_runners)


def judging(configured: CooperativeMADDPGConfig) -> CooperativeMADDPGConfig:
    """The same for runners that evaluate: they begin with the same episodes each time."""
    configured.in_evaluation = True
    return configured


def together(fragments: list[JointFragment]) -> dict[str, np.ndarray]:
    """Fragments of one community, one behind the other."""
    names = ("observations", "actions", "building_rewards", "district_reward")
    return {name: np.concatenate([getattr(fragment, name) for fragment in fragments]) for name in names}


def equal(one: list[JointFragment], two: list[JointFragment]) -> bool:
    a, b = together(one), together(two)
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_it_gives_the_rows_the_kpis_and_the_metrics_of_rllibs_runner(env_config):
    one_copy = config(env_config, copies=1)
    vector, stock = runner(judging(config(env_config))), runner(judging(one_copy), kind=CommunityEnvRunner)
    stock.set_state(vector.get_state(components="rl_module"))
    (fragment,) = vector.sample(num_episodes=2, explore=False)
    episodes = stock.sample(num_episodes=2, explore=False)
    assert len(fragment) == HOURS
    layout = JointLayout(*stock.get_spaces()[COMMUNITY])
    assert layout.agents == JointLayout(*vector.get_spaces()[COMMUNITY]).agents == vector.env.agents
    for e, episode in enumerate(episodes):
        for n, agent in enumerate(layout.agents):
            own = episode.agent_episodes[agent]
            seen = np.zeros((HOURS + 1, *layout.observation_mask.shape), np.float32)
            done = np.zeros((HOURS, *layout.action_mask.shape), np.float32)
            layout.place_observation(agent, n, np.stack(own.get_observations(slice(0, HOURS + 1))), seen)
            layout.place_action(agent, n, np.stack(own.get_actions(slice(0, HOURS))), done)
            infos = own.get_infos(slice(1, HOURS + 1))
            assert np.allclose(fragment.observations[:, e, n], seen[:, n], **CLOSE)
            assert np.allclose(fragment.actions[:, e, n], done[:, n], **CLOSE)
            assert np.allclose(fragment.building_rewards[:, e, n], [i["building_reward"] for i in infos], **CLOSE)
            assert np.allclose(fragment.district_reward[:, e], [i["district_reward"] for i in infos], **CLOSE)
            team = fragment.building_rewards[:, e].mean(-1) + fragment.district_reward[:, e]
            assert np.allclose(team, own.get_rewards(slice(0, HOURS)), **CLOSE)
    same_metrics(vector.get_metrics(), stock.get_metrics())
    for one, other in zip(vector.last_infos(2), stock.last_infos(2), strict=True):
        assert one["episode"] == pytest.approx(other["episode"], abs=1e-5)
        assert one["episode_terms"] == pytest.approx(other["episode_terms"], abs=1e-5)


TIMES = {"sample", "episode_duration_sec_mean", "time_between_sampling", "weights_seq_no"}


def same_metrics(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every metric of RLlib's runner is there and says the same, but for times and those of connectors."""
    assert {key for key in theirs if "timer" not in key and "connector" not in key and "module_sum" not in key} <= set(ours)
    for key in set(theirs) & set(ours) - TIMES:
        if "timer" in key:
            continue
        assert values(ours[key]) == pytest.approx(values(theirs[key]), rel=1e-4, abs=1e-5), key


def values(stats: Any) -> Any:
    if isinstance(stats, dict):
        return {key: values(entry) for key, entry in stats.items()}
    return float(np.mean(stats.values)) if hasattr(stats, "values") else float(stats.peek())


def test_its_rows_are_those_that_citylearn_itself_gives(env_config):
    fast, citylearn = (runner(config(env_config, engine=engine)) for engine in ("fast", "citylearn"))
    citylearn.set_state(fast.get_state(components="rl_module"))
    rows, oracle = (together(one.sample(num_timesteps=16, explore=False)) for one in (fast, citylearn))
    for name, values_ in rows.items():
        assert np.allclose(values_, oracle[name], rtol=0.0, atol=2e-5), name


def test_fragments_follow_one_another_and_end_with_episodes(env_config):
    vector = runner(config(env_config, copies=3))
    fragments = [fragment for _ in range(5) for fragment in vector.sample(random_actions=True)]
    assert [len(fragment) for fragment in fragments] == [5, 5, 2, 3, 5, 4, 1]
    assert all(fragment.env_steps() == 3 * len(fragment) for fragment in fragments)
    assert not any(fragment.terminated.any() for fragment in fragments)
    begins = np.array([0, 5, 10, 0, 3, 8, 0])
    for before, after, begin in zip(fragments, fragments[1:], begins[1:], strict=False):
        assert np.array_equal(before.observations[-1], after.observations[0]) == (begin != 0)
    # The actions played once more give the rows once more, from the starts whose turn it was.
    again = CommunityVectorEnv(CommunityEnvConfig.from_dict(config(env_config).env_config), 3)
    for k, fragment in enumerate(fragments):
        if begins[k] == 0:
            first = again.reset()
            assert np.array_equal(first, fragment.observations[0])
        for t, actions in enumerate(fragment.actions):
            step = again.step(actions)
            assert np.array_equal(step.observations, fragment.observations[t + 1])
            assert np.array_equal(step.rewards.building.astype(np.float32), fragment.building_rewards[t])
            assert np.array_equal(step.rewards.district.astype(np.float32), fragment.district_reward[t])


def test_copies_are_as_they_would_be_alone(env_config):
    vector = runner(config(env_config, copies=4))
    (fragment,) = vector.sample(num_episodes=4, explore=False)
    for e, start in list(enumerate(STARTS))[1:3]:
        alone = runner(config(env_config, copies=1, starts=(start,)))
        alone.set_state(vector.get_state(components="rl_module"))
        (one,) = alone.sample(num_episodes=1, explore=False)
        assert np.allclose(one.observations[:, 0], fragment.observations[:, e], **CLOSE)
        assert np.allclose(one.building_rewards[:, 0], fragment.building_rewards[:, e], **CLOSE)


@pytest.mark.parametrize(("runners", "copies"), [(1, 3), (2, 2)])
def test_every_start_is_played_once_whatever_the_number_of_runners_and_copies(env_config, runners, copies):
    configured = config(env_config, copies, runners)
    of_all = [runner(configured, index) for index in range(1, runners + 1)]
    state = of_all[0].get_state(components="rl_module")
    for one in of_all[1:]:
        one.set_state(state)
    whole = runner(config(env_config, copies=4))
    whole.set_state(state)
    expected = sorted(info["episode"]["score"] for info in whole.last_infos(4))
    assert len(set(expected)) == len(STARTS)
    for _ in range(2):  # also once more, in the middle of a turn
        scores = [info["episode"]["score"] for one in of_all for info in one.last_infos(len(STARTS) // runners)]
        assert sorted(scores) == pytest.approx(expected, abs=1e-6)


def test_the_same_seed_gives_the_same_rows_and_another_runner_others(env_config):
    drawn = {"starts": None, "random_start": True, "random_initial_soc": True, "forecast_noise": 0.1}
    configured = config(env_config, runners=2, **drawn)

    def rows(index: int) -> list[JointFragment]:
        one = runner(configured, index)
        return [fragment for _ in range(4) for fragment in one.sample(explore=True)]

    one, two = rows(1), rows(2)
    assert equal(one, rows(1))
    assert not np.array_equal(one[0].observations[0], two[0].observations[0])  # other starts
    assert not np.array_equal(one[0].actions, two[0].actions)  # and other noise


def test_a_restored_runner_plays_what_the_saved_one_would_have(env_config):
    drawn = {"starts": None, "random_start": True, "random_initial_soc": True, "forecast_noise": 0.1}
    saved = runner(config(env_config, **drawn))
    first = saved.sample(explore=True)
    state = saved.get_state()
    fresh = runner(config(env_config, **drawn))
    samples = []
    for one in (saved, fresh):
        one.set_state(state)
        samples.append([*one.sample(explore=True), *one.sample(random_actions=True), *one.sample(explore=True)])
    assert equal(*samples)
    assert not np.array_equal(first[0].observations[0], samples[0][0].observations[0])  # it goes on, not back
    other = runner(config(env_config, runners=2, **drawn), index=2)
    other.set_state(state)  # is of another runner
    assert not np.array_equal(samples[0][0].observations[0], other.sample(explore=True)[0].observations[0])


def test_noise_begins_with_episodes_and_anneals_with_the_steps_of_the_run(env_config, monkeypatch):
    vector = runner(config(env_config, runners=2), index=1)
    vector.set_state({"num_env_steps_sampled_lifetime": 1000})
    heard: list[tuple[bool, int]] = []
    module = vector.module[COMMUNITY]
    forward = module._forward_exploration

    def listen(batch: dict[str, Any], t: int = 0, **kwargs: Any) -> Any:
        heard.append((bool(batch[RESET].all()), t))
        assert batch[RESET].all() == batch[RESET].any()
        return forward(batch, t=t, **kwargs)

    monkeypatch.setattr(module, "_forward_exploration", listen)
    for _ in range(3):
        vector.sample(explore=True)
    assert [reset for reset, _ in heard] == [hour % HOURS == 0 for hour in range(15)]
    # Two copies here, and the other runner's steps count as these.
    assert [t for _, t in heard] == [1000 + 4 * hour for hour in range(5)] * 3


def test_only_newer_weights_are_taken(env_config):
    vector, other = (runner(config(env_config, copies=1)) for _ in range(2))
    with torch.no_grad():
        for parameter in other.module[COMMUNITY].parameters():
            parameter.add_(1.0)
    newer, older = vector.get_state(components="rl_module"), other.get_state(components="rl_module")

    def weights() -> torch.Tensor:
        return torch.cat([p.detach().reshape(-1) for p in vector.module[COMMUNITY].parameters()])

    before = weights()
    vector.set_state({**newer, "weights_seq_no": 5})
    vector.set_state({**older, "weights_seq_no": 4})
    assert torch.equal(weights(), before)
    vector.set_state({**older, "weights_seq_no": 6})
    assert torch.allclose(weights(), before + 1.0)
    vector.sample()
    assert values(vector.get_metrics()["weights_seq_no"]) == 6


def test_fragments_carry_where_the_engine_stood_if_somebody_simulates_on_from_there(env_config):
    configured = config(env_config)
    configured.model_horizon = 6
    vector = runner(configured)
    (fragment,) = vector.sample(num_episodes=2, explore=True)
    again = CommunityVectorEnv(CommunityEnvConfig.from_dict(configured.env_config), 2)
    again.reset()
    rows = StateRows(again.engine.community.description)
    assert fragment.states.shape == (HOURS, 2, rows.size)
    assert rows.size == vector.state_size > 0
    for states, actions in zip(fragment.states, fragment.actions, strict=True):
        assert np.array_equal(states, rows.pack(again))
        again.step(actions)
    assert runner(judging(configured)).state_size == 0
    oracle = config(env_config, engine="citylearn")
    oracle.model_horizon = 6
    with pytest.raises(ConfigError, match="model_horizon"):
        runner(oracle)


class Listener(RLlibCallback):
    """Counts what it is told."""

    heard: ClassVar[Counter[str]] = Counter()
    returns: ClassVar[list[float]] = []

    def on_environment_created(self, **kwargs: Any) -> None:
        self.heard["environment"] += 1

    def on_episode_created(self, **kwargs: Any) -> None:
        self.heard["created"] += 1

    def on_episode_start(self, *, episode: Any, **kwargs: Any) -> None:
        assert len(episode) == episode.env_t == 0
        self.heard["start"] += 1

    def on_sample_end(self, *, samples: list[JointFragment], **kwargs: Any) -> None:
        self.heard["sample"] += len(samples)

    def on_episode_end(self, *, episode: Any, **kwargs: Any) -> None:
        assert episode.is_done
        assert episode.is_truncated
        assert len(episode) == HOURS
        assert "score" in episode.get_infos(-1)["episode"]
        self.heard["end"] += 1
        self.returns.append(episode.get_return())


class StepListener(Listener):
    """Also listens to every hour."""

    def on_episode_step(self, *, episode: Any, **kwargs: Any) -> None:
        self.heard[episode.id_] = episode.env_t
        self.heard["step"] += 1


@pytest.mark.parametrize("kind", [Listener, StepListener])
def test_callbacks_hear_what_rllib_tells_them(env_config, kind):
    Listener.heard.clear()
    Listener.returns.clear()
    vector = runner(config(env_config, copies=2).callbacks([kind, CommunityMetrics]))
    fragments = [fragment for _ in range(5) for fragment in vector.sample(random_actions=True)]
    heard = dict(Listener.heard)
    told = {"environment": 1, "created": 6, "start": 6, "end": 4, "sample": 7}
    if kind is StepListener:
        told["step"] = 5 * 5 * 2
    assert {key: heard[key] for key in told} == told
    assert ("step" in heard) == (kind is StepListener)
    rows = together(fragments[:3])
    team = 2 * (rows["building_rewards"].mean(-1) + rows["district_reward"]).sum(0)
    assert Listener.returns[:2] == pytest.approx(team.tolist(), rel=1e-5)
    assert {"score", "cost"} <= set(vector.get_metrics()["kpis"])


def test_variants_are_the_same_on_every_runner_and_apart_in_fragments(env_config):
    scaled = {"load_scaling": (0.5, 1.5), "variants": 2}
    samples = [runner(config(env_config, 5, 2, **scaled), index).sample(num_episodes=5) for index in (1, 2)]
    for fragments in samples:
        assert [fragment.community for fragment in fragments] == [0, 1]
        assert [fragment.district_reward.shape for fragment in fragments] == [(HOURS, 3), (HOURS, 2)]
    # Runner 1 plays the first and third start, runner 2 the second and fourth, then they begin anew: nothing in common but
    # the communities. Playing runner 1's rows in a community built for it gives them back.
    (one, two), built = samples[0], CommunityEnvConfig.from_dict(config(env_config, **scaled).env_config)
    for fragment in (one, two):
        again = CommunityVectorEnv(built, fragment.actions.shape[1], turn=0, turns=2, instance=(fragment.community,))
        assert np.array_equal(again.reset(), fragment.observations[0])
        for t, actions in enumerate(fragment.actions):
            assert np.array_equal(again.step(actions).observations, fragment.observations[t + 1])
    assert not np.array_equal(one.observations[0, 0], two.observations[0, 0])
    with pytest.raises(ConfigError, match="num_envs_per_env_runner to 2"):
        runner(config(env_config, 1, **scaled))
    with pytest.raises(ConfigError, match="num_envs_per_env_runner to 2"):
        runner_class(config(env_config, 1, **scaled))


class OtherEnv(CityLearnMultiAgentEnv):
    """May do anything."""


def test_the_runner_is_chosen_by_what_is_to_be_played(env_config):
    plain = config(env_config)
    assert runner_class(plain) is CommunityVectorRunner
    others = [
        config(env_config, engine="citylearn"),
        config(env_config, padded=True),
        config(env_config, team_share=0.5),
        config(env_config).environment(OtherEnv),
        config(env_config).env_runners(env_to_module_connector=lambda env, spaces, device: []),
    ]
    assert [runner_class(other) for other in others] == [CommunityEnvRunner] * len(others)
    with pytest.raises(ConfigError, match="padded"):
        runner(config(env_config, padded=True))
