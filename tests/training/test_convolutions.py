"""Convolutions that sum alike whatever the caches: what they compute, and that they do."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from samrs.training.convolutions import SteadyConv2d, layout, steady
from tests.conftest import ROOT
from tests.training.caches import LACKING, SIZES

SHAPES = [
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 1, "stride": 2},
    {"kernel_size": 2, "stride": 2, "bias": False},
    {"kernel_size": 7, "stride": 4, "padding": 3},
    {"kernel_size": (3, 5), "stride": (2, 1), "padding": (1, 0)},
    {"kernel_size": 3, "stride": 2, "padding": 2, "dilation": 2, "bias": False},
]


@pytest.mark.parametrize("side", [16, 17])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_are_those_of_a_convolution(
    shape: dict[str, object], side: int
) -> None:
    torch.manual_seed(side)
    plain = nn.Conv2d(6, 10, **shape)  # type: ignore[arg-type]
    network = nn.Sequential(plain)
    steady(network)
    ours = network[0]
    assert isinstance(ours, SteadyConv2d)
    assert ours.weight is plain.weight
    exact = nn.Conv2d(6, 10, **shape).double()  # type: ignore[arg-type]
    exact.load_state_dict(plain.state_dict())
    seen = torch.rand(3, 6, side, side)
    found, wanted = [], []
    for one, values, into in ((ours, seen, found), (exact, seen.double(), wanted)):
        values = values.clone().requires_grad_()
        out = one(values)
        out.square().sum().backward()
        into.extend([out, values.grad, *(weight.grad for weight in one.parameters())])
        one.zero_grad()
    for got, right in zip(found, wanted, strict=True):
        # sums of up to 3,000 products of values near 1
        torch.testing.assert_close(got.double(), right, rtol=1e-4, atol=1e-3)


def test_names_of_tensors_stay_and_other_convolutions_are_left() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3, padding="same"),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), nn.Sequential(nn.Conv2d(8, 2, 1)),
    )  # fmt: skip
    names = list(network.state_dict())
    network.eval()
    steady(network)
    kinds = [isinstance(one, SteadyConv2d) for one in (*network[:4], network[4][0])]
    assert kinds == [True, False, False, False, True]
    assert list(network.state_dict()) == names
    assert not any(one.training for one in network.modules())


def test_images_lie_by_channel_only_in_float32_on_a_cpu() -> None:
    assert layout(torch.device("cpu"), "32-true") == torch.contiguous_format
    assert layout(torch.device("cpu"), "bf16-mixed") == torch.channels_last
    assert layout(torch.device("cuda"), "32-true") == torch.channels_last


def test_in_bfloat16_it_is_torchs_convolution() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2))
    steady(network)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(1, 4, 9, 9, requires_grad=True)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "network",
    ["resnet18 96 12", pytest.param("tu-convnext_tiny 64 2", marks=pytest.mark.slow)],
)
def test_a_step_is_the_same_whatever_size_of_cache_onednn_sees(network: str) -> None:
    """Channels side by side, and torch's own strided convolutions, do not pass."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.caches", *network.split()],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == LACKING:
        pytest.skip("oneDNN's sizes of caches are not found: no nm, or a library without symbols")
    assert done.returncode == 0, done.stderr
    sizes, hashes = zip(*(line.split() for line in done.stdout.splitlines()), strict=True)
    assert [int(size) for size in sizes] == SIZES
    assert len(set(hashes)) == 1, done.stdout
