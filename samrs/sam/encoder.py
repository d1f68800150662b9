"""SAM's image encoder without its attention bias: the same embedding as ``ImageEncoderViT``, up to
rounding (``samrs/sam/attention.py``)."""

from __future__ import annotations

import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import (
    Attention,
    Block,
    get_rel_pos,
    window_partition,
    window_unpartition,
)
from torch import Tensor, nn
from torch.nn import functional

from samrs.arithmetic.products import convolved, layer, linear, patches, product
from samrs.sam.attention import attended
from samrs.sam.norms import normed


def encode(encoder: ImageEncoderViT, pixels: Tensor) -> Tensor:
    """(B, C, h, w) embedding of (B, 3, H, W) preprocessed pixels: the frame, or its first rows and
    columns as if there were nothing beyond."""
    seen = _patched(encoder, pixels)
    for block in encoder.blocks:
        seen = _block(block, seen)
    return _neck(encoder.neck, seen)


def encode_with_detail(encoder: ImageEncoderViT, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """``encode``, and what the first block that sees all says, (B, h, w, width of the blocks).

    Args:
        pixels: as ``encode`` takes them.
    """
    seen = _patched(encoder, pixels)
    details: list[Tensor] = []
    for block in encoder.blocks:
        seen = _block(block, seen)
        if block.window_size == 0 and not details:
            details.append(seen)
    return _neck(encoder.neck, seen), details[0]


def _patched(encoder: ImageEncoderViT, pixels: Tensor) -> Tensor:
    """(B, h, w, C) of patches and where they are."""
    seen = patches(encoder.patch_embed.proj, pixels)
    if encoder.pos_embed is not None:
        seen = seen + encoder.pos_embed[:, : seen.shape[1], : seen.shape[2]]
    # a convolution left it channel by channel, and every sum below would keep it so
    return seen.contiguous()


def _neck(neck: nn.Sequential, seen: Tensor) -> Tensor:
    """(B, C, h, w) of the neck's two convolutions, a norm of channels behind each."""
    first, norm, second, last = neck
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    narrow = normed(norm, linear(seen, first.weight.flatten(1), first.bias))
    wide = convolved(second, narrow.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    return normed(last, wide).permute(0, 3, 1, 2).contiguous()


def _block(block: Block, seen: Tensor) -> Tensor:
    """`Block.forward` of (B, h, w, C)."""
    kept, seen = seen, block.norm1(seen)
    if block.window_size > 0:
        height, width = seen.shape[1:3]
        seen, padded = window_partition(seen, block.window_size)
        seen = _attention(block.attn, seen)
        seen = window_unpartition(seen, block.window_size, padded, (height, width))
    else:
        seen = _attention(block.attn, seen)
    # after the windows are undone: what filled them up needs no projection
    seen = layer(block.attn.proj, seen).add_(kept)
    inner = layer(block.mlp.lin1, block.norm2(seen), then="gelu")
    return layer(block.mlp.lin2, inner).add_(seen)


def _attention(attention: Attention, seen: Tensor) -> Tensor:
    """`Attention.forward` of (B, h, w, C) before its last projection."""
    batch, height, width, channels = seen.shape
    heads = attention.num_heads
    parts = (
        layer(attention.qkv, seen).view(batch, height * width, 3, heads, -1).permute(2, 0, 3, 1, 4)
    )
    queries, keys, values = parts.unbind(0)
    if attention.use_rel_pos:
        # the scale of the scores must not touch the positions
        places = _positions(attention, queries, (height, width))
        out = attended(queries * queries.shape[-1] ** -0.5, keys, values, *places)
    else:
        out = functional.scaled_dot_product_attention(queries, keys, values)
    return out.transpose(1, 2).reshape(batch, height, width, channels)


def _positions(
    attention: Attention, queries: Tensor, size_hw: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """What each row (B, heads, N, h) and each column (B, heads, N, w) of keys adds to the scores of
    the queries (B, heads, N, d)."""
    height, width = size_hw
    rows = _offsets(attention.rel_pos_h, height).to(queries.dtype)
    columns = _offsets(attention.rel_pos_w, width).to(queries.dtype)
    grid = queries.reshape(*queries.shape[:2], height, width, -1)
    by_row = _for_each(grid, 2, rows).flatten(2, 3)
    by_column = _for_each(grid, 3, columns).flatten(2, 3)
    return by_row, by_column


def _for_each(grid: Tensor, dim: int, tables: Tensor) -> Tensor:
    """Products of what lies at each place along one dimension of a grid (..., d) with that place's
    own table of (size, K, d), as (..., K)."""
    first = grid.movedim(dim, 0)
    found = product(first.flatten(1, -2), tables.mT)
    return found.view(*first.shape[:-1], -1).movedim(0, dim)


def _offsets(table: Tensor, size: int) -> Tensor:
    """(size, size, d): the table's row for each offset of query and key, as ``get_rel_pos``, but
    looked up where the table is: it makes its index on the CPU, and a GPU would wait for each. Of a
    part of the frame, the offsets that occur there."""
    if len(table) < 2 * size - 1:
        return torch.as_tensor(get_rel_pos(size, size, table))
    places = torch.arange(size, device=table.device)
    return table[places[:, None] - places + len(table) // 2]
