"""Segment Anything, on segment_anything's own modules; answers as ``SamPredictor`` does.

Kirillov et al., Segment Anything (arXiv 2304.02643). One mask a prompt
(``multimask_output=False``) or all three, logits above 0. An image is encoded once for all its
prompts.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import ImageEncoderViT, Sam

from samrs.prompting.types import Prompt
from samrs.sam import checkpoints, frame, mobile
from samrs.sam import encoder as encoding
from samrs.sam.batches import Alone, Networks, Prompts, Several
from samrs.sam.computing import (
    PRECISIONS,
    Compiled,
    check_device,
    check_precision,
    device,
    one_thread,
)
from samrs.sam.places import portable
from samrs.sam.prompted import Prompted
from samrs.sam.square import Padded
from samrs.weights.checkpoint import Checkpoint

__all__ = ["NETWORKS", "PRECISIONS", "Encoded", "SamSegmenter", "device", "load"]

NETWORKS: dict[str, Callable[..., Networks]] = {
    "cpu": partial(Alone, chunk=4),
    "cuda": partial(Several, tiles=4, slots=8, prompts=8),
}
"""What is computed at once: bounds memory, and fits the caches of a CPU. Not a setting: sums round
with a batch's shape."""


@dataclass(frozen=True)
class Encoded:
    """A tile's image embedding (1, C, h, w) and its size in px."""

    embedding: torch.Tensor
    size_hw: tuple[int, int]


class SamSegmenter(Prompted):
    """A SAM model that answers prompts in tile px.

    Args:
        sam: the model, in evaluation mode, on its device.
        precision: of the image encoder; the decoder is always float32.
        networks: of ``NETWORKS``; None: the device's.
    """

    name = "sam"
    encodes_parts = True

    def __init__(
        self, sam: Sam, precision: str, networks: Callable[..., Networks] | None = None
    ) -> None:
        check_precision(precision)
        self.sam = sam
        self.encoder = sam.image_encoder
        if precision.startswith("bfloat16"):
            self.encoder = copy.deepcopy(sam.image_encoder).bfloat16()
        compiled = precision == "bfloat16-compiled"
        rearranged = isinstance(self.encoder, ImageEncoderViT)
        embed = encoding.encode if rearranged else mobile.embed
        embed = Compiled(embed) if compiled else embed
        self.networks = (networks or NETWORKS[sam.device.type])(
            partial(embed, self.encoder), sam.mask_decoder
        )
        self.frame = int(sam.image_encoder.img_size)
        super().__init__(Padded(self.frame), portable(sam.prompt_encoder))
        self.places = self.prompts.get_dense_pe()
        self._empty: torch.Tensor | None = None
        self._empty_made = threading.Lock()

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> Encoded:
        """Embed an image (H, W, 3) uint8 RGB."""
        embedding = self.networks.encode(self._pixels(image)).float()
        return Encoded(embedding, (image.shape[0], image.shape[1]))

    @torch.inference_mode()
    def encode_corner(self, image: NDArray[np.uint8], shown_hw: tuple[int, int]) -> Encoded:
        """Embed a square image (S, S, 3) that shows nothing beyond its first rows and columns, at
        the cost of these; the rest is what an image of nothing has there.

        Args:
            shown_hw: rows and columns; in SAM's frame, whole tokens.
        """
        pixels = self._pixels(image)
        height, width = (n * self.frame // len(image) for n in shown_hw)
        corner = self.networks.encode(pixels[..., :height, :width].contiguous()).float()
        embedding = self._nothing(pixels).clone()
        embedding[..., : corner.shape[2], : corner.shape[3]] = corner
        return Encoded(embedding, (image.shape[0], image.shape[1]))

    def _pixels(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """What the encoder sees (1, 3, H, W) of an image."""
        one_thread()
        size_hw = (image.shape[0], image.shape[1])
        if frame.input_size(size_hw, self.frame) != size_hw:
            image = frame.resized(image, self.frame)
        seen = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(self.sam.device)
        pixels = self.sam.preprocess(seen.permute(2, 0, 1).contiguous()[None])
        precise: torch.Tensor = pixels.to(next(self.encoder.parameters()).dtype)
        return precise

    def _nothing(self, like: torch.Tensor) -> torch.Tensor:
        """The embedding of the mean colour, which SAM fills its frame up with; made once."""
        with self._empty_made:
            if self._empty is None:
                self._empty = self.networks.encode(torch.zeros_like(like)).float()
            return self._empty

    @property
    def chunk(self) -> int:
        """Prompts worth giving at once."""
        return self.networks.chunk

    @torch.inference_mode()
    def _low_res(
        self, state: Encoded, prompt: Prompt, which: slice
    ) -> tuple[frame.Logits, NDArray[np.float32]]:
        """Logits (B, M, h, w) of the whole frame and predicted IoUs (B, M) of one chunk."""
        sparse, dense = self.prompts(
            points=self._points(prompt, state.size_hw),
            boxes=self._boxes(prompt, state.size_hw),
            masks=None,
        )
        # without a mask prompt the dense embedding is one and the same, repeated; without others
        # the sparse one is of one prompt
        image = state.embedding + dense[:1]
        asked = Prompts(
            image, sparse.expand(len(prompt), -1, -1), self._marks(prompt, state.size_hw),
            self.places, (which.start, which.stop),
        )  # fmt: skip
        return self.networks.decode(asked)


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> SamSegmenter:
    """A SAM with its weights.

    Args:
        checkpoint: of nano, vit_b, vit_l or vit_h.
        precision: one of ``PRECISIONS``.
        device: ``cpu`` or ``cuda``.

    Raises:
        ParameterError: there is no GPU.
        ProductError, CheckpointError: the weights are not there or not the model's.
    """
    check_device(device, precision)
    path = checkpoint.verified()
    sam = checkpoints.build_sam(checkpoint.model, path, device=torch.device(device))
    return SamSegmenter(sam, precision)
