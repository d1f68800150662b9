"""nano: Segment Anything's own modules at a size for two CPU cores.

The classes are `segment_anything`'s (ImageEncoderViT, PromptEncoder, MaskDecoder,
TwoWayTransformer, Sam), so whatever runs SAM runs nano: a 1024 px frame, 16 px tokens, 256 px
masks, the same prompts. Only the widths differ, and three choices that a small model trained in
an hour needs:

- no absolute positions in the image encoder: it sees the same thing everywhere in the frame, and
  can be trained on crops of it;
- windows of 8x8 tokens, which divide the 64x64 grid (SAM pads 14x14 windows), and one global block;
- positional frequencies of x and y apart, from half a cycle in the frame to one in 32 px (SAM:
  random directions, normal lengths), so that "right of this corner" is easy to learn and the
  corners of a box 10 px long can be told apart.

`docs/models/nano.md` is the card of its weights, which `samrs/weights` finds.
"""

from functools import partial

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import nn

FRAME = 1024
TOKEN = 16
MASK_STRIDE = 4
WIDTH = 192
DEPTH = 5
HEADS = 3
WINDOW = 8
GLOBAL_BLOCKS = (3,)
PROMPT_WIDTH = 128
DECODER_HEADS = 4
DECODER_MLP = 512
PE_FREQUENCIES = (0.25, 16.0)
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


def build_encoder(size: int = FRAME) -> ImageEncoderViT:
    """nano's image encoder for square images of `size` px; the parameters do not depend on it, save
    for the relative positions of the global block (127 rows at 1024 px)."""
    return ImageEncoderViT(
        depth=DEPTH,
        embed_dim=WIDTH,
        img_size=size,
        mlp_ratio=4,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=HEADS,
        patch_size=TOKEN,
        qkv_bias=True,
        use_abs_pos=False,
        use_rel_pos=True,
        global_attn_indexes=GLOBAL_BLOCKS,
        window_size=WINDOW,
        out_chans=PROMPT_WIDTH,
    )


def build_nano() -> Sam:
    """nano with random weights, in evaluation mode, from torch's random state."""
    grid = FRAME // TOKEN
    sam = Sam(
        image_encoder=build_encoder(),
        prompt_encoder=PromptEncoder(
            embed_dim=PROMPT_WIDTH,
            image_embedding_size=(grid, grid),
            input_image_size=(FRAME, FRAME),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=PROMPT_WIDTH,
                mlp_dim=DECODER_MLP,
                num_heads=DECODER_HEADS,
            ),
            transformer_dim=PROMPT_WIDTH,
            iou_head_depth=3,
            iou_head_hidden_dim=PROMPT_WIDTH,
        ),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    )
    sam.prompt_encoder.pe_layer.positional_encoding_gaussian_matrix.copy_(_frequencies())
    return sam.eval()


def _frequencies() -> torch.Tensor:
    """(2, PROMPT_WIDTH // 2) cycles per half frame, log-spaced, half of x and half of y."""
    count = PROMPT_WIDTH // 4
    low, high = PE_FREQUENCIES
    waves = low * torch.logspace(0, 1, count, base=high / low)
    still = torch.zeros(count)
    return torch.stack([torch.cat([waves, still]), torch.cat([still, waves])])
