"""Rotated varied-size window attention (RVSA).

Wang et al., Advancing Plain Vision Transformer Toward Remote Sensing Foundation Model, TGRS 2023
(arXiv 2208.03987), written from its description. Queries stay in windows of 7 x 7 tokens. Each
head moves, scales and turns each window by what it regresses from the window's mean token, and
takes keys and values there, between tokens by bilinear interpolation, outside the image zeros.
Tensors have the published names, so that published weights and a plain ViT's ``qkv`` and ``proj``
fit.

The regressions begin at zero, so that training begins with plain window attention; published code
leaves them at the convolution's random start.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 7


class RotatedVariedSizeWindowAttention(nn.Module):
    """Attention of a grid of tokens.

    Args:
        dim: channels of a token.
        num_heads: divides ``dim``.
        window: side of a window in tokens.
    """

    def __init__(self, dim: int, num_heads: int, window: int = WINDOW) -> None:
        super().__init__()
        self.num_heads, self.window = num_heads, window
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.sampling_offsets = _regression(dim, 2 * num_heads, window)
        self.sampling_scales = _regression(dim, 2 * num_heads, window)
        self.sampling_angles = _regression(dim, num_heads, window)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, dim // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, dim // num_heads))
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window - 1) ** 2, num_heads)
        )
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        steps = torch.arange(window)
        apart = steps[:, None] - steps[None, :] + window - 1  # of a query and a key, from 0
        index = apart[:, None, :, None] * (2 * window - 1) + apart[None, :, None, :]
        self.apart: Tensor
        self.relative_position_index: Tensor
        self.register_buffer("apart", apart, persistent=False)
        self.register_buffer(
            "relative_position_index", index.reshape(window**2, window**2), persistent=False
        )

    def forward(self, tokens: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """Tokens (B, N, C) of the same shape.

        Args:
            tokens: (B, N, C), row by row.
            grid_hw: their rows and columns; N is the product.
        """
        batch, _, dim = tokens.shape
        height, width = grid_hw
        below, right = -height % self.window, -width % self.window
        # Windows lie in the middle of what is padded, as published.
        sides = (right // 2, right - right // 2, below // 2, below - below // 2)
        image = F.pad(tokens.transpose(1, 2).reshape(batch, dim, height, width), sides)
        qkv = self.qkv(tokens).transpose(1, 2).reshape(batch, 3 * dim, height, width)
        heads = (batch * self.num_heads, dim // self.num_heads, height + below, width + right)
        q, k, v = (part.reshape(heads) for part in F.pad(qkv, sides).chunk(3, dim=1))
        places = self.places(image).to(k.dtype)
        k, v = (
            F.grid_sample(part, places, padding_mode="zeros", align_corners=True) for part in (k, v)
        )
        queries, keys, values = (self._windows(part, batch) for part in (q, k, v))
        out = F.scaled_dot_product_attention(queries, keys, values, attn_mask=self._bias(queries))
        whole = self._whole(out, batch, heads[2:])
        top, left = sides[2], sides[0]
        shown = whole[:, :, top : top + height, left : left + width]
        result: Tensor = self.proj(shown.flatten(2).transpose(1, 2))
        return result

    def places(self, image: Tensor) -> Tensor:
        """Where each head takes its keys (B * heads, H, W, 2), xy from -1 to 1 over the image.

        Args:
            image: (B, C, H, W) tokens, sides divisible by the window's.
        """
        height, width = image.shape[-2:]
        rows, columns, heads = height // self.window, width // self.window, self.num_heads
        window = (len(image) * heads, -1, rows, 1, columns, 1)
        offsets = self.sampling_offsets(image).reshape(window)
        scales = self.sampling_scales(image).reshape(window) + 1
        angles = self.sampling_angles(image).reshape(window)
        middle = (self.window - 1) / 2
        steps = torch.arange(self.window, device=image.device) - middle
        y = steps[None, None, None, :, None, None] * scales[:, 1:]
        x = steps[None, None, None, None, None, :] * scales[:, :1]
        turned_x = x * angles.cos() - y * angles.sin()
        turned_y = y * angles.cos() + x * angles.sin()
        starts_y = torch.arange(rows, device=image.device)[None, None, :, None, None, None]
        starts_x = torch.arange(columns, device=image.device)[None, None, None, None, :, None]
        # An offset of 2 is a window's side, or nearly: the image's -1 to 1 by its windows.
        place_x = (starts_x * self.window + middle + turned_x) * 2 / max(width - 1, 1) - 1
        place_y = (starts_y * self.window + middle + turned_y) * 2 / max(height - 1, 1) - 1
        place_x, place_y = place_x + offsets[:, :1] / columns, place_y + offsets[:, 1:] / rows
        placed = torch.cat([place_x, place_y], dim=1)
        return placed.reshape(len(placed), 2, height, width).permute(0, 2, 3, 1)

    def _windows(self, part: Tensor, batch: int) -> Tensor:
        """(B * windows, heads, window², channels of a head)."""
        channels, height, width = part.shape[1:]
        side = self.window
        split = part.reshape(
            batch, self.num_heads, channels, height // side, side, width // side, side
        )
        moved = split.permute(0, 3, 5, 1, 4, 6, 2)
        return moved.reshape(-1, self.num_heads, side * side, channels)

    def _whole(self, out: Tensor, batch: int, size_hw: tuple[int, ...]) -> Tensor:
        """(B, C, H, W) from windows."""
        side, (height, width) = self.window, size_hw
        split = out.reshape(
            batch, height // side, width // side, self.num_heads, side, side, out.shape[-1]
        )
        return split.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, -1, height, width)

    def _bias(self, queries: Tensor) -> Tensor:
        """(B * windows, heads, window², window²): by relative place, alone and with the query."""
        side = self.window
        fixed = self.relative_position_bias_table[self.relative_position_index.flatten()]
        fixed = fixed.reshape(side**2, side**2, -1).permute(2, 0, 1)
        grid = queries.reshape(*queries.shape[:2], side, side, -1)
        by_row = torch.einsum("bnyxc,ykc->bnyxk", grid, self.rel_pos_h[self.apart])
        by_column = torch.einsum("bnyxc,xkc->bnyxk", grid, self.rel_pos_w[self.apart])
        apart = by_row[..., :, None] + by_column[..., None, :]
        return (apart.reshape(*queries.shape[:3], side**2) + fixed).to(queries.dtype)


def _regression(dim: int, outputs: int, window: int) -> nn.Sequential:
    last = nn.Conv2d(dim, outputs, kernel_size=1)
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.AvgPool2d(window), nn.LeakyReLU(), last)
