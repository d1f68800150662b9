"""The benchmark of a step compares two ways to compute the same step."""

from __future__ import annotations

import pytest
import torch

from benchmarks.step import made
from samrs.training.convolutions import SteadyConv2d


def test_both_sides_make_the_same_step_and_one_of_them_by_steady_convolutions() -> None:
    ours, torchs = (made("resnet18", 2, 64, steady=steady) for steady in (True, False))
    assert any(isinstance(part, SteadyConv2d) for part in ours.network.modules())
    assert not any(isinstance(part, SteadyConv2d) for part in torchs.network.modules())
    losses = []
    for side in (ours, torchs):
        before = side.network.loss(side.images, side.labels, {"sota": 2}).item()
        side.step()
        after = side.network.loss(side.images, side.labels, {"sota": 2}).item()
        losses.append((before, after))
    assert losses[0][1] < losses[0][0]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)  # sums of float32, in another order


def test_a_forward_pass_leaves_no_gradient() -> None:
    side = made("resnet18", 2, 64, steady=True)
    side.forward()
    assert all(weight.grad is None for weight in side.network.parameters())
    assert torch.is_grad_enabled()
