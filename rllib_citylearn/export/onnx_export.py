"""A policy's networks as ONNX graphs."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rllib_citylearn.errors import UserError
from rllib_citylearn.modules.community_module import Policy

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
    """``actor``, ``coordinator`` and ``policy``, serialised, with free batch and building dimensions.

    Args:
        policy: the trained policy.
        observation_size: number D of joint observation columns.

    Raises:
        UserError: the policy has no coordinator, which the bundle's format asks for.
    """
    if policy.coordinator is None:
        raise UserError("This policy was trained with hint_size=0, without a coordinator, and bundles need one.")
    # Sizes other than 0 and 1, which the exporter would take for constants.
    observations = torch.zeros(2, 3, observation_size)
    hints = torch.zeros(2, 3, policy.hint_size)
    policy = policy.eval()
    return {
        "actor": _export(policy.actor, (observations, hints), ("observations", "hints"), "actions"),
        "coordinator": _export(_Coordinator(policy), (observations,), ("observations",), "hints"),
        "policy": _export(_Joint(policy), (observations,), ("observations",), "actions"),
    }


def _export(module: nn.Module, arguments: tuple[Tensor, ...], inputs: Sequence[str], output: str) -> bytes:
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("buildings")}
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
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
        program.save(buffer)
    finally:
        exporter.setLevel(level)
    return buffer.getvalue()
