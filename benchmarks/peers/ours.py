"""This project's engine, in each precision: run lengths and scores of each mask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.arithmetic import instructions
from samrs.core.images import decode_rgb
from samrs.core.rle import Rle, rle_to_mask
from samrs.label.scores import mask_scores
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes

PACKAGES = ("segment-anything",)


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], list[Rle]]:
    """The engine as the stage makes it; torch is imported after the process is held or not."""
    instructions.begin(precision)
    import torch
    from segment_anything import sam_model_registry

    from samrs.sam.computing import check_device
    from samrs.segmenters.sam import SamSegmenter

    check_device("cpu", precision)
    sam = sam_model_registry["vit_b"]().eval()
    sam.load_state_dict(torch.load(weights, weights_only=True))
    engine, recipe = SamSegmenter(sam, precision), parse_recipe("hbox")

    def label(path: Path, boxes: NDArray[np.float64]) -> list[Rle]:
        image = decode_rgb(path.read_bytes(), "tile")
        turned = np.full((len(boxes), 4, 2), np.nan)
        asked = recipe.build(Boxes(boxes, turned, image.shape[:2]))
        found = engine.decode(engine.encode(image), asked).rles
        for rle, box in zip(found, boxes, strict=True):
            mask_scores(rle, box, None)
        return found

    return label


def masks(found: list[Rle]) -> list[NDArray[np.bool_]]:
    """Of run lengths."""
    return [rle_to_mask(rle) for rle in found]
