"""SAM 2, SAM 3's tracker and EdgeTAM: the image encoders of transformers, SAM's decoder as ours.

An answer is what ``Sam2Model`` and its processor give: the picture is stretched to the model's
square, a box is three tokens, and a single mask that is not stable is left for the best of three.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samrs.prompting.types import Prompt
from samrs.sam import decoder as decoding
from samrs.sam.computing import check_device, check_encoder_precision, one_thread
from samrs.sam.frame import Logits
from samrs.sam.modules import image_places, mask_decoder, prompt_encoder
from samrs.sam.prompted import Prompted
from samrs.sam.resizing import resized
from samrs.sam.shells import Names, built
from samrs.sam.square import Stretched
from samrs.weights.checkpoint import Checkpoint


@dataclass(frozen=True)
class Look:
    """How a picture's colours become numbers.

    Args:
        mean: of red, green and blue, of 0 to 1.
        std: likewise.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Look((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Look((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Seen:
    """A tile as the decoder looks at it.

    Args:
        embedding: (1, C, h, w).
        details: as ``decoder.upscaled`` takes them.
        size_hw: the tile's, px.
    """

    embedding: Tensor
    details: tuple[Tensor, Tensor]
    size_hw: tuple[int, int]


class ByTransformers(Prompted):
    """A model of SAM 2's build that answers prompts in tile px.

    Args:
        name: the segmenter's file in ``samrs/segmenters``.
        model: ``Sam2Model``, ``Sam3TrackerModel`` or ``EdgeTamModel``, in evaluation mode, on its
            device.
        precision: of the image encoder; the decoder is always float32.
        look: the model's.
    """

    def __init__(self, name: str, model: Any, precision: str, look: Look) -> None:
        check_encoder_precision(name, precision)
        self.name = name
        prompts = prompt_encoder(model.prompt_encoder)
        super().__init__(Stretched(int(model.prompt_encoder.input_image_size)), prompts)
        self.decoder = mask_decoder(model.mask_decoder)
        self._rule = model.mask_decoder
        grid = tuple(model.prompt_encoder.image_embedding_size)
        self.places = image_places(model.shared_image_embedding, grid)
        # places of the neck's maps are for videos, and cost as much as some of its layers
        model.vision_encoder.neck.position_encoding = _NoPlaces()
        self.encoder = model
        if precision == "bfloat16":
            self.encoder = copy.deepcopy(model).bfloat16()
        self._look = [
            torch.tensor(values, device=self.device)[:, None, None] * 255
            for values in (look.mean, look.std)
        ]

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> Seen:
        """Embed an image (H, W, 3) uint8 RGB."""
        one_thread()
        dtype = self.encoder.no_memory_embedding.dtype
        fine, coarse, embedding = (
            part.float() for part in self.encoder.get_image_embeddings(self.pixels(image).to(dtype))
        )
        details = decoding.details_of(fine, coarse)
        return Seen(embedding.contiguous(), details, (image.shape[0], image.shape[1]))

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """What the encoder sees (1, 3, S, S) of an image, as the model's own processor gives it.

        Args:
            image: (H, W, 3) uint8 RGB.
        """
        sized = resized(image, (self.square.side, self.square.side), self.device)
        mean, std = self._look
        seen: Tensor = ((sized.float() - mean) / std)[None]
        return seen

    @torch.inference_mode()
    def _low_res(
        self, state: Seen, prompt: Prompt, which: slice
    ) -> tuple[Logits, NDArray[np.float32]]:
        """Logits (B, M, h, w) of the whole square and predicted IoUs (B, M) of one chunk."""
        boxes, points = self._boxes(prompt, state.size_hw), self._points(prompt, state.size_hw)
        sparse, dense = self.prompts(points=points, boxes=boxes, masks=None)
        sparse = sparse.expand(len(prompt), -1, -1)
        # SAM 2 takes a box for two points, and tells after points that there are no more; where
        # there are none at all, it tells so of the first
        nothing = self.prompts.not_a_point_embed.weight.expand(len(sparse), -1, -1)
        told = {True: 1, False: 0 if points is not None else 2}[boxes is not None]
        score = self._rule.obj_score_token.weight.expand(len(sparse), -1, -1)
        logits, ious = decoding.decode(
            self.decoder, state.embedding + dense[:1], self.places,
            torch.cat([sparse, *[nothing] * told, score], 1), slice(None),
            self._marks(prompt, state.size_hw), state.details,
        )  # fmt: skip
        if which.start:
            logits, ious = logits[:, which], ious[:, which]
        else:
            logits, ious = self._one_of(logits, ious)
        return logits.cpu().numpy(), ious.cpu().numpy()

    def _one_of(self, logits: Tensor, ious: Tensor) -> tuple[Tensor, Tensor]:
        """The first mask (B, 1, h, w) and its predicted IoU (B, 1); where it is not stable, the
        best of the others."""
        rule = self._rule
        if not rule.dynamic_multimask_via_stability:
            return logits[:, :1], ious[:, :1]
        delta = rule.dynamic_multimask_stability_delta
        inner, outer = ((logits[:, 0] > edge).sum((1, 2)) for edge in (delta, -delta))
        share = torch.where(outer > 0, inner.float() / outer.float(), 1.0)
        stable = share >= rule.dynamic_multimask_stability_thresh
        chosen = torch.where(stable, 0, 1 + ious[:, 1:].argmax(1))
        each = torch.arange(len(logits), device=logits.device)
        return logits[each, chosen][:, None], ious[each, chosen][:, None]


@dataclass(frozen=True)
class Family:
    """A segmenter of transformers' models, with the functions that every segmenter has.

    Args:
        name: its file in ``samrs/segmenters``.
        kind: transformers' class, loaded when it is needed.
        config: gives the configuration of a model by its name.
        names: for the tensors of a file.
        look: of its models.
    """

    name: str
    kind: str
    config: Callable[[str], Any]
    names: Names
    look: Look

    def of_model(self, model: Any, precision: str) -> ByTransformers:
        """The segmenter with a model of transformers.

        Args:
            model: of ``kind``, in evaluation mode, on its device.
            precision: of the image encoder.
        """
        return ByTransformers(self.name, model, precision, self.look)

    def load(self, *, checkpoint: Checkpoint, precision: str, device: str) -> ByTransformers:
        """The segmenter with its weights.

        Args:
            checkpoint: of a model of its file in ``samrs/weights/checkpoints``.
            precision: float32, float32-fast or bfloat16.
            device: ``cpu`` or ``cuda``.

        Raises:
            ParameterError: there is no GPU, or the precision is not for it.
            ProductError, CheckpointError: the weights are not there or not the model's.
        """
        import transformers

        check_device(device, precision)
        path, about = checkpoint.verified(), self.config(checkpoint.model)
        model = built(getattr(transformers, self.kind), about, checkpoint.model, path, self.names)
        return self.of_model(model.to(device), precision)


class _NoPlaces(torch.nn.Module):
    """Stands for an embedding of places that nobody asks."""

    def forward(self, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
        """One number."""
        return torch.zeros(1, 1, 1, 1, device=device, dtype=dtype)
