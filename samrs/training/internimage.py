"""InternImage-T as an encoder, with DCNv3 in plain torch.

Written from Wang et al., 2023 (https://arxiv.org/abs/2211.05778): a convolution whose nine places
are moved by offsets and weighed by a softmax, both asked of each pixel, each group of channels by
its own. The authors' is a CUDA extension; here a place is looked up by ``grid_sample``, so that it
runs anywhere, in more memory: nine values for each one. Names of tensors are those of the authors'
``internimage_t_1k_224``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders._base import EncoderMixin
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from torch import Tensor, nn

INTERNIMAGE = "internimage_t"
CHANNELS, GROUP = 64, 16
"""Of the first stage; in a group."""
DEPTHS = (4, 4, 18, 4)
SIDE = 3
"""Of the places around a pixel."""


class DeformableConvolution(nn.Module):
    """DCNv3: for each pixel and group, the weighed mean of nine places that move.

    It begins as a mean over 3 x 3 pixels: no place is moved, and all weigh alike.

    Args:
        dim: channels.
        groups: of channels, each with places and weights of its own.
    """

    def __init__(self, dim: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.dw_conv = nn.Sequential(
            nn.Conv2d(dim, dim, SIDE, padding=SIDE // 2, groups=dim),
            nn.Sequential(_ChannelsLast(), nn.LayerNorm(dim, eps=1e-6)),
            nn.GELU(),
        )
        self.offset = nn.Linear(dim, groups * SIDE**2 * 2)
        self.mask = nn.Linear(dim, groups * SIDE**2)
        self.input_proj, self.output_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        for layer in (self.offset, self.mask):
            nn.init.zeros_(layer.weight)
        for layer in (self.input_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.offset, self.mask, self.input_proj, self.output_proj):
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``.

        Args:
            x: (B, H, W, C).
        """
        asked = self.dw_conv(x.permute(0, 3, 1, 2))
        shape = (*x.shape[:3], self.groups, SIDE**2)
        weights = self.mask(asked).view(shape).softmax(dim=-1)
        moved = self.offset(asked).view(*shape, 2)
        found: Tensor = self.output_proj(deformed(self.input_proj(x), moved, weights))
        return found


def deformed(values: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
    """The weighed sum of the values (B, H, W, C) at nine places around each pixel; 0 outside.

    Args:
        values: (B, H, W, C), groups of channels one after the other.
        offsets: (B, H, W, groups, 9, 2) right and down in px, of the places from the left column to
            the right one, each from its top down, as the authors have them.
        weights: (B, H, W, groups, 9) of the places.
    """
    batch, height, width, dim = values.shape
    groups = weights.shape[3]
    near = torch.arange(SIDE, device=values.device) - SIDE // 2
    places = torch.stack(torch.meshgrid(near, near, indexing="ij"), -1).flatten(0, 1)
    rows = torch.arange(height, device=values.device)[:, None, None, None]
    columns = torch.arange(width, device=values.device)[:, None, None]
    x = columns + places[:, 0] + offsets[..., 0]
    y = rows + places[:, 1] + offsets[..., 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    grid = grid.permute(0, 3, 1, 2, 4, 5).reshape(batch * groups, height * width, SIDE**2, 2)
    parts = values.permute(0, 3, 1, 2).reshape(batch * groups, dim // groups, height, width)
    found = F.grid_sample(parts, grid.to(parts.dtype), align_corners=False)
    of_places = weights.permute(0, 3, 1, 2, 4).reshape(batch * groups, 1, height * width, SIDE**2)
    image = (found * of_places).sum(-1).view(batch, dim, height, width)
    return image.permute(0, 2, 3, 1)


class InternImageEncoder(nn.Module, EncoderMixin):  # type: ignore[misc]
    """Features at strides 4, 8, 16 and 32 of 64, 128, 256 and 512 channels.

    Args:
        drop_path: of the last layer; less before it, in even steps.
    """

    def __init__(self, *, drop_path: float = 0.0, **_: Any) -> None:
        super().__init__()
        rates = iter(torch.linspace(0, drop_path, sum(DEPTHS)).tolist())
        self.patch_embed = _Stem(CHANNELS)
        dims = [CHANNELS << stage for stage in range(len(DEPTHS))]
        self.levels = nn.ModuleList(
            _Stage(dim, [next(rates) for _ in range(depth)], last=dim == dims[-1])
            for dim, depth in zip(dims, DEPTHS, strict=True)
        )
        self._depth, self._in_channels, self._output_stride = 5, 3, 32
        self._out_channels = [3, 0, *dims]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Levels of an image (B, 3, H, W), sides divisible by 32.

        Args:
            x: normalized; level 0 is it, level 1 has no channels, as smp's transformers have none.
        """
        found = [x, x.new_zeros((len(x), 0, x.shape[2] // 2, x.shape[3] // 2))]
        image = self.patch_embed(x)
        for level in self.levels:
            level_image, image = level(image)
            found.append(level_image.permute(0, 3, 1, 2).contiguous())
        return found


class _ChannelsLast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class _ChannelsFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


def _norm(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(dim, eps=1e-6))


class _Stem(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, dim // 2, 3, stride=2, padding=1)
        self.norm1 = nn.Sequential(
            _ChannelsLast(), nn.LayerNorm(dim // 2, eps=1e-6), _ChannelsFirst()
        )
        self.act = nn.GELU()
        self.conv2 = nn.Conv2d(dim // 2, dim, 3, stride=2, padding=1)
        self.norm2 = nn.Sequential(_ChannelsLast(), nn.LayerNorm(dim, eps=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm2(self.conv2(self.act(self.norm1(self.conv1(x)))))
        return found


class _Downsample(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, 2 * dim, 3, stride=2, padding=1, bias=False)
        self.norm = nn.Sequential(_ChannelsLast(), nn.LayerNorm(2 * dim, eps=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(self.conv(x.permute(0, 3, 1, 2)))
        return found


class _Layer(nn.Module):
    def __init__(self, dim: int, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(dim), _norm(dim)
        self.dcn = DeformableConvolution(dim, dim // GROUP)
        self.mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)
        self.gamma1, self.gamma2 = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.gamma1 * self.dcn(self.norm1(x)))
        found: Tensor = x + self.drop_path(self.gamma2 * self.mlp(self.norm2(x)))
        return found


class _Stage(nn.Module):
    """What the stage found, and the same at half its size for the next one."""

    def __init__(self, dim: int, rates: list[float], *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Layer(dim, rate) for rate in rates)
        self.norm = _norm(dim)
        self.downsample = nn.Identity() if last else _Downsample(dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return x, self.downsample(x)
