"""Buildings that are silent, and buildings that act for themselves: exported graphs against torch, and against the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export import PolicyRuntime, read_bundle
from rllib_citylearn.export.gateway import BuildingRuntime
from rllib_citylearn.export.inference import Inference
from tests.bundles import observations as observations_like
from tests.unit.test_other_sizes import exported

pytestmark = pytest.mark.slow  # exports to ONNX take most of a minute


PRESENT = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 1, 1, 1], [0, 0, 0, 1, 0]], bool)


@pytest.mark.parametrize(
    ("actors", "coordinator"),
    [("shared", "attention+mean-field"), ("separate", "attention+mean-field"), ("separate", "means"), ("shared", "none")],
)
def test_silent_buildings_are_what_absent_ones_are_in_training(
    challenge_2022: Path, tmp_path: Path, actors: str, coordinator: str
) -> None:
    """The graphs know nothing of absence; leaving rows out has to give what torch gives with its mask."""
    policy, path = exported(challenge_2022, tmp_path / "bundle", actors=actors, coordinator=coordinator)
    bundle = read_bundle(path)
    networks = Inference(bundle)
    torch.manual_seed(3)
    observations = torch.rand(len(PRESENT), 5, len(bundle.manifest.community.columns)) * 2 - 1
    with torch.no_grad():
        present = torch.from_numpy(PRESENT)
        actions, hints = policy(observations, present).numpy(), policy.hints(observations, present).numpy()
    np.testing.assert_allclose(networks.policy(observations.numpy(), PRESENT), actions, atol=1e-5)
    np.testing.assert_allclose(networks.hints(observations.numpy(), PRESENT), hints, atol=1e-5)
    assert not actions[~PRESENT].any()
    if coordinator != "none":
        alone = networks.policy(observations.numpy())
        assert np.abs(alone - actions)[1:][PRESENT[1:]].max() > 1e-4, "absence has to matter in this test"


@pytest.mark.parametrize("actors", ["shared", "separate"])
def test_a_buildings_own_gateway_acts_as_the_whole(challenge_2022: Path, tmp_path: Path, actors: str) -> None:
    """With the coordinator's hint of the same hour, and a state that each keeps for itself."""
    _, path = exported(challenge_2022, tmp_path / "bundle", actors=actors)
    bundle = read_bundle(path)
    whole = PolicyRuntime(bundle)
    parts = [BuildingRuntime(bundle, name) for name in whole.building_names]
    states: list[str | None] = [None] * len(parts)
    of_all = None
    for hour in range(30):
        rows = observations_like(whole.community, hour)
        hints = whole.hints([rows], None if of_all is None else [of_all])
        answer = whole.predict([rows], None if of_all is None else [of_all])
        assert hints.states == answer.states
        of_all = answer.states[0] if answer.states else None
        for n, part in enumerate(parts):
            actions, states[n] = part.act(rows[n], hints.values[0][n], states[n])
            assert actions == pytest.approx(answer.values[0][n], abs=1e-5)
            without, _ = part.act(rows[n])
            assert len(without) == len(actions)
    with pytest.raises(FeatureError, match="expected 3 numbers, as the coordinator gave them"):
        parts[0].act(rows[0], [0.0] * 2)
    with pytest.raises(FeatureError, match=r"no building 'Building_9'; there are Building_1, Building_2"):
        BuildingRuntime(bundle, "Building_9")
