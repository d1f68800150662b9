"""Mask prompts kept as few maps are those of segment_anything's prompt encoder."""

from __future__ import annotations

import pytest
import torch

from samrs.sam.mask_prompts import marks
from tests.segmenters.tiny_sam import tiny_sam

ROUNDINGS = 30
"""Of a value on its way: sums of 4, 2, 8, 8 and 9 products, less than one each."""
NARROW = 1e3
"""What layer norms magnify by at most: they divide by no less than the root of 1e-6."""


@pytest.mark.parametrize("kind", [torch.float64, torch.float32], ids=str)
@torch.inference_mode()
def test_marks_on_an_image_without_mask_prompts_are_the_official_embeddings(
    kind: torch.dtype,
) -> None:
    """In float64 to eleven digits, so that what is left in float32 is its rounding."""
    encoder = tiny_sam().prompt_encoder.to(kind)
    drawn = torch.Generator().manual_seed(0)
    masks = 8 * torch.randn(5, 1, *encoder.mask_input_size, generator=drawn, dtype=kind)
    given = torch.tensor([True, False, True, True, False])
    found = marks(encoder, masks, given)

    nothing = encoder.no_mask_embed.weight.reshape(1, -1, 1)
    terms = nothing.abs() + (found.maps.abs().mT @ found.directions.abs()).mT
    most = ROUNDINGS * NARROW * torch.finfo(kind).eps * float(terms.max())
    dense = (nothing + (found.maps.mT @ found.directions).mT).unflatten(
        2, encoder.image_embedding_size
    )
    _, wanted = encoder(points=None, boxes=None, masks=masks)
    torch.testing.assert_close(dense[given], wanted[given], rtol=0, atol=most)
    torch.testing.assert_close(dense[~given], nothing[..., None].expand_as(dense[~given]))
