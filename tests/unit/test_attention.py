"""Attention over buildings, learning and acting, against its definition (Vaswani et al. 2017, eq. 1; Shazeer 2019)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.modules.networks import Attention

WIDTH, INNER, OUTPUTS = 6, 8, 3


def by_definition(attention: Attention, x: torch.Tensor, present: torch.Tensor | None) -> np.ndarray:
    """Building by building and head by head, without absent buildings, in double precision; zeros where nobody is there."""
    queries, key_value = (layer(x).detach().double().numpy() for layer in (attention.query, attention.key_value))
    weight, bias = (p.detach().double().numpy() for p in (attention.output.weight, attention.output.bias))
    rows, buildings, _ = x.shape
    size = key_value.shape[-1] // 2
    out = np.zeros((rows, buildings, OUTPUTS))
    for b in range(rows):
        others = np.flatnonzero(np.ones(buildings) if present is None else present[b].numpy())
        for n in others:
            mixed = []
            for head in range(INNER // size):
                scores = np.exp(key_value[b, others, :size] @ queries[b, n, head * size :][:size] / np.sqrt(size))
                mixed.append(scores / scores.sum() @ key_value[b, others, size:])
            out[b, n] = weight @ np.concatenate(mixed) + bias
    return out


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "acting"])
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "all present"])
@pytest.mark.parametrize(("buildings", "heads"), [(1, 1), (5, 2), (17, 4), (100, 1), (103, 2)])
def test_every_way_gives_what_the_definition_says(buildings, heads, masked, learning):
    torch.manual_seed(buildings)
    attention = Attention(WIDTH, INNER, heads, OUTPUTS)
    x = torch.randn(3, buildings, WIDTH)
    present = torch.rand(3, buildings) < 0.6 if masked else None
    with torch.set_grad_enabled(learning):
        found = attention(x, present).detach().numpy()
    expected = by_definition(attention, x, present)
    there = np.ones((3, buildings), bool) if present is None else present.numpy()
    np.testing.assert_allclose(found[there], expected[there], atol=2e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "all present"])
@pytest.mark.parametrize("heads", [1, 2])
def test_gradients_are_numerical_ones(heads, masked):
    torch.manual_seed(heads)
    attention = Attention(WIDTH, INNER, heads, OUTPUTS).double()
    present = torch.tensor([[True, False, True, True], [True, True, True, True]]) if masked else None
    x = torch.randn(2, 4, WIDTH, dtype=torch.float64, requires_grad=True)

    def over_present(x: torch.Tensor) -> torch.Tensor:
        out = attention(x, present)
        return out if present is None else out[present]

    assert torch.autograd.gradcheck(over_present, (x,))
