"""A bundle's policy in CityLearn, on its own community and on others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import BundleError
from rllib_citylearn.evaluation import BundleSpec, evaluate, rollout

onnx = pytest.importorskip("onnx")

HINT = 2


def linear_weights(community: CommunityFeatures) -> dict[str, np.ndarray]:
    """The matrices of ``linear_models``."""
    rng = np.random.default_rng(6)
    observed, actions = len(community.columns), len(community.actions)
    shapes = {"W": (observed, HINT), "V": (observed, actions), "U": (HINT, actions)}
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def linear_models(community: CommunityFeatures) -> dict[str, bytes]:
    """Networks of one random matrix each: hints = tanh(o W), actions = tanh(o V + h U)."""
    observed, actions = len(community.columns), len(community.actions)
    weights = {name: onnx.numpy_helper.from_array(w, name) for name, w in linear_weights(community).items()}
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    coordinator = [node("MatMul", ["observations", "W"], ["hw"]), node("Tanh", ["hw"], ["hints"])]
    actor = [
        node("MatMul", ["observations", "V"], ["ov"]),
        node("MatMul", ["hints", "U"], ["hu"]),
        node("Add", ["ov", "hu"], ["sum"]),
        node("Tanh", ["sum"], ["actions"]),
    ]
    sizes = {"observations": observed, "hints": HINT, "actions": actions}
    parts = {
        "actor": (actor, ["observations", "hints"], "actions", "VU"),
        "coordinator": (coordinator, ["observations"], "hints", "W"),
        "policy": ([*coordinator, *actor], ["observations"], "actions", "WVU"),
    }
    models = {}
    for name, (nodes, inputs, output, used) in parts.items():
        tensors = {
            tensor: info(tensor, onnx.TensorProto.FLOAT, ["batch", "buildings", sizes[tensor]])
            for tensor in [*inputs, output]
        }
        graph = onnx.helper.make_graph(
            nodes, name, [tensors[i] for i in inputs], [tensors[output]], [weights[w] for w in used]
        )
        opset = [onnx.helper.make_opsetid("", 17)]
        models[name] = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return models


@pytest.fixture(scope="module")
def bundle(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> BundleSpec:
    """A bundle for the first two buildings."""
    from rllib_citylearn.export.bundle import Manifest, write_bundle

    env = make_citylearn_env(challenge_2022, buildings=("Building_1", "Building_2"), window=(0, 10))
    community = community_features(env)
    manifest = Manifest("linear", "2026-01-31T12:00:00+00:00", community, HINT, training={}, kpis={})
    path = tmp_path_factory.mktemp("bundles") / "linear"
    write_bundle(path, manifest=manifest, models=linear_models(community))
    return BundleSpec(str(path))


def test_the_bundle_acts_as_it_would_when_served(challenge_2022: Path, bundle: BundleSpec) -> None:
    from rllib_citylearn.export.bundle import read_bundle
    from rllib_citylearn.export.runtime import PolicyRuntime

    buildings = ("Building_1", "Building_2")
    env = make_citylearn_env(challenge_2022, buildings=buildings, window=(0, 30))
    served = PolicyRuntime(read_bundle(Path(bundle.path)))
    observations, _ = env.reset()
    expected = []
    for _ in range(30):
        expected.append(served.actions(observations))
        observations, *_ = env.step(expected[-1])
    path = rollout(bundle.make(), make_citylearn_env(challenge_2022, buildings=buildings, window=(0, 30)))
    np.testing.assert_array_equal(path.actions["electrical_storage"], np.asarray(expected)[:, :, 0])
    assert np.ptp(path.actions["electrical_storage"]) > 0.1


def test_it_controls_buildings_it_was_not_trained_on(challenge_2022: Path, bundle: BundleSpec) -> None:
    buildings = ("Building_2", "Building_9", "Building_17")
    (result,) = evaluate([bundle], challenge_2022, buildings=buildings, window=(0, 48))
    assert result.trajectory.buildings == buildings
    assert result.policy == bundle.path
    actions = result.trajectory.actions["electrical_storage"]
    assert np.all(np.abs(actions) <= 1)
    assert len({tuple(column) for column in actions.T}) == 3


def test_what_other_buildings_lack_is_zero_and_what_they_have_beyond_is_left_alone(
    shared_datasets: Path, bundle: BundleSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    """On homes with tanks and cooling devices, which the policy does not know; against matrices by hand."""
    from rllib_citylearn.export.bundle import read_bundle

    source = shared_datasets / "citylearn_challenge_2023_phase_1"
    path = rollout(bundle.make(), make_citylearn_env(source, window=(0, 12)))
    said = capsys.readouterr().err
    for part in (
        "lack the features (seen as zero) month,",
        "without control their dhw_storage;",
        "thermostats their cooling_",
    ):
        assert part in said
    assert set(path.actions) == {"electrical_storage", "dhw_storage"}
    assert not path.actions["dhw_storage"].any()
    trained = read_bundle(Path(bundle.path)).manifest.community
    env = make_citylearn_env(source, window=(0, 12))
    here = community_features(env, trained.ranges)
    observations, _ = env.reset()
    encoded = here.encode(observations)
    joint = np.zeros((len(here.agents), len(trained.columns)), np.float32)
    for i, column in enumerate(trained.columns):
        if column in here.columns:
            joint[:, i] = encoded[:, here.columns.index(column)]
    weights = linear_weights(trained)
    expected = np.tanh(joint @ weights["V"] + np.tanh(joint @ weights["W"]) @ weights["U"])[:, 0]
    np.testing.assert_allclose(path.actions["electrical_storage"][0], expected, atol=1e-5)


def test_buildings_with_no_device_in_common_are_refused(shared_datasets: Path, bundle: BundleSpec) -> None:
    env = make_citylearn_env(shared_datasets / "citylearn_challenge_2023_phase_1", window=(0, 10))
    for building in env.buildings:
        building.action_metadata["electrical_storage"] = False
        building.action_space = building.estimate_action_space()
    with pytest.raises(BundleError, match=r"does not fit these buildings: of its actions .*electrical_storage"):
        rollout(bundle.make(), env)
