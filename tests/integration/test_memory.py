"""One memory, four ways to it: training on either engine, evaluation, and a bundle that is served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.evaluation import rollout
from rllib_citylearn.evaluation.bundle_controller import BundleController
from rllib_citylearn.export import PolicyRuntime, read_bundle, write_bundle
from tests.bundles import small_manifest, small_models

BUILDINGS = ("Building_1", "Building_4", "Building_7")
WINDOW = (700, 760)


class Eavesdropper:
    """Stands between a policy and its network and keeps what the network sees."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.heard: list[np.ndarray] = []

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> Any:
        self.heard.append(inputs["observations"][0].copy())
        return self._session.run(outputs, inputs)


class Observed(BundleController):
    """A bundle's controller that keeps raw observations and what its network sees."""

    def reset(self, env: Any) -> None:
        super().reset(env)
        self.network = self._runtime.networks._policy = Eavesdropper(self._runtime.networks._policy)
        self.raw: list[list[list[float]]] = []

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        self.raw.append([list(row) for row in observations])
        return super().act(observations)


@pytest.fixture(scope="module")
def config(challenge_2022: Path) -> CommunityEnvConfig:
    return CommunityEnvConfig(dataset=str(challenge_2022), buildings=BUILDINGS, window=WINDOW, memory=True)


@pytest.fixture(scope="module")
def bundle(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=WINDOW)
    community = community_features(env, memory=True)
    path = tmp_path_factory.mktemp("bundles") / "remembering"
    write_bundle(path, manifest=small_manifest(community), models=small_models(community))
    return path


def test_all_paths_see_the_same(config: CommunityEnvConfig, bundle: Path, challenge_2022: Path) -> None:
    seen, paths = {}, {}
    controller = Observed("policy", bundle)  # for one episode after the other, which must not remember each other
    for engine in ("fast", "citylearn"):
        env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=WINDOW)
        paths[engine] = rollout(controller, env, engine=engine)
        seen[f"evaluation, {engine}"] = controller.network.heard
    actions = paths["fast"].actions["electrical_storage"][:, None, :, None]
    assert np.ptp(actions) > 0.1
    for engine in ("fast", "citylearn"):
        training = CommunityVectorEnv(replace(config, engine=engine))
        heard = [training.reset()[0].copy()]
        heard += [training.step(action, physical=True).observations[0].copy() for action in actions[:-1]]
        seen[f"training, {engine}"] = heard
    served = PolicyRuntime(read_bundle(bundle))
    served.networks._policy = Eavesdropper(served.networks._policy)
    memory = None
    for rows in controller.raw:
        (memory,) = served.predict([json.loads(json.dumps(rows))], None if memory is None else [memory]).states
    seen["serving"] = served.networks._policy.heard
    for name, steps in seen.items():
        assert len(steps) == WINDOW[1] - WINDOW[0], name
        for t, (mine, theirs) in enumerate(zip(steps, seen["training, fast"], strict=True)):
            assert np.array_equal(mine, theirs), (name, t)
    names = training.features.memory
    assert np.ptp(np.array(steps)[:, :, -len(names) :], 0).min() > 0.0, "every memory feature has to move in this test"


def test_memory_is_what_the_buildings_measured(config: CommunityEnvConfig) -> None:
    """Against CityLearn's own series: the load of the same hour yesterday, and the net draw of the last day."""
    env = CommunityVectorEnv(config)
    observations = env.reset()
    random = np.random.default_rng(3)
    net = [np.zeros(len(BUILDINGS))]
    for _ in range(30):
        observations = env.step(random.uniform(-1, 1, (1, 3, 1))).observations
        net.append(env.engine.net_kwh[0].astype(float).copy())
    buildings = env.citylearn.buildings
    load = np.array([b.energy_simulation.non_shiftable_load[:31] for b in buildings]).T
    base = load - np.array([b.pv.get_generation(b.energy_simulation.solar_generation)[:31] for b in buildings]).T
    wanted = {
        "base_load_peak_24h": base[-24:].max(0),
        "net_electricity_consumption_mean_24h": np.mean(net[-24:], 0),
        "base_load_predicted_24h": 0.3 * base[30] + 0.7 * (0.85 * base[6] + 0.15 * base[30]),
        "base_load_predicted_18h": base[24] * (0.3 + 0.7 * 0.15) + 0.7 * 0.85 * base[0],
        "base_load_predicted_17h": base[23],
    }
    for name, values in wanted.items():
        feature, column = env.features.feature(name), env.features.columns.index(name)
        decoded = feature.low + (observations[0, :, column] + 1) / 2 * (feature.high - feature.low)
        assert np.allclose(decoded, values, atol=3e-4), name


def test_the_forecast_is_as_good_as_documented(challenge_2022: Path) -> None:
    """Mean absolute error of a year's forecasts, 1 to 24 h ahead, of buildings 1-5 (docs/decisions/0007)."""
    env = make_citylearn_env(challenge_2022, buildings=[f"Building_{n}" for n in range(1, 6)])
    features = community_features(env, memory=True)
    measured = np.zeros((8760, 5, 4))
    for n, building in enumerate(env.buildings):
        simulation = building.energy_simulation
        measured[:, n, 0] = simulation.non_shiftable_load
        measured[:, n, 1] = building.pv.get_generation(simulation.solar_generation)
    base = measured[..., 0] - measured[..., 1]
    memory, blend, yesterday = Memory(features), [], []
    for t in range(8760 - 24):
        memory.update(measured[t][None])
        if t >= 24:
            ahead = base[t + 1 : t + 25]
            blend.append(np.abs(memory.features()[0, :, :24].T - ahead).mean())
            yesterday.append(np.abs(base[t - 23 : t + 1] - ahead).mean())
    assert np.mean(blend) == pytest.approx(0.525, abs=0.001)
    assert np.mean(yesterday) == pytest.approx(0.595, abs=0.001)


def test_communities_that_start_apart_remember_apart(config: CommunityEnvConfig) -> None:
    config = replace(config, window=(700, 1000), episode_steps=40)
    starts = (700, 903, 788)
    together, alone = CommunityVectorEnv(config, 3), [CommunityVectorEnv(config) for _ in starts]
    chosen = np.random.default_rng(0).uniform(-1, 1, (40, 3, 3, 1))
    first = together.reset(starts=starts)
    for e, start in enumerate(starts):
        assert np.array_equal(first[e], alone[e].reset(starts=[start])[0])
    for t, action in enumerate(chosen):
        if t == 11:
            together.reset([1], starts=[850])
            alone[1].reset(starts=[850])
        observations = together.step(action).observations
        for e in range(3):
            assert np.array_equal(observations[e], alone[e].step(action[e][None]).observations[0]), (t, e)


def test_agents_see_memory_in_their_spaces(config: CommunityEnvConfig) -> None:
    env = CityLearnMultiAgentEnv(config.__dict__)
    observations, _ = env.reset()
    for name, space in env.observation_spaces.items():
        assert space.columns[-1] == "carbon_intensity_mean_24h"
        assert space.contains(observations[name])


def test_noise_is_repeated_by_its_seed_and_touches_forecasts_alone(config: CommunityEnvConfig) -> None:
    plain, noisy = CommunityVectorEnv(config, 2), CommunityVectorEnv(replace(config, forecast_noise=0.05), 2)
    of_data = {f.name for f in plain.features.features if f.source == "measured" and "_predicted_" in f.name}
    forecasts = np.array([name in of_data for name in plain.features.columns])
    assert forecasts.sum() == 15, "those of weather and prices; the buildings' own stay as they are"
    action = np.zeros((2, 3, 1))

    def played(env: CommunityVectorEnv, seed: int) -> np.ndarray:
        return np.array([env.reset(seed=seed).copy(), *(env.step(action).observations.copy() for _ in range(30))])

    first, again, other, without = played(noisy, 3), played(noisy, 3), played(noisy, 4), played(plain, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first[..., ~forecasts], without[..., ~forecasts])
    errors = first[..., forecasts] - without[..., forecasts]
    inside = np.abs(first[..., forecasts]) < 1.0
    assert (errors[inside] != 0.0).mean() > 0.99
    assert errors[inside].std() == pytest.approx(0.1, rel=0.3)
    assert np.abs(first).max() <= 1.0


@pytest.mark.parametrize("engine", ["fast", "citylearn"])
def test_what_is_remembered_depends_on_the_row_and_not_on_the_start(config: CommunityEnvConfig, engine: str) -> None:
    """All but the mean of the net load, which the control changes."""
    env = CommunityVectorEnv(replace(config, engine=engine, episode_steps=20))
    remembered = {name: d for d, name in enumerate(env.features.columns) if name in env.features.memory}
    mean = remembered.pop("net_electricity_consumption_mean_24h")
    by_row: dict[int, np.ndarray] = {}
    random, known = np.random.default_rng(8), 0
    for start in (700, 703, 719, 735, 738):
        observations = env.reset(starts=[start])
        for row in range(start, start + 20):
            seen = observations[0][:, list(remembered.values())].copy()
            known += row in by_row
            assert np.array_equal(by_row.setdefault(row, seen), seen), (start, row)
            observations = env.step(random.uniform(-1, 1, (1, 3, 1))).observations
    assert known > 30
    means = [env.reset(starts=[start])[0, :, mean].copy() for start in (701, 719, 739)]
    reference, feature = env.reward.tables.reference_net, env.features.feature("net_electricity_consumption_mean_24h")
    for start, values in zip((1, 19, 39), means, strict=True):
        # Before the second row nothing was measured but what the first observation shows.
        history = np.concatenate([reference[:1], reference[:start]])[-24:]
        decoded = feature.low + (values + 1) / 2 * (feature.high - feature.low)
        assert np.allclose(decoded, history.mean(0), atol=1e-4)
