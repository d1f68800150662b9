"""Mask prompts kept as few maps are those of segment_anything's prompt encoder."""

from __future__ import annotations

import torch

from samrs.sam.mask_prompts import marks
from tests.segmenters.tiny_sam import tiny_sam


@torch.inference_mode()
def test_marks_on_an_image_without_mask_prompts_are_the_official_embeddings() -> None:
    encoder = tiny_sam().prompt_encoder
    masks = 8 * torch.randn(
        5, 1, *encoder.mask_input_size, generator=torch.Generator().manual_seed(0)
    )
    given = torch.tensor([True, False, True, True, False])
    found = marks(encoder, masks, given)

    nothing = encoder.no_mask_embed.weight.reshape(1, -1, 1)
    dense = (nothing + (found.maps.mT @ found.directions).mT).unflatten(
        2, encoder.image_embedding_size
    )
    _, wanted = encoder(points=None, boxes=None, masks=masks)
    # a float32's rounding of the largest terms, which cancel
    torch.testing.assert_close(dense[given], wanted[given], rtol=1e-5, atol=5e-4)
    torch.testing.assert_close(dense[~given], nothing[..., None].expand_as(dense[~given]))
