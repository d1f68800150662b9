"""Scores of masks with a known relation to their IoU: no model, no images."""

from __future__ import annotations

import numpy as np
import pandas as pd


def scored_masks(seed: int, count: int) -> pd.DataFrame:
    """A frame as ``ablate`` gives it: ``predicted_iou`` says too much, ``box_iou`` tells the rest.

    The true IoU is ``predicted_iou * box_iou`` but for a little noise.
    """
    rng = np.random.default_rng(seed)
    said, box_iou = rng.uniform(0.3, 1, count), rng.uniform(0.2, 1, count)
    x0, y0 = rng.uniform(0, 400, (2, count))
    wide, high = rng.uniform(8, 90, (2, count))
    hbb = np.stack([x0, y0, x0 + wide, y0 + high], axis=1)
    return pd.DataFrame(
        {
            "scene_id": [f"scene_{i // 20}" for i in range(count)],
            "recipe": "hbox",
            "iou": (said * box_iou + rng.normal(0, 0.03, count)).clip(0, 1),
            "hbb": hbb.tolist(),
            "mask_hbb": hbb.tolist(),
            "area": np.ceil(wide * high * rng.uniform(0.4, 1, count)).astype(int),
            "predicted_iou": said,
            "stability_score": rng.uniform(0.5, 1, count),
            "box_iou": box_iou,
            "obb_iou": np.where(rng.random(count) < 0.5, np.nan, rng.uniform(0, 1, count)),
            "outside": rng.uniform(0, 0.2, count),
            "components": rng.integers(1, 5, count),
        }
    )
