"""Hiera (Ryali et al., 2023) as an encoder, at any multiple of 32 px.

timm's networks, whose blocks take any number of mask units of 32 px. What timm makes for one size
is made for each image: the order of tokens, and the table of positions. Hiera's tables repeat from
unit to unit, and stretched ones fit the units no longer (Bolya et al., 2023: "Window Attention is
Bugged"). So what repeats is tiled, and the rest alone is resampled. The networks of that paper,
``abswin`` in timm, learn the two as two tables.
"""

from __future__ import annotations

from typing import Any

import timm
import torch.nn.functional as F
from segmentation_models_pytorch.encoders._base import EncoderMixin
from timm.models.hiera import Reroll, Unroll
from torch import Tensor, nn


class HieraEncoder(nn.Module, EncoderMixin):  # type: ignore[misc]
    """Features at strides 4, 8, 16 and 32: those of timm's ``forward_intermediates``.

    Args:
        name: of a network of timm for which ``is_hiera`` holds.
        pretrained: whether timm's weights are fetched.
        drop_path: of the last block; less before it, in even steps.
    """

    def __init__(
        self, name: str, *, pretrained: bool = False, drop_path: float = 0.0, **_: Any
    ) -> None:
        super().__init__()
        body: Any = timm.create_model(name, pretrained=pretrained, drop_path_rate=drop_path)
        body.reset_classifier(0, reset_other=True)  # its norm too, which stands behind the features
        self.body = body
        self._depth, self._in_channels, self._output_stride = 5, 3, 32
        self._out_channels = [3, 0, *(level["num_chs"] for level in body.feature_info)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Levels of an image (B, 3, H, W), sides divisible by 32.

        Args:
            x: normalized; level 0 is it, level 1 has no channels, as smp's transformers have none.
        """
        body, size = self.body, (x.shape[2], x.shape[3])
        order = body.unroll.schedule
        unroll = Unroll(size, body.patch_stride, order)
        reroll = Reroll(size, body.patch_stride, order, body.stage_ends, body.q_pool)
        tokens = unroll(body.patch_embed(x) + positions(body, (unroll.size[0], unroll.size[1])))
        levels = [x, x.new_zeros((len(x), 0, size[0] // 2, size[1] // 2))]
        for number, block in enumerate(body.blocks):
            tokens = block(tokens)
            if number in body.stage_ends:
                levels.append(reroll(tokens, number).permute(0, 3, 1, 2).contiguous())
        return levels


def positions(body: Any, grid: tuple[int, int]) -> Tensor:
    """What is added to the patches (B, N, C) of an image; timm's table at timm's size.

    Args:
        body: timm's network.
        grid: rows and columns of patches, multiples of a mask unit's.
    """
    own, unit = body.tokens_spatial_shape, body.mask_unit_size
    if body.pos_embed_win is None:
        return resized(body.pos_embed, (own[0], own[1]), grid, unit)
    found = _resampled(body.pos_embed, grid) + _tiled(body.pos_embed_win, grid)
    return found.flatten(2).transpose(1, 2)


def resized(
    table: Tensor, own: tuple[int, int], grid: tuple[int, int], unit: tuple[int, int]
) -> Tensor:
    """A table of positions (1, N, C) for another grid; as it is for its own.

    Args:
        table: of one vector a patch, row after row.
        own: its rows and columns, multiples of a unit's.
        grid: those that are wanted, likewise.
        unit: rows and columns of patches in a mask unit.
    """
    if grid == own:
        return table
    image = table.transpose(1, 2).reshape(1, -1, *own)
    repeated = _repeated(image, unit)
    found = _resampled(image - _tiled(repeated, own), grid) + _tiled(repeated, grid)
    return found.flatten(2).transpose(1, 2)


def _repeated(table: Tensor, unit: tuple[int, int]) -> Tensor:
    """What all units (1, C, h, w) of a table (1, C, H, W) share, apart from what goes over it."""
    _, channels, rows, columns = table.shape
    slow = _resampled(F.avg_pool2d(table, unit), (rows, columns))
    shape = (1, channels, rows // unit[0], unit[0], columns // unit[1], unit[1])
    return (table - slow).reshape(shape).mean((2, 4))


def _tiled(table: Tensor, grid: tuple[int, int]) -> Tensor:
    return table.tile(grid[0] // table.shape[2], grid[1] // table.shape[3])


def _resampled(table: Tensor, grid: tuple[int, int]) -> Tensor:
    return F.interpolate(table, size=grid, mode="bicubic", antialias=True)


def is_hiera(name: str) -> bool:
    """Whether a name, without ``tu-``, is that of a network of this module.

    Args:
        name: timm's; SAM 2's trunks, ``sam2_hiera_…``, are of another kind, and take any size.
    """
    return timm.is_model(name) and timm.models.is_model_in_modules(name, ["hiera"])
