"""SAM's positional encoding on a CPU, the same to the bit on every one.

The official one multiplies by MKL and takes the CPU's own sines.
"""

from __future__ import annotations

import copy

import torch
from segment_anything.modeling import PromptEncoder
from segment_anything.modeling.prompt_encoder import PositionEmbeddingRandom
from torch import Tensor

from samrs.arithmetic.products import waves


def portable(encoder: PromptEncoder) -> PromptEncoder:
    """A copy of a prompt encoder that encodes places in float64; on a GPU itself."""
    if next(encoder.parameters()).device.type != "cpu":
        return encoder
    twin = copy.deepcopy(encoder)
    twin.pe_layer = _Places(encoder.pe_layer)
    return twin


class _Places(PositionEmbeddingRandom):  # type: ignore[misc]
    """``PositionEmbeddingRandom`` with the frequencies of another."""

    def __init__(self, like: PositionEmbeddingRandom) -> None:
        frequencies = like.positional_encoding_gaussian_matrix
        super().__init__(frequencies.shape[1])
        self.positional_encoding_gaussian_matrix = frequencies

    def _pe_encoding(self, coords: Tensor) -> Tensor:
        """(..., C) of places (..., 2) in [0, 1]."""
        x, y = (2 * coords.double() - 1)[..., None].unbind(-2)
        by_x, by_y = self.positional_encoding_gaussian_matrix.double()
        return torch.cat(waves(x * by_x + y * by_y), -1).float()
