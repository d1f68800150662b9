"""MobileSAM: SAM with a small image encoder, TinyViT, taken from timm.

Zhang et al., Faster Segment Anything: Towards Lightweight SAM for Mobile Applications (arXiv
2306.14289). The encoder's last stage does not halve the map again, and SAM's neck follows it.
"""

from __future__ import annotations

from typing import Any

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

from samrs.sam.nano import PIXEL_MEAN, PIXEL_STD
from samrs.sam.renamed import Rules

FRAME, TOKEN, WIDTH = 1024, 16, 256
WIDTHS, DEPTHS, HEADS, WINDOWS = (64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7)

TO_TIMM: Rules = (
    (r"^image_encoder\.patch_embed\.seq\.0\.", "image_encoder.patch_embed.conv1."),
    (r"^image_encoder\.patch_embed\.seq\.2\.", "image_encoder.patch_embed.conv2."),
    (r"^image_encoder\.layers\.0\.downsample\.", "image_encoder.stages.1.downsample."),
    (r"^image_encoder\.layers\.1\.downsample\.", "image_encoder.stages.2.downsample."),
    (r"^image_encoder\.layers\.2\.downsample\.", "image_encoder.stages.3.downsample."),
    (r"^image_encoder\.layers\.", "image_encoder.stages."),
    (r"^(image_encoder\..*)\.c\.weight$", r"\1.conv.weight"),
)
"""From the names of MobileSAM's authors, whose stages end with what timm's begin with."""
UNASKED = r"^image_encoder\.(?:norm_head|head)\.|attention_bias_idxs$"
"""A classifier's head, and places that are computed."""
NAMED = "image_encoder.patch_embed.seq.0.c.weight"
"""A name that the authors' file has."""


class TinyVit(nn.Module):
    """timm's TinyViT with SAM's neck, by timm's names.

    Args:
        size: side of square images, px.
    """

    def __init__(self, size: int = FRAME) -> None:
        super().__init__()
        from timm.models.tiny_vit import TinyVit as Timm

        self.img_size = size
        body: Any = Timm(
            embed_dims=WIDTHS, depths=DEPTHS, num_heads=HEADS, window_sizes=WINDOWS,
            num_classes=0, drop_path_rate=0.0,
        )  # fmt: skip
        body.stages[3].downsample.conv2.conv.stride = (1, 1)
        self.patch_embed, self.stages = body.patch_embed, body.stages
        self.neck = nn.Sequential(
            nn.Conv2d(WIDTHS[-1], WIDTH, 1, bias=False),
            LayerNorm2d(WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            LayerNorm2d(WIDTH),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, C, h, w) embedding of (B, 3, H, W) preprocessed pixels."""
        found: Tensor = self.neck(self.stages(self.patch_embed(pixels)))
        return found


def build_mobile(size: int = FRAME) -> Sam:
    """MobileSAM with random weights, in evaluation mode.

    Args:
        size: side of its frame, px.
    """
    grid = size // TOKEN
    return Sam(
        image_encoder=TinyVit(size),
        prompt_encoder=PromptEncoder(WIDTH, (grid, grid), (size, size), mask_in_chans=16),
        mask_decoder=MaskDecoder(
            transformer_dim=WIDTH,
            transformer=TwoWayTransformer(2, WIDTH, 8, 2048),
            num_multimask_outputs=3,
        ),
        pixel_mean=list(PIXEL_MEAN),
        pixel_std=list(PIXEL_STD),
    ).eval()


def embed(encoder: nn.Module, pixels: Tensor) -> Tensor:
    """The embedding (B, C, h, w) of preprocessed pixels, as the encoder itself gives it."""
    return torch.as_tensor(encoder(pixels))
