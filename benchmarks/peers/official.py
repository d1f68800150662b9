"""segment_anything's predictor, as SAMRS asked it: (N, h, w)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry

from benchmarks.peers.parts import parts

PACKAGES = ("segment-anything",)


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], NDArray[np.bool_]]:
    """The predictor; it has one precision."""
    assert not precision
    predictor = SamPredictor(sam_model_registry["vit_b"](str(weights)))

    def label(path: Path, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        picture = cv2.imread(str(path))
        assert picture is not None
        predictor.set_image(picture[..., ::-1])
        found = []
        for some in parts(boxes):
            asked = torch.as_tensor(some, dtype=torch.float)
            framed = predictor.transform.apply_boxes_torch(asked, picture.shape[:2])
            answer, _, _ = predictor.predict_torch(None, None, framed, multimask_output=False)
            found.append(answer[:, 0].numpy())
        return np.concatenate(found)

    return label


def masks(found: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """As they are."""
    return list(found)
