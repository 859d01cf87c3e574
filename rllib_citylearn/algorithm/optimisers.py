"""What steps a network's weights: Adam, or Muon for its matrices and Adam for the rest.

* Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization";
* Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": the momentum of a matrix's gradient is made
  orthogonal, so that directions which gradients rarely show move as far as those that dominate them;
* Liu et al. 2025, "Muon is Scalable for LLM Training", sec. 2.2: steps as large as Adam's would be, so that one learning
  rate serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import nn

OptimiserName = Literal["adam", "muon"]

OPTIMISERS: tuple[str, ...] = get_args(OptimiserName)

_MOMENTUM = 0.9
"""Of Muon; runs here have hundreds to thousands of steps, for which the usual 0.95 is slow to forget."""


def optimisers(network: nn.Module, name: OptimiserName, last: Sequence[nn.Module] = ()) -> dict[str, torch.optim.Optimizer]:
    """Optimisers for a network's parameters; a suffix for the name of each, "" of Adam.

    Muon steps the matrices of linear layers alone. Vectors, matrices of one row or column, weights of one layer a building
    and ``last`` layers are Adam's: Muon moves every output as far as any other, so that actions which few buildings have,
    or which gradients hardly reach, would go where noise leads them.

    Args:
        network: all of whose parameters are to be stepped.
        name: ``adam`` or ``muon``.
        last: layers of the network whose outputs are the actions.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)] if name == "muon" else []
    matrices = [layer.weight for layer in layers if min(layer.weight.shape) > 1 and layer not in last]
    chosen = {id(weights) for weights in matrices}
    rest = [weights for weights in network.parameters() if id(weights) not in chosen]
    made: dict[str, torch.optim.Optimizer] = {}
    if rest:
        made[""] = torch.optim.Adam(rest, fused=True)  # all parameters in one call
    if matrices:
        made["_matrices"] = torch.optim.Muon(matrices, momentum=_MOMENTUM, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    return made
