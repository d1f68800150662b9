"""SAM's mask decoder without its repeated work: the same masks as ``MaskDecoder``, up to rounding.

The official decoder repeats the image embedding for every prompt and projects all of its 4,096
tokens to keys, values and queries, five times a prompt. Two rearrangements avoid that:

- A prompt has a handful of tokens. ``q (W k + b)`` is ``(W^T q) k`` plus a constant that the
  softmax over the image ignores, and ``sum p (W v + b)`` is ``W (sum p v) + b``: so the projections
  are applied to the prompt's tokens, never to the image's (as DeepSeek-V2 absorbs them,
  arXiv:2405.04434, 2.1.2). The other direction, image to tokens, is treated alike.
- The first layer sees the same image tokens for every prompt of an image, so they are shared:
  (S, N, C) for S images instead of (B, N, C). What mask prompts add to them is of low rank
  (``samrs/sam/mask_prompts.py``), and multiplied apart.

The upscaling's transposed convolutions of stride 2 overlap nowhere: they are matrix products on
rows of channels, and its LayerNorm2d is a plain layer norm there.
"""

from __future__ import annotations

import math

import torch
from segment_anything.modeling import MaskDecoder
from segment_anything.modeling.mask_decoder import MLP
from segment_anything.modeling.transformer import Attention, TwoWayTransformer
from torch import Tensor
from torch.nn import functional

from samrs.arithmetic.products import layer, linear, product, small
from samrs.sam.mask_prompts import Marks
from samrs.sam.norms import normed

UPSCALED = {"cpu": 1, "cuda": 16}
"""Prompts whose masks are brought to full size at once: one fits a core's cache; a GPU would wait
for the launches of many."""


def decode(
    decoder: MaskDecoder, image: Tensor, places: Tensor, sparse: Tensor, which: slice,
    marks: Marks | None = None, details: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Masks and predicted IoUs of B prompts.

    Args:
        decoder: of any size.
        image: (S, C, h, w) image embedding plus what ``PromptEncoder`` adds without a mask prompt.
            B / S prompts share each, the first ones the first.
        places: (1, C, h, w) ``PromptEncoder.get_dense_pe()``.
        sparse: (B, T, C) tokens of boxes and points.
        which: of the mask tokens; ``slice(0, 1)`` is ``multimask_output=False``, ``slice(1, 4)``
            is True.
        marks: of the mask prompts.
        details: as ``upscaled`` takes them.

    Returns:
        (B, M, 4 h, 4 w) logits and (B, M) predicted IoUs.
    """
    said, seen = asked(decoder, image, places, sparse, marks)
    vectors = mask_vectors(decoder, said, which)
    ious = predicted_ious(decoder, said)[:, which]
    at_once = UPSCALED[image.device.type]
    logits = [
        grid(product(upscaled(decoder, rows, details), vector.mT), image.shape[-2:])
        for rows, vector in zip(
            torch.split(seen, at_once), torch.split(vectors, at_once), strict=True
        )
    ]
    return torch.cat(logits), ious


def asked(
    decoder: MaskDecoder, image: Tensor, places: Tensor, sparse: Tensor, marks: Marks | None
) -> tuple[Tensor, Tensor]:
    """The decoder's tokens and the image's after they have looked at each other: (B, 1 + masks + T,
    C), the predicted IoU's first, then the masks', then the prompt's; and (B, h w, C).

    Args:
        decoder: of any size.
        image: as ``decode`` takes it.
        places: likewise.
        sparse: (B, T, C) tokens of boxes and points.
        marks: of the mask prompts.
    """
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], 1)
    rows, where = image.flatten(2).mT.contiguous(), places.flatten(2).mT.contiguous()
    return two_way(decoder.transformer, rows, where, tokens, marks)


def mask_vectors(decoder: MaskDecoder, said: Tensor, which: slice) -> Tensor:
    """(B, M, C / 8) of the hypernetworks.

    Args:
        decoder: of any size.
        said: tokens, as ``asked`` gives them.
        which: of the mask tokens.
    """
    heads = decoder.output_hypernetworks_mlps[which]
    return torch.stack(
        [
            mlp(head, said[:, 1 + i])
            for i, head in zip(_positions(decoder, which), heads, strict=True)
        ],
        1,
    )


def predicted_ious(decoder: MaskDecoder, said: Tensor) -> Tensor:
    """(B, masks) predicted IoUs.

    Args:
        decoder: of any size.
        said: tokens, as ``asked`` gives them.
    """
    return mlp(decoder.iou_prediction_head, said[:, 0])


def mlp(network: MLP, values: Tensor) -> Tensor:
    """``MLP.forward``."""
    *hidden, last = network.layers
    for one in hidden:
        values = layer(one, values, then="relu")
    values = layer(last, values)
    return torch.sigmoid(values) if network.sigmoid_output else values


def _positions(decoder: MaskDecoder, which: slice) -> range:
    return range(decoder.num_mask_tokens)[which]


def two_way(
    transformer: TwoWayTransformer, image: Tensor, places: Tensor, tokens: Tensor,
    marks: Marks | None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """``TwoWayTransformer.forward`` on rows: the prompts' tokens and the image's, (B, N, C).

    Args:
        transformer: whose layers are run.
        places: (1, N, C) embedding of where each row of the image lies.
        marks: what mask prompts add to the image; None where there are none.
    """
    queries, keys = tokens, image
    for block in transformer.layers:
        if block.skip_first_layer_pe:
            queries = _among(block.self_attn, queries, queries)
        else:
            queries = queries + _among(block.self_attn, queries + tokens, queries)
        queries = block.norm1(queries)
        attended = _to_image(block.cross_attn_token_to_image, queries + tokens, keys, places, marks)
        queries = block.norm2(queries + attended)
        inner = layer(block.mlp.lin1, queries, then="relu")
        queries = block.norm3(queries + layer(block.mlp.lin2, inner))
        attention = block.cross_attn_image_to_token
        found = _from_image(attention, keys, places, queries + tokens, queries, marks)
        keys, marks = block.norm4(found), None  # from here on each prompt has its own image
    last = transformer.final_attn_token_to_image
    attended = _to_image(last, queries + tokens, keys, places)
    return transformer.norm_final_attn(queries + attended), keys


def _split(attention: Attention, projected: Tensor) -> Tensor:
    """(B, T, H d) as (B, H, T, d)."""
    return _parted(projected, -1, attention.num_heads).transpose(1, 2)


def _parted(values: Tensor, dim: int, parts: int) -> Tensor:
    """One dimension as two: so many parts, and what they hold."""
    out: Tensor = torch.unflatten(values, dim, (parts, -1))
    return out


def _scale(attention: Attention) -> float:
    """Of the scores, by the length of a head's queries."""
    return 1 / math.sqrt(attention.internal_dim // attention.num_heads)


def _by_head(attention: Attention, weight: Tensor) -> Tensor:
    """(H d, C) as (H, d, C)."""
    return _parted(weight, 0, attention.num_heads)


def _headed(values: Tensor, weight: Tensor) -> Tensor:
    """(B, H, T, K) of each head's (B, H, T, d) times its own (H, d, K)."""
    rows = values.transpose(0, 1)
    found = product(rows.flatten(1, 2), weight)
    return found.view(*rows.shape[:3], -1).transpose(0, 1)


def _among(attention: Attention, placed: Tensor, values: Tensor) -> Tensor:
    """``Attention.forward`` of a prompt's few tokens (B, T, C) with one another.

    Args:
        placed: what queries and keys are made of.
        values: what is found.
    """
    queries, keys = (_split(attention, layer(of, placed)) for of in
                     (attention.q_proj, attention.k_proj))  # fmt: skip
    chances = (small(queries, keys.mT) * _scale(attention)).softmax(-1)
    found = small(chances, _split(attention, layer(attention.v_proj, values)))
    return layer(attention.out_proj, found.transpose(1, 2).flatten(2))


def _to_image(
    attention: Attention, tokens: Tensor, image: Tensor, places: Tensor, marks: Marks | None = None
) -> Tensor:
    """(B, T, C) of what `tokens` (B, T, C) find in the images (S, N, C)."""
    queries = _split(attention, layer(attention.q_proj, tokens)) * _scale(attention)
    queries = _headed(queries, _by_head(attention, attention.k_proj.weight))
    chances = _scores(queries.flatten(1, 2), image, places, marks).softmax(-1)
    found = _product(chances, image)
    if marks:
        found += product(product(chances, marks.maps.mT), marks.directions)
    found = _parted(found, 1, attention.num_heads)
    found = _headed(found, _by_head(attention, attention.v_proj.weight).mT)
    bias = _by_head(attention, attention.v_proj.bias)[:, None]
    return layer(attention.out_proj, (found + bias).transpose(1, 2).flatten(2))


def _from_image(
    attention: Attention, image: Tensor, places: Tensor, tokens: Tensor, values: Tensor,
    marks: Marks | None,
) -> Tensor:  # fmt: skip
    """(B, N, C) of images (S, N, C) plus what they find in `tokens` (B, T, C)."""
    keys = _split(attention, layer(attention.k_proj, tokens)) * _scale(attention)
    bias = _headed(keys, _by_head(attention, attention.q_proj.bias)[..., None])
    keys = _headed(keys, _by_head(attention, attention.q_proj.weight))
    scores = _scores(keys.flatten(1, 2), image, places, marks)
    scores = _parted(scores, 1, attention.num_heads) + bias
    chances = scores.softmax(2).flatten(1, 2)
    out = _headed(
        _split(attention, layer(attention.v_proj, values)),
        _by_head(attention, attention.out_proj.weight.mT),
    )
    # each head's chances sum to 1, so a share of the bias in each of its rows adds up to all of it
    out = (out + attention.out_proj.bias / attention.num_heads).flatten(1, 2)
    if marks:
        chances = torch.cat([chances, marks.maps], 1)
        out = torch.cat([out, marks.directions.expand(len(out), -1, -1)], 1)
    found = product(chances.mT, out)
    _parted(found, 0, len(image)).add_(image[:, None])
    return found


def _scores(tokens: Tensor, image: Tensor, places: Tensor, marks: Marks | None = None) -> Tensor:
    """(B, R, N) products of (B, R, C) with the images' tokens plus their places, without a copy of
    an image per prompt to add them to."""
    if marks:
        among = product(tokens, marks.directions.mT)
        return _scores(tokens, image, places).add_(product(among, marks.maps))
    if len(image) == 1 or len(image) < len(tokens):
        return _product(tokens, (image + places).mT)
    return _product(tokens, image.mT).add_(_product(tokens, places.mT))


def _product(one: Tensor, other: Tensor) -> Tensor:
    """(B, R, K) x (S, K, N): one product for all that share an image."""
    together = _parted(one, 0, len(other))
    found = product(together.flatten(1, 2), other)
    return _parted(found, 1, together.shape[1]).flatten(0, 1)


def upscaled(
    decoder: MaskDecoder, rows: Tensor, details: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """(B, 16 N, C / 8): `MaskDecoder.output_upscaling` of the images' tokens (B, N, C), in the
    order that ``grid`` undoes.

    Args:
        decoder: of any size.
        rows: the images' tokens.
        details: what SAM 2 adds of its encoder's finer maps before either step's norm and GELU, in
            ``details_of``'s order; None where there are none.
    """
    first, norm, rise, second, _ = decoder.output_upscaling
    if details is None:
        cells = rise(normed(norm, transposed(first, rows)))
        return transposed(second, cells.flatten(1, 2), then="gelu").flatten(1, 2)
    coarse, fine = details
    cells = rise(normed(norm, transposed(first, rows).add_(coarse)))
    return functional.gelu(transposed(second, cells.flatten(1, 2)).add_(fine)).flatten(1, 2)


def details_of(fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
    """An image's finer maps as ``upscaled`` adds them: (1, h w, 4, C / 4), (1, 4 h w, 4, C / 8).

    Args:
        fine: (1, C / 8, 4 h, 4 w).
        coarse: (1, C / 4, 2 h, 2 w).
    """
    channels, height, width = coarse.shape[1], coarse.shape[2] // 2, coarse.shape[3] // 2
    halves = coarse.reshape(1, channels, height, 2, width, 2)
    quarters = fine.reshape(1, channels // 2, height, 2, 2, width, 2, 2)
    first = halves.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(1, 2)
    second = quarters.permute(0, 2, 5, 3, 6, 4, 7, 1).flatten(5, 6).flatten(1, 4)
    return first.contiguous(), second.contiguous()


def grid(cells: Tensor, size_hw: torch.Size) -> Tensor:
    """(B, M, 4 h, 4 w) of ``upscaled``'s (B, 16 h w, M).

    Args:
        cells: of tokens.
        size_hw: rows and columns of tokens.
    """
    height, width = size_hw
    # token row, token column, then row and column within the first and within the second 2 x 2
    parts = cells.view(len(cells), height, width, 2, 2, 2, 2, -1).permute(0, 7, 1, 3, 5, 2, 4, 6)
    return parts.reshape(len(cells), -1, 4 * height, 4 * width)


def transposed(
    convolution: torch.nn.ConvTranspose2d, rows: Tensor, then: str | None = None
) -> Tensor:
    """(B, N, 4, out) of a 2 x 2 transposed convolution of stride 2 on rows (B, N, in).

    Args:
        then: as ``linear`` takes it.
    """
    assert convolution.bias is not None
    weight = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return _parted(linear(rows, weight, convolution.bias.repeat(4), then), -1, 4)
