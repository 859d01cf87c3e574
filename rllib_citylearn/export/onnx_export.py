"""A policy's networks as ONNX graphs."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rllib_citylearn.modules.policy import Policy

OPSET = 18
"""ONNX operator set of the graphs; onnxruntime has read it since version 1.14."""


class _Joint(nn.Module):
    """Coordinator and actor in one graph, without the argument for absent buildings."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observations: Tensor) -> Tensor:
        actions: Tensor = self.policy(observations)
        return actions


class _Coordinator(nn.Module):
    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observations: Tensor) -> Tensor:
        return self.policy.hints(observations)


def onnx_models(policy: Policy, observation_size: int) -> dict[str, bytes]:
    """``actor``, ``coordinator`` and ``policy``, serialised; without a coordinator, the actor is the policy.

    The batch dimension is free, and that of buildings too, but for the actors where those are separate.

    Args:
        policy: the trained policy.
        observation_size: number D of joint observation columns.
    """
    # Sizes other than 0 and 1, which the exporter would take for constants.
    shape = (2, policy.buildings or 3)
    observations = torch.zeros(*shape, observation_size)
    free = {0: torch.export.Dim("batch")}
    if policy.buildings is None:
        free[1] = torch.export.Dim("buildings")
    policy = policy.eval()
    joint = _export(_Joint(policy), (observations,), ("observations",), "actions", free)
    if policy.coordinator is None:
        return {"actor": joint, "policy": joint}
    hints = torch.zeros(*shape, policy.hint_size)
    any_number = {0: torch.export.Dim("batch"), 1: torch.export.Dim("buildings")}
    several = torch.zeros(2, 3, observation_size)
    return {
        "actor": _export(policy.actor, (observations, hints), ("observations", "hints"), "actions", free),
        "coordinator": _export(_Coordinator(policy), (several,), ("observations",), "hints", any_number),
        "policy": joint,
    }


def _forget_origin(model: Any) -> None:
    """Leave out which lines of which files on this machine a node came from: a bundle is given to others."""
    for part in (model, model.graph):
        part.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


def _export(
    module: nn.Module, arguments: tuple[Tensor, ...], inputs: Sequence[str], output: str, free: dict[int, Any]
) -> bytes:
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    buffer = io.BytesIO()
    try:
        # Without gradients, since attention takes another way, for few buildings, where some are wanted.
        with torch.no_grad(), warnings.catch_warnings():
            # The exporter warns about its own internals; nothing there concerns the user.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                arguments,
                input_names=list(inputs),
                output_names=[output],
                opset_version=OPSET,
                dynamic_shapes=tuple(free for _ in arguments),
                dynamo=True,
                verbose=False,
            )
        _forget_origin(program.model)
        program.save(buffer)
    finally:
        exporter.setLevel(level)
    return buffer.getvalue()
