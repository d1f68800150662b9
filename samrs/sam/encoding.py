"""SAM's image encoder without its attention bias: the same embedding as ``ImageEncoderViT``, up to
rounding.

The official attention adds decomposed relative positions, (B heads, N, N) numbers for N = h w
tokens, to its scores before the softmax: in float32 that is 805 MB for a global block of ViT-B at
1024 px. But the bias is a product: position (y, x) of a key adds ``rel_h[y] + rel_w[x]``, two
numbers that depend on the query only. So each query is made longer by its h + w numbers, each key
by the one-hot row and column where it stands, and plain scaled-dot-product attention gives the same
scores.
"""

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
from torch import Tensor
from torch.nn import functional


def encode(encoder: ImageEncoderViT, pixels: Tensor) -> Tensor:
    """(B, C, h, w) embedding of (B, 3, H, W) preprocessed pixels."""
    seen = encoder.patch_embed(pixels)
    if encoder.pos_embed is not None:
        seen = seen + encoder.pos_embed
    # the convolution left it channel by channel, and every sum below would keep it so
    seen = seen.contiguous()
    for block in encoder.blocks:
        seen = _block(block, seen)
    embedding: Tensor = encoder.neck(seen.permute(0, 3, 1, 2))
    return embedding


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
    seen = kept + seen
    out: Tensor = seen + block.mlp(block.norm2(seen))
    return out


def _attention(attention: Attention, seen: Tensor) -> Tensor:
    """`Attention.forward` of (B, h, w, C)."""
    batch, height, width, channels = seen.shape
    heads = attention.num_heads
    parts = attention.qkv(seen).view(batch, height * width, 3, heads, -1).permute(2, 0, 3, 1, 4)
    queries, keys, values = parts.unbind(0)
    head = queries.shape[-1]
    if attention.use_rel_pos:
        queries, keys = _folded(attention, queries, keys, (height, width))
        # the fused kernels want one length for all three
        values = functional.pad(values, (0, queries.shape[-1] - head))
    out = functional.scaled_dot_product_attention(queries, keys, values, scale=head**-0.5)
    out = out[..., :head].transpose(1, 2).reshape(batch, height, width, channels)
    projected: Tensor = attention.proj(out)
    return projected


def _folded(
    attention: Attention, queries: Tensor, keys: Tensor, size_hw: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Queries and keys (B, heads, h w, d + h + w) whose products hold the relative positions."""
    height, width = size_hw
    rows = get_rel_pos(height, height, attention.rel_pos_h).to(queries.dtype)
    columns = get_rel_pos(width, width, attention.rel_pos_w).to(queries.dtype)
    # the scale of the scores must not touch the positions
    grid = queries.reshape(*queries.shape[:2], height, width, -1) * queries.shape[-1] ** 0.5
    by_row = torch.einsum("bnhwc,hkc->bnhwk", grid, rows)
    by_column = torch.einsum("bnhwc,wkc->bnhwk", grid, columns)
    queries = torch.cat([queries, by_row.flatten(2, 3), by_column.flatten(2, 3)], -1)
    here = torch.cat([
        torch.eye(height, dtype=keys.dtype, device=keys.device).repeat_interleave(width, 0),
        torch.eye(width, dtype=keys.dtype, device=keys.device).repeat(height, 1),
    ], 1)  # fmt: skip
    return queries, torch.cat([keys, here.expand(*keys.shape[:2], -1, -1)], -1)
