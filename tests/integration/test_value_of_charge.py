"""The benchmark that asks critics what charge is worth, against the compiled engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.value_of_charge import GIVEN, RUN_IN, measure
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.members import members
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.modules.community_module import CommunityRLModule
from tests.networks import spaces
from tests.small_data import short

GAMMA, HOURS, ROWS, SEED = 0.95, 30, 6, 4


@pytest.fixture(scope="module")
def config(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> CommunityEnvConfig:
    folder = short(challenge_2022, tmp_path_factory.mktemp("worth"), ("Building_1", "Building_2"))
    return CommunityEnvConfig.from_dict(
        {"dataset": str(folder), "episode_steps": 120, "random_start": True, "random_initial_soc": True, "memory": True}
    )


def made(config: CommunityEnvConfig) -> CommunityVectorEnv:
    (member,) = members(config)
    return CommunityVectorEnv(member.config, ROWS, instance=(0,), site=member.site)


@pytest.fixture(scope="module")
def module(config: CommunityEnvConfig) -> CommunityRLModule:
    vector = made(config)
    observation_space, action_space = spaces(vector.features)
    vector.close()
    torch.manual_seed(0)
    built = CommunityRLModule(
        observation_space=observation_space,
        action_space=action_space,
        model_config={"hidden": 16, "hint_size": 4, "coordinator_width": 8},
    )
    for parameter in built.policy.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return built


def test_charge_is_worth_what_the_compiled_engine_pays_for_it(config: CommunityEnvConfig, module: CommunityRLModule) -> None:
    def act(observations: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module.act(torch.from_numpy(observations.copy())).numpy()

    plain, richer = made(config), made(config)
    seen = plain.reset(seed=SEED)
    richer.reset(seed=SEED)
    for _ in range(RUN_IN):
        actions = act(seen)
        seen = plain.step(actions).observations
        richer.step(actions)
    soc = richer.engine.community.arrays["battery_soc"]
    soc[:] = np.minimum(soc + GIVEN, 1.0)
    actions = act(seen)
    views = [vector.step(actions).observations for vector in (plain, richer)]
    arrays = [vector.engine.community.arrays for vector in (plain, richer)]
    arrays[1]["reward_state"][:] = arrays[0]["reward_state"]
    kwh = ((arrays[1]["battery_soc"] - arrays[0]["battery_soc"]) * arrays[0]["battery_capacity"]).sum()
    paid = np.zeros((2, ROWS))
    for h in range(HOURS):
        for k, vector in enumerate((plain, richer)):
            step = vector.step(act(views[k]))
            views[k] = step.observations
            paid[k] += GAMMA**h * step.rewards.team
    for vector in (plain, richer):
        vector.close()

    found = measure(module, config, gamma=GAMMA, hours=HOURS, rows=ROWS, seed=SEED)
    assert found["rows"] == ROWS
    assert "vehicles" not in found
    assert found["batteries"]["kwh"] == pytest.approx(kwh / ROWS, rel=0.02)
    assert found["batteries"]["simulated"] == pytest.approx((paid[1] - paid[0]).sum() / kwh, rel=0.05)
    assert found["value"]["simulated"] == pytest.approx(paid[0].mean(), abs=1e-3)
    assert len(found["batteries"]["critics"]) == 2


def test_what_critics_say_is_the_slope_of_their_values(config: CommunityEnvConfig, module: CommunityRLModule) -> None:
    """A critic whose values are twice as large finds charge twice as dear."""
    before = measure(module, config, gamma=GAMMA, hours=2, rows=ROWS, seed=SEED)
    module.critics[1].scale.fit(torch.tensor([7.0, 3.0]), torch.tensor([2.0, 2.0]))
    after = measure(module, config, gamma=GAMMA, hours=2, rows=ROWS, seed=SEED)
    assert after["batteries"]["critics"][0] == before["batteries"]["critics"][0]
    assert after["batteries"]["critics"][1] == pytest.approx(2 * before["batteries"]["critics"][1], rel=1e-3)
    assert after["value"]["critics"][1] == pytest.approx(10.0 + 2 * before["value"]["critics"][1], rel=1e-4)
