"""Pillow and OpenCV: label maps and instance maps."""

from __future__ import annotations

import cv2
import numpy as np
from common import finish, same_maps
from PIL import Image

for kind in ("semantic", "instances"):
    same_maps("png", f"Pillow `Image.open`, {kind}", kind, lambda p: np.asarray(Image.open(p)))
    for flag in ("IMREAD_COLOR", "IMREAD_GRAYSCALE", "IMREAD_UNCHANGED"):
        same_maps(
            "png",
            f"OpenCV `imread` with `{flag}`, {kind}",
            kind,
            lambda p, flag=flag: cv2.imread(str(p), getattr(cv2, flag)),
        )
finish("pillow", "opencv-python-headless")
