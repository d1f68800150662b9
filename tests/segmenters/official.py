"""What segment_anything's own predictor says to a prompt."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from torch.nn import functional

from samrs.core.rle import polygons_to_rle, rle_to_mask
from samrs.prompting.types import Prompt


def mask_prompt(predictor: SamPredictor, polygon: NDArray[np.float64]) -> torch.Tensor:
    """SAMRS's mask prompt (1, 1, h, w), written plainly."""
    frame = predictor.model.image_encoder.img_size
    mask = torch.from_numpy(rle_to_mask(polygons_to_rle([polygon], predictor.original_size)))
    logits = torch.where(mask, 1000.0, -1000.0)[None, None]
    height, width = predictor.input_size
    logits = functional.interpolate(logits, (height, width), mode="bilinear")
    logits = functional.pad(logits, (0, frame - width, 0, frame - height), value=-1000.0)
    return functional.interpolate(
        logits, predictor.model.prompt_encoder.mask_input_size, mode="bilinear"
    )


def predicted(
    predictor: SamPredictor, prompt: Prompt, *, multimask: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, 1 or 3, H, W) at tile size and predicted IoUs (N, 1 or 3)."""
    size = predictor.original_size
    boxes = points = masks = None
    if prompt.boxes_xyxy is not None:
        boxes = torch.as_tensor(predictor.transform.apply_boxes(prompt.boxes_xyxy, size)).float()
    if prompt.points_xy is not None:
        points = torch.as_tensor(predictor.transform.apply_coords(prompt.points_xy, size)).float()
    labels = None if prompt.point_labels is None else torch.as_tensor(prompt.point_labels)
    if prompt.mask_polygons is not None:
        masks = torch.cat([mask_prompt(predictor, p) for p in prompt.mask_polygons])
    logits, ious, _ = predictor.predict_torch(
        points, labels, boxes, masks, multimask_output=multimask, return_logits=True
    )
    return logits, ious
