"""Joint replay: every stored number is where its name says, through rings, fragments and n steps."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode

from rllib_citylearn.algorithm.names import community_of_agent
from rllib_citylearn.algorithm.replay import JointReplay
from rllib_citylearn.errors import CheckpointError, TrainingError
from rllib_citylearn.modules.layout import JointLayout
from tests.envs import NUMBERS, WIDTH, NumberedEnv


def spaces() -> tuple[gym.spaces.Dict, gym.spaces.Dict]:
    env = NumberedEnv()
    return gym.spaces.Dict(env.observation_spaces), gym.spaces.Dict(env.action_spaces)


def layout() -> JointLayout:
    return JointLayout(*spaces())


def episode(number: int, steps: int, terminated: bool = False, infos: bool = True) -> MultiAgentEpisode:
    """An episode of the numbered environment whose actions are a tenth of the agent's number, less the step."""
    env = NumberedEnv({"length": 10**6})
    env.episode = number - 1
    observations, _ = env.reset()
    result = MultiAgentEpisode(
        observation_space=spaces()[0], action_space=spaces()[1], agent_to_module_mapping_fn=community_of_agent
    )
    result.add_env_reset(observations=observations, infos={})
    for t in range(steps):
        actions = {a: np.full(env.action_spaces[a].shape, k / 10 - t, np.float32) for a, k in NUMBERS.items()}
        observations, rewards, _, _, info = env.step(actions)
        if not infos:  # agents with rewards of their own, whose mean is the team's
            rewards = {agent: info[agent]["building_reward"] + info[agent]["district_reward"] for agent in NUMBERS}
        last = t == steps - 1
        result.add_env_step(
            observations,
            actions,
            rewards,
            info if infos else {},
            terminateds={"__all__": terminated and last},
            truncateds={"__all__": last and not terminated},
        )
    return result


def expected(replay: JointReplay, batch: dict[str, Any], n: int, gamma: float, lengths: dict[int, int]) -> None:
    """Every number in a batch must be what its episode and time step say."""
    agents = replay.layout.agents
    first = agents.index("Building_2")
    for b in range(len(batch["obs"])):
        number, t = int(batch["obs"][b, first, 1]), int(batch["obs"][b, first, 2])
        steps = min(n, lengths[number] - t)
        for i, agent in enumerate(agents):
            k = NUMBERS[agent]
            for key, time in (("obs", t), ("new_obs", t + steps)):
                want = np.zeros(batch[key].shape[-1])
                want[: WIDTH[agent]] = [k, number, time, k * time, 7][: WIDTH[agent]]
                assert np.array_equal(batch[key][b, i], want), (key, agent)
            width = 2 if agent == "Building_10" else 1
            assert np.allclose(batch["actions"][b, i, :width], k / 10 - t)
            assert not batch["actions"][b, i, width:].any()
            want = sum(gamma**s * (k * 1000.0 + t + s) for s in range(steps))
            assert batch["building_rewards"][b, i] == pytest.approx(want, rel=1e-6)
        assert batch["district_reward"][b] == pytest.approx(-sum(gamma**s * (t + s) for s in range(steps)), rel=1e-5)


def test_agents_keep_their_rows_though_dictionaries_are_sorted():
    replay = JointReplay(64, layout(), seed=0)
    assert set(replay.layout.agents) == set(NUMBERS)
    shuffled = episode(3, 20)
    shuffled.agent_episodes = dict(reversed(list(shuffled.agent_episodes.items())))
    replay.add([shuffled])
    expected(replay, replay.sample(50, 1, 0.9), 1, 0.9, {3: 20})


@pytest.mark.parametrize("n", [1, 3, 5])
def test_ring_and_n_step_never_mix_episodes(n):
    replay = JointReplay(40, layout(), seed=n)
    lengths = {}
    random = np.random.default_rng(n)
    for number in range(30):
        lengths[number] = int(random.integers(1, 15))
        replay.add([episode(number, lengths[number], terminated=number % 2 == 0)])
        batch = replay.sample(64, n, 0.9)
        expected(replay, batch, n, 0.9, lengths)
        first = replay.layout.agents.index("Building_2")
        numbers, times = batch["obs"][:, first, 1].astype(int), batch["obs"][:, first, 2].astype(int)
        left = np.array([lengths[k] for k in numbers]) - times
        ended = (numbers % 2 == 0) & (left <= n)
        assert np.array_equal(batch["discount"] == 0, ended), "terminated means no future, truncated means one"
        assert np.allclose(batch["discount"][~ended], 0.9 ** np.minimum(n, left[~ended]))
    assert replay.added == sum(lengths.values())


@pytest.mark.parametrize("terminated", [False, True])
def test_agents_that_say_themselves_how_they_end_are_believed(terminated):
    """As in PettingZoo: every agent has its own flags, and RLlib takes agents that are all done for terminated."""
    observation_spaces, action_spaces = spaces()
    agents = list(observation_spaces)
    done = dict.fromkeys([*agents, "__all__"], True)
    running = dict.fromkeys(done, False)
    made = MultiAgentEpisode(
        observation_space=observation_spaces, action_space=action_spaces, agent_to_module_mapping_fn=community_of_agent
    )
    first = {agent: np.zeros(space.shape, np.float32) for agent, space in observation_spaces.items()}
    made.add_env_reset(observations=first)
    made.add_env_step(
        observations=first,
        actions={agent: np.zeros(space.shape, np.float32) for agent, space in action_spaces.items()},
        rewards=dict.fromkeys(agents, 1.0),
        terminateds=done if terminated else running,
        truncateds=running if terminated else done,
        infos={agent: {} for agent in agents},
    )
    assert made.is_terminated, "RLlib now tells the two apart by itself"
    replay = JointReplay(10, layout(), seed=0)
    replay.add([made])
    assert replay.sample(4, 1, 0.5)["discount"] == pytest.approx(0.0 if terminated else 0.5)


def test_every_stored_transition_is_drawn_equally_often():
    replay = JointReplay(64, layout(), seed=0)
    replay.add([episode(0, 10), episode(1, 30)])
    batch = replay.sample(40_000, 1, 0.9)
    first = replay.layout.agents.index("Building_2")
    _, counts = np.unique(batch["obs"][:, first, 1:3], axis=0, return_counts=True)
    assert len(counts) == len(replay) == 40
    assert counts.min() > 800
    assert counts.max() < 1200


def test_an_episode_longer_than_the_ring_keeps_its_end():
    replay = JointReplay(16, layout(), seed=0)
    replay.add([episode(0, 50)])
    batch = replay.sample(200, 1, 0.9)
    expected(replay, batch, 1, 0.9, {0: 50})
    assert batch["obs"][:, replay.layout.agents.index("Building_2"), 2].min() >= 50 - 16


def test_environments_without_parts_have_the_same_team_reward_in_the_agents_own():
    with_parts, without = (JointReplay(64, layout(), seed=0) for _ in range(2))
    with_parts.add([episode(0, 10)])
    without.add([episode(0, 10, infos=False)])
    named, own = with_parts.sample(20, 1, 0.9), without.sample(20, 1, 0.9)
    assert np.array_equal(named["obs"], own["obs"])
    assert len(np.unique(own["obs"][:, 0, 2])) > 3
    assert np.allclose(own["building_rewards"], [1000.0 * NUMBERS[agent] for agent in without.layout.agents])
    team = named["building_rewards"].mean(1) + named["district_reward"]
    assert np.allclose(own["building_rewards"].mean(1) + own["district_reward"], team)


def test_parts_of_the_reward_are_everybodys_or_nobodys():
    some = episode(0, 10)
    for info in some.agent_episodes["Building_10"].infos.data:
        info.pop("building_reward", None)
    with pytest.raises(TrainingError, match="infos of Building_10 lack building_reward"):
        JointReplay(64, layout(), seed=0).add([some])


@pytest.mark.parametrize("larger", [0, 25])
@pytest.mark.parametrize("episodes", [12, 15], ids=["head inside", "head at zero"])
def test_state_round_trip(larger, episodes):
    replay = JointReplay(40, layout(), seed=0)
    lengths = dict.fromkeys(range(episodes), 7)
    replay.add([episode(k, 7) for k in range(episodes)])
    assert (replay.get_state()["head"] == 0) == (episodes == 15)
    again = JointReplay(40 + larger, layout(), seed=99)
    again.set_state(replay.get_state())
    assert len(again) == len(replay)
    assert again.added == replay.added
    if not larger:
        same = zip(replay.sample(30, 2, 0.9).items(), again.sample(30, 2, 0.9).items(), strict=True)
        assert all(np.array_equal(a, b) for (_, a), (_, b) in same)
    for number in range(episodes, episodes + 8):
        lengths[number] = 7
        again.add([episode(number, 7)])
        expected(again, again.sample(64, 3, 0.9), 3, 0.9, lengths)


def test_misfits_are_refused():
    replay = JointReplay(40, layout(), seed=0)
    with pytest.raises(TrainingError, match="no transition"):
        replay.sample(1, 1, 0.9)
    replay.add([episode(0, 30)])
    with pytest.raises(CheckpointError, match="capacity"):
        JointReplay(20, layout(), seed=0).set_state(replay.get_state())
    broken = episode(0, 3)
    broken.agent_episodes["Building_1"].rewards.data[1] = float("nan")
    broken.agent_episodes["Building_1"].infos.data[2]["building_reward"] = float("nan")
    with pytest.raises(TrainingError, match="building_rewards of Building_1 are nan in hour 1 "):
        replay.add([broken])
