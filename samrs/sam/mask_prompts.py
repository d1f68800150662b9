"""SAM's mask prompts, as the decoder can use them without an image of its own for every prompt.

``PromptEncoder`` brings a mask to the image embedding's C channels by a 1 x 1 convolution of 16
maps, and adds it to the image. A sum of few maps, each times a direction, is kept as that: products
with it are products with the maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from segment_anything.modeling import PromptEncoder
from torch import Tensor

from samrs.arithmetic.products import patches
from samrs.sam.norms import normed


@dataclass(frozen=True)
class Marks:
    """What the mask prompts of B prompts add to an image of N tokens without any.

    Args:
        maps: (B, R, N).
        directions: (R, C) of each map.
    """

    maps: Tensor
    directions: Tensor


def marks(encoder: PromptEncoder, masks: Tensor, given: Tensor) -> Marks:
    """The mask prompts.

    Args:
        encoder: whose ``no_mask_embed`` the image holds.
        masks: (B, 1, 4 h, 4 w) logits.
        given: (B,) whether there is one; its logits count for nothing where not.
    """
    first, norm, rise, second, again, rise_again, last = encoder.mask_downscaling
    maps = rise(normed(norm, patches(first, masks))).permute(0, 3, 1, 2)
    maps = rise_again(normed(again, patches(second, maps))).permute(0, 3, 1, 2)
    maps = torch.cat([maps, torch.ones_like(maps[:, :1])], 1).flatten(2) * given[:, None, None]
    instead = last.bias - encoder.no_mask_embed.weight[0]
    return Marks(maps, torch.cat([last.weight.flatten(1).mT, instead[None]]))
