"""Mask2Former behind any encoder, with a class embedding for each subset.

Cheng et al., CVPR 2022, by transformers' modules; the paper's end-to-end variant: 100 queries, loss
weights 2 (class), 5 (mask) and 5 (dice), no object 0.1, 12,544 points. Pixel decoder, queries and
masks are shared, the class of a query is each subset's own. As in SAMRS's training every class of a
tile is one mask, and pixels without label count as outside of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerLoss,
    Mask2FormerPixelDecoder,
    Mask2FormerPreTrainedModel,
    Mask2FormerTransformerModule,
)

from samrs.core.records import IGNORE

LEVELS = 4
"""Strides 4, 8, 16, 32."""
LEAST = 1e-6


class Masks(NamedTuple):
    """What the decoder says of B images, after each of its L layers.

    Attributes:
        pixels: features (B, C, H/4, W/4).
        queries: (B, L, Q, C).
        masks: logits (B, L, Q, H/4, W/4).
    """

    pixels: Tensor
    queries: Tensor
    masks: Tensor


class MaskDecoder(Mask2FormerPreTrainedModel):  # type: ignore[no-untyped-call]
    """Pixel decoder and queries.

    Args:
        channels: of the encoder's levels.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        config = Mask2FormerConfig()
        super().__init__(config)
        self.pixel_decoder = Mask2FormerPixelDecoder(config, list(channels[-LEVELS:]))
        self.transformer_module = Mask2FormerTransformerModule(config.feature_size, config)
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, levels: Sequence[Tensor]) -> Masks:
        """Queries and masks.

        Args:
            levels: of the encoder, the last four at strides 4 to 32.
        """
        # Sampling between pixels is done in float32: bfloat16 has no exact places.
        with torch.autocast(levels[-1].device.type, enabled=False):
            found = self.pixel_decoder([level.float() for level in levels[-LEVELS:]])
            said = self.transformer_module(
                multi_scale_features=found.multi_scale_features,
                mask_features=found.mask_features,
                output_hidden_states=True,
            )
        queries = torch.stack(list(said.intermediate_hidden_states)).permute(2, 0, 1, 3)
        masks = torch.stack(list(said.masks_queries_logits), dim=1)
        return Masks(found.mask_features, queries, masks)


class MaskHead(nn.Module):
    """The classes of one subset.

    Args:
        outputs: number of its classes.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        config = Mask2FormerConfig(num_labels=outputs)  # type: ignore[call-arg]
        self.classes = nn.Linear(config.hidden_dim, outputs + 1)
        self.weights = {
            "loss_cross_entropy": config.class_weight,
            "loss_mask": config.mask_weight,
            "loss_dice": config.dice_weight,
        }
        self.criterion = Mask2FormerLoss(config, self.weights)

    def forward(self, found: Masks) -> Tensor:
        """Log scores (B, outputs, 4 h, 4 w) of the last layer, whose softmax are shares.

        Args:
            found: of the decoder.
        """
        classes = self.classes(found.queries[:, -1]).float().softmax(dim=-1)[..., :-1]
        large = F.interpolate(found.masks[:, -1].float(), scale_factor=4, mode="bilinear")
        shares = torch.einsum("bqc,bqhw->bchw", classes, large.sigmoid())
        scores: Tensor = shares.clamp(min=LEAST).log()
        return scores

    def loss(self, found: Masks, labels: Tensor) -> Tensor:
        """The sum of the weighted losses of all layers; 0 where nothing is labelled.

        Args:
            found: of the decoder.
            labels: (B, H, W), 255 where nothing is known.
        """
        present = [torch.unique(one[one != IGNORE]).long() for one in labels]
        at = [i for i, classes in enumerate(present) if len(classes)]
        if not at:
            nothing: Tensor = found.masks.sum() * 0 + self.classes(found.queries).sum() * 0
            return nothing
        truth = [(labels[i] == present[i][:, None, None]).float() for i in at]
        said = [
            {"masks_queries_logits": masks.float(), "class_queries_logits": classes.float()}
            for masks, classes in zip(
                found.masks[at].unbind(1), self.classes(found.queries[at]).unbind(1), strict=True
            )
        ]
        losses = self.criterion(
            **said[-1],
            mask_labels=truth,
            class_labels=[present[i] for i in at],
            auxiliary_predictions=said[:-1],
        )
        weighted = [
            value * weight
            for name, value in losses.items()
            for kind, weight in self.weights.items()
            if kind in name
        ]
        total: Tensor = torch.stack(weighted).sum()
        return total

    def units(self, labels: Tensor) -> Tensor:
        """The number of images with a label, by which parts of a batch are weighted. The losses are
        means over queries and masks, so that this is close to the whole batch's and not the same.

        Args:
            labels: see ``loss``.
        """
        return (labels != IGNORE).flatten(1).any(dim=1).sum()
