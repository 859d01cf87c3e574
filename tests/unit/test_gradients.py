"""Gradients of many parameters at once: what they stand for, one at a time."""

from __future__ import annotations

import pytest
import torch
import torch.distributed

from rllib_citylearn.algorithm.gradients import all_finite, average_over_learners


@pytest.mark.parametrize("fault", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_not_finite_is_found(fault):
    gradients = [torch.randn(3, 4), torch.zeros(5), torch.randn(2, 2, 2)]
    assert all_finite(gradients)
    assert all_finite([])
    gradients[2][1, 0, 1] = fault
    assert not all_finite(gradients)


def test_every_gradient_becomes_the_mean_over_learners(monkeypatch):
    numbers = [torch.full((2, 3), 1.0).t(), torch.arange(4.0)]
    others = torch.cat([torch.arange(6.0), torch.full((4,), 3.0)])
    messages = []

    def all_reduce(tensor, op):
        assert op == torch.distributed.ReduceOp.AVG
        messages.append(tensor.shape)
        tensor.add_(others).div_(2)

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    average_over_learners(numbers)
    assert messages == [(10,)]
    assert torch.equal(numbers[0], (1.0 + torch.arange(6.0).view(3, 2)) / 2)
    assert torch.equal(numbers[1], (torch.arange(4.0) + 3.0) / 2)
    average_over_learners([])
    assert len(messages) == 1
