"""A SAM of segment_anything's modules at a toy size with seeded random weights."""

from __future__ import annotations

from functools import partial

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

FRAME = 256
WIDTH = 32
LONGEST_SUM = 16 * 16 * 3
"""Products in its longest sum, that of the patch embedding."""


def tiny_sam(seed: int = 3) -> Sam:
    """Frame 256 px, masks 64 px; every call with one seed has the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        grid = FRAME // 16
        sam = Sam(
            ImageEncoderViT(
                img_size=FRAME,
                depth=2,
                embed_dim=32,
                num_heads=2,
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                out_chans=WIDTH,
                use_rel_pos=True,
                window_size=5,
                global_attn_indexes=(1,),
            ),
            PromptEncoder(WIDTH, (grid, grid), (FRAME, FRAME), mask_in_chans=8),
            MaskDecoder(
                transformer_dim=WIDTH,
                transformer=TwoWayTransformer(2, WIDTH, 2, 64),
                num_multimask_outputs=3,
                iou_head_hidden_dim=32,
            ),
        )
        # freshly made weights give every prompt the same flat logits: make them answer to prompts
        for name, weight in sam.mask_decoder.named_parameters():
            if name.endswith("weight") and weight.ndim > 1:
                weight.data *= 2.5
    return sam.eval()
