"""nano as it is trained: the answers to a batch of questions, and their loss."""

from __future__ import annotations

from typing import Any

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from samrs.nano.dense_loss import DenseHead
from samrs.nano.questions import Questions
from samrs.sam.nano import FRAME, MASK_STRIDE, TOKEN
from samrs.training.bfloat16 import multiplies_bfloat16

DENSE = 2.0
"""Weight of the dense loss."""


class Trainee(nn.Module):
    """nano, the ``sam`` in question, answering what is asked about a batch of crops."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam
        self.dense = DenseHead()

    def forward(self, images: Tensor, dense: Tensor, asked: list[Questions], again: int) -> Tensor:
        """The loss of one batch.

        Args:
            images: (B, 3, n, n) of the image encoder's type.
            dense: targets of the dense loss, see ``dense_targets``.
            asked: the questions, those of one side of windows together.
            again: the kind that is asked twice, the second time with the first answer as mask
                prompt; -1 for none.
        """
        embeddings = self.sam.image_encoder(images).float()
        seen: Tensor = DENSE * self.dense(embeddings, dense)
        grid = embeddings.shape[-1]
        embeddings = embeddings.permute(0, 2, 3, 1).flatten(0, 2)
        frame = FRAME // TOKEN
        pe = self.sam.prompt_encoder.get_dense_pe()[0].permute(1, 2, 0).flatten(0, 1)
        losses = []
        for window in asked:
            for kind in window.kinds():
                part = window.take(kind)
                side = part.targets.shape[-1] * MASK_STRIDE // TOKEN
                own = windows(embeddings, part.place * grid * grid, part.corner, grid, side)
                where = windows(pe, part.place * 0, part.offset + part.corner, frame, side)
                logits, scores = self.answer(own, where, part)
                losses.append(answer_loss(logits, scores, part))
                if kind == again:
                    best = logits[::2, :1].detach().clamp(-32, 32)
                    part = part.select(torch.arange(0, len(part), 2))
                    logits, scores = self.answer(own[::2], where[::2], part, best)
                    losses.append(answer_loss(logits, scores, part))
        return seen + torch.cat(losses).mean() if losses else seen

    def answer(
        self, embeddings: Tensor, places: Tensor, part: Questions, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(K, 4, 4 g, 4 g) logits and (K, 4) predicted IoUs of questions of one kind.

        As `MaskDecoder.predict_masks`, which has one image for all prompts; here each prompt
        brings its own window of g x g tokens.

        Args:
            embeddings: (K, C, g, g) of the image in each window.
            places: (K, C, g, g) the positional encoding there.
            part: the K questions.
            masks: (K, 1, 4 g, 4 g) mask prompts instead of the questions' own.
        """
        decoder, prompts = self.sam.mask_decoder, self.sam.prompt_encoder
        masks = part.masks if masks is None else masks
        points = None if part.points is None else (part.points, part.labels)
        sparse, _ = prompts(points, part.boxes, None)
        sparse = sparse.expand(len(part), -1, -1)
        if masks is None:
            dense = prompts.no_mask_embed.weight[..., None, None]
        else:
            dense = prompts.mask_downscaling(masks)
        source = embeddings + dense
        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(part), -1, -1), sparse], 1)
        said, source = decoder.transformer(source, places, tokens)
        source = source.transpose(1, 2).reshape(embeddings.shape)
        upscaled = decoder.output_upscaling(source)
        heads = [head(said[:, 1 + i]) for i, head in enumerate(decoder.output_hypernetworks_mlps)]
        logits = torch.einsum("bkc,bchw->bkhw", torch.stack(heads, 1), upscaled)
        return logits, decoder.iou_prediction_head(said[:, 0])


def windows(tokens: Tensor, start: Tensor, corner: Tensor, width: int, side: int) -> Tensor:
    """(K, C, side, side) windows of grids of tokens.

    Args:
        tokens: (N, C) those of all grids, row by row.
        start: (K,) where each window's grid begins in them.
        corner: (K, 2) xy of each window in its grid.
        width: tokens a row of a grid.
        side: of a window, in tokens.
    """
    step = torch.arange(side)
    rows = (corner[:, 1, None] + step) * width
    index = start[:, None, None] + rows[:, :, None] + (corner[:, 0, None] + step)[:, None, :]
    return tokens[index.flatten()].view(*index.shape, -1).permute(0, 3, 1, 2)


def answer_loss(logits: Tensor, scores: Tensor, part: Questions) -> Tensor:
    """(K,) loss of each question: token 0's mask, the best of the other three, and the scores.

    Args:
        logits: (K, 4, 4 g, 4 g) of windows of g x g tokens.
        scores: (K, 4) predicted IoUs.
        part: the K questions.
    """
    target = part.targets[:, None].float() / MASK_STRIDE**2
    count = part.targets.flatten(1).float().sum(1)[:, None] / MASK_STRIDE**2
    chance = logits.sigmoid()
    cross = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    missed = (chance - target).abs()
    # by the instance's size, or background would drown it; not only, or tiny ones would rule
    weight = count + 0.02 * min(target[0].numel(), 64**2)
    focal = (cross * (0.1 + missed)).flatten(2).sum(2) / weight
    both = (chance * target).flatten(2).sum(2)
    dice = 1 - (2 * both + 1) / (chance.flatten(2).sum(2) + (target**2).flatten(2).sum(2) + 1)
    masks = 2 * focal + dice
    with torch.no_grad():
        said, true = logits > 0, target > 0.5
        union = (said | true).flatten(2).sum(2)
        iou = (said & true).flatten(2).sum(2) / union.clamp(min=1)
    best = masks[:, 1:].min(1).values
    return masks[:, 0] + 0.2 * best + (scores - iou).square().mean(1)


def encoder_type() -> torch.dtype:
    """What the image encoder trains in: bfloat16, or float32 where a CPU would only emulate it."""
    return torch.bfloat16 if multiplies_bfloat16() else torch.float32


def for_crops(state: dict[str, Tensor], size: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """The parameters as a crop uses them.

    They are the middle of the global blocks' relative positions, and ``dtype`` in the image encoder
    (the decoder's matrices are too small to gain).

    Args:
        state: parameters of a trainee by name.
        size: side of the crop in px.
        dtype: of the image encoder's parameters.
    """
    out = {}
    trim = (FRAME - size) // TOKEN
    for name, value in state.items():
        if trim and "rel_pos" in name and value.shape[0] == 2 * FRAME // TOKEN - 1:
            value = value[trim:-trim]
        out[name] = value.to(dtype) if "image_encoder" in name else value
    return out


def batch_loss(model: Trainee, batch: dict[str, Any]) -> Tensor:
    """The loss of a batch.

    Args:
        batch: one of ``Crops``.
    """
    dtype = encoder_type()
    state = for_crops(dict(model.named_parameters()), batch["images"].shape[-1], dtype)
    arguments = (batch["images"].to(dtype), batch["dense"], batch["asked"], batch["again"])
    loss: Tensor = functional_call(model, state, arguments)
    return loss
