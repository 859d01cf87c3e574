"""What is served is what torch computes: the policy of every preset, over recorded hours, through HTTP, with its memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import Measurements
from rllib_citylearn.env.memory import Memory
from rllib_citylearn.export import Manifest, write_bundle
from rllib_citylearn.export.onnx_export import onnx_models
from rllib_citylearn.modules.policy import Policy
from serve.asgi import PolicyApp
from serve.settings import settings
from tests.integration.test_shipped_bundles import data_of
from tests.networks import layout, trained_like

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "tune_configs").glob("*.yaml"))
HOURS = 500

pytestmark = pytest.mark.slow  # exports to ONNX take most of a minute

Steps = list[list[list[float]]]


def recorded(data: Path) -> tuple[CommunityFeatures, Steps]:
    """A community's feature table and its raw observations along a random walk through CityLearn."""
    env = make_citylearn_env(data, window=(0, HOURS))
    features = community_features(env, memory=True)
    random = np.random.default_rng(0)
    observations, _ = env.reset()
    steps = [observations]
    while not env.terminated and len(steps) < HOURS:
        observations, *_ = env.step([random.uniform(space.low, space.high).tolist() for space in env.action_space])
        steps.append(observations)
    return features, [[[float(x) for x in row] for row in rows] for rows in steps]


def computed(policy: Policy, features: CommunityFeatures, steps: Steps) -> list[Any]:
    """The actions by torch, in CityLearn's units."""
    memory, measurements = Memory(features), Measurements(features)
    actions = []
    for rows in steps:
        encoded = features.encode(rows)[None]
        memory.update(measurements.of(rows)[None])
        memory.write(encoded)
        with torch.no_grad():
            (joint,) = policy(torch.from_numpy(encoded)).numpy()
        actions.append(features.decode_actions(joint))
    return actions


def served(bundle: Path, steps: Steps) -> list[Any]:
    """The actions through HTTP, one request an hour, with the state of the hour before."""
    app = PolicyApp()
    app.use(*app.prepare(settings({"bundle": str(bundle)})))

    async def ask() -> list[Any]:
        actions, state = [], None
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            for rows in steps:
                body = {"observations": rows, "state": state}
                content = (await client.post("/v1/communities/default/actions", json=body)).json()
                actions.append(content["actions"])
                state = content["state"]
        return actions

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_served_actions_are_those_of_the_networks(path: Path, tmp_path: Path) -> None:
    """With weights far from the rule that policies start from, so that every layer matters."""
    preset = Preset.read(path)
    features, steps = recorded(data_of(preset.environment.dataset))
    policy = trained_like(Policy(layout(features), preset.model))
    manifest = Manifest(path.stem, "2026-01-31T12:00:00+00:00", features, policy.hint_size, training={}, kpis={})
    write_bundle(tmp_path / "bundle", manifest=manifest, models=onnx_models(policy, len(features.columns)))
    expected = computed(policy, features, steps)
    assert len(steps) == HOURS
    for hour, (given, wanted) in enumerate(zip(served(tmp_path / "bundle", steps), expected, strict=True)):
        for mine, theirs in zip(given, wanted, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-5), hour
    spread = np.ptp([[value for row in one for value in row] for one in expected], axis=0)
    assert spread.max() > 0.1, "the policy has to do something in this test"
