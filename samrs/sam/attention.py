"""Attention whose scores have relative positions added, without SAM's matrix of them.

The official attention adds decomposed relative positions, (B heads, N, N) numbers for N = h w
tokens, to its scores before the softmax: in float32 that is 805 MB for a global block of ViT-B at
1024 px. But position (y, x) of a key adds ``rel_h[y] + rel_w[x]``, two numbers that depend on the
query only. Three ways to use it, each the fastest where it is taken:

- Each query is made longer by its h + w numbers, each key by the one-hot row and column where it
  stands, and torch's fused attention gives the same scores: on a GPU, and in bfloat16 on a CPU.
- In float32 on a CPU, where longer products cost more than sums, the scores are made in pieces that
  fit a core's cache: the sum of the two numbers, to which the product of queries and keys is added.
- In bfloat16 on a CPU with AVX-512 BF16 and without AMX, where torch's fused attention is as slow
  as in float32, likewise, in longer pieces; in windows by longer queries, all heads at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from samrs.arithmetic.products import product

PIECE = 2**18
"""Scores at a time in float32: 1 MB, half the second-level cache of a core of the machine it was
chosen on. Those of one row of queries in a global block of a frame."""
ROWS = 512
"""Queries of a head at a time in bfloat16."""


def by_hand(capabilities: Mapping[str, Any]) -> bool:
    """Whether a CPU multiplies bfloat16 faster than torch's fused attention does there.

    Args:
        capabilities: ``torch.cpu.get_capabilities()``.
    """
    return bool(capabilities.get("avx512_bf16")) and not capabilities.get("amx_bf16")


BFLOAT16_BY_HAND = by_hand(torch.cpu.get_capabilities())


def attended(
    queries: Tensor, keys: Tensor, values: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """(B, heads, N, d) of what queries find in values.

    Args:
        queries: (B, heads, N, d), scaled already.
        keys: (B, heads, N, d) of tokens in rows of a grid (h, w).
        values: likewise.
        by_row: (B, heads, N, h), what each row of keys adds to a query's scores.
        by_column: (B, heads, N, w), what each column adds.
    """
    if queries.device.type == "cpu" and queries.dtype == torch.float32:
        return _in_float32(queries, keys, values, by_row, by_column)
    # a compiler would write each piece out
    if queries.device.type == "cpu" and BFLOAT16_BY_HAND and not torch.compiler.is_compiling():
        return _in_bfloat16(queries, keys, values, by_row, by_column)
    return _fused(queries, keys, values, by_row, by_column)


def _fused(
    queries: Tensor, keys: Tensor, values: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """As ``attended``, by torch."""
    head = queries.shape[-1]
    queries, keys = _longer(queries, keys, by_row, by_column)
    # the fused kernels want one length for all three
    values = functional.pad(values, (0, queries.shape[-1] - head))
    return functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)[..., :head]


def _longer(
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


def _in_float32(
    queries: Tensor, keys: Tensor, values: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """As ``attended``, some queries of a head at a time."""
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


def _in_bfloat16(
    queries: Tensor, keys: Tensor, values: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """As ``attended``: scores and chances are rounded to bfloat16, sums and the softmax are not."""
    out = torch.empty_like(values)
    if queries.shape[2] <= ROWS:
        queries, keys = _longer(queries, keys, by_row, by_column)
        for into, asking, asked, found in zip(out, queries, keys, values, strict=True):
            into.copy_((asking @ asked.mT).softmax(-1) @ found)
        return out
    for image, head, first in itertools.product(
        range(len(queries)), range(queries.shape[1]), range(0, queries.shape[2], ROWS)
    ):
        some = image, head, slice(first, first + ROWS)
        places = (by_row[some][:, :, None] + by_column[some][:, None]).flatten(1)
        scores = torch.addmm(places, queries[some], keys[image, head].mT)
        out[some] = scores.softmax(-1) @ values[image, head]
    return out
