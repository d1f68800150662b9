"""Convolutions of trainings in float32 on a CPU: sums whose order neither the CPU's caches nor the
number of threads sets.

oneDNN's convolutions of channels that lie side by side, and its gradients of strided ones whatever
the layout, split their sums by the size of the second level cache: half a megabyte on AMD's Zen 3,
one on Zen 4. So networks keep each channel's pixels together (``lay_out``), and the gradient of
what a strided convolution sees is a product, summed up. Gradients of weights are sums over images
that its threads share, so there are always two of them (docs/decisions/training-in-float32.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from samrs.arithmetic.products import by_onednn, convolved_by, linear, pads

SUMMED_BY = 2
"""Threads that sum a gradient of weights, on any number of cores."""


class SteadyConv2d(nn.Conv2d):
    """A convolution, of one group and zeros around the image.

    In float32 on a CPU its sums follow neither the size of the caches nor the number of threads.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not by_onednn(input) or torch.is_autocast_enabled("cpu"):
            found: Tensor = super()._conv_forward(input, weight, bias)
        else:
            found = _Steady.apply(input.contiguous(), weight, bias, self)
        return found


class _Steady(torch.autograd.Function):
    """oneDNN's convolution, with gradients of our own."""

    @staticmethod
    def forward(
        ctx: Any, seen: Tensor, weight: Tensor, bias: Tensor | None, of: nn.Conv2d
    ) -> Tensor:
        ctx.save_for_backward(seen, weight)
        ctx.of = of
        return convolved_by(of, seen, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        of: nn.Conv2d = ctx.of
        seen, weight = ctx.saved_tensors
        grad = grad.contiguous()
        sizes = None if of.bias is None else list(of.bias.shape)

        def gradients(*wanted: bool) -> tuple[Tensor, Tensor, Tensor]:
            found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
                grad, seen, weight, sizes, of.stride, of.padding, of.dilation,
                False, [0, 0], 1, wanted,
            )  # fmt: skip
            return found

        of_seen = None
        if ctx.needs_input_grad[0] and max(of.stride) > 1:
            of_seen = _spread(grad, weight, seen.shape[2:], of)
        elif ctx.needs_input_grad[0]:
            of_seen, *_ = gradients(True, False, False)
        with _threads(SUMMED_BY):
            _, of_weight, of_bias = gradients(False, True, of.bias is not None)
        return of_seen, of_weight, of_bias, None


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Let torch compute by so many threads, whatever it was told before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _spread(grad: Tensor, weight: Tensor, size_hw: torch.Size, of: nn.Conv2d) -> Tensor:
    """The gradient (B, in, H, W) of what a convolution sees, of that of what it gives."""
    cells = linear(grad.flatten(2).mT.contiguous(), weight.flatten(1).mT.contiguous())
    return functional.fold(
        cells.mT.contiguous(), size_hw, of.kernel_size, of.dilation, pads(of), of.stride
    )


def steady(network: nn.Module) -> None:
    """Let a network's convolutions be ``SteadyConv2d``, in place; names of tensors stay.

    Args:
        network: any; grouped convolutions and those that pad otherwise stay as they are.
    """
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if (
                type(child) is nn.Conv2d
                and child.groups == 1
                and child.padding_mode == "zeros"
                and not isinstance(child.padding, str)
            ):
                setattr(parent, name, _copied(child))


def _copied(of: nn.Conv2d) -> SteadyConv2d:
    with torch.device("meta"):
        shape: dict[str, Any] = {"kernel_size": of.kernel_size, "stride": of.stride}
        shape |= {"padding": of.padding, "dilation": of.dilation, "bias": of.bias is not None}
        new = SteadyConv2d(of.in_channels, of.out_channels, **shape)
    new.weight, new.bias = of.weight, of.bias
    return new.train(of.training)


def layout(device: torch.device, precision: str) -> torch.memory_format:
    """How images lie in memory: in float32 on a CPU each channel by itself, else side by side.

    Args:
        device: where the network is.
        precision: as in params.yaml.
    """
    alone = device.type == "cpu" and precision == "32-true"
    return torch.contiguous_format if alone else torch.channels_last
