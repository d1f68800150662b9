"""Plain vision transformers as encoders of several scales.

timm's networks, at any size: position tables are resampled to the image. As in ViTDet (Li et al.,
2022) and SAMRS, four scales are made of the last layer's tokens. With ``+rvsa`` behind the name,
all blocks but every third attend by ``rvsa.py``, as SAMRS's ViT-B + RVSA does. With ``+adapter``
the scales are those of a branch beside it (``adapter.py``).
"""

from __future__ import annotations

from typing import Any, cast

import timm
import torch
from segmentation_models_pytorch.encoders._base import EncoderMixin
from timm.layers.norm import LayerNorm2d
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from samrs.core.errors import ParameterError
from samrs.training.rvsa import RotatedVariedSizeWindowAttention

RVSA, ADAPTER = "+rvsa", "+adapter"
INTERVAL = 3
"""Every so-manieth block attends to the whole image."""
PATCH = 16


class VitEncoder(nn.Module, EncoderMixin):  # type: ignore[misc]
    """Features at strides 4, 8, 16 and 32, each with the transformer's channels.

    Args:
        name: of a plain vision transformer of timm with patches of 16 px, ``+rvsa`` behind it or
            not.
        pretrained: whether timm's weights are fetched.
        drop_path: of the last block; less before it, in even steps.

    Raises:
        ParameterError: it is another kind of network.
    """

    def __init__(
        self, name: str, *, pretrained: bool = False, drop_path: float = 0.0, **_: Any
    ) -> None:
        super().__init__()
        body = timm.create_model(
            name.removesuffix(RVSA),
            pretrained=pretrained,
            num_classes=0,
            dynamic_img_size=True,
            drop_path_rate=drop_path,
        )
        if not isinstance(body, VisionTransformer) or body.patch_embed.patch_size != (PATCH, PATCH):
            raise ParameterError(
                f"encoder: not a plain vision transformer of {PATCH} px patches, got {name!r}; "
                f"those of timm are allowed, such as vit_base_patch16_224; take one of them"
            )
        self.body: Any = body
        dim = body.embed_dim
        if name.endswith(RVSA):
            for number, block in enumerate(body.blocks, start=1):
                if number % INTERVAL:
                    _attend_by_windows(block, dim)
        up = [nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2) for _ in range(3)]
        self.fpn1 = nn.Sequential(up[0], LayerNorm2d(dim), nn.GELU(), up[1])
        self.fpn2, self.fpn3, self.fpn4 = nn.Sequential(up[2]), nn.Identity(), nn.MaxPool2d(2)
        self._depth, self._in_channels, self._output_stride = 5, 3, 32
        self._out_channels = [3, 0, dim, dim, dim, dim]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Levels of an image (B, 3, H, W), sides divisible by 32.

        Args:
            x: normalized; level 0 is it, level 1 has no channels, as smp's transformers have none.
        """
        tokens, grid = self.embedded(x)
        for block in self.body.blocks:
            tokens = self.passed(block, tokens, grid)
        tokens = self.body.norm(tokens)
        image = tokens.transpose(1, 2).unflatten(2, grid).contiguous()
        nothing = x.new_zeros((len(x), 0, x.shape[2] // 2, x.shape[3] // 2))
        scales = [fpn(image) for fpn in (self.fpn1, self.fpn2, self.fpn3, self.fpn4)]
        return [x, nothing, *scales]

    def embedded(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Tokens (B, N, C) before the first block, without class token; their rows and columns.

        Args:
            x: as in ``forward``.
        """
        patches = self.body.patch_embed(x)
        grid = cast(tuple[int, int], tuple(patches.shape[1:3]))
        tokens = self.body._pos_embed(patches)[:, self.body.num_prefix_tokens :]
        return self.body.norm_pre(tokens), grid

    def passed(self, block: Any, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens behind a block.

        Args:
            block: of the body.
            tokens: before it.
            grid: their rows and columns.
        """
        tokens = tokens + block.drop_path1(block.ls1(_attended(block, tokens, grid)))
        found: Tensor = tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))
        return found


def _attended(block: nn.Module, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    attention, normal = cast(nn.Module, block.attn), cast(nn.Module, block.norm1)(tokens)
    windows = isinstance(attention, RotatedVariedSizeWindowAttention)
    found: Tensor = attention(normal, grid) if windows else attention(normal)
    return found


def _attend_by_windows(block: nn.Module, dim: int) -> None:
    """Put RVSA into a block in place of its attention, whose projections it takes over."""
    before = cast(Any, block.attn)
    after = RotatedVariedSizeWindowAttention(dim, before.num_heads)
    with torch.no_grad():
        after.qkv.load_state_dict(before.qkv.state_dict())
        after.proj.load_state_dict(before.proj.state_dict())
    block.attn = after


def is_plain(name: str) -> bool:
    """Whether a name, without ``tu-``, is that of a network of this module.

    Args:
        name: timm's, ``+rvsa`` or ``+adapter`` behind it or not.
    """
    plain = without_suffix(name)
    return timm.is_model(plain) and timm.models.is_model_in_modules(plain, ["vision_transformer"])


def without_suffix(name: str) -> str:
    """timm's name of the transformer in a network of this module.

    Args:
        name: see ``is_plain``.
    """
    suffix = next((each for each in (RVSA, ADAPTER) if name.endswith(each)), "")
    return name.removesuffix(suffix)
