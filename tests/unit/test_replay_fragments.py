"""Joint replay of fragments: many copies at once, several communities, engine states, and demonstrations that stay."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import community_of_agent
from rllib_citylearn.algorithm.replay import JointReplay, row_bytes
from rllib_citylearn.algorithm.replay import room as replay_room
from rllib_citylearn.errors import CheckpointError, ConfigError, TrainingError
from rllib_citylearn.modules.layout import JointLayout

D, A, S = 4, 2, 3
GAMMA = 0.9
OPTIONS = [{}, {"prioritised_alpha": 0.6}]


def layout(n: int = 3) -> JointLayout:
    names = [f"Building_{i}" for i in range(n)]
    return JointLayout(
        gym.spaces.Dict({name: gym.spaces.Box(-1e6, 1e6, (D,), np.float32) for name in names}),
        gym.spaces.Dict({name: gym.spaces.Box(-1e6, 1e6, (A,), np.float32) for name in names}),
    )


class Runs:
    """Makes fragments whose every number tells its run, hour, building and column, and knows what a batch has to hold."""

    def __init__(self) -> None:
        self._number = count(1)
        self.length: dict[int, int] = {}
        self.terminated: dict[int, bool] = {}
        self.community: dict[int, int] = {}

    def fragment(self, steps: int, copies: int, n: int = 3, community: int = 0, terminated: bool = False) -> JointFragment:
        runs = np.array([next(self._number) for _ in range(copies)])
        for run in runs.tolist():
            self.length[run], self.terminated[run], self.community[run] = steps, terminated, community
        t, e, i, d = np.meshgrid(np.arange(steps + 1), runs, np.arange(n), np.arange(D), indexing="ij")
        observations = np.where(d == 0, e, np.where(d == 1, t, np.where(d == 2, i + 1, e * t + i)))
        ended = np.zeros((steps, copies), bool)
        ended[-1] = terminated
        return JointFragment(
            observations=observations.astype(np.float32),
            actions=self.action(t[:-1, ..., :A], e[:-1, ..., :A], i[:-1, ..., :A], d[:-1, ..., :A]).astype(np.float32),
            building_rewards=self.reward(t[:-1, ..., 0], e[:-1, ..., 0], i[:-1, ..., 0]).astype(np.float32),
            district_reward=(t[:-1, :, 0, 0] - 3.0 * e[:-1, :, 0, 0]).astype(np.float32),
            terminated=ended,
            states=np.stack([t[:-1, :, 0, 0], e[:-1, :, 0, 0], t[:-1, :, 0, 0] * e[:-1, :, 0, 0]], -1).astype(np.float32),
            community=community,
        )

    @staticmethod
    def action(t, e, i, d):
        return -e + 10.0 * t + 0.5 * i + 0.25 * d

    @staticmethod
    def reward(t, e, i):
        return e + t / 8.0 + 100.0 * i

    def check(self, batch: dict, n_step: int, buildings: dict[int, int] | None = None) -> None:
        """Every number of a batch must be what its run, hour and building say; rows of buildings that lack are zero."""
        size = batch["obs"].shape[1]
        for b in range(len(batch["obs"])):
            run, t = int(batch["obs"][b, 0, 0]), int(batch["obs"][b, 0, 1])
            n = size if buildings is None else buildings[self.community[run]]
            k = min(n_step, self.length[run] - t)
            assert k >= 1, "the last row of a run was drawn as a start"
            i = np.arange(n)
            for key, hour in (("obs", t), ("new_obs", t + k)):
                want = np.stack([np.full(n, run), np.full(n, hour), i + 1, run * hour + i], -1)
                assert np.array_equal(batch[key][b, :n], want), key
                assert not batch[key][b, n:].any()
            want = self.action(t, run, i[:, None], np.arange(A))
            assert np.allclose(batch["actions"][b, :n], want)
            assert not batch["actions"][b, n:].any()
            want = sum(GAMMA**s * self.reward(t + s, run, i) for s in range(k))
            assert np.allclose(batch["building_rewards"][b, :n], want, rtol=1e-6)
            assert not batch["building_rewards"][b, n:].any()
            assert batch["district_reward"][b] == pytest.approx(
                sum(GAMMA**s * (t + s - 3 * run) for s in range(k)), rel=1e-5
            )
            over = self.terminated[run] and t + k == self.length[run]
            assert batch["discount"][b] == pytest.approx(0.0 if over else GAMMA**k)
            if "states" in batch:
                assert np.array_equal(batch["states"][b], [t, run, t * run])


def drawn_runs(batch: dict) -> set[int]:
    return set(batch["obs"][:, 0, 0].astype(int).tolist())


@pytest.mark.parametrize("options", OPTIONS, ids=["uniform", "prioritised"])
@pytest.mark.parametrize("n_step", [1, 3, 8])
def test_runs_of_many_copies_stay_apart_in_a_ring_that_wraps(n_step, options):
    runs, random = Runs(), np.random.default_rng(n_step)
    replay = JointReplay(97, layout(), seed=0, states=S, **options)
    added = 0
    for k in range(20):
        steps, copies = int(random.integers(1, 12)), int(random.integers(1, 7))
        added += replay.add([runs.fragment(steps, copies, terminated=k % 3 == 0)])
        batch = replay.sample(40, n_step, GAMMA)
        runs.check(batch, n_step)
        assert len(replay.drawn) == 40
        assert replay.rows.startable[replay.drawn].all()
    assert added == replay.added == sum(runs.length.values())
    stored = replay.rows.observations[replay.rows.startable][:, 0, 0]
    assert max(runs.length) in stored
    assert drawn_runs(replay.sample(5000, n_step, GAMMA)) == set(stored.astype(int).tolist())


def test_a_fragment_of_one_copy_equals_an_episode():
    runs, one, two = Runs(), JointReplay(64, layout(), seed=0), JointReplay(64, layout(), seed=0)
    fragment = runs.fragment(20, 1, terminated=True)
    spaces = {name: gym.spaces.Box(-1e6, 1e6, (D,), np.float32) for name in one.layout.agents}
    episode = MultiAgentEpisode(
        observation_space=gym.spaces.Dict(spaces),
        action_space=gym.spaces.Dict(spaces),
        agent_to_module_mapping_fn=community_of_agent,
    )

    def by_agent(values):
        return dict(zip(one.layout.agents, values, strict=True))

    episode.add_env_reset(observations=by_agent(fragment.observations[0, 0]), infos={})
    for t in range(20):
        parts = [
            {"building_reward": x, "district_reward": fragment.district_reward[t, 0]}
            for x in fragment.building_rewards[t, 0]
        ]
        episode.add_env_step(
            by_agent(fragment.observations[t + 1, 0]),
            by_agent(fragment.actions[t, 0]),
            by_agent([0.0] * 3),
            by_agent(parts),
            terminateds={"__all__": t == 19},
            truncateds={"__all__": False},
        )
    one.add([replace(fragment, states=fragment.states[..., :0])])
    two.add([episode])
    for (_, a), (_, b) in zip(one.sample(64, 3, GAMMA).items(), two.sample(64, 3, GAMMA).items(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(("steps", "copies"), [(6, 20), (60, 2)], ids=["copies", "hours"])
def test_fragments_larger_than_the_ring_keep_what_fits(steps, copies):
    runs, replay = Runs(), JointReplay(40, layout(), seed=0, states=S)
    assert replay.add([runs.fragment(steps, copies)]) == steps * copies
    batch = replay.sample(200, 1, GAMMA)
    runs.check(batch, 1)
    assert len(replay) >= 40 - 40 // 8 - 1
    assert max(drawn_runs(batch)) == copies
    if copies == 2:
        assert batch["obs"][:, 0, 1].max() == 59


def test_communities_of_unequal_size_are_padded_and_masked():
    runs, sizes = Runs(), {0: 2, 1: 5, 2: 3}
    masks = [np.arange(n * A).reshape(n, A) % 3 > 0 for n in sizes.values()]
    replay = JointReplay(50, layout(2), seed=0, states=S, action_masks=masks)
    for k in range(12):
        community = (1, 0, 2)[k % 3]  # large ones are overwritten by small ones
        replay.add([runs.fragment(4, 2, n=sizes[community], community=community)])
        batch = replay.sample(80, 2, GAMMA)
        runs.check(batch, 2, sizes)
        for b, community in enumerate(batch["community_index"]):
            assert community == runs.community[int(batch["obs"][b, 0, 0])]
            assert np.array_equal(batch["present"][b], np.arange(5) < sizes[community])
            assert np.array_equal(batch["action_mask"][b, : sizes[community]], masks[community])
            assert not batch["action_mask"][b, sizes[community] :].any()
    assert set(batch["community_index"].tolist()) == {0, 1, 2}


def test_one_community_has_no_columns_for_several():
    replay = JointReplay(50, layout(), seed=0)
    replay.add([replace(Runs().fragment(4, 2), states=np.zeros((4, 2, 0), np.float32))])
    assert not {"community_index", "present", "action_mask", "states", "importance", "is_demonstration"} & set(
        replay.sample(4, 1, GAMMA)
    )


@pytest.mark.parametrize("options", OPTIONS, ids=["uniform", "prioritised"])
def test_demonstrations_stay_and_make_up_their_share_of_every_minibatch(options):
    runs, replay = Runs(), JointReplay(100, layout(), seed=0, states=S, **options)
    assert replay.add_demonstrations([runs.fragment(9, 1), runs.fragment(5, 3)]) == 24
    shown = set(runs.length)
    own: set[int] = set()
    for _ in range(8):
        replay.add([runs.fragment(6, 4)])
        batch = replay.sample(20, 3, GAMMA, minibatches=4, demonstration_share=0.25)
        runs.check(batch, 3)
        of_run = np.isin(batch["obs"][:, 0, 0], list(shown))
        assert np.array_equal(of_run, batch["is_demonstration"])
        assert (batch["is_demonstration"].reshape(4, 20).sum(1) == 5).all()
        assert drawn_runs(replay.sample(20, 1, GAMMA)).isdisjoint(shown), "they are drawn as demonstrations alone"
        own |= drawn_runs(batch)
    assert shown <= own
    assert drawn_runs(replay.sample(500, 1, GAMMA, demonstration_share=1.0)) == shown
    assert replay.demonstrations == 24
    assert replay.added == 8 * 24


@pytest.mark.parametrize("shown", [0, 1], ids=["alone", "with demonstrations"])
@pytest.mark.parametrize("larger", [0, 31])
@pytest.mark.parametrize("options", OPTIONS, ids=["uniform", "prioritised"])
def test_state_round_trip(options, larger, shown):
    runs, replay = Runs(), JointReplay(90, layout(), seed=0, states=S, **options)
    replay.add_demonstrations([runs.fragment(7, 2)] * shown)
    random = np.random.default_rng(0)
    for _ in range(9):
        replay.add([runs.fragment(5, 3)])
        replay.sample(16, 3, GAMMA)
        replay.update_priorities(replay.drawn, random.random(16) * 9.0)
    again = JointReplay(90 + larger, layout(), seed=99, states=S, **options)
    again.set_state(replay.get_state())
    assert (len(again), again.added, again.demonstrations) == (len(replay), replay.added, replay.demonstrations)

    def priorities(of: JointReplay) -> dict[tuple[int, int], float]:
        rows = np.flatnonzero(of.rows.startable)
        values = of.get_state()["priorities"]["values"]
        return {(int(of.rows.observations[r, 0, 0]), int(of.rows.observations[r, 0, 1])): float(values[r]) for r in rows}

    if options:
        assert priorities(again) == priorities(replay)
    for _ in range(12):
        if not larger:
            one, two = (x.sample(30, 3, GAMMA, demonstration_share=0.2 * shown) for x in (replay, again))
            assert all(np.array_equal(one[key], two[key]) for key in one)
        fragment = runs.fragment(4, 3)
        replay.add([fragment])
        again.add([fragment])
        for x in (replay, again):
            runs.check(x.sample(20, 3, GAMMA), 3)


def test_priorities_may_be_switched_on_and_off_between_runs():
    runs = Runs()
    replays = [JointReplay(60, layout(), seed=0, states=S, **options) for options in OPTIONS]
    for one, other in (replays, replays[::-1]):
        if not one.demonstrations:
            one.add_demonstrations([runs.fragment(8, 2)])
        one.add([runs.fragment(6, 3)])
        other.set_state(one.get_state())
        assert drawn_runs(other.sample(400, 1, GAMMA)) == drawn_runs(one.sample(400, 1, GAMMA))


def test_every_array_that_is_not_finite_is_named():
    replay = JointReplay(50, layout(), seed=0, states=S)
    fragment = Runs().fragment(4, 2)
    for name, where in (("observations", (4, 1, 2, 0)), ("actions", (3, 1, 2, 1)), ("building_rewards", (3, 0, 2))):
        values = getattr(fragment, name).copy()
        values[where] = np.nan
        with pytest.raises(TrainingError, match=rf"{name} of Building_2 are nan in hour {where[0]} .*copy {where[1]}"):
            replay.add([replace(fragment, **{name: values})])
    for name, verb in (("states", "are"), ("district_reward", "is")):
        values = getattr(fragment, name).copy()
        values[2, 1] = np.inf
        with pytest.raises(TrainingError, match=rf"{name} {verb} inf in hour 2 .*copy 1"):
            replay.add([replace(fragment, **{name: values})])
    with pytest.raises(TrainingError, match="finite"):
        replay.add_demonstrations([replace(fragment, states=np.full_like(fragment.states, np.inf))])
    assert len(replay) == 0, "nothing of a refused fragment is kept"
    replay.add([replace(fragment, states=np.full_like(fragment.states, 3e38))])  # its sum overflows


def test_misfits_are_refused():
    runs = Runs()
    replay = JointReplay(50, layout(), seed=0, states=S)
    with pytest.raises(TrainingError, match=r"observations of the shape \(5, 2, 4, 4\)"):
        replay.add([runs.fragment(4, 2, n=4)])
    with pytest.raises(TrainingError, match="compiled engine only"):
        replay.add([replace(runs.fragment(4, 2), states=np.zeros((4, 2, 0), np.float32))])
    with pytest.raises(TrainingError, match="community 1"):
        replay.add([runs.fragment(4, 2, community=1)])
    with pytest.raises(TrainingError, match="no transition"):
        replay.sample(4, 1, GAMMA)
    with pytest.raises(ConfigError, match="replay_capacity to at least 60"):
        replay.add_demonstrations([runs.fragment(9, 3)])
    fragment = runs.fragment(4, 2)
    with pytest.raises(TrainingError, match="terminated in hour 1 of a fragment of 4"):
        replay.add([replace(fragment, terminated=np.arange(8).reshape(4, 2) == 2)])
    replay.add([fragment])
    with pytest.raises(TrainingError, match="holds none"):
        replay.sample(4, 1, GAMMA, demonstration_share=0.5)
    with pytest.raises(TrainingError, match="have to come first"):
        replay.add_demonstrations([runs.fragment(9, 1)])
    with pytest.raises(CheckpointError, match="states"):
        JointReplay(50, layout(), seed=0, states=S + 1).set_state(replay.get_state())


def test_more_rows_than_the_machine_has_memory_for_are_refused(monkeypatch):
    replay = JointReplay(40, layout(), seed=0, states=S)
    held = sum(array.nbytes for array in vars(replay.rows).values() if isinstance(array, np.ndarray) and len(array) == 40)
    assert row_bytes(3, D, A, S) * 40 == held
    monkeypatch.setattr(replay_room, "memory_bytes", lambda: 1_000_000)
    most = 800_000 // row_bytes(3, D, A, S)
    assert JointReplay(most, layout(), seed=0, states=S).capacity == most
    with pytest.raises(ConfigError, match=f"at most {most} rows"):
        JointReplay(most + 1, layout(), seed=0, states=S)


def test_rows_that_are_not_used_take_no_memory():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    replay = JointReplay(200_000, layout(40), seed=0, states=S)
    assert replay.rows.observations.nbytes > 100e6
    assert resident() - before < 20e6


def test_parts_of_a_minibatch_are_like_the_whole():
    """Learners get parts of it, and simulated hours start from the first rows."""
    runs, replay = Runs(), JointReplay(1000, layout(), seed=0, states=S, prioritised_alpha=0.6)
    replay.add_demonstrations([runs.fragment(20, 4)])
    replay.add([runs.fragment(100, 8)])
    batch = replay.sample(64, 1, GAMMA, minibatches=100, demonstration_share=0.25)
    shown = batch["is_demonstration"].reshape(100, 64)
    assert shown[:, :32].mean() == pytest.approx(0.25, abs=0.03)
    rows = replay.drawn.reshape(100, 64)
    middle = [np.median(part[~chosen]) for part, chosen in ((rows[:, :32], shown[:, :32]), (rows[:, 32:], shown[:, 32:]))]
    assert middle[0] == pytest.approx(middle[1], rel=0.1)
    assert np.array_equal(batch["importance"].reshape(100, 64)[shown], np.ones(shown.sum()))
    one = replay.sample(64, 1, GAMMA, beta=1.0)
    expected = replay._priorities.weights(replay.drawn[None], 1.0, len(replay))[0]
    np.testing.assert_allclose(one["importance"], expected)
