"""SAM-HQ: SAM with a further mask token, whose mask is made of finer maps and added to SAM's.

Ke et al., Segment Anything in High Quality (arXiv 2306.01567). The finer maps are of the image
encoder's first global block and of its embedding, once an image. Each prompt convolves its own
maps twice; the further token's vector, which the result is multiplied by, is multiplied with the
second convolution's weights instead: one channel comes out of it, not 32.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.modeling.common import LayerNorm2d
from segment_anything.modeling.mask_decoder import MLP
from torch import Tensor, nn

from samrs.arithmetic.products import convolved, convolved_by, linear
from samrs.prompting.types import Prompt
from samrs.sam import decoder as decoding
from samrs.sam.computing import check_encoder_precision, one_thread
from samrs.sam.encoder import encode_with_detail
from samrs.sam.frame import Logits, input_size
from samrs.sam.norms import normed
from samrs.sam.places import portable
from samrs.sam.prompted import Prompted
from samrs.sam.resizing import resized
from samrs.sam.square import Padded

NAME = "sam_hq"


class Finer(nn.Module):
    """What SAM-HQ's decoder has beside SAM's, by the names of its authors.

    Args:
        width: channels of the embedding.
        encoder_width: channels of the image encoder's blocks.
    """

    def __init__(self, width: int, encoder_width: int) -> None:
        super().__init__()
        self.hf_token = nn.Embedding(1, width)
        self.hf_mlp = MLP(width, width, width // 8, 3)
        self.compress_vit_feat = _enlarging(encoder_width, width, width // 8)
        self.embedding_encoder = _enlarging(width, width // 4, width // 8)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(width // 8, width // 4, 3, 1, 1),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.Conv2d(width // 4, width // 8, 3, 1, 1),
        )


def _enlarging(wide: int, middle: int, narrow: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(wide, middle, 2, 2),
        LayerNorm2d(middle),
        nn.GELU(),
        nn.ConvTranspose2d(middle, narrow, 2, 2),
    )


@dataclass(frozen=True)
class Seen:
    """A tile as the decoder looks at it.

    Args:
        embedding: (1, C, h, w).
        finer: (C / 8, 16 h w) of the finer maps.
        size_hw: the tile's, px.
    """

    embedding: Tensor
    finer: Tensor
    size_hw: tuple[int, int]


class HqSegmenter(Prompted):
    """A SAM-HQ that answers prompts in tile px.

    Args:
        sam: SAM's part of the model, in evaluation mode, on its device.
        finer: the rest.
        precision: of the image encoder; the decoder is always float32.
    """

    name = NAME

    def __init__(self, sam: Sam, finer: Finer, precision: str) -> None:
        check_encoder_precision(NAME, precision)
        self.sam, self.finer = sam, finer
        self.encoder = sam.image_encoder
        if precision == "bfloat16":
            self.encoder = copy.deepcopy(sam.image_encoder).bfloat16()
        self.frame = int(sam.image_encoder.img_size)
        super().__init__(Padded(self.frame), portable(sam.prompt_encoder))
        self.places = self.prompts.get_dense_pe()

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> Seen:
        """Embed an image (H, W, 3) uint8 RGB."""
        one_thread()
        pixels = self.pixels(image).to(next(self.encoder.parameters()).dtype)
        embedding, detail = (part.float() for part in encode_with_detail(self.encoder, pixels))
        rows = embedding.flatten(2).mT.contiguous()
        cells = _enlarged(self.finer.embedding_encoder, rows)
        cells += _enlarged(self.finer.compress_vit_feat, detail.flatten(1, 2))
        finer = decoding.grid(cells, embedding.shape[-2:]).flatten(2)[0]
        return Seen(embedding, finer, (image.shape[0], image.shape[1]))

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """What the encoder sees (1, 3, S, S) of an image, as the model's own processor gives it.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        size_hw = input_size((image.shape[0], image.shape[1]), self.frame)
        seen: Tensor = self.sam.preprocess(resized(image, size_hw, self.device)[None])
        return seen

    @torch.inference_mode()
    def _low_res(
        self, state: Seen, prompt: Prompt, which: slice
    ) -> tuple[Logits, NDArray[np.float32]]:
        """Logits (B, M, h, w) of the whole frame and predicted IoUs (B, M) of one chunk; several
        masks come the best first."""
        decoder = self.sam.mask_decoder
        sparse, dense = self.prompts(
            points=self._points(prompt, state.size_hw),
            boxes=self._boxes(prompt, state.size_hw),
            masks=None,
        )
        sparse = sparse.expand(len(prompt), -1, -1)
        token = self.finer.hf_token.weight.expand(len(sparse), -1, -1)
        image = state.embedding + dense[:1]
        said, seen = decoding.asked(
            decoder, image, self.places, torch.cat([token, sparse], 1),
            self._marks(prompt, state.size_hw),
        )  # fmt: skip
        vectors = decoding.mask_vectors(decoder, said, which)
        finer = decoding.mlp(self.finer.hf_mlp, said[:, 1 + decoder.num_mask_tokens])
        ious = decoding.predicted_ious(decoder, said)[:, which]
        found = []
        for rows, vector, own in zip(seen[:, None], vectors, finer[:, None], strict=True):
            cells = decoding.upscaled(decoder, rows)
            maps = decoding.grid(cells, image.shape[-2:])
            masks = linear(cells, vector)
            found.append(decoding.grid(masks, image.shape[-2:]) + self._fine_mask(state, maps, own))
        logits = torch.cat(found)
        if which.start:
            ious, order = ious.sort(descending=True)
            logits = logits.take_along_dim(order[..., None, None], 1)
        return logits.cpu().numpy(), ious.cpu().numpy()

    def _fine_mask(self, state: Seen, maps: Tensor, vector: Tensor) -> Tensor:
        """(1, 1, 4 h, 4 w) of a prompt's maps (1, C / 8, 4 h, 4 w) and its vector (1, C / 8)."""
        first, norm, rise, last = self.finer.embedding_maskfeature
        assert isinstance(first, nn.Conv2d)
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        inner = rise(normed(norm, convolved(first, maps).permute(0, 2, 3, 1)))
        weight = linear(vector, last.weight.flatten(1).mT).view(1, *last.weight.shape[1:])
        bias = linear(vector, last.bias[None])[0]
        mask = convolved_by(last, inner.permute(0, 3, 1, 2).contiguous(), weight, bias)
        return mask + linear(vector, state.finer.mT).view_as(mask)


def _enlarged(network: nn.Sequential, rows: Tensor) -> Tensor:
    """(1, 16 N, out) of two transposed convolutions of an image's tokens (1, N, in)."""
    first, norm, rise, second = network
    assert isinstance(first, nn.ConvTranspose2d)
    assert isinstance(second, nn.ConvTranspose2d)
    cells = rise(normed(norm, decoding.transposed(first, rows)))
    return decoding.transposed(second, cells.flatten(1, 2)).flatten(1, 2)
