"""ViT-Adapter: a convolutional branch that gives a plain transformer scales of its own.

Written from Chen et al., 2023 (https://arxiv.org/abs/2205.08534). A small convolutional network
sees the image at strides 4 to 32. Four times on its way through the transformer's blocks, tokens
take from the branch (``Injector``) and the branch takes from tokens (``Extractor``), by deformable
attention. Injectors begin at nothing, so that the transformer begins as it is. Names of the
branch's tensors are those of the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samrs.training.vit import ADAPTER, VitEncoder

INTERACTIONS = 4
FIRST = 64
"""Channels of the branch's first convolutions."""
POINTS = 4
"""That a head looks at in each level."""
NARROWER = 0.5
"""Channels of values, as a share of the transformer's."""
HIDDEN = 0.25
"""Channels within the branch's feed-forward layers, likewise."""
FINER = (2, 1, 0.5)
"""Rows of the branch's levels of strides 8, 16 and 32 for each row of tokens."""

Sizes = Sequence[tuple[int, int]]
"""Rows and columns of levels."""


class DeformableAttention(nn.Module):
    """Each query looks at a few places of each level, around its own (Zhu et al., 2021).

    Args:
        dim: channels of queries and values.
        heads: divides the narrower ``dim``.
        levels: number of levels that are looked at.
    """

    def __init__(self, dim: int, heads: int, levels: int) -> None:
        super().__init__()
        self.heads, self.levels = heads, levels
        inner = round(dim * NARROWER)
        self.sampling_offsets = nn.Linear(dim, heads * levels * POINTS * 2)
        self.attention_weights = nn.Linear(dim, heads * levels * POINTS)
        self.value_proj, self.output_proj = nn.Linear(dim, inner), nn.Linear(inner, dim)
        for layer in (self.sampling_offsets, self.attention_weights):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for layer in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        angles = torch.arange(heads) * (2 * torch.pi / heads)
        away = torch.stack([angles.cos(), angles.sin()], -1)
        away = away / away.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, POINTS + 1)[None, None, :, None]
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(
                (away[:, None, None] * steps).expand(-1, levels, -1, -1).flatten()
            )

    def forward(self, queries: Tensor, places: Tensor, values: Tensor, sizes: Sizes) -> Tensor:
        """(B, N, dim), what the queries found.

        Args:
            queries: (B, N, dim).
            places: (N, 2) x and y of the queries in the image, 0 to 1.
            values: (B, M, dim), level after level, row after row.
            sizes: of the levels.
        """
        shape = (*queries.shape[:2], self.heads, self.levels, POINTS)
        weights = self.attention_weights(queries).view(*shape[:3], -1).softmax(-1).view(shape)
        moved = self.sampling_offsets(queries).view(*shape, 2)
        found: Tensor | None = None
        parts = self.value_proj(values).split([rows * columns for rows, columns in sizes], dim=1)
        for level, ((rows, columns), part) in enumerate(zip(sizes, parts, strict=True)):
            image = part.transpose(1, 2).reshape(len(part) * self.heads, -1, rows, columns)
            in_level = moved[:, :, :, level] / moved.new_tensor([columns, rows])
            grid = 2 * (places[:, None, None] + in_level) - 1
            looked = F.grid_sample(image, grid.transpose(1, 2).flatten(0, 1), align_corners=False)
            of_level = weights[:, :, :, level].transpose(1, 2).flatten(0, 1)[:, None]
            seen = (looked * of_level).sum(-1)
            found = seen if found is None else found + seen
        assert found is not None
        joined: Tensor = self.output_proj(found.view(len(queries), -1, shape[1]).transpose(1, 2))
        return joined


def places_of(size: tuple[int, int], like: Tensor) -> Tensor:
    """x and y (rows * columns, 2) of the middles of a level's cells, 0 to 1.

    Args:
        size: rows and columns.
        like: of the wanted kind and device.
    """
    rows, columns = ((torch.arange(n, device=like.device) + 0.5) / n for n in size)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1).to(like.dtype)


class Injector(nn.Module):
    """Tokens take from the branch.

    Args:
        dim: channels.
        heads: of the attention.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query_norm, self.feat_norm = _norm(dim), _norm(dim)
        self.attn = DeformableAttention(dim, heads, len(FINER))
        self.gamma = nn.Parameter(torch.zeros(dim))

    def forward(
        self, tokens: Tensor, grid: tuple[int, int], branch: Tensor, sizes: Sizes
    ) -> Tensor:
        """Tokens (B, N, dim).

        Args:
            tokens: (B, N, dim).
            grid: their rows and columns.
            branch: (B, M, dim), its levels of strides 8, 16 and 32.
            sizes: of these.
        """
        places = places_of(grid, tokens)
        taken = self.attn(self.query_norm(tokens), places, self.feat_norm(branch), sizes)
        found: Tensor = tokens + self.gamma * taken
        return found


class Extractor(nn.Module):
    """The branch takes from tokens.

    Args:
        dim: channels.
        heads: of the attention.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query_norm, self.feat_norm, self.ffn_norm = _norm(dim), _norm(dim), _norm(dim)
        self.attn = DeformableAttention(dim, heads, 1)
        self.ffn = _FeedForward(dim, round(dim * HIDDEN))

    def forward(
        self, branch: Tensor, sizes: Sizes, tokens: Tensor, grid: tuple[int, int]
    ) -> Tensor:
        """The branch (B, M, dim).

        Args:
            branch: see ``Injector``.
            sizes: see ``Injector``.
            tokens: see ``Injector``.
            grid: see ``Injector``.
        """
        places = torch.cat([places_of(size, branch) for size in sizes])
        branch = branch + self.attn(self.query_norm(branch), places, self.feat_norm(tokens), [grid])
        found: Tensor = branch + self.ffn(self.ffn_norm(branch), sizes)
        return found


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.dwconv = nn.ModuleDict({"dwconv": nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden)})

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        levels = _images(self.fc1(x), sizes)
        seen = [self.dwconv["dwconv"](level).flatten(2).transpose(1, 2) for level in levels]
        found: Tensor = self.fc2(F.gelu(torch.cat(seen, dim=1)))
        return found


class _SpatialPrior(nn.Module):
    """What convolutions see: (B, dim, h, w) at stride 4, and three levels in a row."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        widths = [FIRST, 2 * FIRST, 4 * FIRST, 4 * FIRST]
        self.stem = nn.Sequential(
            *_convolved(3, FIRST, 2), *_convolved(FIRST, FIRST, 1), *_convolved(FIRST, FIRST, 1),
            nn.MaxPool2d(3, stride=2, padding=1),
        )  # fmt: skip
        self.conv2, self.conv3, self.conv4 = (
            nn.Sequential(*_convolved(widths[n], widths[n + 1], 2)) for n in range(3)
        )
        self.fc1, self.fc2, self.fc3, self.fc4 = (nn.Conv2d(width, dim, 1) for width in widths)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        one = self.stem(x)
        two = self.conv2(one)
        three = self.conv3(two)
        return self.fc1(one), [self.fc2(two), self.fc3(three), self.fc4(self.conv4(three))]


class _Interaction(nn.Module):
    """One of the times that tokens and branch meet; the last has two more extractors."""

    def __init__(self, dim: int, heads: int, *, last: bool) -> None:
        super().__init__()
        self.injector, self.extractor = Injector(dim, heads), Extractor(dim, heads)
        self.extra_extractors = nn.ModuleList(
            Extractor(dim, heads) for _ in range(2 if last else 0)
        )


class AdapterEncoder(VitEncoder):
    """Features at strides 4, 8, 16 and 32, each with the transformer's channels.

    Args:
        name: of a plain vision transformer of timm, ``+adapter`` behind it.
        pretrained: as in ``VitEncoder``.
        drop_path: as in ``VitEncoder``, of the transformer's blocks.
    """

    def __init__(
        self, name: str, *, pretrained: bool = False, drop_path: float = 0.0, **_: Any
    ) -> None:
        super().__init__(name.removesuffix(ADAPTER), pretrained=pretrained, drop_path=drop_path)
        del self.fpn1, self.fpn2, self.fpn3, self.fpn4
        self.body.norm = nn.Identity()  # tokens are read between blocks
        dim, heads = self.body.embed_dim, self.body.blocks[0].attn.num_heads
        self.level_embed = nn.Parameter(torch.randn(len(FINER), dim))
        self.spm = _SpatialPrior(dim)
        self.interactions = nn.ModuleList(
            _Interaction(dim, heads, last=n == INTERACTIONS - 1) for n in range(INTERACTIONS)
        )
        self.up = nn.ConvTranspose2d(dim, dim, 2, 2)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.BatchNorm2d(dim) for _ in range(4))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Levels of an image (B, 3, H, W), sides divisible by 32.

        Args:
            x: normalized; level 0 is it, level 1 has no channels, as smp's transformers have none.
        """
        tokens, grid = self.embedded(x)
        first, levels = self.spm(x)
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        branch = torch.cat(
            [
                level.flatten(2).transpose(1, 2) + embedding
                for level, embedding in zip(levels, self.level_embed, strict=True)
            ],
            dim=1,
        )
        tokens, branch = self._through(tokens, grid, branch, sizes)
        (image,), scales = _images(tokens, [grid]), _images(branch, sizes)
        scales = [self.up(scales[0]) + first, *scales]
        norms = (self.norm1, self.norm2, self.norm3, self.norm4)
        found = [
            norm(scale + F.interpolate(image, scale.shape[2:], mode="bilinear")).contiguous()
            for norm, scale in zip(norms, scales, strict=True)
        ]
        return [x, x.new_zeros((len(x), 0, x.shape[2] // 2, x.shape[3] // 2)), *found]

    def _through(
        self, tokens: Tensor, grid: tuple[int, int], branch: Tensor, sizes: Sizes
    ) -> tuple[Tensor, Tensor]:
        parts = np.array_split(np.arange(len(self.body.blocks)), INTERACTIONS)
        for interaction, numbers in zip(self.interactions, parts, strict=True):
            meeting: Any = interaction
            tokens = meeting.injector(tokens, grid, branch, sizes)
            for number in numbers:
                tokens = self.passed(self.body.blocks[int(number)], tokens, grid)
            for extractor in (meeting.extractor, *meeting.extra_extractors):
                branch = extractor(branch, sizes, tokens, grid)
        return tokens, branch


def _norm(dim: int) -> nn.LayerNorm:
    return nn.LayerNorm(dim, eps=1e-6)


def _convolved(before: int, after: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


def _images(x: Tensor, sizes: Sizes) -> list[Tensor]:
    """Levels (B, C, rows, columns) of what stands in a row (B, M, C)."""
    parts = torch.split(x, [rows * columns for rows, columns in sizes], dim=1)
    return [
        part.transpose(1, 2).reshape(len(x), -1, *size)
        for part, size in zip(parts, sizes, strict=True)
    ]
