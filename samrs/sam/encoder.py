"""SAM's image encoder without its attention bias: the same embedding as ``ImageEncoderViT``, up to
rounding.

The official attention adds decomposed relative positions, (B heads, N, N) numbers for N = h w
tokens, to its scores before the softmax: in float32 that is 805 MB for a global block of ViT-B at
1024 px. But the bias is a product: position (y, x) of a key adds ``rel_h[y] + rel_w[x]``, two
numbers that depend on the query only. Two ways to use it, each the faster one where it is taken:

- In bfloat16, and on a GPU, each query is made longer by its h + w numbers, each key by the one-hot
  row and column where it stands, and plain scaled-dot-product attention gives the same scores.
- In float32 on a CPU, where longer products cost more than sums, the scores are made in pieces that
  fit a core's cache: the sum of the two numbers, to which the product of queries and keys is added.
"""

from __future__ import annotations

import itertools

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

from samrs.sam.products import convolved, layer, linear, normed, patches, product

PIECE = 2**18
"""Scores at a time: 1 MB, half the second-level cache of a core of the machine it was chosen on.
Those of one row of queries in a global block of a frame."""


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
    head = queries.shape[-1]
    if not attention.use_rel_pos:
        out = functional.scaled_dot_product_attention(queries, keys, values)
    elif not _folds(queries):
        places = _positions(attention, queries, (height, width))
        out = _by_hand(queries * head**-0.5, keys, values, *places)
    else:
        # the scale of the scores must not touch the positions
        grown = queries * head**0.5
        queries, keys = _folded(queries, keys, *_positions(attention, grown, (height, width)))
        # the fused kernels want one length for all three
        values = functional.pad(values, (0, queries.shape[-1] - head))
        out = functional.scaled_dot_product_attention(queries, keys, values, scale=head**-0.5)
    return out[..., :head].transpose(1, 2).reshape(batch, height, width, channels)


def _folds(queries: Tensor) -> bool:
    """Whether longer queries are the faster way: a GPU would wait for the launches of pieces."""
    return queries.dtype != torch.float32 or queries.is_cuda


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


def _folded(
    queries: Tensor, keys: Tensor, by_row: Tensor, by_column: Tensor
) -> tuple[Tensor, Tensor]:
    """Queries and keys (B, heads, h w, d + h + w) whose products hold the relative positions."""
    height, width = by_row.shape[-1], by_column.shape[-1]
    queries = torch.cat([queries, by_row, by_column], -1)
    here = torch.cat([
        torch.eye(height, dtype=keys.dtype, device=keys.device).repeat_interleave(width, 0),
        torch.eye(width, dtype=keys.dtype, device=keys.device).repeat(height, 1),
    ], 1)  # fmt: skip
    return queries, torch.cat([keys, here.expand(*keys.shape[:2], -1, -1)], -1)


def _by_hand(
    queries: Tensor, keys: Tensor, values: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """Attention of (B, heads, N, d) with the relative positions added, some queries of a head at a
    time.

    Args:
        queries: scaled already.
        by_row: as ``_positions`` gives it.
        by_column: likewise.
    """
    count = queries.shape[2]
    queries, keys, values = queries.contiguous(), keys.contiguous(), values.contiguous()
    out = torch.empty_like(values)
    step = max(PIECE // count, 1)
    for image, head, first in itertools.product(
        range(len(queries)), range(queries.shape[1]), range(0, count, step)
    ):
        some = image, head, slice(first, first + step)
        scores = product(queries[some], keys[image, head].mT)
        grid = scores.view(len(scores), by_row.shape[-1], by_column.shape[-1])
        grid.add_(by_row[some][:, :, None]).add_(by_column[some][:, None])
        torch.softmax(scores, -1, out=scores)
        out[some] = product(scores, values[image, head])
    return out
