"""Segment Anything, on segment_anything's own modules; answers as ``SamPredictor`` does.

Kirillov et al., Segment Anything (arXiv 2304.02643). One mask a prompt
(``multimask_output=False``), logits above 0. The tile is encoded once for all its prompts.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from segment_anything.utils.transforms import ResizeLongestSide

from samrs.core.errors import ParameterError
from samrs.core.prompting import Floats, Prediction, Prompt
from samrs.core.rle import Rle, crop_to_rle, empty_rle, polygons_to_rle, rle_to_mask
from samrs.core.shards import sha256
from samrs.sam import checkpoints, decoding, encoding, frame, published

log = logging.getLogger("samrs")
PRECISIONS = ("float32", "bfloat16")
CHUNK = {"cpu": 4, "cuda": 64}
"""Prompts decoded together: bounds memory, and fits the caches of a CPU. Not a setting: sums round
with the batch's shape."""

OFFSET = 1.0
"""Logit offset of the stability score, as in SamAutomaticMaskGenerator."""


@dataclass(frozen=True)
class Encoded:
    """A tile's image embedding (1, C, h, w) and its size in px."""

    embedding: torch.Tensor
    size_hw: tuple[int, int]


class SamSegmenter:
    """A SAM model that answers prompts in tile px.

    Args:
        sam: the model, in evaluation mode, on its device.
        precision: of the image encoder; the decoder is always float32.
    """

    def __init__(self, sam: Sam, precision: str) -> None:
        if precision not in PRECISIONS:
            raise ParameterError(
                f"precision: unknown, got {precision!r}; allowed are {', '.join(PRECISIONS)}; "
                "use one of these"
            )
        self.sam = sam
        self.encoder = sam.image_encoder
        if precision == "bfloat16":
            self.encoder = copy.deepcopy(sam.image_encoder).bfloat16()
        self.frame = int(sam.image_encoder.img_size)
        self.transform = ResizeLongestSide(self.frame)

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> Encoded:
        """Embed a tile (H, W, 3) uint8 RGB."""
        _one_thread()
        resized = torch.from_numpy(self.transform.apply_image(image)).to(self.sam.device)
        pixels = self.sam.preprocess(resized.permute(2, 0, 1).contiguous()[None])
        pixels = pixels.to(next(self.encoder.parameters()).dtype)
        embedding = encoding.encode(self.encoder, pixels)
        return Encoded(embedding.float(), (image.shape[0], image.shape[1]))

    def decode(self, state: Encoded, prompt: Prompt) -> Prediction:
        """One mask per prompt; boxes, points and masks may come together.

        Raises:
            ParameterError: the prompt holds none of them.
        """
        if prompt.boxes_xyxy is None and prompt.points_xy is None and prompt.mask_polygons is None:
            raise ParameterError(
                "segmenter sam: empty prompt, got no box, point or mask; at least one is needed; "
                "choose a recipe of samrs/prompts"
            )
        _one_thread()
        rles: list[Rle] = []
        scores: list[tuple[float, float]] = []
        chunk = CHUNK[self.sam.device.type]
        for start in range(0, len(prompt), chunk):
            for logits, iou in self._answers(state, prompt.take(slice(start, start + chunk))):
                rle, stability = _logits_to_rle(logits, self.frame, state.size_hw)
                rles.append(rle)
                scores.append((float(iou), stability))
        table = np.array(scores, dtype=np.float64).reshape(-1, 2)
        return Prediction(rles, table[:, 0], table[:, 1])

    def _answers(
        self, state: Encoded, prompt: Prompt
    ) -> Iterator[tuple[NDArray[np.float32], float]]:
        """Logits (h, w) and predicted IoU of each prompt; in halves where memory does not do."""
        try:
            low_res, ious = self._low_res(state, prompt)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _out_of_memory(error) or len(prompt) == 1:
                raise
            half = len(prompt) // 2
        else:
            yield from zip(low_res, ious.tolist(), strict=True)
            return
        log.warning("segmenter sam: out of memory with %d prompts, now %d", len(prompt), half)
        for part in (slice(0, half), slice(half, len(prompt))):
            yield from self._answers(state, prompt.take(part))

    @torch.inference_mode()
    def _low_res(
        self, state: Encoded, prompt: Prompt
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (B, h, w) of the whole frame and predicted IoUs (B,) of one chunk."""
        sparse, dense = self.sam.prompt_encoder(
            points=self._points(prompt, state.size_hw),
            boxes=self._boxes(prompt, state.size_hw),
            masks=self._masks(prompt, state.size_hw),
        )
        # without mask prompts the dense embedding is one and the same, repeated
        shared = dense if prompt.mask_polygons is not None else dense[:1]
        places = self.sam.prompt_encoder.get_dense_pe()
        low_res, ious = decoding.decode(
            self.sam.mask_decoder, state.embedding + shared, places, sparse, slice(0, 1)
        )
        return low_res[:, 0].cpu().numpy(), ious[:, 0].cpu().numpy()

    def _points(
        self, prompt: Prompt, size_hw: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        if prompt.points_xy is None or prompt.point_labels is None:
            return None
        coordinates = self.transform.apply_coords(prompt.points_xy, size_hw)
        labels = torch.as_tensor(prompt.point_labels, dtype=torch.int, device=self.sam.device)
        return self._tensor(coordinates), labels

    def _boxes(self, prompt: Prompt, size_hw: tuple[int, int]) -> torch.Tensor | None:
        if prompt.boxes_xyxy is None:
            return None
        return self._tensor(self.transform.apply_boxes(prompt.boxes_xyxy, size_hw))

    def _masks(self, prompt: Prompt, size_hw: tuple[int, int]) -> torch.Tensor | None:
        if prompt.mask_polygons is None:
            return None
        shape = self.sam.prompt_encoder.mask_input_size
        masks = [
            frame.mask_to_prompt(rle_to_mask(polygons_to_rle([p], size_hw)), self.frame, shape)
            for p in prompt.mask_polygons
        ]
        return torch.stack(masks).to(self.sam.device)

    def _tensor(self, values: Floats) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float, device=self.sam.device)


def _one_thread() -> None:
    """The calling thread computes alone: sums round with the number of threads that share them, and
    several tiles at once use several cores better."""
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def _out_of_memory(error: BaseException) -> bool:
    """torch has a class of its own for GPUs only."""
    named = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return named or "can't allocate memory" in str(error)


def _logits_to_rle(
    low_res: NDArray[np.float32], side: int, size_hw: tuple[int, int]
) -> tuple[Rle, float]:
    """The mask of logits of the frame, and its stability score (0 for logits all below -1)."""
    crop, x0, y0 = frame.logits_to_crop(low_res, side, size_hw, -OFFSET)
    union = np.count_nonzero(crop > -OFFSET)
    if union == 0:
        return empty_rle(size_hw), 0.0
    return crop_to_rle(crop > 0, x0, y0, size_hw), np.count_nonzero(crop > OFFSET) / union


def _checkpoint(model: str) -> Path:
    if model == "nano":
        return checkpoints.NANO_WEIGHTS
    return published.checkpoint_path(model, Path("data/models"))


def model_sha256(model: str) -> str | None:
    """Digest of the weights that ``load`` reads."""
    return sha256(_checkpoint(model))


def device(runtime: Mapping[str, Any]) -> str:
    """``cpu`` or ``cuda``, as ``runtime.device`` means it here; their sums round differently."""
    said = str(runtime["device"])
    if said == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return said


def load(*, model: str, precision: str, device: str) -> SamSegmenter:
    """A SAM with its weights.

    Args:
        model: nano (bundled), vit_b, vit_l or vit_h (in ``data/models``).
        precision: float32 or bfloat16.
        device: ``cpu`` or ``cuda``.
    """
    sam = checkpoints.build_sam(model, _checkpoint(model), device=torch.device(device))
    return SamSegmenter(sam, precision)
