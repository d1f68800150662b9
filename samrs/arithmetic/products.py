"""Sums of products in float32 on a CPU: by oneDNN, which sums in the same order on every CPU.

torch multiplies by MKL otherwise, which has code paths of its own for each maker's CPUs, and so do
its ``exp``, ``sqrt`` and ``erf``. In a process held at AVX2 (``instructions.py``) oneDNN and
torch's own vectors take one path on all of them. Everything else, and every other type or device,
is left to torch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS = {None: ("none", ""), "relu": ("relu", ""), "gelu": ("gelu", "none")}
"""oneDNN's names of what is done to each sum, and torch's of how."""


def by_onednn(values: Tensor) -> bool:
    """Whether oneDNN multiplies these."""
    return (
        values.dtype == torch.float32
        and values.device.type == "cpu"
        and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    )


def _rounded_by_onednn(values: Tensor) -> bool:
    """Whether oneDNN multiplies these in bfloat16, which it rounds once with what comes behind.

    ``torch.compile`` fuses that itself, and takes oneDNN's form with constant weights only.
    """
    return (
        not torch.compiler.is_compiling()
        and values.dtype == torch.bfloat16
        and values.device.type == "cpu"
        and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None, then: str | None = None
) -> Tensor:  # fmt: skip
    """(..., out): values (..., in) times weight (out, in), plus bias (out,).

    Args:
        values: any leading dimensions.
        weight: of any strides.
        then: what is done to each sum: a key of ``ACTIVATIONS``.
    """
    if by_onednn(values) or (then and _rounded_by_onednn(values)):
        name, how = ACTIVATIONS[then]
        found: Tensor = torch.ops.mkldnn._linear_pointwise(values, weight, bias, name, [], how)
        return found
    found = functional.linear(values, weight, bias)
    return getattr(functional, then)(found) if then else found


def layer(module: nn.Linear, values: Tensor, then: str | None = None) -> Tensor:
    """A linear layer of values (..., in).

    Args:
        module: the layer.
        values: any leading dimensions.
        then: as ``linear`` takes it.
    """
    return linear(values, module.weight, module.bias, then)


def product(one: Tensor, other: Tensor) -> Tensor:
    """``one @ other`` of (..., R, K) and (..., K, N); their first dimensions are broadcast."""
    if not by_onednn(one):
        return one @ other
    if other.shape[:-2].numel() == 1:
        return linear(one, other.reshape(other.shape[-2:]).mT)
    batch = (one[..., 0, 0] + other[..., 0, 0]).shape  # as sums are broadcast
    out = one.new_empty(*batch, one.shape[-2], other.shape[-1])
    pairs = (part.expand(*batch, -1, -1).flatten(0, -3) for part in (one, other))
    for into, left, right in zip(out.flatten(0, -3), *pairs, strict=True):
        into.copy_(linear(left, right.mT))
    return out


def small(one: Tensor, other: Tensor) -> Tensor:
    """``one @ other`` of very small matrices, many of them: each product, then their sums."""
    if not by_onednn(one):
        return one @ other
    return (one[..., None, :] * other.mT[..., None, :, :]).sum(-1)


def convolved(convolution: nn.Conv2d, seen: Tensor) -> Tensor:
    """(B, out, H, W) of a convolution of (B, in, h, w).

    Args:
        convolution: any.
        seen: contiguous or not.
    """
    return convolved_by(convolution, seen, convolution.weight, convolution.bias)


def convolved_by(
    convolution: nn.Conv2d, seen: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """As ``convolved``, with other weights.

    Args:
        convolution: any.
        seen: contiguous or not.
        weight: (out, in, rows, columns) instead of the convolution's.
        bias: (out,) likewise.
    """
    c = convolution
    if by_onednn(seen):  # torch takes other libraries for some sizes
        found: Tensor = torch.mkldnn_convolution(
            seen, weight, bias, pads(c), c.stride, c.dilation, c.groups
        )
        return found
    return functional.conv2d(seen, weight, bias, c.stride, c.padding, c.dilation, c.groups)


def pads(convolution: nn.Conv2d) -> tuple[int, ...]:
    """Of height and width.

    Args:
        convolution: whose padding is numbers, as segment_anything's are, and no word.
    """
    assert not isinstance(convolution.padding, str)
    return convolution.padding


def patches(convolution: nn.Conv2d, seen: Tensor) -> Tensor:
    """(B, h, w, out) of a convolution of (B, in, H, W) whose stride is its size: a product.

    What does not fill a patch at the end is left out, as a convolution does.

    Args:
        convolution: without padding.
        seen: any size.
    """
    high, wide = convolution.kernel_size
    if not by_onednn(seen):
        return torch.as_tensor(convolution(seen)).permute(0, 2, 3, 1)
    batch, channels, height, width = seen.shape
    height, width = height // high, width // wide
    whole = seen[..., : height * high, : width * wide]
    cells = whole.reshape(batch, channels, height, high, width, wide).permute(0, 2, 4, 1, 3, 5)
    return linear(cells.flatten(3), convolution.weight.flatten(1), convolution.bias)


def waves(turns: Tensor) -> tuple[Tensor, Tensor]:
    """Sine and cosine of so many turns, to float64's last digits but one: by Taylor's series of
    plain products and sums, which are the same everywhere; libraries' differ by the CPU."""
    turns = turns.double()
    angle = (turns - turns.round()) * (2 * math.pi)
    square = angle * angle
    return angle * _series(square, 1), _series(square, 0)


def _series(square: Tensor, first: int) -> Tensor:
    """1 - x^2/(n+1)(n+2) + ..., Taylor's series of cosine (n = 0), or of sine over x (n = 1)."""
    out = torch.ones_like(square)
    for n in range(first + 30, first, -2):
        out = 1 - out * square / (n * (n - 1))
    return out
