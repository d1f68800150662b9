"""Pictures resized as the processors of transformers do it: by torchvision, bilinear, with
antialiasing, rounded to whole levels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def resized(image: NDArray[np.uint8], size_hw: tuple[int, int], device: torch.device) -> Tensor:
    """(3, h, w) of an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        size_hw: rows and columns wanted.
        device: where.
    """
    # torchvision takes as long to import as torch, and SAM 1 does without
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as pictures

    given = torch.from_numpy(np.require(image, requirements=["C", "W"])).to(device)
    how = InterpolationMode.BILINEAR
    found: Tensor = pictures.resize(given.permute(2, 0, 1), list(size_hw), how, antialias=True)
    return found
