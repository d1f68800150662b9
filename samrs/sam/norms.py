"""segment_anything's norm of channels, for channels that come last."""

from __future__ import annotations

from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor
from torch.nn import functional


def normed(norm: LayerNorm2d, rows: Tensor) -> Tensor:
    """``LayerNorm2d`` of (..., C), whose channels are the last dimension.

    Args:
        norm: made for channels that come first.
    """
    return functional.layer_norm(rows, norm.weight.shape, norm.weight, norm.bias, norm.eps)
