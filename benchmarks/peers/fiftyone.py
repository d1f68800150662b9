"""FiftyOne's SAM of its model zoo, all boxes of a picture at once, as it takes them.

Its masks are cut to their boxes. No dataset of its own is made, which would need its database.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone.utils.sam import SegmentAnythingModel, SegmentAnythingModelConfig
from numpy.typing import NDArray

PACKAGES = ("fiftyone", "segment-anything")
SIDE = 1024


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], Any]:
    """The model, as the zoo's entry of ViT-B makes it."""
    assert not precision
    model: Any = SegmentAnythingModel(
        SegmentAnythingModelConfig({
            "model_path": str(weights),
            "entrypoint_fcn": "segment_anything.build_sam.build_sam_vit_b",
            "device": "cpu",
        })
    )  # fmt: skip
    take = model.build_get_item(field_mapping={"box_prompt_field": "boxes"})

    def label(path: Path, boxes: NDArray[np.float64]) -> Any:
        x0, y0, x1, y1 = boxes.T / SIDE
        asked = fo.Detections(
            detections=[
                fo.Detection(label="thing", bounding_box=list(box))
                for box in np.stack([x0, y0, x1 - x0, y1 - y0], 1).tolist()
            ]
        )
        seen = take({"filepath": str(path), "id": path.stem, "box_prompt_field": asked})
        return model.predict_all(seen)

    return label


def masks(found: Any) -> list[NDArray[np.bool_]]:
    """None: they are cut to their boxes, and empty ones are left out."""
    return []
