"""Models of transformers for the benchmarks: random weights, the library's own loop, and ours."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from samrs.core.images import decode_rgb
from samrs.core.rle import Rle, mask_to_rle
from samrs.prompting.types import Boxes
from samrs.sam.shells import HIERA
from samrs.segmenters import sam2

MODELS = tuple(HIERA)
BOXES_A_CALL = 20


def model(name: str) -> Any:
    """A SAM 2.1 with seeded random weights, in evaluation mode.

    Args:
        name: one of ``MODELS``.
    """
    from transformers import Sam2Model

    torch.manual_seed(0)
    made: Any = Sam2Model(sam2.config(name))
    return made.eval()


def engine(made: Any, precision: str) -> Any:
    """Our segmenter, with a copy of the model.

    Args:
        made: as ``model`` gives it.
        precision: of the image encoder.
    """
    return sam2.of_model(copy.deepcopy(made), precision)


class Library:
    """transformers' loop: a picture is encoded once, then 20 boxes a call.

    Args:
        made: as ``model`` gives it.
    """

    def __init__(self, made: Any) -> None:
        from transformers import Sam2ImageProcessor, Sam2Processor

        self.model = made
        self.processor: Any = Sam2Processor(Sam2ImageProcessor())

    @torch.inference_mode()
    def __call__(self, image: bytes, boxes: Boxes) -> list[Rle]:
        """The masks of one tile."""
        seen = self.processor(images=decode_rgb(image, "tile"), return_tensors="pt")
        embeddings = self.model.get_image_embeddings(seen["pixel_values"].to(self.model.device))
        found: list[Rle] = []
        for start in range(0, len(boxes), BOXES_A_CALL):
            asked = self.processor(
                original_sizes=seen["original_sizes"],
                input_boxes=[boxes.hbb[start : start + BOXES_A_CALL].tolist()],
                return_tensors="pt",
            )
            out = self.model(
                image_embeddings=embeddings,
                input_boxes=asked["input_boxes"].to(self.model.device),
                multimask_output=False,
            )
            (masks,) = self.processor.post_process_masks(out.pred_masks, seen["original_sizes"])
            found += [mask_to_rle(np.asarray(mask)) for mask in masks[:, 0].cpu().numpy()]
        return found
