"""Small real bundles for tests: plain ONNX graphs with known weights, written without torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.env.measurements import memory_names, memory_ranges
from rllib_citylearn.export import Bundle, Manifest, write_bundle

HINT_SIZE = 3


def small_community() -> CommunityFeatures:
    """Three buildings that differ: in features, their order, their actions and the limits of those."""
    descriptors = {"electrical_storage_capacity": 6.4, "electrical_storage_nominal_power": 5.0, "pv_nominal_power": 4.0}
    return CommunityFeatures(
        [
            AgentFeatures(
                "Building_1",
                ("hour", "day_type", "non_shiftable_load", "electrical_storage_soc"),
                descriptors,
                ("electrical_storage",),
                (-0.78,),
                (0.78,),
            ),
            AgentFeatures(
                "Building_2",
                ("non_shiftable_load", "hour", "dhw_storage_soc", "electrical_storage_soc"),
                descriptors | {"pv_nominal_power": 0.0},
                ("dhw_storage", "electrical_storage"),
                (-0.5, -1.0),
                (0.25, 1.0),
            ),
            AgentFeatures("Building_10", ("hour", "outdoor_dry_bulb_temperature"), {}, ("cooling_device",), (0.0,), (1.0,)),
        ],
        {"non_shiftable_load": (0.0, 7.5)},
    )


def remembering(community: CommunityFeatures) -> CommunityFeatures:
    """The same community with memory features."""
    agents = [replace(agent, memory=memory_names(agent.features)) for agent in community.agents]
    return CommunityFeatures(agents, {**memory_ranges(community.ranges), **community.ranges})


def weights(community: CommunityFeatures) -> dict[str, np.ndarray]:
    """The networks' weights: ``coordinator [D, H]``, ``actor [D, A]``, ``hints [H, A]``."""
    random = np.random.default_rng(7)
    d, a = len(community.columns), len(community.actions)
    shapes = {"coordinator": (d, HINT_SIZE), "actor": (d, a), "hints": (HINT_SIZE, a)}
    return {name: random.normal(0.0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def reference_actions(community: CommunityFeatures, observations: np.ndarray, *, hints: bool = True) -> np.ndarray:
    """What the models compute, in numpy: ``[B, N, D]`` -> ``[B, N, A]``; ``hints`` as in ``small_models``."""
    w = weights(community)
    if not hints:
        return np.tanh(observations @ w["actor"])
    given = np.broadcast_to(
        (observations @ w["coordinator"]).mean(axis=1, keepdims=True), (*observations.shape[:2], HINT_SIZE)
    )
    return np.tanh(observations @ w["actor"] + given @ w["hints"])


def small_models(community: CommunityFeatures, *, bias: float = 0.0, hints: bool = True) -> dict[str, bytes]:
    """The models as ONNX bytes; ``bias`` shifts the actor's output before tanh, which gives other policies.

    Without ``hints`` there is no coordinator, and the actor is the policy.
    """
    d, a = len(community.columns), len(community.actions)
    w = weights(community)
    initializers = {
        name: numpy_helper.from_array(value, name)
        for name, value in {
            **{f"w_{key}": value for key, value in w.items()},
            "bias": np.float32([bias]),
            "zero": np.float32([0.0]),
            "axis": np.int64([1]),
        }.items()
    }
    coordinator = [
        helper.make_node("MatMul", ["observations", "w_coordinator"], ["own"]),
        helper.make_node("ReduceMean", ["own", "axis"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["own", "zero"], ["nothing"]),
        helper.make_node("Add", ["mean", "nothing"], ["hints"]),
    ]
    from_hints = [
        helper.make_node("MatMul", ["hints", "w_hints"], ["from_hints"]),
        helper.make_node("Add", ["from_own", "from_hints"], ["summed"]),
    ]
    actor = [
        helper.make_node("MatMul", ["observations", "w_actor"], ["from_own"]),
        *(from_hints if hints else []),
        helper.make_node("Add", ["summed" if hints else "from_own", "bias"], ["shifted"]),
        helper.make_node("Tanh", ["shifted"], ["actions"]),
    ]
    sizes = {"observations": d, "hints": HINT_SIZE, "actions": a}

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "buildings", sizes[name]])

    def model(nodes: list[Any], inputs: list[str], outputs: list[str]) -> bytes:
        used = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "test",
            [value(name) for name in inputs],
            [value(name) for name in outputs],
            [tensor for name, tensor in initializers.items() if name in used],
        )
        built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        built.ir_version = 10
        onnx.checker.check_model(built, full_check=True)
        return built.SerializeToString()

    if not hints:
        policy = model(actor, ["observations"], ["actions"])
        return {"actor": policy, "policy": policy}
    return {
        "coordinator": model(coordinator, ["observations"], ["hints"]),
        "actor": model(actor, ["observations", "hints"], ["actions"]),
        "policy": model([*coordinator, *actor], ["observations"], ["actions"]),
    }


def small_manifest(community: CommunityFeatures, name: str = "test-policy", *, hints: bool = True) -> Manifest:
    return Manifest(
        name=name,
        created="2026-01-31T12:00:00+00:00",
        community=community,
        hint_size=HINT_SIZE if hints else 0,
        training={"dataset": {"name": "none"}, "seeds": [1]},
        kpis={"cost_total": 0.75, "discomfort": None},
    )


def write_small_bundle(
    path: Path, *, name: str = "test-policy", bias: float = 0.0, memory: bool = False, hints: bool = True
) -> Bundle:
    """Write a bundle of the small community to ``path``."""
    community = remembering(small_community()) if memory else small_community()
    return write_bundle(
        path, manifest=small_manifest(community, name, hints=hints), models=small_models(community, bias=bias, hints=hints)
    )


def observations(community: CommunityFeatures, seed: int) -> list[list[float]]:
    """Random raw observations within the features' ranges."""
    random = np.random.default_rng(seed)
    rows = []
    for agent in community.agents:
        features = [community.feature(name) for name in agent.features]
        rows.append(
            [
                float(random.uniform(f.low, f.high) if f.encoding == "linear" else random.integers(f.low, f.high + 1))
                for f in features
            ]
        )
    return rows
