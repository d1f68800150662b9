"""How a picture lies in the square that a model sees, both ways: prompts in, logits out.

SAM 1 and what is built on it keep a picture's proportions and fill the square up (``Padded``); SAM
2, SAM 3 and EdgeTAM stretch the picture to it (``Stretched``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from samrs.prompting.types import FLOOR, Floats
from samrs.sam import frame
from samrs.sam.frame import Logits


class Square(Protocol):
    """A model's square."""

    @property
    def side(self) -> int:
        """px."""

    def points(self, points_xy: Floats, size_hw: tuple[int, int]) -> Floats:
        """Points (..., 2) of a picture as they lie in the square.

        Args:
            points_xy: px of the picture.
            size_hw: the picture's.
        """

    def mask(self, mask: NDArray[np.bool_], prompt_hw: tuple[int, int]) -> torch.Tensor:
        """SAMRS's mask prompt (1, h, w) of a picture's mask (H, W).

        Args:
            prompt_hw: size of the model's mask prompt.
        """

    def soft_mask(
        self, corners: Floats, slope: float, size_hw: tuple[int, int], prompt_hw: tuple[int, int]
    ) -> torch.Tensor:
        """A mask prompt (1, h, w) that is unsure at a rectangle's border.

        Args:
            corners: (4, 2) xy in px of the picture.
            slope: as ``frame.soft_rectangle`` takes it.
            size_hw: the picture's.
            prompt_hw: size of the model's mask prompt.
        """

    def crop(self, low_res: Logits, size_hw: tuple[int, int]) -> tuple[Logits, int, int]:
        """Logits (h, w) of the square in px of the picture, where they matter: as
        ``frame.logits_to_crop``.

        Args:
            low_res: the logits.
            size_hw: the picture's.
        """


@dataclass(frozen=True)
class Padded:
    """The picture's longer side is the square's, and nothing is below or right of it."""

    side: int

    def points(self, points_xy: Floats, size_hw: tuple[int, int]) -> Floats:
        """``points_xy`` in the square, as ``Square.points`` says."""
        return frame.points_in_frame(points_xy, size_hw, self.side)

    def mask(self, mask: NDArray[np.bool_], prompt_hw: tuple[int, int]) -> torch.Tensor:
        """As ``Square.mask``."""
        return frame.mask_to_prompt(mask, self.side, prompt_hw)

    def soft_mask(
        self, corners: Floats, slope: float, size_hw: tuple[int, int], prompt_hw: tuple[int, int]
    ) -> torch.Tensor:
        """Of ``corners`` and ``slope``, as ``Square.soft_mask`` says."""
        cell = self.side / prompt_hw[0]
        return frame.soft_rectangle(self.points(corners, size_hw), slope, (cell, cell), prompt_hw)

    def crop(self, low_res: Logits, size_hw: tuple[int, int]) -> tuple[Logits, int, int]:
        """Of ``low_res``, as ``Square.crop`` says."""
        return frame.logits_to_crop(low_res, self.side, size_hw, FLOOR)


@dataclass(frozen=True)
class Stretched:
    """The picture fills the square, its proportions or not."""

    side: int

    def points(self, points_xy: Floats, size_hw: tuple[int, int]) -> Floats:
        """``points_xy`` in the square, as ``Square.points`` says."""
        height, width = size_hw
        # in float32, as transformers' processors compute it
        scale = np.array([self.side / width, self.side / height], np.float32)
        return np.asarray(np.asarray(points_xy, np.float32) * scale, np.float64)

    def mask(self, mask: NDArray[np.bool_], prompt_hw: tuple[int, int]) -> torch.Tensor:
        """As ``Square.mask``."""
        logits = np.where(mask, np.float32(frame.INSIDE), np.float32(frame.OUTSIDE))
        given = torch.from_numpy(logits)[None, None]
        for size in ((self.side, self.side), prompt_hw):
            given = functional.interpolate(given, size, mode="bilinear", align_corners=False)
        return given[0]

    def soft_mask(
        self, corners: Floats, slope: float, size_hw: tuple[int, int], prompt_hw: tuple[int, int]
    ) -> torch.Tensor:
        """As ``Square.soft_mask`` says; ``slope`` is measured in the picture, where ``corners`` are
        those of a rectangle."""
        cells = size_hw[1] / prompt_hw[1], size_hw[0] / prompt_hw[0]
        return frame.soft_rectangle(corners, slope, cells, prompt_hw)

    def crop(self, low_res: Logits, size_hw: tuple[int, int]) -> tuple[Logits, int, int]:
        """Of ``low_res``, as ``Square.crop`` says."""
        return frame.stretched_to_crop(low_res, size_hw, FLOOR)
