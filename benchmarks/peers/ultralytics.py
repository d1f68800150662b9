"""Ultralytics' SAM, a picture set once: (N, h, w)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from ultralytics.models.sam import Predictor

from benchmarks.peers.parts import parts

PACKAGES = ("ultralytics",)


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], NDArray[np.bool_]]:
    """The predictor, which drops no mask for its score."""
    assert not precision
    told = {"model": str(weights), "imgsz": 1024, "conf": 0.0, "save": False, "verbose": False}
    predictor: Any = Predictor(overrides={**told, "mode": "predict", "task": "segment"})
    predictor.setup_model(verbose=False)
    torch.set_num_threads(1)  # it sets its own

    def label(path: Path, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        predictor.set_image(cv2.imread(str(path)))
        found = [
            predictor(bboxes=some.tolist())[0].masks.data.numpy().astype(bool)
            for some in parts(boxes)
        ]
        return np.concatenate(found)

    return label


def masks(found: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """As they are."""
    return list(found)
